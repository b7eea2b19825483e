"""Who asked for what: the chain of causes of an invocation, from the direct one to the root."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import psycopg

from picloud.domain.invocation import Requested
from picloud.log.reader import RecordedEvent, read_first_events

MOST: Final = 64


def causes_of(connection: psycopg.Connection, founding: RecordedEvent) -> list[RecordedEvent]:
    """The founding events of what led to the stream of ``founding``: other invocations, triggers, replay jobs.

    A replay that a job asked for has two causes: the job, and then what was replayed, with its own. The chain ends at
    the first thing that nothing in the log led to, such as a request.
    """
    chain: list[RecordedEvent] = []
    seen = {founding.stream_id}
    wanted = _causes(founding)
    while wanted and len(chain) < MOST:
        cause = wanted.pop(0)
        if cause in seen:
            continue
        seen.add(cause)
        found = read_first_events(connection, [cause]).get(cause)
        if found is not None:
            chain.append(found)
            wanted = [*_causes(found), *wanted]
    return chain


def _causes(founding: RecordedEvent) -> list[UUID]:
    event = founding.event
    if isinstance(event, Requested) and event.replay_of is not None:
        return [founding.causation_id, event.replay_of]
    return [founding.causation_id]
