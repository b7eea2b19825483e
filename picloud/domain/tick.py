"""A tick: one due time of a cron trigger. Its stream follows from both, so that nobody can fire it twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from picloud.domain.names import stream_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TickSkipped:
    """The tick was left out on purpose: the ``reason`` says why. ``missed`` ticks before it were too, nobody being
    there.
    """

    originator_id: UUID
    originator_version: int
    trigger: UUID
    due: datetime
    reason: str
    missed: int = 0


def tick_id(trigger: UUID, due: datetime) -> UUID:
    """The stream of the tick: that of its invocation, or of its being skipped."""
    return stream_id("tick", str(trigger), due_text(due))


def backfill_id(trigger: UUID, due: datetime) -> UUID:
    """The stream of the invocation that makes up by hand for a tick."""
    return stream_id("backfill", str(trigger), due_text(due))


def due_text(due: datetime) -> str:
    """A due time as ticks carry it: UTC, whole seconds, RFC 3339."""
    return due.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def put_off(tick: UUID, due: datetime, jitter_ms: int) -> datetime:
    """When the tick's run is due, up to ``jitter_ms`` later; for one tick always the same."""
    return due + timedelta(milliseconds=tick.int % (jitter_ms + 1))
