"""The history of invocations: one row each, from the request to the end.

Its events are most of the log. Those of one invocation that stand in one page are put together here, so that an
invocation that begins and ends within a page costs one row, written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain.invocation import State, Usage
from picloud.log.reader import RecordedEvent
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.table import Column, Table, array_literal, arrays, storable

INVOCATIONS: Final = Table(
    name="invocations",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("script", "text"),
        Column("number", "integer"),
        Column("sha256", "text"),
        Column("trigger_kind", "text"),
        Column("trigger_name", "text"),
        Column("method", "text"),
        Column("path", "text"),
        Column("correlation_id", "uuid"),
        Column("replay_of", "uuid", nullable=True),
        Column("requested_position", "bigint"),
        Column("requested_at", "timestamptz"),
        Column("state", "text"),
        Column("attempt", "integer"),
        Column("node", "uuid", nullable=True),
        Column("started_position", "bigint", nullable=True),
        Column("started_at", "timestamptz", nullable=True),
        Column("ended_at", "timestamptz", nullable=True),
        Column("due", "timestamptz", nullable=True),
        Column("last_position", "bigint"),
        Column("status", "integer", nullable=True),
        Column("duration_us", "bigint", nullable=True),
        Column("cpu_us", "bigint", nullable=True),
        Column("operations", "bigint", nullable=True),
        Column("error_kind", "text", nullable=True),
        Column("error_message", "text", nullable=True),
        Column("error_line", "integer", nullable=True),
        Column("error_column", "integer", nullable=True),
        Column("replayed_by", "uuid[]", dump=array_literal),
        Column("waits_for", "text"),
    ),
    key=("id",),
    indexes=(
        "invocations_app ON {table} (app, requested_position)",
        "invocations_unsuccessful ON {table} (app, state, requested_position) WHERE state <> 'succeeded'",
        "invocations_running ON {table} (node) WHERE state = 'running'",
    ),
)

_KEPT: Final = ("state", "attempt", "node", "started_position", "started_at", "ended_at", "due", "waits_for")
"""Columns that keep their value unless an event gives another."""

_OF_ATTEMPT: Final = (
    "status",
    "duration_us",
    "cpu_us",
    "operations",
    "error_kind",
    "error_message",
    "error_line",
    "error_column",
)
"""Columns that tell of the attempt that ended last; each end sets all of them."""

_CHANGED: Final = (
    INVOCATIONS.column("id"),
    *map(INVOCATIONS.column, _KEPT),
    INVOCATIONS.column("last_position"),
    Column("attempt_ended", "boolean"),
    *map(INVOCATIONS.column, _OF_ATTEMPT),
)

_BORN_VALUES: Final = attrgetter(*(column.name for column in INVOCATIONS.columns))
_CHANGED_VALUES: Final = attrgetter(*(column.name for column in _CHANGED))


def _update(schema: str) -> str:
    kept = [f"{name} = coalesce(u.{name}, i.{name})" for name in _KEPT]
    of_attempt = [f"{name} = CASE WHEN u.attempt_ended THEN u.{name} ELSE i.{name} END" for name in _OF_ATTEMPT]
    return (
        f"UPDATE {schema}.invocations i\n"
        f"SET {', '.join([*kept, 'last_position = u.last_position', *of_attempt])}\n"
        f"FROM {INVOCATIONS.unnest(_CHANGED)}\n"
        "WHERE i.id = u.id"
    )


def _add_replays(schema: str) -> str:
    return (
        f"UPDATE {schema}.invocations i\n"
        "SET replayed_by = i.replayed_by || u.replays\n"
        "FROM (SELECT id, array_agg(replay ORDER BY ordinal) AS replays\n"
        "      FROM unnest(%b::uuid[], %b::uuid[]) WITH ORDINALITY AS r (id, replay, ordinal)\n"
        "      GROUP BY id) u\n"
        "WHERE i.id = u.id"
    )


class _Row:
    """An invocation's row, or what of it changes: there None leaves a column as it is."""

    __slots__ = (*(column.name for column in INVOCATIONS.columns), "attempt_ended")

    id: UUID
    app: str
    script: str
    number: int
    sha256: str
    trigger_kind: str
    trigger_name: str
    method: str
    path: str
    correlation_id: UUID
    replay_of: UUID | None
    requested_position: int
    requested_at: datetime
    state: str | None
    attempt: int | None
    node: UUID | None
    started_position: int | None
    started_at: datetime | None
    ended_at: datetime | None
    due: datetime | None
    last_position: int
    status: int | None
    duration_us: int | None
    cpu_us: int | None
    operations: int | None
    error_kind: str | None
    error_message: str | None
    error_line: int | None
    error_column: int | None
    replayed_by: list[UUID]
    waits_for: str | None
    attempt_ended: bool

    def __init__(self, invocation: UUID) -> None:
        self.id = invocation
        self.state = self.node = self.started_at = self.ended_at = self.due = None
        self.attempt = self.started_position = self.waits_for = None
        self.status = self.duration_us = self.cpu_us = self.operations = None
        self.error_kind = self.error_message = self.error_line = self.error_column = None
        self.replayed_by = []
        self.attempt_ended = False

    def request(self, recorded: RecordedEvent, event: Any) -> None:
        self.app = event.app
        self.script = event.script
        self.number = event.number
        self.sha256 = event.sha256
        self.trigger_kind = event.trigger.kind
        self.trigger_name = storable(event.trigger.name)
        self.method = storable(event.input.method)
        self.path = storable(event.input.path)
        self.correlation_id = recorded.correlation_id
        self.replay_of = event.replay_of
        self.requested_position = recorded.position
        self.requested_at = recorded.at
        self.state = State.PENDING.value
        self.waits_for = ""
        self.attempt = 0
        self.due = event.due

    def end_attempt(self, usage: Usage) -> None:
        self.attempt_ended = True
        self.duration_us = usage.duration_us
        self.cpu_us = usage.cpu_us
        self.operations = usage.operations
        self.status = self.error_kind = self.error_message = self.error_line = self.error_column = None


