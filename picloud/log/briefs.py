"""Many invocations at once, in brief: their requests, states and replays, without what their runs left behind.

Of the events that follow the request only the types are read, but for ``Replayed``: results, errors and logs, which
are most of a stream, stay in the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from picloud.domain.invocation import Invocation, Replayed, Requested, State
from picloud.domain.lifecycle import evolve
from picloud.domain.metadata import Metadata
from picloud.log.reader import RecordedEvent

_BRIEF: Final = """
    SELECT notification_id, originator_id, originator_version, topic,
           CASE WHEN originator_version = 1 OR topic = 'Replayed' THEN state ELSE ''::bytea END AS state,
           recorded_at, app, actor, correlation_id, causation_id
    FROM log.events
    WHERE originator_id = ANY(%b)
    ORDER BY originator_id, originator_version
"""
_STATES: Final = {
    "Started": State.RUNNING,
    "StepCompleted": State.RUNNING,
    "Suspended": State.SUSPENDED,
    "Resumed": State.PENDING,
    "AttemptFailed": State.RETRYING,
    "Succeeded": State.SUCCEEDED,
    "DeadLettered": State.DEAD,
    "Cancelled": State.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """An invocation without its history of runs: of ``invocation`` the counts of attempts are not filled.

    ``metadata`` is that of the request, ``size`` that of its content in bytes; ``replays`` are the invocations that
    were made of this one.
    """

    invocation: Invocation
    metadata: Metadata
    size: int
    replays: tuple[UUID, ...] = ()


def read_briefs(connection: psycopg.Connection, invocations: Sequence[UUID]) -> dict[UUID, Brief]:
    """The invocations of these that exist, by id."""
    if not invocations:
        return {}
    cursor = connection.cursor(binary=True, row_factory=tuple_row)
    cursor.execute(_BRIEF, (list(invocations),), prepare=True)
    briefs: dict[UUID, Brief] = {}
    for row in cursor:
        recorded = RecordedEvent(*row)
        stream = recorded.stream_id
        if recorded.version == 1:
            event = recorded.event
            if isinstance(event, Requested):
                briefs[stream] = Brief(
                    invocation=evolve(None, event), metadata=recorded.metadata, size=len(recorded.state)
                )
        elif (brief := briefs.get(stream)) is not None:
            briefs[stream] = _further(brief, recorded)
    return briefs


def _further(brief: Brief, recorded: RecordedEvent) -> Brief:
    was = brief.invocation
    now = replace(
        was,
        version=recorded.version,
        state=_STATES.get(recorded.type, was.state),
        discarded=was.discarded or recorded.type == "Discarded",
    )
    if recorded.type != "Replayed":
        return replace(brief, invocation=now)
    event = recorded.event
    assert isinstance(event, Replayed)
    return replace(brief, invocation=now, replays=(*brief.replays, event.invocation))
