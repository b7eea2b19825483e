"""Building a projection anew: a fresh set of tables beside the live one, filled from the log, then swapped in.

    <name>__next   being filled
    <name>         live; renamed to <name>__old in the transaction that gives its name to the next one
    <name>__old    dropped as soon as the last reader has left it

Readers go on all the while, and others wait at the moment of the swap alone: for the followed projections the
follower, held off by the tracking row, for the inline ones whoever appends, held off by the append lock. To verify, the
live tables are read in a snapshot, which fixes their position, and compared with the new ones when these have come to
exactly that position.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import gevent
import psycopg
import structlog
from psycopg import sql

from picloud.domain.catalogue import EVENT_TYPES
from picloud.log.reader import read_head, read_span
from picloud.postgres.sessions import connect
from picloud.projections import progress
from picloud.projections.comparison import first_difference
from picloud.projections.folding import CHANNEL_PREFIX, PAGE_BYTES, prepare_session
from picloud.projections.progress import Phase
from picloud.projections.projection import EVERYTHING, Change, Fact, Page, Projection
from picloud.projections.tracking import read_tracking

NEXT: Final = "__next"
OLD: Final = "__old"

PAGE_EVENTS: Final = 2_000
FIRST_SPAN: Final = 2_000
LARGEST_SPAN: Final = 200_000
CLOSE: Final = 2_000
"""So few events behind the head the swap may begin: they are folded while others wait."""
REPORT_SECONDS: Final = 0.2
SWAP_SECONDS: Final = 60.0
CLEAN_SECONDS: Final = 10.0

_APPEND_LOCK: Final = "SELECT pg_advisory_xact_lock(7236274001)"
_REBUILD_LOCK: Final = "SELECT pg_advisory_lock(723627, hashtext(%s))"
_HOLD: Final = "SELECT position FROM projections.tracking WHERE name = %s FOR UPDATE"
_SWAPPED: Final = """
    UPDATE projections.tracking
    SET version = %s, position = %s, error = NULL, updated_at = clock_timestamp()
    WHERE name = %s
