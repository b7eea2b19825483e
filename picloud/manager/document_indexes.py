"""Makes the indexes that collections ask for, and drops those that they ask for no more.

What there is and what is wanted are both in the database, so there is nothing to remember: a leader that takes over
from a dead one drops the half-made index that it finds, and makes it anew. One that can't be made (the disk is full,
say) keeps the reason as its comment, and is tried again when a collection's settings change, or by the next leader.
The look that the listener asks for once a minute, in case that it has missed something, leaves it alone.
"""

from __future__ import annotations

from typing import Final

import psycopg
import structlog

from picloud.log.listener import Listener
from picloud.manager.part import Part
from picloud.postgres.sessions import OUTAGE, Sessions, connect
from picloud.projections.document_indexes import (
    DOCUMENTS_CHANNEL,
    TABLE,
    State,
    WantedIndex,
    create_index,
    document_count,
    drop_index,
    mark_failed,
    there_indexes,
    wanted_indexes,
)

FEW: Final = 10_000
"""With no more documents an index is made at once, and who writes one waits for some milliseconds. Of more, nobody
waits for the index, but the index waits until whoever was reading when it was made has ended, be it for a minute."""
LOCK_SECONDS: Final = 2
AWAY: Final = (*OUTAGE, OSError)

_log = structlog.get_logger(__name__)


class DocumentIndexes(Part):
    """See the module. It looks when a collection's settings have changed, and when the tables were rebuilt."""

    name = "document indexes"

    def __init__(self, dsn: str, *, sessions: Sessions, listener: Listener) -> None:
        super().__init__()
        self._dsn = dsn
        self._sessions = sessions
        self._told = True
        for channel in (DOCUMENTS_CHANNEL, "picloud_docs"):
            listener.subscribe(channel, self._notified)

    def _notified(self, payload: str | None) -> None:
        self._told |= payload is not None
        self.look()

    def work(self) -> None:
        """Make and drop what is to be made and dropped."""
        told, self._told = self._told, False
        try:
            with self._sessions.session() as connection:
                to_do = _next(connection, set(), failed_too=told) is not None
            if to_do:
                # It may take minutes: too long for a session that others want.
                with connect(self._dsn, purpose="document indexes") as connection:
                    bring_up_to_date(connection, failed_too=told)
        except AWAY:
            self._told |= told
            raise


def bring_up_to_date(connection: psycopg.Connection, *, failed_too: bool = True) -> None:
    """Make every index that is wanted, and drop every other; those that failed before only if ``failed_too``.

    Raises :class:`psycopg.OperationalError` in an outage.
    """
    made = False
    tried: set[str] = set()
    # What is wanted may change while an index is made, which can take minutes.
    while (step := _next(connection, tried, failed_too=failed_too)) is not None:
        name, wanted = step
        tried.add(name)
        if wanted is None:
            connection.execute(drop_index(name))
            tried.discard(name)
            _log.info("document_index.dropped", index=name)
        else:
            made |= _make(connection, wanted)
    if made:
        # Statistics of what an index is on come with it; without them the planner would not trust it.
        connection.execute(f"ANALYZE docs.{TABLE}".encode())


def _next(
    connection: psycopg.Connection, tried: set[str], *, failed_too: bool
) -> tuple[str, WantedIndex | None] | None:
    """The next index that is to be made, or dropped (None); None if all is as it should be."""
    wanted = {each.name: each for each in wanted_indexes(connection)}
    there = there_indexes(connection)
    for name in there.keys() - wanted.keys():
        return name, None
    done = {State.READY} if failed_too else {State.READY, State.FAILED}
    for name, index in wanted.items():
        if name not in tried and (name not in there or there[name].state not in done):
            return name, index
    return None


def _make(connection: psycopg.Connection, wanted: WantedIndex) -> bool:
    """Make an index; whether that went well."""
    connection.execute(drop_index(wanted.name))
    try:
        if not (document_count(connection) <= FEW and _made_at_once(connection, wanted)):
            connection.execute(create_index(wanted, "docs", concurrently=True))
    except psycopg.Error as error:
        if connection.broken or isinstance(error, psycopg.errors.AdminShutdown):
            raise
        reason = str(error.diag.message_primary or error)
        _log.error("document_index.failed", app=wanted.app, collection=wanted.collection, reason=reason)
        if wanted.name in there_indexes(connection):
            connection.execute(mark_failed(wanted.name, reason))
        return False
    _log.info("document_index.made", app=wanted.app, collection=wanted.collection, fields=wanted.index.title)
    return True


def _made_at_once(connection: psycopg.Connection, wanted: WantedIndex) -> bool:
    """Whether the index could be made without letting anybody wait for long.

    If not, for whatever reason, it is tried the other way, which leaves something behind to keep the reason with.
    """
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'".encode())
            connection.execute(create_index(wanted, "docs", concurrently=False))
    except psycopg.Error:
        if connection.broken:
            raise
        return False
    return True
