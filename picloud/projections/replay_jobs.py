"""Replay jobs: how far each has come, and what became of the replays that it asked for.

Which those are is told by the causes of ``Replayed``: that of a job's is the job. The table ``going_on`` holds those
that have not ended; they leave it with their end, which is counted then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain.invocation import Cancelled, DeadLettered, Replayed, Succeeded
from picloud.domain.replay_job import (
    JobState,
    ReplayJobAborted,
    ReplayJobAdvanced,
    ReplayJobFinished,
    ReplayJobPaused,
    ReplayJobResumed,
    ReplayJobStarted,
)
from picloud.log.reader import RecordedEvent
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table, storable


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


JOBS: Final = Table(
    name="jobs",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("name", "text"),
        Column("state", "text"),
        Column("source", "text"),
        Column("filter", "jsonb", dump=_as_json),
        Column("version", "text"),
        Column("edited", "text"),
        Column("rate", "text", nullable=True),
        Column("total", "integer"),
        Column("reached", "integer"),
        Column("asked", "integer"),
        Column("succeeded", "integer"),
        Column("dead", "integer"),
        Column("cancelled", "integer"),
        Column("skipped", "integer"),
        Column("reasons", "jsonb", dump=_as_json),
        Column("note", "text"),
        Column("started_position", "bigint"),
        Column("started_at", "timestamptz"),
        Column("started_by", "text"),
        Column("ended_at", "timestamptz", nullable=True),
    ),
    key=("id",),
    indexes=(
        "jobs_app ON {table} (app, started_position)",
        "jobs_open ON {table} (started_position) WHERE state IN ('running', 'finishing')",
    ),
)
GOING_ON: Final = Table(name="going_on", columns=(Column("id", "uuid"), Column("job", "uuid")), key=("id",))


@dataclass(slots=True)
class JobRow:
    """A job. ``reached`` counts what of the selection was dealt with, ``reasons`` the skips by reason.

    ``edited`` is ``body``, ``patch`` or empty; ``note`` why it is paused or was aborted.
    """

    id: UUID
    app: str
    name: str
    state: str
    source: str
    filter: dict[str, str]
    version: str
    edited: str
    rate: str | None
    total: int
    started_position: int
    started_at: datetime
    started_by: str
    reached: int = 0
    asked: int = 0
    succeeded: int = 0
    dead: int = 0
    cancelled: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    note: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GoingOnRow:
    """A replay that a job asked for, until it ends."""

    id: UUID
    job: UUID


class ReplayJobs(Projection):
    """See the module."""

    name = "replay_jobs"
    version = 1
    types = frozenset(
        {
            "ReplayJobStarted",
            "ReplayJobAdvanced",
            "ReplayJobPaused",
            "ReplayJobResumed",
            "ReplayJobAborted",
            "ReplayJobFinished",
            "Replayed",
            "Succeeded",
            "DeadLettered",
            "Cancelled",
        }
    )
    tables = (JOBS, GOING_ON)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        if not facts:
            return None
        jobs = RowSet(JOBS, JobRow, self.schema)
        going_on = RowSet(GOING_ON, GoingOnRow, self.schema)
        ended = {recorded.stream_id for recorded, event in facts if isinstance(event, _ENDS)}
        known = going_on.load(connection, ended)
        asked = {recorded.causation_id for recorded, event in facts if isinstance(event, Replayed)}
        of_jobs = {recorded.stream_id for recorded, event in facts if not isinstance(event, (*_ENDS, Replayed))}
        jobs.load(connection, asked | of_jobs | {row.job for row in known})
        for recorded, event in facts:
            if isinstance(event, Replayed):
                if (job := jobs.get(recorded.causation_id)) is not None:
                    job.asked += 1
                    jobs.put(job)
                    going_on.put(GoingOnRow(event.invocation, job.id))
            elif isinstance(event, _ENDS):
                if (row := going_on.get(recorded.stream_id)) is not None:
                    going_on.remove(row)
                    job = jobs.get(row.job)
                    assert job is not None, f"the job {row.job} of a replay that goes on is known"
                    name = _COUNTED[type(event)]
                    setattr(job, name, getattr(job, name) + 1)
                    jobs.put(job)
            else:
                jobs.put(_job(jobs.get(recorded.stream_id), recorded, event))
        going_on.write(connection)
        return Change() if jobs.write(connection) else None


_ENDS: Final = (Succeeded, DeadLettered, Cancelled)
_COUNTED: Final = {Succeeded: "succeeded", DeadLettered: "dead", Cancelled: "cancelled"}


def _job(row: JobRow | None, recorded: RecordedEvent, event: Any) -> JobRow:
    if isinstance(event, ReplayJobStarted):
        return _started(recorded, event)
    assert row is not None, "a job begins with its start"
    match event:
        case ReplayJobAdvanced():
            row.reached = event.reached
            row.skipped += len(event.skipped)
            for skip in event.skipped:
                reason = storable(skip.reason)
                row.reasons[reason] = row.reasons.get(reason, 0) + 1
            if row.reached == row.total:
                row.state = JobState.FINISHING.value
        case ReplayJobPaused():
            row.state, row.note = JobState.PAUSED.value, storable(event.note)
        case ReplayJobResumed():
            row.state, row.note = JobState.RUNNING.value, ""
        case ReplayJobAborted():
            row.state, row.note, row.ended_at = JobState.ABORTED.value, storable(event.reason), recorded.at
        case ReplayJobFinished():
            row.state, row.ended_at = JobState.FINISHED.value, recorded.at
    return row


def _started(recorded: RecordedEvent, event: ReplayJobStarted) -> JobRow:
    chosen = {name: storable(value) for name, value in asdict(event.chosen).items() if value is not None}
    source = chosen.pop("source")
    return JobRow(
        id=recorded.stream_id,
        app=event.app,
        name=event.name,
        state=JobState.RUNNING.value,
        source=source,
        filter=chosen,
        version=event.version,
        edited="body" if event.edit.body is not None else "patch" if event.edit.patch is not None else "",
        rate=None if event.rate is None else str(event.rate),
        total=event.count,
        started_position=recorded.position,
        started_at=recorded.at,
        started_by=storable(recorded.actor),
    )
