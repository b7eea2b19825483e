"""Accounts of apps' own users, written inline by the append: whoever signs in after a commit meets what it wrote.

What events do to the rows is one function of the database, ``log.change_users``, for the append and for rebuilds. The
rows hold marks and cipher texts alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec
from psycopg.types.json import Jsonb

from picloud.domain import users
from picloud.domain.metadata import Metadata
from picloud.domain.quota import DEFAULTS
from picloud.domain.users import MAX_SESSIONS, UserEvent

_FIELDS: Final = (
    "epoch", "mark", "sealed", "password", "roles", "disabled", "rehashed", "expires", "until", "idle_ms", "name",
    "purpose",
)  # fmt: skip


class UsersChange:
    """What a run of events, in order, does to the accounts: a step for each."""

    __slots__ = ("steps",)

    types: ClassVar[tuple[type, ...]] = (
        users.UserRegistered,
        users.UserChanged,
        users.UserPasswordSet,
        users.UserSessionsEnded,
        users.UserRemoved,
        users.UserSessionStarted,
        users.UserSessionExtended,
        users.UserSessionEnded,
        users.UserTokenIssued,
        users.UserTokenRevoked,
        users.UserCodeIssued,
        users.UserCodeUsed,
    )
    call: ClassVar[str] = "log.change_users(%b::text, %b::boolean, %b::bigint, %b::bigint, %b::integer, %b::jsonb)"

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []

    def add(self, event: UserEvent, metadata: Metadata, at: datetime | None = None) -> None:
        """Fold one more event."""
        step: dict[str, Any] = {"does": type(event).__name__, "app": metadata.app, "id": event.originator_id, "at": at}
        user = getattr(event, "user", None)
        if user is not None:
            step["user_id"] = user
        for name in _FIELDS:
            value = getattr(event, name, None)
            if value is not None:
                step[name] = value
        self.steps.append(step)

    @staticmethod
    def arguments(changes: Sequence[UsersChange], store: str | None = None) -> tuple[Any, ...]:
        """See :class:`picloud.projections.inlining.InlineChange`."""
        quota = DEFAULTS["users"]
        steps = [step for change in changes for step in change.steps]
        return (store or "users", store is None, quota.items, quota.bytes, MAX_SESSIONS, Jsonb(steps, dumps=_encode))


def _encode(steps: Any) -> str:
    return msgspec.json.encode(steps).decode()
