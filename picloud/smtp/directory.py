"""The triggers of an address: an app's are read on first use, and forgotten when the catalog changes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from picloud.domain.firing import Target
from picloud.domain.mailbox import Mailbox
from picloud.domain.trigger import Delivery
from picloud.domain.trigger_config import Email, read_config
from picloud.log.listener import CATALOG_CHANNEL, Listener
from picloud.postgres.sessions import Sessions
from picloud.projections.triggers import EmailRow, email_triggers


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A trigger that takes mail. ``target`` is None if its script is gone; ``why_not`` says why it takes none now."""

    id: UUID
    address: str
    config: Email
    target: Target | None
    why_not: str


class Directory:
    """See the module. What isn't found is asked for again: a trigger that was just made is there."""

    def __init__(self, sessions: Sessions, listener: Listener) -> None:
        self._sessions = sessions
        self._apps: dict[str, list[Addressee]] = {}
        self._changes = 0
        listener.subscribe(CATALOG_CHANNEL, self._forget)

    def find(self, mailbox: Mailbox) -> list[Addressee]:
        """All triggers of the address. Raises :class:`psycopg.OperationalError` if it has to ask in vain."""
        known = self._apps.get(mailbox.app)
        found = _with_address(known or [], mailbox.address)
        return found or _with_address(self._load(mailbox.app), mailbox.address)

    def _load(self, app: str) -> list[Addressee]:
        changes = self._changes
        with self._sessions.session() as connection:
            found = [_addressee(row) for row in email_triggers(connection, app)]
        # A change that was notified while we read may not be in what we read. Apps without mail aren't kept: anybody
        # can ask for any name.
        if found and changes == self._changes:
            self._apps[app] = found
        return found

    def _forget(self, payload: str | None) -> None:
        self._changes += 1
        names = payload.partition(" ")[2].split(",") if payload else ["*"]
        for name in names:
            if name == "*":
                self._apps.clear()
            else:
                self._apps.pop(name, None)


def _with_address(found: list[Addressee], address: str) -> list[Addressee]:
    return [addressee for addressee in found if addressee.address == address]


def _addressee(row: EmailRow) -> Addressee:
    config = read_config(Email.kind, row.config)
    assert isinstance(config, Email)
    target = None
    why_not = ""
    if row.number is None or row.sha256 is None:
        why_not = "its script is gone"
    else:
        target = Target(
            app=row.app,
            kind=Email.kind,
            trigger=row.name,
            script=row.script,
            number=row.number,
            sha256=row.sha256,
            delivery=msgspec.convert(row.delivery, Delivery),
        )
        why_not = "its script is disabled" if row.disabled is not None else ""
    if row.paused is not None:
        why_not = "it is paused"
    return Addressee(id=row.id, address=config.address or row.name, config=config, target=target, why_not=why_not)
