"""How far each projection has come: one row each, which is also the fence against two who fold at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import psycopg
from psycopg.rows import class_row

from picloud.projections.installation import PROJECTIONS
from picloud.projections.progress import ENDED, Phase
from picloud.projections.projection import Projection

_READ: Final = "SELECT name, version, position, error FROM projections.tracking"
_ADVANCE: Final = "SELECT projections.advance(%b::text[], %b::integer[], %b::bigint[], %b)"
_FAIL: Final = """
    UPDATE projections.tracking
    SET error = %s, updated_at = now()
    WHERE name = %s AND version = %s AND position = %s
"""
_REVIVE: Final = "UPDATE projections.tracking SET error = NULL WHERE error IS NOT NULL"
_STATUS: Final = """
    SELECT t.name, t.version, t.position, h.head, t.error, t.updated_at,
           EXISTS (SELECT FROM projections.progress p WHERE p.projection = t.name AND p.phase = ANY (%s)) AS rebuilding
    FROM projections.tracking t
    CROSS JOIN (SELECT coalesce(max(notification_id), 0) AS head FROM log.events) h
    ORDER BY t.name
"""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A projection's tracking row. ``error`` is why it stands still, if it does."""

    name: str
    version: int
    position: int
    error: str | None


class ProjectionState(StrEnum):
    """How a projection is. ``outdated``: its tables are of another version than the code, until a rebuild ends."""

    LIVE = "live"
    REBUILDING = "rebuilding"
    FAILED = "failed"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionStatus:
    """A projection as its keeper sees it. ``lag`` is in events behind ``head``, the newest position of the log."""

    name: str
    version: int
    position: int
    head: int
    lag: int
    state: ProjectionState
    error: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class _StatusRow:
    name: str
    version: int
    position: int
    head: int
    error: str | None
    updated_at: datetime
    rebuilding: bool


def read_tracking(connection: psycopg.Connection) -> dict[str, Tracked]:
    """Every projection's tracking row, by name."""
    cursor = connection.cursor(row_factory=class_row(Tracked))
    return {row.name: row for row in cursor.execute(_READ, prepare=True).fetchall()}


def advance(connection: psycopg.Connection, tracked: Sequence[Tracked], reached: int) -> None:
    """Move the projections from where they were to ``reached``; until the commit nobody else can.

    Raises :class:`psycopg.errors.SerializationFailure` if one of them isn't there any more; in a pipeline, at its end.
    """
    names, versions, positions = zip(*((row.name, row.version, row.position) for row in tracked), strict=True)
    connection.execute(_ADVANCE, (list(names), list(versions), list(positions), reached), prepare=True)


def fail(connection: psycopg.Connection, tracked: Tracked, error: str) -> None:
    """Say why the projection stands still; nothing if it has been moved meanwhile."""
    connection.execute(_FAIL, (error, tracked.name, tracked.version, tracked.position))


def revive(connection: psycopg.Connection) -> None:
    """Have the projections that failed tried again."""
    connection.execute(_REVIVE)


def status(connection: psycopg.Connection) -> list[ProjectionStatus]:
    """How each projection is, by name."""
    cursor = connection.cursor(row_factory=class_row(_StatusRow))
    rows = cursor.execute(_STATUS, ([phase.value for phase in Phase if phase not in ENDED],)).fetchall()
    return [_status(row, PROJECTIONS[row.name]) for row in rows if row.name in PROJECTIONS]


def _status(row: _StatusRow, kind: type[Projection]) -> ProjectionStatus:
    position = row.head if kind.inline else row.position
    if row.rebuilding:
        state = ProjectionState.REBUILDING
    elif row.version != kind.version:
        state = ProjectionState.OUTDATED
    elif row.error is not None:
        state = ProjectionState.FAILED
    else:
        state = ProjectionState.LIVE
    return ProjectionStatus(
        name=row.name,
        version=row.version,
        position=position,
        head=row.head,
        lag=row.head - position,
        state=state,
        error=row.error,
        updated_at=row.updated_at,
    )


def read_position(connection: psycopg.Connection, name: str) -> int:
    """The position that the projection called ``name`` has reached; 0 if it is not tracked."""
    row = connection.execute(
        "SELECT position FROM projections.tracking WHERE name = %s", (name,), prepare=True
    ).fetchone()
    return int(row[0]) if row is not None else 0
