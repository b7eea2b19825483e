"""Reading the log: streams, pages in the order of positions, and the audit trail with its filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from picloud.domain.metadata import Metadata
from picloud.log.mapper import MAPPER, Event

_COLUMNS: Final = (
    "notification_id, originator_id, originator_version, topic, state, recorded_at,"
    " app, actor, correlation_id, causation_id"
)
_PAGE: Final = f"SELECT {_COLUMNS} FROM log.events WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
_SPAN: Final = f"""
    SELECT {_COLUMNS}
    FROM (
        SELECT {_COLUMNS},
               sum(octet_length(state)) OVER (ORDER BY notification_id ROWS UNBOUNDED PRECEDING)
               - octet_length(state) AS bytes_before
        FROM log.events
        WHERE notification_id > %s AND notification_id <= %s AND topic <> ALL (%s)
    ) e
    WHERE bytes_before < %s
    ORDER BY notification_id
"""
_STREAM: Final = f"""
    SELECT {_COLUMNS}
    FROM log.events
    WHERE originator_id = %s AND originator_version > %s
    ORDER BY originator_version
"""
_STREAM_BACK: Final = f"""
    SELECT {_COLUMNS}
    FROM log.events
    WHERE originator_id = %s AND (%s::bigint IS NULL OR originator_version < %s)
    ORDER BY originator_version DESC
    LIMIT %s
"""
_FIRST_OF_STREAMS: Final = f"SELECT {_COLUMNS} FROM log.events WHERE originator_id = ANY(%s) AND originator_version = 1"
_LAST_TYPES: Final = """
    SELECT DISTINCT ON (originator_id) originator_id, topic
    FROM log.events
    WHERE originator_id = ANY(%s)
    ORDER BY originator_id, originator_version DESC
"""
_NEWEST: Final = f"""
    SELECT DISTINCT ON (originator_id) {_COLUMNS}
    FROM log.events
    WHERE originator_id = ANY(%s) AND notification_id <= %s
    ORDER BY originator_id, originator_version DESC
"""
_HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM log.events"


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as the log holds it. ``state`` is its content as JSON; ``event`` decodes it."""

    position: int
    stream_id: UUID
    version: int
    type: str
    state: bytes
    at: datetime
    app: str
    actor: str
    correlation_id: UUID
    causation_id: UUID

    @property
    def event(self) -> Event:
        """The domain event. Raises ``MapperDeserialisationError`` if the type or its content is unknown."""
        return MAPPER.decode(self.type, self.stream_id, self.version, self.at, self.state)

    @property
    def metadata(self) -> Metadata:
        """Who, for which app, caused by what."""
        return Metadata(self.app, self.actor, self.correlation_id, self.causation_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What of the audit trail is asked for; None means any. ``since`` and ``until`` bound the time recorded.

    ``before`` and ``after`` are positions, both exclusive. ``newest_first`` gives descending positions.
    """

    app: str | None = None
    type: str | None = None
    actor: str | None = None
    stream_id: UUID | None = None
    correlation_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    after: int | None = None
    newest_first: bool = True
    limit: int = 100


_CONDITIONS: Final = {
    "app": "app = %(app)s",
    "type": "topic = %(type)s",
    "actor": "actor = %(actor)s",
    "stream_id": "originator_id = %(stream_id)s",
    "correlation_id": "correlation_id = %(correlation_id)s",
    "since": "recorded_at >= %(since)s",
    "until": "recorded_at < %(until)s",
    "before": "notification_id < %(before)s",
    "after": "notification_id > %(after)s",
}


def read_page(connection: psycopg.Connection, *, after: int, limit: int) -> list[RecordedEvent]:
    """Up to ``limit`` events behind position ``after``, in order; fewer only at the end of the log."""
    return _read(connection, _PAGE, (after, limit))


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the log: its events, in order, and the position up to which it was read."""

    events: list[RecordedEvent]
    reached: int


def read_span(
    connection: psycopg.Connection, *, after: int, up_to: int, max_bytes: int, without: Sequence[str] = ()
) -> Span:
    """The events behind position ``after`` up to ``up_to``, but for those of the types in ``without``.

    Ends early behind the event with which the contents come to ``max_bytes``.
    """
    events = _read(connection, _SPAN, (after, up_to, list(without), max_bytes))
    full = sum(len(event.state) for event in events) >= max_bytes
    return Span(events, events[-1].position if full else up_to)


def read_stream(connection: psycopg.Connection, stream_id: UUID, *, after: int = 0) -> list[RecordedEvent]:
    """A stream's events behind version ``after``, in order; empty if there are none."""
    return _read(connection, _STREAM, (stream_id, after))


def read_stream_back(
    connection: psycopg.Connection, stream_id: UUID, *, before: int | None, limit: int
) -> list[RecordedEvent]:
    """Up to ``limit`` events of a stream before the version ``before``, the newest first."""
    return _read(connection, _STREAM_BACK, (stream_id, before, before, limit))


def read_first_events(connection: psycopg.Connection, stream_ids: Sequence[UUID]) -> dict[UUID, RecordedEvent]:
    """The founding event of each of the streams that exist, by stream id."""
    return {event.stream_id: event for event in _read(connection, _FIRST_OF_STREAMS, (list(stream_ids),))}


def read_last_types(connection: psycopg.Connection, stream_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The type of the newest event of each of the streams that exist, by stream id."""
    return dict(connection.execute(_LAST_TYPES, (list(stream_ids),)).fetchall())


def read_newest_events(
    connection: psycopg.Connection, stream_ids: Sequence[UUID], *, up_to: int
) -> dict[UUID, RecordedEvent]:
    """Of each of the streams the newest event that isn't behind the position ``up_to``, by stream id."""
    return {event.stream_id: event for event in _read(connection, _NEWEST, (list(stream_ids), up_to))}


def read_head(connection: psycopg.Connection) -> int:
    """The position of the newest event; 0 for an empty log."""
    row = connection.execute(_HEAD, prepare=True).fetchone()
    assert row is not None
    return int(row[0])


def read_audit(connection: psycopg.Connection, wanted: AuditFilter) -> list[RecordedEvent]:
    """The part of the audit trail that ``wanted`` asks for."""
    values = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    where = " AND ".join(_CONDITIONS[name] for name in values) or "TRUE"
    order = "DESC" if wanted.newest_first else "ASC"
    query = f"SELECT {_COLUMNS} FROM log.events WHERE {where} ORDER BY notification_id {order} LIMIT %(limit)s"
    return _read(connection, query, {**values, "limit": wanted.limit})


def _read(connection: psycopg.Connection, query: str, parameters: Any) -> list[RecordedEvent]:
    cursor = connection.cursor(binary=True, row_factory=tuple_row)
    cursor.execute(query, parameters, prepare=True)
    return [RecordedEvent(*row) for row in cursor.fetchall()]
