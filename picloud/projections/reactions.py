"""Reactions that are owed: for each dead_letter and log trigger, the events that it is to run for and hasn't yet.

An event is owed a reaction by the triggers that are there and work when it happens. The row goes when the reaction's
stream begins: with its request, or with the reason why there is none. What a trigger owes goes with the trigger.

An invocation that a dead_letter trigger asked for, or a replay of one, owes none of these triggers anything: that is
where the recursion stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from picloud.domain import trigger as triggers
from picloud.domain.control_events import CONTROL_EVENTS, is_matched
from picloud.domain.invocation import DeadLettered, Requested
from picloud.domain.reaction import ReactionSkipped, reaction_id
from picloud.domain.trigger_config import DeadLetter, Log
from picloud.log.reader import RecordedEvent, read_first_events
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table, arrays

WATCHERS: Final = Table(
    name="watchers",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("kind", "text"),
        Column("pattern", "text"),
        Column("paused", "boolean"),
    ),
    key=("id",),
    indexes=("watchers_app ON {table} (app)",),
)
OWED: Final = Table(
    name="owed",
    columns=(
        Column("id", "uuid"),
        Column("watcher", "uuid"),
        Column("position", "bigint"),
        Column("stream", "uuid"),
        Column("version", "bigint"),
    ),
    key=("id",),
    indexes=("owed_position ON {table} (position, id)", "owed_watcher ON {table} (watcher)"),
)
KINDS: Final = (DeadLetter.kind, Log.kind)

_OWED: Final = """
    SELECT id, watcher, position, stream, version
    FROM reactions.owed
    WHERE (position, id) > (%s, %s)
    ORDER BY position, id
    LIMIT %s
