"""Queues: emptied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from picloud.domain.errors import NotFound
from picloud.domain.invocation import Cancelled
from picloud.domain.metadata import Metadata
from picloud.domain.trigger import Trigger
from picloud.domain.trigger_config import Queue
from picloud.log.appender import Entry, StreamConflict
from picloud.orchestrator.control.control import Command, Control
from picloud.orchestrator.control.triggers import existing_trigger
from picloud.projections.queues import held, last_waiting, waiting

MOST_PURGED: Final = 10_000
"""Of one call, which has to answer before its client gives up."""
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Purge:
    """How many messages were called off, and how many wait now: what came meanwhile, or what is still to be done."""

    purged: int
    left: int


def existing_queue(control: Control, app: str, name: str) -> Trigger:
    """The queue, as the log has it. Raises :class:`NotFound`."""
    with control.sessions.session() as connection:
        trigger = existing_trigger(connection, app, name)
    if trigger.kind != Queue.kind:
        raise NotFound(f"the trigger {name!r} of {app} is no queue: it is of kind {trigger.kind}", field="queue")
    return trigger


def purge(control: Control, command: Command, app: str, name: str, reason: str) -> Purge:
    """Call off what waits in a queue now, up to 10,000 messages; what runs goes on.

    Raises :class:`NotFound`.
    """
    queue = existing_queue(control, app, name)
    with control.sessions.session() as connection:
        upto = last_waiting(connection, queue.id)
    purged = seen = 0
    while seen < MOST_PURGED:
        with control.sessions.session() as connection:
            rows = waiting(connection, queue.id, upto=upto, limit=_CHUNK)
        if not rows:
            break
        pending = []
        for row in rows:
            called_off = Cancelled(originator_id=row.id, originator_version=row.version + 1, reason=reason)
            metadata = Metadata(app, command.actor, row.correlation_id, command.request_id)
            pending.append(control.appender.append_later([Entry(called_off, metadata)]))
        for append in pending:
            try:
                append.wait()
                purged += 1
            except StreamConflict:
                # It has begun to run, or was called off by somebody else.
                continue
        seen += len(rows)
        upto = rows[-1].seq - 1
    with control.sessions.session() as connection:
        return Purge(purged, held(connection, queue.id))
