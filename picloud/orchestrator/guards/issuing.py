"""Credentials of routes: made here or given, and what is kept of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.route_auth import Auth, Credential, Scheme, check_credential_name
from picloud.orchestrator.guards.api_keys import kept_of_key, new_key
from picloud.orchestrator.guards.guard import about_route
from picloud.orchestrator.guards.passwords import kept_of_password
from picloud.orchestrator.guards.signatures import LEAST_SECRET
from picloud.orchestrator.vault import Vault

LEAST_HS256_SECRET: Final = 32
"""Bytes: RFC 7518, section 3.2."""
LEAST_PASSWORD: Final = 8
MAX_SECRET: Final = 512


@dataclass(frozen=True, slots=True)
class Asked:
    """A credential that somebody wants; without a ``secret`` one is made."""

    name: str
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential whose secret was made here. It is told this once."""

    name: str
    secret: str


def issue(asked: Asked, auth: Auth, route: UUID, vault: Vault) -> tuple[Credential, Issued | None]:
    """What is kept of the credential, and its secret if it was made here.

    Raises :class:`Invalid`, or :class:`VaultError` if a secret that signs can't be sealed here.
    """
    name = check_credential_name(asked.name, auth.scheme, field="name")
    if asked.secret is None:
        secret = _made(auth)
        return Credential(name, _kept(secret, auth, route, vault)), Issued(name, secret)
    if auth.scheme is Scheme.KEY:
        raise Invalid("API keys are made here", field="secret", remedy="Leave the secret out.")
    _check(asked.secret, auth)
    return Credential(name, _kept(asked.secret, auth, route, vault)), None


def _made(auth: Auth) -> str:
    if auth.scheme is Scheme.KEY:
        return new_key()
    return secrets.token_urlsafe(18 if auth.scheme is Scheme.BASIC else 32)


def _check(secret: str, auth: Auth) -> None:
    least = LEAST_SECRET if auth.signature is not None else LEAST_HS256_SECRET
    if auth.scheme is Scheme.BASIC:
        least = LEAST_PASSWORD
    size = len(secret.encode())
    if not least <= size <= MAX_SECRET or not secret.isprintable():
        raise Invalid(
            f"a secret here has {least} to {MAX_SECRET} bytes of printable characters, found {size} bytes",
            field="secret",
            remedy="Leave it out to have one made.",
        )


def _kept(secret: str, auth: Auth, route: UUID, vault: Vault) -> str:
    if auth.scheme is Scheme.KEY:
        return kept_of_key(secret)
    if auth.scheme is Scheme.BASIC:
        return kept_of_password(secret)
    return vault.seal(secret.encode(), about=about_route(route))
