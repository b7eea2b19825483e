"""Access tokens: issued, and revoked."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.domain.access import AccessToken
from picloud.domain.errors import Conflict, NotFound
from picloud.log.ids import new_id
from picloud.log.repository import collect, load
from picloud.orchestrator.bootstrap import new_secret, secret_hash
from picloud.orchestrator.control.control import Command, Control
from picloud.projections.queries import is_last_owner


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token. ``secret`` is told this once."""

    id: UUID
    secret: str


def issue(control: Control, command: Command, name: str, *, role: str, apps: list[str]) -> Issued:
    """Make a token. Raises :class:`Invalid`."""
    secret = new_secret()
    token = AccessToken.issue(
        new_id(), name, role=role.lower(), apps=apps, sha256=secret_hash(secret), at=control.now()
    )
    control.append(collect([token], command.metadata("")))
    return Issued(token.id, secret)


def revoke(control: Control, command: Command, token_id: UUID) -> None:
    """Close what a token opened. Raises :class:`NotFound`, or :class:`Conflict` for the last owner's."""

    def use_case() -> None:
        with control.sessions.session() as connection:
            token = load(connection, AccessToken, token_id)
            if token is None:
                raise NotFound(f"there is no token {token_id}", field="token", remedy="See picloud tokens.")
            if is_last_owner(connection, token_id):
                raise Conflict("this is the last owner's token", field="token", remedy="Issue another owner first.")
        token.revoke(at=control.now())
        control.append(collect([token], command.metadata("")))

    control.decide(use_case)
