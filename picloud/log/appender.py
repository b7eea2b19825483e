"""Group commit: one greenlet per process appends what is waiting as one transaction.

A caller waits for its own command only. If one command of a batch conflicts, the others still commit. If the
connection breaks in the middle, the writer reads back what was stored before it says anything, so that a command is
never reported as refused although it is in the log, nor stored twice.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import gevent
import psycopg
import structlog
from gevent.event import AsyncResult
from gevent.event import Event as Signal

from picloud.domain.metadata import Metadata
from picloud.log.mapper import MAPPER, Event, EventMapper
from picloud.postgres.sessions import connect
from picloud.projections.inlining import CHANGES, KINDS, InlineChange
from picloud.projections.outbox import CHANGE_ARGUMENTS, OutboxChange, change_arguments

MAX_BATCH: Final = 500
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
MAX_WAITING: Final = 5_000

_log = structlog.get_logger(__name__)

_APPEND: Final = (
    "SELECT log.append(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::text[], %b::text[], %b::uuid[],"
    f" %b::uuid[], {CHANGE_ARGUMENTS}, %b::text[], %b::text[])"
)
_STORED: Final = """
    SELECT e.notification_id, e.topic, e.state
    FROM unnest(%b::uuid[], %b::bigint[]) WITH ORDINALITY AS u (id, version, ordinal)
    LEFT JOIN log.events e ON e.originator_id = u.id AND e.originator_version = u.version
    ORDER BY u.ordinal
