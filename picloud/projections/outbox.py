"""The outbox: what waits for a run. Written inline, by the append itself, so that a wake-up never finds nothing.

An invocation has a row from the moment it was accepted, or put back, until a node takes it up or it is called off. One
that is accepted and taken up in the same append never has one; one that sleeps or waits has one that is due at the end
of that. What has an ordering or a concurrency id keeps its row until it has ended, because others wait for that. A
row's state follows from the rows beside it:

    waiting   another row of its ordering id was asked for earlier
    queued    it is the first of its ordering id, but its concurrency id has no room, or its queue is paused
    ready     it may be taken, as soon as its rank has come
    batching  the same, together with others of its queue
    running   it was taken and has not ended

Of the rows with one concurrency id that are first of their ordering id, as many are ready as there is room, by rank.
Rank is when a row is due; what is due at once stands ten seconds further ahead for each step of its priority. These
rules are applied by ``log.change_outbox`` (migrations/0003), for the append and for a rebuild alike; here is which
events lead to which of its arguments.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from picloud.domain.flow import Flow
from picloud.domain.invocation import (
    AttemptFailed,
    Cancelled,
    DeadLettered,
    Requested,
    Resumed,
    Started,
    Succeeded,
    Suspended,
)
from picloud.domain.metadata import Metadata
from picloud.domain.route import RouteConfigured
from picloud.domain.trigger import (
    TriggerChanged,
    TriggerCreated,
    TriggerLimits,
    TriggerPaused,
    TriggerRemoved,
    TriggerResumed,
)

CHANGE_ARGUMENTS: Final = (
    "%b::jsonb, %b::jsonb, %b::uuid[], %b::bigint[], %b::integer[], %b::timestamptz[], %b::text[], %b::uuid[],"
    " %b::uuid[], %b::uuid[], %b::uuid[]"
)
"""Placeholders for what :meth:`OutboxChange.arguments` gives."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row that is put, or put back.

    ``version`` is the stream's, ``attempt`` the number of the run to come; ``due`` is None for at once.
    """

    invocation_id: UUID
    version: int
    attempt: int
    due: datetime | None
    app: str
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A request with flow control. Its position is ``offset`` behind where the change begins."""

    request: Requested
    flow: Flow
    metadata: Metadata
    offset: int
    at: datetime | None

    def told(self, base: int) -> dict[str, Any]:
        """The row as ``log.change_outbox`` takes it."""
        flow, throttle, debounce = self.flow, self.flow.throttle, self.flow.debounce
        return {
            "id": self.request.originator_id,
            "app": self.metadata.app,
            "correlation": self.metadata.correlation_id,
            "due": self.request.due,
            "asked_at": self.at,
            "seq_offset": base + self.offset,
            "trigger": flow.trigger,
            "ordering": flow.ordering,
            "concurrency": flow.concurrency,
            "priority": flow.priority,
            "throttle": throttle.id if throttle is not None else None,
            "every_ms": throttle.every_ms if throttle is not None else None,
            "burst": throttle.burst if throttle is not None else None,
            "debounce": debounce.id if debounce is not None else None,
            "most_ms": debounce.most_ms if debounce is not None else None,
        }


@dataclass(slots=True)
class OutboxChange:
    """What a run of events, in order, does to the outbox. ``events`` counts them."""

    limits: list[dict[str, Any]] = field(default_factory=list)
    flows: dict[UUID, FlowRow] = field(default_factory=dict)
    put: dict[UUID, PendingRow] = field(default_factory=dict)
    started: dict[UUID, UUID | None] = field(default_factory=dict)
    ended: set[UUID] = field(default_factory=set)
    events: int = 0

    def add(
        self, event: object, metadata: Metadata, *, position: int | None = None, at: datetime | None = None
    ) -> None:
        """Fold one more event. ``position`` and ``at`` are those of a recorded event, None for one that is to be."""
        self.events += 1
        match event:
            case Requested(originator_id=stream, flow=flow, due=due):
                if flow is None:
                    self.put[stream] = PendingRow(stream, 1, 1, due or at, metadata.app, metadata.correlation_id)
                else:
                    offset = self.events if position is None else position
                    self.flows[stream] = FlowRow(event, flow, metadata, offset, at)
            case Started(originator_id=stream, batch=batch):
                row = self.put.get(stream)
                if row is not None and row.version == 1:
                    # Asked for and taken up in one go, with nothing to wait for: it never had a row.
                    del self.put[stream]
                else:
                    self.started[stream] = batch
            case AttemptFailed(originator_id=stream, retry_at=due) if due is not None:
                self._put_back(event, due, metadata)
            case Suspended(originator_id=stream, until=due):
                self._put_back(event, due, metadata)
            case Resumed():
                self._put_back(event, at, metadata)
            case Succeeded(originator_id=stream) | DeadLettered(originator_id=stream) | Cancelled(originator_id=stream):
                self.started.pop(stream, None)
                self.put.pop(stream, None)
                asked = self.flows.get(stream)
                if asked is not None and not stands_alone(asked.request):
                    del self.flows[stream]
                self.ended.add(stream)
            case TriggerCreated() | TriggerChanged():
                self._limit(event.originator_id, TriggerLimits.of(event.kind, event.config, event.delivery))
            case RouteConfigured(settings=settings):
                self._limit(event.originator_id, TriggerLimits(concurrency=settings.concurrency, holds=False))
            case TriggerPaused() | TriggerResumed() | TriggerRemoved():
                change = _CHANGES[type(event)]
                self.limits.append({"trigger": event.originator_id, "change": change})

    @property
    def debounces(self) -> bool:
        """Whether it takes the place of what waits now, so that nothing else may be done to that in the same commit."""
        return any(row.flow.debounce is not None for row in self.flows.values())

    def _put_back(self, event: AttemptFailed | Suspended | Resumed, due: datetime | None, metadata: Metadata) -> None:
        stream, app = event.originator_id, metadata.app
        self.started.pop(stream, None)
        self.put[stream] = PendingRow(
            stream, event.originator_version, event.attempt + 1, due, app, metadata.correlation_id
        )

    def _limit(self, trigger: UUID, limits: TriggerLimits) -> None:
        self.limits.append({"trigger": trigger, "change": "set", **asdict(limits)})


def stands_alone(event: object) -> bool:
    """Whether the event must not be folded together with others: what it does follows from the rows before it."""
    if not isinstance(event, Requested) or event.flow is None:
        return False
    return event.flow.throttle is not None or event.flow.debounce is not None


_CHANGES: Final[dict[type, str]] = {TriggerPaused: "pause", TriggerResumed: "resume", TriggerRemoved: "remove"}


def change_arguments(changes: list[OutboxChange]) -> tuple[Any, ...]:
    """What ``log.change_outbox`` takes for these changes, one behind the other: see :data:`CHANGE_ARGUMENTS`."""
    limits, flows = [], []
    base = 0
    for change in changes:
        limits += change.limits
        flows += [row.told(base) for row in change.flows.values()]
        base += change.events
    put = [row for change in changes for row in change.put.values()]
    started = [(stream, batch) for change in changes for stream, batch in change.started.items()]
    return (
        _encode(limits).decode() if limits else None,
        _encode(flows).decode() if flows else None,
        [row.invocation_id for row in put],
        [row.version for row in put],
        [row.attempt for row in put],
        [row.due for row in put],
        [row.app for row in put],
        [row.correlation_id for row in put],
        [stream for stream, _ in started],
        [batch for _, batch in started],
        [stream for change in changes for stream in change.ended],
    )
