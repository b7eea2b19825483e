"""Waking: lets suspended runs go on whose message came.

Who is to be woken is a projection (``projections/waits.py``), so nothing is forgotten with a leader: a new one finds
the same rows. ``Resumed`` is appended at the version behind the suspension: a second leader, a run whose time was over
just before, or somebody who called it off, has taken that. Woken when the projection changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import psycopg
import structlog

from picloud.domain import lifecycle
from picloud.domain.errors import Conflict
from picloud.domain.invocation import WaitedFor
from picloud.domain.message import MessagePublished, sent_text
from picloud.domain.metadata import SYSTEM, Metadata
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.reader import RecordedEvent, read_first_events
from picloud.log.repository import load_invocation_with_metadata
from picloud.manager.part import Part
from picloud.postgres.sessions import Sessions
from picloud.projections.waits import WaitRow, woken

PAGE: Final = 200
"""Runs that are woken together."""
BEGINNING: Final = (0, UUID(int=0))

_log = structlog.get_logger(__name__)


class Waker(Part):
    """See the module. Lives on the leader, from ``start`` to ``stop``; call ``look`` when a message may have come."""

    name = "waker"

    def __init__(self, *, appender: Appender, sessions: Sessions) -> None:
        super().__init__()
        self._appender = appender
        self._sessions = sessions
        self._done = BEGINNING

    def work(self) -> None:
        """Wake everybody whose message came."""
        while self._next_page():
            pass

    def _next_page(self) -> bool:
        """Wake whose message came next; return whether there was anybody."""
        with self._sessions.session() as connection:
            rows = woken(connection, after=self._done, limit=PAGE)
            entries = _entries(connection, rows)
        pending = [self._appender.append_later([entry]) for entry in entries]
        for append in pending:
            try:
                append.wait(None)
            except StreamConflict:
                # It went on, or was called off, a moment before.
                continue
        if rows:
            # Who is woken later stands behind these, which go when the projection comes to what was appended.
            self._done = (rows[-1].position, rows[-1].id)
        return bool(rows)


def _entries(connection: psycopg.Connection, rows: Sequence[WaitRow]) -> list[Entry]:
    messages = read_first_events(connection, [row.message for row in rows if row.message is not None])
    found = []
    for row in rows:
        loaded = load_invocation_with_metadata(connection, row.id)
        if loaded is None or row.message is None or loaded[0].version != row.version:
            continue
        state, asked = loaded
        try:
            event = lifecycle.resume(state, waited_for(messages[row.message]))
        except Conflict:
            continue
        found.append(Entry(event, Metadata(asked.app, SYSTEM, asked.correlation_id, row.message)))
    return found


def waited_for(recorded: RecordedEvent) -> WaitedFor:
    """The message as the run that waits for it gets it."""
    event = recorded.event
    assert isinstance(event, MessagePublished)
    return WaitedFor(
        id=recorded.stream_id,
        topic=event.topic,
        data=event.data,
        content_type=event.content_type,
        sent_at=sent_text(recorded.at),
        ordering_key=event.ordering_key,
    )
