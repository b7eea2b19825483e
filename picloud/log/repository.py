"""Aggregates out of their streams, and their new events into the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from eventsourcing.domain import Aggregate

from picloud.domain import lifecycle
from picloud.domain.invocation import Invocation
from picloud.domain.metadata import Metadata
from picloud.log.appender import Entry
from picloud.log.reader import read_stream

TAggregate = TypeVar("TAggregate", bound=Aggregate)


def load(connection: psycopg.Connection, kind: type[TAggregate], stream_id: UUID) -> TAggregate | None:
    """The aggregate of the stream, or None if the stream is empty."""
    aggregate: Any = None
    for recorded in read_stream(connection, stream_id):
        event: Any = recorded.event
        aggregate = event.mutate(aggregate)
    assert aggregate is None or isinstance(aggregate, kind)
    return aggregate


def load_invocation(connection: psycopg.Connection, stream_id: UUID) -> Invocation | None:
    """The invocation's present state, or None if there is no such stream."""
    loaded = load_invocation_with_metadata(connection, stream_id)
    return loaded[0] if loaded is not None else None


def load_invocation_with_metadata(
    connection: psycopg.Connection, stream_id: UUID
) -> tuple[Invocation, Metadata] | None:
    """The invocation's present state and the metadata of its request, or None if there is no such stream."""
    stream = read_stream(connection, stream_id)
    if not stream:
        return None
    state: Invocation | None = None
    for recorded in stream:
        event: Any = recorded.event
        state = lifecycle.evolve(state, event)
    assert state is not None
    return state, stream[0].metadata


def collect(aggregates: Iterable[Aggregate], metadata: Metadata) -> list[Entry]:
    """The aggregates' new events as entries to append."""
    return [Entry(event, metadata) for aggregate in aggregates for event in aggregate.collect_events()]
