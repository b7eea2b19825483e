"""What is asked of the outbox about queues: how deep they are, what waits in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

_DEPTHS: Final = """
    SELECT t.app, t.name, t.script, t.paused, d.ready, d.delayed, d.behind, d.running, d.oldest_seconds
    FROM catalog.triggers t
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE p.state IN ('ready', 'queued', 'batching') AND p.due <= c.at) AS ready,
               count(*) FILTER (WHERE p.state IN ('ready', 'queued', 'batching') AND p.due > c.at) AS delayed,
               count(*) FILTER (WHERE p.state = 'waiting') AS behind,
               count(*) FILTER (WHERE p.state = 'running') AS running,
               coalesce(
                   extract(epoch FROM max(c.at - p.due) FILTER (WHERE p.state <> 'running' AND p.due <= c.at))::float8,
                   0
               ) AS oldest_seconds
        FROM (SELECT clock_timestamp() AS at) c
        LEFT JOIN outbox.pending p ON p.trigger_id = t.id
    ) d
    WHERE t.kind = 'queue' AND t.app = coalesce(%(app)s, t.app) AND t.name = coalesce(%(name)s, t.name)
    ORDER BY t.app, t.name
"""
_DEAD: Final = """
    SELECT trigger_name, count(*)
    FROM dead_letters.letters
    WHERE app = %s AND trigger_kind = 'queue' AND saved_by IS NULL AND discarded_at IS NULL
    GROUP BY trigger_name
"""
_HELD: Final = "SELECT count(*) FROM outbox.pending WHERE trigger_id = %s AND state <> 'running'"
_LAST: Final = "SELECT coalesce(max(seq), 0) FROM outbox.pending WHERE trigger_id = %s AND state <> 'running'"
# The last first: what waits behind an ordering key isn't let forward while others of the key are called off.
_WAITING: Final = """
    SELECT invocation_id AS id, version, correlation_id, seq
    FROM outbox.pending
    WHERE trigger_id = %s AND state <> 'running' AND seq <= %s
    ORDER BY seq DESC
    LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A message that waits: its invocation, the version of its stream, its root cause, its place in the order."""

    id: UUID
    version: int
    correlation_id: UUID
    seq: int


def queues_of(connection: psycopg.Connection, app: str, name: str | None = None) -> list[dict[str, Any]]:
    """An app's queues by name, or the one called ``name``, with their depths and open dead letters."""
    rows = depths(connection, app, name)
    dead: dict[str, int] = dict(connection.execute(_DEAD, (app,)).fetchall())
    return [{**row, "dead_letters": dead.get(row["name"], 0)} for row in rows]


def depths(connection: psycopg.Connection, app: str | None = None, name: str | None = None) -> list[dict[str, Any]]:
    """How many messages of each queue are in which state, and for how many seconds the oldest is due; None is any."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_DEPTHS, {"app": app, "name": name}).fetchall()


def held(connection: psycopg.Connection, trigger: UUID) -> int:
    """How many invocations of the trigger wait."""
    row = connection.execute(_HELD, (trigger,)).fetchone()
    return 0 if row is None else int(row[0])


def last_waiting(connection: psycopg.Connection, trigger: UUID) -> int:
    """The place of the last that waits; 0 if nothing does."""
    row = connection.execute(_LAST, (trigger,)).fetchone()
    return 0 if row is None else int(row[0])


def waiting(connection: psycopg.Connection, trigger: UUID, *, upto: int, limit: int) -> list[WaitingRow]:
    """What waits up to a place in the order, the last first."""
    with connection.cursor(row_factory=class_row(WaitingRow)) as cursor:
        return cursor.execute(_WAITING, (trigger, upto, limit)).fetchall()
