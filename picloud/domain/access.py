"""Access tokens of the control plane: who may do what, for which apps. Only a hash of the token is known."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain.errors import Conflict, Invalid
from picloud.domain.names import check_app_name, check_label


class Role(IntEnum):
    """What a token may do; a higher role may do all that a lower one may."""

    VIEWER = 1
    EDITOR = 2
    OWNER = 3

    @classmethod
    def named(cls, name: str) -> Role:
        """The role called ``name``. Raises :class:`Invalid`."""
        try:
            return cls[name.upper()]
        except KeyError:
            raise Invalid(f"{name!r} is no role: expected owner, editor or viewer", field="role") from None

    @property
    def label(self) -> str:
        """The role's name as users write it."""
        return self.name.lower()


class TokenIssued(Aggregate.Created):
    """A token was made. ``apps`` limits it to those apps; empty means all."""

    name: str
    role: str
    apps: list[str]
    sha256: str


class TokenRevoked(Aggregate.Event):
    """The token opens nothing any more."""

    def apply(self, aggregate: AccessToken) -> None:
        aggregate.revoked = True


class AccessToken(Aggregate):
    """See the module. ``sha256`` is the hash, in hex, of the secret that the holder sends."""

    def __init__(self, name: str, role: str, apps: list[str], sha256: str) -> None:
        self.name = name
        self.role = Role.named(role)
        self.apps = frozenset(apps)
        self.sha256 = sha256
        self.revoked = False

    @classmethod
    def issue(cls, token_id: UUID, name: str, *, role: str, apps: list[str], sha256: str, at: datetime) -> AccessToken:
        """A new token. Raises :class:`Invalid` for a bad name, role or app."""
        check_label(name, field="name")
        Role.named(role)
        for app in apps:
            check_app_name(app, field="apps")
        return cls._create(
            TokenIssued, id=token_id, name=name, role=role, apps=sorted(set(apps)), sha256=sha256, timestamp=at
        )

    def revoke(self, *, at: datetime) -> None:
        """Close what the token opened. Raises :class:`Conflict` if it is revoked already."""
        if self.revoked:
            raise Conflict(f"the token {self.name!r} is revoked already")
        self.trigger_event(TokenRevoked, timestamp=at)
