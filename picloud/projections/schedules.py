"""How far each cron trigger has come: its latest tick that was fired or skipped, and the latest that was fired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg

from picloud.domain.tick import TickSkipped
from picloud.domain.trigger import Trigger
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table

TICKS: Final = Table(
    name="ticks",
    columns=(
        Column("id", "uuid"),
        Column("due", "timestamptz"),
        Column("invocation", "uuid", nullable=True),
    ),
    key=("id",),
)


@dataclass(slots=True)
class TickRow:
    """A trigger's latest tick; ``id`` is the trigger's stream, ``invocation`` is that of the latest one that was
    fired.
    """

    id: UUID
    due: datetime
    invocation: UUID | None


class Schedules(Projection):
    """See the module."""

    name = "schedules"
    version = 1
    types = frozenset({"Requested", "TickSkipped"})
    tables = (TICKS,)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        ticks: list[TickRow] = []
        for _, event in facts:
            if isinstance(event, TickSkipped):
                ticks.append(TickRow(event.trigger, event.due, None))
            elif event.trigger.kind == "cron" and event.replay_of is None and "due" in event.event.attributes:
                trigger = Trigger.id_of(event.app, event.trigger.name)
                due = datetime.fromisoformat(event.event.attributes["due"])
                ticks.append(TickRow(trigger, due, event.originator_id))
        if not ticks:
            return None
        rows = RowSet(TICKS, TickRow, self.schema)
        rows.load(connection, {tick.id for tick in ticks})
        for tick in ticks:
            row = rows.get(tick.id) or tick
            row.due = max(row.due, tick.due)
            row.invocation = tick.invocation or row.invocation
            rows.put(row)
        rows.write(connection)
        return Change()