"""


class StreamConflict(Exception):
    """A version of a stream is taken: somebody else appended first. Nothing of the command was stored."""


class EffectRefused(Exception):
    """What an event does to values can't be done to what is there by now: a counter that holds a text, for example.

    Nothing of the command was stored.
    """


class QuotaExceeded(Exception):
    """The app would keep more than it may in a service. Nothing of the command was stored."""

    def __init__(self, *, app: str, service: str, items: int, item_limit: int, bytes: int, byte_limit: int) -> None:
        self.app = app
        self.service = service
        said = f"{items:,} items of at most {item_limit:,}"
        if items <= item_limit:
            said = f"{bytes:,} bytes of at most {byte_limit:,}"
        super().__init__(
            f"{service}:: of the app {app!r} would hold {said}."
            f" Take something away, or allow more: picloud quotas set {app} {service}"
        )


class LogUnavailable(Exception):
    """The log could not confirm the append in time.

    ``unknown`` tells that it may be stored all the same; otherwise nothing of it was or will be.
    """

    def __init__(self, message: str, *, unknown: bool) -> None:
        super().__init__(message)
        self.unknown = unknown


@dataclass(frozen=True, slots=True)
class Entry:
    """One event to append, with its metadata."""

    event: Event
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Wake:
    """A NOTIFY to send with the commit."""

    channel: str
    payload: str = ""


_Row = tuple[UUID, int, str, bytes, str, str, UUID, UUID]


class _Command:
    """``checked`` are the streams that it expects at a version, ``behind`` those that it only puts something behind
    of, with what."""

    __slots__ = ("behind", "checked", "done", "inline", "outbox", "rows", "size", "taken", "wakes")

    def __init__(
        self,
        rows: list[_Row],
        outbox: OutboxChange,
        inline: dict[type[InlineChange], InlineChange],
        wakes: Sequence[Wake],
    ) -> None:
        self.rows = rows
        self.outbox = outbox
        self.inline = inline
        self.wakes = wakes
        self.checked = {row[0] for row in rows if row[1]}
        self.behind = {row[0]: row[2] for row in rows if not row[1]} if len(self.checked) < len(rows) else {}
        self.size = sum(len(row[3]) for row in rows)
        self.done: AsyncResult[int] = AsyncResult()
        self.taken = False


class Appender:
    """The process's one way into the log. ``start`` before use, ``stop`` when nobody appends any more."""

    def __init__(self, dsn: str, *, mapper: EventMapper = MAPPER) -> None:
        self._dsn = dsn
        self._mapper = mapper
        self._waiting: deque[_Command] = deque()
        self._wake = Signal()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._connection: psycopg.Connection | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the writer greenlet."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "appender"

    def stop(self, timeout: float = 5.0) -> None:
        """Write what is waiting, then end; give up after ``timeout`` seconds."""
        self._stopping = True
        self._wake.set()
        if self._greenlet is not None:
            self._greenlet.join(timeout)
            self._greenlet.kill()
        self._drop_connection()

    @property
    def waiting(self) -> int:
        """How many commands wait for the next commit."""
        return len(self._waiting)

    def append(self, entries: Iterable[Entry], *, wakes: Sequence[Wake] = (), timeout: float | None = 30.0) -> int:
        """Append the events in one transaction; return the position of the last, once it is committed (fsync).

        ``timeout`` is in seconds; None waits for as long as it takes. Raises :class:`StreamConflict` if a version is
        taken, :class:`EffectRefused`, :class:`QuotaExceeded`, and :class:`LogUnavailable` if the commit can't be
        confirmed in time. An event whose version is 0 is put behind whatever is in its stream.
        """
        return self.append_later(entries, wakes=wakes).wait(timeout)

    def append_later(self, entries: Iterable[Entry], *, wakes: Sequence[Wake] = ()) -> Pending:
        """Queue the events and return at once; ``wait`` on what is returned."""
        if len(self._waiting) >= MAX_WAITING or self._stopping:
            raise LogUnavailable("the log has too much to write; try again in a moment", unknown=False)
        outbox = OutboxChange()
        inline: dict[type[InlineChange], InlineChange] = {}
        rows: list[_Row] = []
        encode = self._mapper.encode
        for entry in entries:
            event, meta = entry.event, entry.metadata
            topic, state = encode(event)
            rows.append(
                (
                    event.originator_id,
                    event.originator_version,
                    topic,
                    state,
                    meta.app,
                    meta.actor,
                    meta.correlation_id,
                    meta.causation_id,
                )
            )
            outbox.add(event, meta)
            kind = CHANGES.get(type(event))
            if kind is not None:
                if kind not in inline:
                    inline[kind] = kind()
                inline[kind].add(event, meta)
        if len(rows) > 1 and len({(row[0], row[1]) for row in rows}) < len(rows):
            raise StreamConflict("two events of one command have the same version of a stream")
        command = _Command(rows, outbox, inline, wakes)
        if not command.checked:
            # Only a version tells, after a connection broke, whether a command was stored.
            raise ValueError("a command needs an event that expects a version of its stream")
        self._waiting.append(command)
        self._wake.set()
        return Pending(self, command)

    def _withdraw(self, command: _Command) -> bool:
        if command.taken:
            return False
        self._waiting.remove(command)
        return True

    def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._stopping:
                    return
                self._wake.clear()
                self._wake.wait()
                continue
            self._commit(self._take())

    def _take(self) -> list[_Command]:
        """As many waiting commands as go into one transaction; never two on one stream, which may depend, unless both
        only put the same behind it.

        What debounces goes alone: another command may cancel what it is to supersede.
        """
        batch: list[_Command] = []
        claimed: set[UUID] = set()
        behind: dict[UUID, str] = {}
        size = 0
        while self._waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            command = self._waiting[0]
            if not claimed.isdisjoint(command.checked) or (batch and command.outbox.debounces):
                break
            if behind and not behind.keys().isdisjoint(command.checked):
                break
            if command.behind and not _joins(command.behind, claimed, behind):
                break
            self._waiting.popleft()
            command.taken = True
            claimed |= command.checked
            behind |= command.behind
            size += command.size
            batch.append(command)
            if command.outbox.debounces:
                break
        return batch

    def _commit(self, batch: list[_Command]) -> None:
        delay = 0.05
        while batch:
            try:
                last = self._execute(batch)
            except psycopg.OperationalError as error:
                self._drop_connection()
                _log.warning("log.unreachable", error=str(error).strip(), commands=len(batch), retry_in=round(delay, 2))
                gevent.sleep(delay * (0.5 + random.random()))
                delay = min(delay * 1.5, 0.5)
                batch = self._settle(batch)
            except psycopg.Error as error:
                if isinstance(error, psycopg.errors.UniqueViolation) and error.diag.table_name == "events":
                    still_open = self._settle(batch)
                    if len(still_open) < len(batch):
                        batch = still_open
                        continue
                # One command that PostgreSQL refuses (a zero byte, say) must not take the others with it.
                if len(batch) == 1:
                    batch[0].done.set_exception(_refusal(error))
                    return
                for command in batch:
                    self._commit([command])
                return
            else:
                position = last - sum(len(command.rows) for command in batch)
                for command in batch:
                    position += len(command.rows)
                    command.done.set(position)
                return

    def _settle(self, batch: list[_Command]) -> list[_Command]:
        """Answer the commands that are stored or in conflict; return those that are still to be written."""
        asked = [[row for row in command.rows if row[1]] for command in batch]
        try:
            rows = self._stored([row for checked in asked for row in checked])
        except psycopg.OperationalError:
            self._drop_connection()
            return batch
        open_commands: list[_Command] = []
        start = 0
        for command, checked in zip(batch, asked, strict=True):
            found = rows[start : start + len(checked)]
            start += len(checked)
            if all(position is None for position, _, _ in found):
                open_commands.append(command)
            elif all(
                topic == row[2] and state == row[3] for (_, topic, state), row in zip(found, checked, strict=True)
            ):
                command.done.set(found[-1][0])
            else:
                taken = next(row for (position, _, _), row in zip(found, checked, strict=True) if position)
                command.done.set_exception(StreamConflict(f"version {taken[1]} of stream {taken[0]} is taken"))
        return open_commands

    def _execute(self, batch: list[_Command]) -> int:
        rows = [row for command in batch for row in command.rows]
        wakes = {(wake.channel, wake.payload) for command in batch for wake in command.wakes}
        columns = [list(column) for column in zip(*rows, strict=True)]
        statement, arguments = (
            _APPEND,
            (
                *columns,
                *change_arguments([command.outbox for command in batch]),
                [channel for channel, _ in wakes],
                [payload for _, payload in wakes],
            ),
        )
        for kind in KINDS:
            changes = [command.inline[kind] for command in batch if kind in command.inline]
            if changes:
                # PostgreSQL works off a select list from left to right: the events are there already.
                statement += f", {kind.call}"
                arguments += kind.arguments(changes)
        cursor = self._connected().cursor(binary=True)
        cursor.execute(statement.encode(), arguments, prepare=True)
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])

    def _stored(self, rows: list[_Row]) -> list[tuple[int, str, bytes]]:
        cursor = self._connected().cursor(binary=True)
        cursor.execute(_STORED, ([row[0] for row in rows], [row[1] for row in rows]))
        return cursor.fetchall()

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = connect(self._dsn, purpose="appender")
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _joins(given: dict[UUID, str], claimed: set[UUID], behind: dict[UUID, str]) -> bool:
    """Whether what a command puts behind streams may go into the transaction of others."""
    return claimed.isdisjoint(given) and all(behind.get(stream, what) == what for stream, what in given.items())


def _refusal(error: psycopg.Error) -> Exception:
    """What the database's refusal of one command means."""
    if error.sqlstate == "PC001":
        return EffectRefused(error.diag.message_primary or "")
    if error.sqlstate == "PC002":
        return QuotaExceeded(**json.loads(error.diag.message_detail or "{}"))
    return error


class Pending:
    """A queued append."""

    __slots__ = ("_appender", "_command")

    def __init__(self, appender: Appender, command: _Command) -> None:
        self._appender = appender
        self._command = command

    def wait(self, timeout: float | None = 30.0) -> int:
        """The position of the last event once it is committed; raises as :meth:`Appender.append` does."""
        try:
            position: int = self._command.done.get(timeout=timeout)  # type: ignore[assignment]
            return position
        except gevent.Timeout:
            withdrawn = self._appender._withdraw(self._command)
            raise LogUnavailable(f"the log did not confirm within {timeout:g} s", unknown=not withdrawn) from None
