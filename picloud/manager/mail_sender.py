"""Sends what is queued of mails, and records what came of it; without a server it leaves mails in the local mailbox.

Which mails are due is a projection, what may be done with one is decided by its stream: the list may be behind. Each
attempt's outcome is an event behind the last one of the stream, so of two leaders one records it. A leader that is
killed between the server's answer and that event leaves a mail that is tried again, under the same Message-ID: a mail
is never lost, and may come twice. Woken when the list changes; what is due later is one timer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from picloud.domain import mail as mails
from picloud.domain.mail import Mail, MailEvent, MailState, Tried
from picloud.domain.metadata import SYSTEM, Metadata
from picloud.log.appender import Appender, Entry, Pending, StreamConflict
from picloud.log.contents import ContentMissing, get_content
from picloud.log.reader import RecordedEvent, read_stream
from picloud.manager.mail_route import MailRoute, Unreachable
from picloud.manager.part import Part
from picloud.postgres.sessions import Sessions
from picloud.projections.mails import due_mails, listed_versions, next_due

PAGE: Final = 100
"""So many mails are looked up at a time. If the server can't be reached for one, those behind it count as tried."""
LONGEST_SLEEP: Final = 3600.0
"""Seconds after which the clock is looked at again: somebody may have set it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    """A mail as its stream has it, and the metadata of what is recorded of it."""

    mail: Mail
    metadata: Metadata


class MailSender(Part):
    """See the module. Lives on the leader, from ``start`` to ``stop``. Call ``look`` when the list of mails changed.

    ``route`` leads to the server that takes mails; None if there is none.
    """

    name = "mail sender"

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        route: MailRoute | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._appender = appender
        self._sessions = sessions
        self._route = route
        self._clock = clock
        self._ahead: dict[UUID, int] = {}

    def work(self) -> float | None:
        """Try what is due; return the seconds until the next mail is, None if none will be."""
        try:
            while page := self._due():
                self._send(page)
        finally:
            if self._route is not None:
                self._route.close()
        with self._sessions.session() as connection:
            due = next_due(connection, without=self._ahead)
        return None if due is None else min(max((due - self._clock()).total_seconds(), 0.0), LONGEST_SLEEP)

    def _due(self) -> list[UUID]:
        with self._sessions.session() as connection:
            if self._ahead:
                listed = listed_versions(connection, self._ahead)
                self._ahead = {mail: version for mail, version in self._ahead.items() if listed.get(mail, 0) < version}
            return [each.id for each in due_mails(connection, self._clock(), without=self._ahead, limit=PAGE)]

    def _send(self, page: list[UUID]) -> None:
        """Try these mails. Once the server can't be reached, those that are left count as tried."""
        pending: list[tuple[_Found, Pending]] = []
        unreachable: Unreachable | None = None
        for mail in page:
            found = self._found(mail)
            self._ahead[mail] = found.mail.version
            if found.mail.state is not MailState.QUEUED or found.mail.due is None or found.mail.due > self._clock():
                # The list is behind.
                continue
            if self._route is None:
                pending.append((found, self._append_later(found, mails.keep(found.mail))))
                continue
            if unreachable is None:
                try:
                    self._record(found, self._tried(found.mail, self._route))
                    continue
                except Unreachable as error:
                    _log.warning("mails.unreachable", server=self._route.server.shown, error=error.text)
                    unreachable = error
            in_vain = Tried(code=unreachable.code, text=unreachable.text)
            pending.append((found, self._append_later(found, self._settled(found.mail, in_vain))))
        for found, append in pending:
            try:
                append.wait(None)
            except StreamConflict:
                # Cancelled meanwhile, or another leader was quicker.
                continue
            self._ahead[found.mail.id] = found.mail.version + 1

    def _found(self, mail: UUID) -> _Found:
        with self._sessions.session() as connection:
            return _folded(read_stream(connection, mail))

    def _tried(self, mail: Mail, route: MailRoute) -> Tried:
        """What an attempt comes to. Raises :class:`Unreachable`."""
        try:
            with self._sessions.session() as connection:
                content = get_content(connection, mail.queued.content)
        except ContentMissing as error:
            return Tried(code=0, text=str(error), refused=dict.fromkeys(mail.waiting, str(error)))
        return route.deliver(mail, content)

    def _record(self, found: _Found, tried: Tried) -> None:
        """Append what came of an attempt, unless another leader has recorded one.

        If the mail was cancelled while the server took it, that it was sent is the truth.
        """
        while True:
            event = self._settled(found.mail, tried)
            try:
                self._append_later(found, event).wait(None)
            except StreamConflict:
                found = self._found(found.mail.id)
                self._ahead[found.mail.id] = found.mail.version
                if found.mail.state is MailState.CANCELLED and tried.delivered:
                    continue
                return
            self._ahead[found.mail.id] = event.originator_version
            _log.info("mail.tried", mail=str(found.mail.id), app=found.metadata.app, outcome=type(event).__name__)
            return

    def _settled(self, mail: Mail, tried: Tried) -> MailEvent:
        return mails.settle(mail, tried, now=self._clock(), random=random.random())

    def _append_later(self, found: _Found, event: MailEvent) -> Pending:
        return self._appender.append_later([Entry(event, found.metadata)])


def _folded(stream: list[RecordedEvent]) -> _Found:
    mail: Mail | None = None
    for recorded in stream:
        event: MailEvent = recorded.event  # type: ignore[assignment]
        mail = mails.evolve(mail, event, recorded.at)
    assert mail is not None, "the list names mails that are in the log"
    first = stream[0]
    return _Found(mail, Metadata(first.app, SYSTEM, first.correlation_id, first.stream_id))
