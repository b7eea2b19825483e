"""How long dead letters are kept: what is purged is told by an event, for each app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from picloud.domain.names import stream_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersPurged:
    """The app's dead letters that died before ``before`` are listed no more: ``count`` of them.

    Their invocations stay in the log, and can be shown and replayed by id.
    """

    originator_id: UUID
    originator_version: int
    before: datetime
    count: int


def purge(app: str, *, before: datetime, count: int) -> DeadLettersPurged:
    """The purge of an app's letters. Its stream follows from app and time: asked for twice, it is one."""
    stream = stream_id("purge", app, before.astimezone(UTC).isoformat())
    return DeadLettersPurged(originator_id=stream, originator_version=1, before=before, count=count)
