"""The rebuilds that were asked for, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg

from picloud.domain.rebuild import RebuildFailed, RebuildFinished, RebuildRequested
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table, storable

REQUESTS: Final = Table(
    name="requests",
    columns=(
        Column("id", "uuid"),
        Column("projection", "text"),
        Column("verify", "boolean"),
        Column("state", "text"),
        Column("requested_position", "bigint"),
        Column("requested_at", "timestamptz"),
        Column("requested_by", "text"),
        Column("ended_at", "timestamptz", nullable=True),
        Column("position", "bigint", nullable=True),
        Column("events", "bigint", nullable=True),
        Column("seconds", "double precision", nullable=True),
        Column("difference", "text", nullable=True),
        Column("reason", "text", nullable=True),
    ),
    key=("id",),
    indexes=(
        "requests_position ON {table} (requested_position)",
        "requests_open ON {table} (requested_position) WHERE state = 'requested'",
    ),
)

_OPEN: Final = "SELECT id FROM rebuilds.requests WHERE state = 'requested' ORDER BY requested_position"


@dataclass(slots=True)
class RequestRow:
    """A rebuild; ``state`` is requested, finished or failed. ``position`` and what follows tell of its end."""

    id: UUID
    projection: str
    verify: bool
    state: str
    requested_position: int
    requested_at: datetime
    requested_by: str
    ended_at: datetime | None = None
    position: int | None = None
    events: int | None = None
    seconds: float | None = None
    difference: str | None = None
    reason: str | None = None


class Rebuilds(Projection):
    """See the module."""

    name = "rebuilds"
    version = 1
    types = frozenset({"RebuildRequested", "RebuildFinished", "RebuildFailed"})
    tables = (REQUESTS,)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        if not facts:
            return None
        rows = RowSet(REQUESTS, RequestRow, self.schema)
        rows.load(connection, {recorded.stream_id for recorded, _ in facts})
        for recorded, event in facts:
            if isinstance(event, RebuildRequested):
                row = RequestRow(
                    recorded.stream_id,
                    storable(event.projection),
                    event.verify,
                    "requested",
                    recorded.position,
                    recorded.at,
                    storable(recorded.actor),
                )
            else:
                found = rows.get(recorded.stream_id)
                if found is None:
                    raise LookupError("its row is missing")
                row = found
                row.ended_at = recorded.at
            match event:
                case RebuildFinished(position=position, events=events, seconds=seconds, difference=difference):
                    row.state, row.position, row.events, row.seconds = "finished", position, events, seconds
                    row.difference = None if difference is None else storable(difference)
                case RebuildFailed(reason=reason):
                    row.state, row.reason = "failed", storable(reason)
            rows.put(row)
        rows.write(connection)
        return Change()


def open_rebuilds(connection: psycopg.Connection) -> list[UUID]:
    """The rebuilds that have not ended, in the order in which they were asked for."""
    return [row[0] for row in connection.execute(_OPEN).fetchall()]