class Invocations(Projection):
    """See the module."""

    name = "invocations"
    version = 2
    types = frozenset(
        {
            "Requested",
            "Started",
            "StepCompleted",
            "Suspended",
            "Resumed",
            "AttemptFailed",
            "Succeeded",
            "DeadLettered",
            "Cancelled",
            "Replayed",
        }
    )
    tables = (INVOCATIONS,)

    def __init__(self, schema: str | None = None) -> None:
        super().__init__(schema)
        self._insert = INVOCATIONS.insert(self.schema).encode()
        self._update = _update(self.schema).encode()
        self._add_replays = _add_replays(self.schema).encode()

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        if not facts:
            return None
        born: dict[UUID, _Row] = {}
        changed: dict[UUID, _Row] = {}
        for recorded, event in facts:
            invocation = recorded.stream_id
            if recorded.type == "Requested":
                row = born[invocation] = _Row(invocation)
                row.request(recorded, event)
            else:
                known = born.get(invocation) or changed.get(invocation)
                row = known if known is not None else changed.setdefault(invocation, _Row(invocation))
                _FOLDS[recorded.type](row, recorded, event)
            row.last_position = recorded.position
        self._write(connection, list(born.values()), list(changed.values()))
        return Change()

    def _write(self, connection: psycopg.Connection, born: list[_Row], changed: list[_Row]) -> None:
        if born:
            connection.execute(self._insert, arrays(INVOCATIONS.columns, map(_BORN_VALUES, born)), prepare=True)
        if changed:
            values = arrays(_CHANGED, map(_CHANGED_VALUES, changed))
            connection.execute(self._update, values, prepare=True)
        replays = [(row.id, replay) for row in changed for replay in row.replayed_by]
        if replays:
            connection.execute(self._add_replays, [list(column) for column in zip(*replays, strict=True)])


def _started(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.state = State.RUNNING.value
    row.attempt = event.attempt
    row.node = event.node
    row.started_position = recorded.position
    row.started_at = recorded.at
    row.waits_for = ""


def _step_completed(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    """The row says how far the history goes."""


def _suspended(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.state = State.SUSPENDED.value
    row.due = event.until
    row.waits_for = storable(event.topic)
    row.end_attempt(event.usage)


def _resumed(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.state = State.PENDING.value
    row.due = recorded.at
    row.waits_for = ""


def _attempt_failed(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.state = State.RETRYING.value
    row.due = event.retry_at or row.due
    row.end_attempt(event.usage)
    error = event.error
    row.error_kind = storable(error.kind)
    row.error_message = storable(error.message)
    row.error_line = error.line
    row.error_column = error.column


def _succeeded(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.state = State.SUCCEEDED.value
    row.ended_at = recorded.at
    row.end_attempt(event.usage)
    row.status = event.reply.status


def _dead_lettered(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.state = State.DEAD.value
    row.ended_at = recorded.at


def _cancelled(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.waits_for = ""
    row.state = State.CANCELLED.value
    row.ended_at = recorded.at


def _replayed(row: _Row, recorded: RecordedEvent, event: Any) -> None:
    row.replayed_by.append(event.invocation)


_FOLDS: Final = {
    "Started": _started,
    "StepCompleted": _step_completed,
    "Suspended": _suspended,
    "Resumed": _resumed,
    "AttemptFailed": _attempt_failed,
    "Succeeded": _succeeded,
    "DeadLettered": _dead_lettered,
    "Cancelled": _cancelled,
    "Replayed": _replayed,
}