"""


@dataclass(slots=True)
class WatcherRow:
    """A trigger that waits for events. ``pattern`` is the script of a dead_letter one, empty for any; of a log one the
    pattern of types.
    """

    id: UUID
    app: str
    kind: str
    pattern: str
    paused: bool


@dataclass(frozen=True, slots=True)
class OwedRow:
    """A reaction that is owed: ``id`` is its stream, ``watcher`` the trigger; the event is version ``version`` of
    ``stream``, at ``position``.
    """

    id: UUID
    watcher: UUID
    position: int
    stream: UUID
    version: int


def owed(connection: psycopg.Connection, *, after: tuple[int, UUID], limit: int) -> list[OwedRow]:
    """What is owed behind the row of that position and id, oldest first."""
    with connection.cursor(row_factory=class_row(OwedRow)) as cursor:
        return cursor.execute(_OWED, (*after, limit)).fetchall()


class Reactions(Projection):
    """See the module."""

    name = "reactions"
    version = 1
    types = frozenset({*CONTROL_EVENTS, "DeadLettered", "Requested", "ReactionSkipped"})
    tables = (WATCHERS, OWED)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        # Most requests are of runs that no trigger of these kinds asked for.
        told = [fact for fact in facts if not isinstance(fact[1], Requested) or _is_reaction(fact[1])]
        if not told:
            return None
        return Change() if _Page(self.schema, connection).fold(told) else None


def _is_reaction(requested: Requested) -> bool:
    return requested.trigger.kind in KINDS and requested.replay_of is None


class _Page:
    """The triggers and the rows that a page of events touches."""

    def __init__(self, schema: str, connection: psycopg.Connection) -> None:
        self._schema = schema
        self._connection = connection
        self._rows = RowSet(WATCHERS, WatcherRow, schema)
        self._of_app: dict[str, dict[UUID, WatcherRow]] = {}
        self._owed: dict[UUID, OwedRow] = {}
        self._begun: set[UUID] = set()
        self._gone: set[UUID] = set()

    def fold(self, facts: Sequence[Fact]) -> bool:
        """Write what the events do; return whether they did anything."""
        self._load(facts)
        requests = self._requests(facts)
        for recorded, event in facts:
            match event:
                case Requested() | ReactionSkipped():
                    if self._owed.pop(recorded.stream_id, None) is None:
                        self._begun.add(recorded.stream_id)
                    continue
                case DeadLettered():
                    self._died(recorded, requests.get(recorded.stream_id))
                case _:
                    self._changed(recorded)
            if recorded.type.startswith("Trigger"):
                self._trigger(recorded, event)
        return self._write()

    def _load(self, facts: Sequence[Fact]) -> None:
        apps = {recorded.app for recorded, event in facts if not isinstance(event, Requested | ReactionSkipped)}
        if not apps:
            return
        query = f"SELECT id FROM {self._schema}.watchers WHERE app = ANY(%s)"
        ids = {row[0] for row in self._connection.execute(query.encode(), (list(apps),)).fetchall()}
        for row in self._rows.load(self._connection, ids):
            self._of_app.setdefault(row.app, {})[row.id] = row

    def _requests(self, facts: Sequence[Fact]) -> dict[UUID, Requested]:
        """What was asked for by those who died, if a trigger may want to know."""
        made = (triggers.TriggerCreated, triggers.TriggerChanged)
        watched = {row.app for rows in self._of_app.values() for row in rows.values() if row.kind == DeadLetter.kind}
        watched |= {recorded.app for recorded, event in facts if isinstance(event, made) and event.kind in KINDS}
        dead = [each.stream_id for each, event in facts if isinstance(event, DeadLettered) and each.app in watched]
        found = read_first_events(self._connection, dead) if dead else {}
        return {stream: _requested(each) for stream, each in found.items()}

    def _died(self, recorded: RecordedEvent, requested: Requested | None) -> None:
        if requested is None or requested.trigger.kind == DeadLetter.kind:
            return
        for row in self._working(recorded.app, DeadLetter.kind):
            if row.pattern in ("", requested.script):
                self._owe(row, recorded)

    def _changed(self, recorded: RecordedEvent) -> None:
        for row in self._working(recorded.app, Log.kind):
            # A trigger isn't told of itself.
            if is_matched(row.pattern, recorded.type) and row.id != recorded.stream_id:
                self._owe(row, recorded)

    def _working(self, app: str, kind: str) -> Iterable[WatcherRow]:
        return (row for row in self._of_app.get(app, {}).values() if row.kind == kind and not row.paused)

    def _owe(self, row: WatcherRow, recorded: RecordedEvent) -> None:
        reaction = reaction_id(row.id, recorded.stream_id, recorded.version)
        self._owed[reaction] = OwedRow(reaction, row.id, recorded.position, recorded.stream_id, recorded.version)

    def _trigger(self, recorded: RecordedEvent, event: Any) -> None:
        stream = recorded.stream_id
        row = self._of_app.get(recorded.app, {}).get(stream)
        match event:
            case triggers.TriggerCreated(kind=kind) | triggers.TriggerChanged(kind=kind) if kind in KINDS:
                # One that was removed comes back by a change, and isn't paused then.
                paused = row is not None and row.paused
                self._put(WatcherRow(stream, recorded.app, kind, _pattern(event), paused))
            case triggers.TriggerPaused() | triggers.TriggerResumed() if row is not None:
                row.paused = isinstance(event, triggers.TriggerPaused)
                self._put(row)
            case triggers.TriggerRemoved() if row is not None:
                del self._of_app[row.app][stream]
                self._rows.remove(row)
                self._owed = {each.id: each for each in self._owed.values() if each.watcher != stream}
                self._gone.add(stream)

    def _put(self, row: WatcherRow) -> None:
        self._of_app.setdefault(row.app, {})[row.id] = row
        self._rows.put(row)

    def _write(self) -> bool:
        changed = self._rows.write(self._connection)
        for column, ids in (("watcher", self._gone), ("id", self._begun)):
            if ids:
                delete = f"DELETE FROM {self._schema}.owed WHERE {column} = ANY(%s)"
                self._connection.execute(delete.encode(), (list(ids),))
        if self._owed:
            rows = [(each.id, each.watcher, each.position, each.stream, each.version) for each in self._owed.values()]
            self._connection.execute(OWED.upsert(self._schema).encode(), arrays(OWED.columns, rows))
        return bool(changed or self._gone or self._begun or self._owed)


def _requested(recorded: RecordedEvent) -> Requested:
    event = recorded.event
    assert isinstance(event, Requested)
    return event


def _pattern(event: triggers.TriggerCreated | triggers.TriggerChanged) -> str:
    pattern: str = event.config["script" if event.kind == DeadLetter.kind else "events"]
    return pattern
