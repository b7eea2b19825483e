"""The outbox: what waits for a run. Written inline, by the append itself, so that a wake-up never finds nothing.

An invocation has a row from the moment it was accepted, or put back, until a node takes it up or it is called off. One
that is accepted and taken up in the same append never has one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from picloud.domain.invocation import AttemptFailed, Cancelled, Requested, Started
from picloud.domain.metadata import Metadata


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row of ``outbox.pending``.

    ``version`` is the stream's, ``attempt`` the number of the run to come; ``due`` is None for at once.
    """

    invocation_id: UUID
    version: int
    attempt: int
    due: datetime | None
    app: str
    correlation_id: UUID


@dataclass(slots=True)
class OutboxChange:
    """What a run of events, in order, does to the outbox."""

    put: dict[UUID, PendingRow] = field(default_factory=dict)
    removed: set[UUID] = field(default_factory=set)

    def add(self, event: object, metadata: Metadata) -> None:
        """Fold one more event."""
        match event:
            case Requested(originator_id=stream, due=due):
                self.put[stream] = PendingRow(stream, 1, 1, due, metadata.app, metadata.correlation_id)
            case AttemptFailed(originator_id=stream, retry_at=due) if due is not None:
                self.put[stream] = PendingRow(
                    stream, event.originator_version, event.attempt + 1, due, metadata.app, metadata.correlation_id
                )
            case Started(originator_id=stream) | Cancelled(originator_id=stream):
                if self.put.pop(stream, None) is None:
                    self.removed.add(stream)
