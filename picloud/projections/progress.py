"""How far a rebuild has come: what its stream says, and what only the one who does it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from picloud.domain.rebuild import RebuildFailed, RebuildFinished, RebuildRequested
from picloud.log.reader import RecordedEvent, read_stream


class Phase(StrEnum):
    """What a rebuild is at. ``SWAPPED`` and ``REFUSED`` are the ends, before the log has been told."""

    FILLING = "filling"
    COMPARING = "comparing"
    SWAPPING = "swapping"
    SWAPPED = "swapped"
    REFUSED = "refused"


ENDED: Final = frozenset({Phase.SWAPPED, Phase.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The working record of a rebuild. Events are counted by their positions, which have no gaps."""

    rebuild: UUID
    projection: str
    phase: str
    attempts: int
    position: int
    events_done: int
    events_total: int
    difference: str | None
    reason: str | None
    started_at: datetime
    updated_at: datetime

    @property
    def seconds(self) -> float:
        """How long it has taken, or took."""
        return (self.updated_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildStatus:
    """A rebuild as people see it. ``state`` is requested, running, finished or failed.

    ``phase`` is set while it runs; ``seconds`` is how long it has taken; ``difference`` names the first row that
    differed, if one did; ``reason`` says why it failed.
    """

    id: UUID
    projection: str
    verify: bool
    state: str
    requested_at: datetime
    requested_by: str
    ended_at: datetime | None = None
    phase: str | None = None
    position: int = 0
    events_done: int = 0
    events_total: int = 0
    seconds: float = 0.0
    difference: str | None = None
    reason: str | None = None


_BEGIN: Final = """
    INSERT INTO projections.progress (rebuild, projection, phase)
    VALUES (%s, %s, 'filling')
    ON CONFLICT (rebuild) DO UPDATE
    SET phase = 'filling', attempts = projections.progress.attempts + 1, position = 0, events_done = 0,
        events_total = 0, difference = NULL, reason = NULL, started_at = now(), updated_at = now()
"""
_TELL: Final = """
    UPDATE projections.progress
    SET phase = %s, position = %s, events_done = %s, events_total = %s, updated_at = clock_timestamp()
    WHERE rebuild = %s
"""
_FOUND: Final = "UPDATE projections.progress SET difference = %s WHERE rebuild = %s"
_REFUSE: Final = """
    UPDATE projections.progress
    SET phase = 'refused', reason = %s, updated_at = clock_timestamp()
    WHERE rebuild = %s
"""
_FORGET: Final = "DELETE FROM projections.progress WHERE rebuild = %s"
_READ: Final = """
    SELECT rebuild, projection, phase, attempts, position, events_done, events_total, difference, reason, started_at,
           updated_at
    FROM projections.progress
    WHERE rebuild = ANY (%s)
"""
_NEWEST: Final = "SELECT id FROM rebuilds.requests ORDER BY requested_position DESC LIMIT %s"


def begin(connection: psycopg.Connection, rebuild: UUID, projection: str) -> None:
    """Note that the rebuild starts, or starts again."""
    connection.execute(_BEGIN, (rebuild, projection))


def tell(connection: psycopg.Connection, rebuild: UUID, phase: Phase, *, done: int, total: int) -> None:
    """Note how far the rebuild has come, in events."""
    connection.execute(_TELL, (phase.value, done, done, total, rebuild))


def tell_difference(connection: psycopg.Connection, rebuild: UUID, difference: str | None) -> None:
    """Note what the comparison found."""
    connection.execute(_FOUND, (difference, rebuild))


def refuse(connection: psycopg.Connection, rebuild: UUID, reason: str) -> None:
    """Note that the rebuild can't be done."""
    connection.execute(_REFUSE, (reason, rebuild))


def forget(connection: psycopg.Connection, rebuild: UUID) -> None:
    """Drop the working record: the log knows the end."""
    connection.execute(_FORGET, (rebuild,))


def read_progress(connection: psycopg.Connection, rebuild: UUID) -> Progress | None:
    """The working record, or None if nobody has begun."""
    return _read(connection, [rebuild]).get(rebuild)


def rebuild_status(connection: psycopg.Connection, rebuild: UUID) -> RebuildStatus | None:
    """How the rebuild stands; None if none was asked for under this id. Reads the log itself, so it is never behind."""
    status: RebuildStatus | None = None
    for recorded in read_stream(connection, rebuild):
        status = _evolve(status, recorded)
    if status is None or status.ended_at is not None:
        return status
    progress = read_progress(connection, rebuild)
    return status if progress is None else _with_progress(status, progress)


def newest_rebuilds(connection: psycopg.Connection, limit: int) -> list[RebuildStatus]:
    """The rebuilds that were asked for last, newest first."""
    ids = [row[0] for row in connection.execute(_NEWEST, (limit,)).fetchall()]
    statuses = (rebuild_status(connection, rebuild) for rebuild in ids)
    return [status for status in statuses if status is not None]


def _read(connection: psycopg.Connection, rebuilds: Sequence[UUID]) -> dict[UUID, Progress]:
    cursor = connection.cursor(row_factory=class_row(Progress))
    return {row.rebuild: row for row in cursor.execute(_READ, (list(rebuilds),)).fetchall()}


def _evolve(status: RebuildStatus | None, recorded: RecordedEvent) -> RebuildStatus | None:
    event = recorded.event
    if isinstance(event, RebuildRequested):
        return RebuildStatus(
            id=recorded.stream_id,
            projection=event.projection,
            verify=event.verify,
            state="requested",
            requested_at=recorded.at,
            requested_by=recorded.actor,
        )
    if status is None:
        return None
    match event:
        case RebuildFinished(position=position, events=events, seconds=seconds, difference=difference):
            return replace(
                status,
                state="finished",
                ended_at=recorded.at,
                position=position,
                events_done=events,
                events_total=events,
                seconds=seconds,
                difference=difference,
            )
        case RebuildFailed(reason=reason):
            return replace(status, state="failed", ended_at=recorded.at, reason=reason)
    return status


def _with_progress(status: RebuildStatus, progress: Progress) -> RebuildStatus:
    return replace(
        status,
        state="running",
        phase=progress.phase,
        position=progress.position,
        events_done=progress.events_done,
        events_total=progress.events_total,
        seconds=progress.seconds,
        difference=progress.difference,
        reason=progress.reason,
    )