"""
_EXISTS: Final = "SELECT to_regnamespace(%s) IS NOT NULL"
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"
_LOCK_TABLE: Final = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
_NOTIFY: Final = "SELECT pg_notify(%s, %s)"

_log = structlog.get_logger(__name__)


class RebuildRefused(Exception):
    """The projection can't be rebuilt; the live tables stay as they were."""


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Three at a time: one reads the log, one fills the new tables, one keeps locks and swaps."""

    reader: psycopg.Connection
    filler: psycopg.Connection
    keeper: psycopg.Connection


@contextmanager
def _sessions(dsn: str) -> Iterator[_Sessions]:
    with ExitStack() as stack:
        sessions = _Sessions(*(stack.enter_context(connect(dsn, purpose="rebuild")) for _ in range(3)))
        prepare_session(sessions.reader)
        prepare_session(sessions.filler)
        yield sessions


class Rebuild:
    """One rebuild of one projection; ``run`` it once. A second one of the same projection waits for the first."""

    def __init__(self, dsn: str, rebuild: UUID, kind: type[Projection], *, verify: bool) -> None:
        self._dsn = dsn
        self._id = rebuild
        self._kind = kind
        self._verify = verify
        self._next = kind(kind.name + NEXT)
        self._without = sorted(EVENT_TYPES.keys() - kind.types)
        self._position = 0
        self._span = FIRST_SPAN
        self._reported = 0.0

    def run(self) -> None:
        """Do it; progress and what was found are kept in ``projections.progress``.

        Raises :class:`RebuildRefused`, ``Unfoldable`` for an event that stands in the way, and
        :class:`psycopg.OperationalError` if the database is lost. Nothing of the new tables is left then.
        """
        try:
            with _sessions(self._dsn) as sessions:
                sessions.keeper.execute(_REBUILD_LOCK, (self._kind.name,))
                progress.begin(sessions.keeper, self._id, self._kind.name)
                drop_leftovers(sessions.keeper, self._kind)
                self._next.create(sessions.filler)
                if self._verify:
                    self._compare(sessions)
                self._approach(sessions)
                self._swap(sessions)
        finally:
            with suppress(psycopg.OperationalError):
                clean_up(self._dsn, self._kind)

    def _compare(self, sessions: _Sessions) -> None:
        """Bring the new tables to where the live ones stand, and compare."""
        live = read_tracking(sessions.reader)[self._kind.name]
        # First roughly, so that the snapshot need not be held for all that time.
        self._fill(sessions, read_head(sessions.reader) if self._kind.inline else live.position, Phase.FILLING)
        with connect(self._dsn, purpose="rebuild") as snapshot, snapshot.transaction():
            snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            live = read_tracking(snapshot)[self._kind.name]
            position = read_head(snapshot) if self._kind.inline else live.position
            self._fill(sessions, position, Phase.FILLING)
            progress.tell(sessions.reader, self._id, Phase.COMPARING, done=self._position, total=position)
            if live.version != self._kind.version:
                difference: str | None = f"not compared: the live tables are of version {live.version}"
            else:
                difference = self._first_difference(snapshot, sessions.filler)
        if difference is not None:
            _log.warning("rebuild.difference", projection=self._kind.name, difference=difference)
        progress.tell_difference(sessions.reader, self._id, difference)

    def _first_difference(self, snapshot: psycopg.Connection, filler: psycopg.Connection) -> str | None:
        schemas = (self._kind.name, self._next.schema)
        try:
            return first_difference(snapshot, filler, self._kind.tables, schemas=schemas)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            return f"not compared: {error.diag.message_primary}"

    def _approach(self, sessions: _Sessions) -> None:
        """Fill nearly up to the head, and have the tables ready for readers."""
        self._fill(sessions, read_head(sessions.reader), Phase.FILLING)
        self._next.create_indexes(sessions.filler)
        for table in self._kind.tables:
            sessions.filler.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(self._next.schema, table.name)))
        while (head := read_head(sessions.reader)) - self._position > CLOSE:
            self._fill(sessions, head, Phase.FILLING)

    def _swap(self, sessions: _Sessions) -> None:
        """Put the new tables in the place of the live ones as soon as no reader is in the middle of a transaction."""
        deadline = time.monotonic() + SWAP_SECONDS
        progress.tell(sessions.reader, self._id, Phase.SWAPPING, done=self._position, total=self._position)
        while True:
            self._fill(sessions, read_head(sessions.reader), Phase.SWAPPING)
            try:
                with sessions.keeper.transaction():
                    self._swap_now(sessions)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if time.monotonic() > deadline:
                    raise RebuildRefused(f"the live tables were in use for {SWAP_SECONDS:g} s on end") from error
                time.sleep(0.1)
            else:
                return

    def _swap_now(self, sessions: _Sessions) -> None:
        name, keeper = self._kind.name, sessions.keeper
        keeper.execute("SET LOCAL lock_timeout = '200ms'")
        if self._kind.inline:
            keeper.execute(_APPEND_LOCK)
        keeper.execute(_HOLD, (name,))
        self._fill(sessions, read_head(sessions.reader), Phase.SWAPPING)
        if _has_schema(keeper, name):
            if not self._kind.inline:
                # A reader with several statements in one transaction shall not see half of each set. Nobody reads
                # the inline ones so, and whoever waits for the append lock may have read them already.
                for (table,) in keeper.execute(_TABLES, (name,)).fetchall():
                    keeper.execute(_LOCK_TABLE.format(sql.Identifier(name, table)))
            _rename(keeper, name, name + OLD)
        _rename(keeper, self._next.schema, name)
        keeper.execute(_SWAPPED, (self._kind.version, self._position, name))
        progress.tell(keeper, self._id, Phase.SWAPPED, done=self._position, total=self._position)
        keeper.execute(_NOTIFY, (CHANNEL_PREFIX + name, Change(frozenset({EVERYTHING})).payload(self._position)))

    def _fill(self, sessions: _Sessions, up_to: int, phase: Phase) -> None:
        """Fold the log up to the position ``up_to``, a span per transaction.

        While the database writes one span the next one is read and decoded.
        """
        writing: gevent.Greenlet[..., Exception | None] | None = None
        position = self._position
        try:
            while position < up_to:
                span = read_span(
                    sessions.reader,
                    after=position,
                    up_to=min(position + self._span, up_to),
                    max_bytes=PAGE_BYTES,
                    without=self._without,
                )
                facts = Page(span.events).facts(self._kind.types)
                position = span.reached
                self._adapt(len(facts))
                _finish(writing)
                writing = gevent.spawn(self._write, sessions.filler, facts, position)
                writing.name = f"rebuild of {self._kind.name}"
                self._report(sessions.reader, phase, total=up_to)
            _finish(writing)
        finally:
            if writing is not None:
                writing.kill()

    def _write(self, filler: psycopg.Connection, facts: list[Fact], reached: int) -> Exception | None:
        """Write one span; what goes wrong is returned, because gevent would print it with all that it was given."""
        try:
            if facts:
                with filler.transaction():
                    self._next.fold(filler, facts)
        except Exception as error:  # noqa: BLE001 - raised again by who waits for it
            return error
        self._position = reached
        return None

    def _report(self, connection: psycopg.Connection, phase: Phase, *, total: int) -> None:
        now = time.monotonic()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            progress.tell(connection, self._id, phase, done=self._position, total=total)

    def _adapt(self, events: int) -> None:
        """Make the next span shorter if this one held many events, longer if it held few."""
        if events > PAGE_EVENTS:
            self._span //= 2
        elif events < PAGE_EVENTS // 2:
            self._span = min(LARGEST_SPAN, self._span * 2)


def _finish(writing: gevent.Greenlet[..., Exception | None] | None) -> None:
    error = writing.get() if writing is not None else None
    if error is not None:
        raise error


def clean_up(dsn: str, kind: type[Projection]) -> None:
    """Drop what a rebuild of ``kind`` left behind, unless another one goes on."""
    with connect(dsn, purpose="rebuild") as connection:
        # The sessions of one that was killed take a moment to end.
        connection.execute("SET lock_timeout = '2s'")
        try:
            connection.execute(_REBUILD_LOCK, (kind.name,))
        except psycopg.errors.LockNotAvailable:
            return
        drop_leftovers(connection, kind)


def drop_leftovers(connection: psycopg.Connection, kind: type[Projection]) -> None:
    """Drop the tables that are not, or no longer, live; those that are still read stay for the next time."""
    deadline = time.monotonic() + CLEAN_SECONDS
    for schema in (kind.name + NEXT, kind.name + OLD):
        while _has_schema(connection, schema):
            try:
                with connection.transaction():
                    connection.execute("SET LOCAL lock_timeout = '200ms'")
                    connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if time.monotonic() > deadline:
                    _log.warning("rebuild.leftovers_in_use", schema=schema)
                    return
                time.sleep(0.1)


def _has_schema(connection: psycopg.Connection, schema: str) -> bool:
    row = connection.execute(_EXISTS, (schema,)).fetchone()
    return row is not None and bool(row[0])


def _rename(connection: psycopg.Connection, schema: str, name: str) -> None:
    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(schema), sql.Identifier(name)))
