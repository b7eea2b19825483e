"""Secrets: set, rotated with a grace for the value before, removed. A value is sealed here and never told again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import psycopg

from picloud.domain.errors import Conflict
from picloud.domain.secret import Secret, about_secret, check_key_name, check_secret_value, no_secret
from picloud.domain.vault import VaultError
from picloud.log.repository import collect, load
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.orchestrator.vault import Vault, known_keys
from picloud.projections.secrets import sizes_of_secrets

MAX_SECRETS: Final = 100
"""Of one app."""
MAX_SEALED_BYTES: Final = 2 * 1024 * 1024
"""Of the cipher texts of one app's secrets: each node keeps them in memory."""
GENERATED_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """What a secret is to be. Without a ``value`` a random one is made, which nobody is told.

    The value before stays readable for ``grace``. ``expected`` is the version that the caller takes for current: 0 for
    none, None for any.
    """

    app: str
    name: str
    value: str | None
    grace: timedelta = timedelta(0)
    expected: int | None = None


def set_secret(control: Control, command: Command, vault: Vault, wanted: NewSecret) -> bool:
    """Give a secret its next version; return whether there was one to be made: the same value again makes none.

    Raises :class:`NotFound` for the app, :class:`Invalid`, :class:`Conflict`, :class:`VersionMismatch`, or
    :class:`VaultError` if it can't be sealed here.
    """
    check_key_name(wanted.name, "secret")
    value = check_secret_value(wanted.value if wanted.value is not None else secrets.token_urlsafe(GENERATED_BYTES))

    def use_case() -> bool:
        with control.sessions.session() as connection:
            existing_app(connection, wanted.app)
            vault.check_newest(known_keys(connection))
            secret = load(connection, Secret, Secret.id_of(wanted.app, wanted.name))
            if secret is None:
                secret = Secret.create(wanted.app, wanted.name, at=control.now())
            secret.expect(wanted.expected)
            if _is(secret, value, vault):
                return False
            sealed = vault.seal(value.encode(), about=about_secret(secret.app, secret.name, secret.next_number))
            _check_room(connection, secret, len(sealed))
        fingerprint = vault.fingerprint(value.encode(), about=f"{secret.app}/{secret.name}")
        secret.set(sealed, fingerprint, grace=wanted.grace, at=control.now())
        control.append(collect([secret], command.metadata(wanted.app)))
        return True

    return control.decide(use_case)


def expire_secret(control: Control, command: Command, app: str, name: str) -> bool:
    """End the grace of a secret's older versions; return whether there was one. Raises :class:`NotFound`."""

    def use_case() -> bool:
        secret = existing_secret(control, app, name)
        expired = secret.expire(at=control.now())
        control.append(collect([secret], command.metadata(app)))
        return expired

    return control.decide(use_case)


def remove_secret(control: Control, command: Command, app: str, name: str, expected: int | None) -> None:
    """Take a secret away. Raises :class:`NotFound` or :class:`VersionMismatch`."""

    def use_case() -> None:
        secret = existing_secret(control, app, name)
        secret.expect(expected)
        secret.remove(at=control.now())
        control.append(collect([secret], command.metadata(app)))

    control.decide(use_case)


def existing_secret(control: Control, app: str, name: str) -> Secret:
    """The secret ``name`` of ``app``, which has a value. Raises :class:`NotFound`."""
    with control.sessions.session() as connection:
        existing_app(connection, app)
        secret = load(connection, Secret, Secret.id_of(app, name))
    if secret is None or secret.current is None:
        raise no_secret(app, name)
    return secret


def _is(secret: Secret, value: str, vault: Vault) -> bool:
    """Whether the present version has this value; not if it can't be opened any more."""
    current = secret.current
    if current is None:
        return False
    try:
        opened = vault.open(current.sealed, about=about_secret(secret.app, secret.name, current.number))
    except VaultError:
        return False
    return secrets.compare_digest(opened, value.encode())


def _check_room(connection: psycopg.Connection, secret: Secret, size: int) -> None:
    sizes = sizes_of_secrets(connection, secret.app)
    own = sizes.pop(secret.name, 0)
    if not own and len(sizes) >= MAX_SECRETS:
        raise Conflict(
            f"{secret.app} has {len(sizes)} secrets, and {MAX_SECRETS} at most",
            field="name",
            remedy="Remove one that nobody reads: picloud secrets shows the reads.",
        )
    if sum(sizes.values()) + own + size > MAX_SEALED_BYTES:
        raise Conflict(
            f"the secrets of {secret.app} would have more than {MAX_SEALED_BYTES:,} bytes together, sealed and with "
            "those in their grace",
            field="value",
            remedy="Remove one, or end a grace: picloud secrets expire.",
        )
