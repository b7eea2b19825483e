"""What scripts printed and logged, line by line, in the order in which the runs ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from picloud.log.reader import RecordedEvent, read_first_events
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.table import Column, Table, arrays, storable

MAX_REMEMBERED: Final = 20_000


def _json(fields: dict[str, object]) -> str:
    text = msgspec.json.encode(fields).decode()
    return msgspec.json.encode(_storable(fields)).decode() if "\\u0000" in text else text


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


LINES: Final = Table(
    name="lines",
    columns=(
        Column("app", "text"),
        Column("position", "bigint"),
        Column("seq", "integer"),
        Column("invocation_id", "uuid"),
        Column("script", "text"),
        Column("attempt", "integer"),
        Column("at", "timestamptz"),
        Column("level", "text"),
        Column("message", "text", dump=storable),
        Column("fields", "jsonb", nullable=True, dump=_json),
        Column("line", "integer"),
    ),
    key=("app", "position", "seq"),
    indexes=("lines_invocation ON {table} (invocation_id)",),
)


class Logs(Projection):
    """See the module. A line's ``position`` is that of the event that it came with, the end of its run or a checkpoint;
    ``seq`` is its number there.
    """

    name = "logs"
    version = 1
    types = frozenset({"Requested", "StepCompleted", "Suspended", "AttemptFailed", "Succeeded"})
    tables = (LINES,)

    def __init__(self, schema: str | None = None) -> None:
        super().__init__(schema)
        self._insert = LINES.insert(self.schema).encode()
        self._scripts: dict[UUID, str] = {}

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        told: list[tuple[RecordedEvent, Any]] = []
        for recorded, event in facts:
            if recorded.type == "Requested":
                self._scripts[recorded.stream_id] = event.script
            elif event.logs:
                told.append((recorded, event))
        self._look_up(connection, {recorded.stream_id for recorded, _ in told} - self._scripts.keys())
        rows = [row for recorded, event in told for row in _lines(recorded, event, self._scripts[recorded.stream_id])]
        if rows:
            connection.execute(self._insert, arrays(LINES.columns, rows), prepare=True)
        self._forget_ended(facts)
        return Change() if rows else None

    def _look_up(self, connection: psycopg.Connection, invocations: set[UUID]) -> None:
        """Learn the scripts of invocations that began long ago; only their first event names the script."""
        if not invocations:
            return
        for stream, founding in read_first_events(connection, list(invocations)).items():
            requested: Any = founding.event
            self._scripts[stream] = requested.script

    def _forget_ended(self, facts: Sequence[Fact]) -> None:
        for recorded, event in facts:
            if recorded.type == "Succeeded" or (recorded.type == "AttemptFailed" and event.retry_at is None):
                self._scripts.pop(recorded.stream_id, None)
        while len(self._scripts) > MAX_REMEMBERED:
            del self._scripts[next(iter(self._scripts))]


def _lines(recorded: RecordedEvent, event: Any, script: str) -> Iterator[tuple[Any, ...]]:
    began = recorded.at - timedelta(microseconds=event.usage.duration_us)
    for seq, line in enumerate(event.logs):
        yield (
            recorded.app,
            recorded.position,
            seq,
            recorded.stream_id,
            script,
            event.attempt,
            began + timedelta(milliseconds=line.at_ms),
            line.level,
            line.message,
            line.fields,
            line.line,
        )
