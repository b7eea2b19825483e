"""The projections that the append itself writes, as a rebuild fills them: by the same rules, from the log.

``migrations`` makes the live tables and ``log.append`` writes them; what is declared here must make equal ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg

from picloud.projections.kv import KvChange
from picloud.projections.outbox import OutboxChange
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.table import Column, Table, arrays

PENDING: Final = Table(
    name="pending",
    columns=(
        Column("invocation_id", "uuid"),
        Column("version", "bigint"),
        Column("attempt", "integer"),
        Column("due", "timestamptz"),
        Column("app", "text"),
        Column("correlation_id", "uuid"),
    ),
    key=("invocation_id",),
    indexes=("pending_due ON {table} (due, invocation_id)",),
)
ENTRIES: Final = Table(
    name="entries",
    columns=(
        Column("app", "text", collation="C"),
        Column("key", "text", collation="C"),
        Column("value", "text", nullable=True),
        Column("version", "bigint"),
    ),
    key=("app", "key"),
)


class Outbox(Projection):
    """What waits for a run; see :mod:`picloud.projections.outbox`."""

    name = "outbox"
    version = 1
    types = frozenset({"Requested", "Started", "AttemptFailed", "Cancelled"})
    tables = (PENDING,)
    inline = True

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        change = OutboxChange()
        recorded_at: dict[UUID, datetime] = {}
        for recorded, event in facts:
            change.add(event, recorded.metadata)
            recorded_at[recorded.stream_id] = recorded.at
        if change.removed:
            delete = f"DELETE FROM {self.schema}.pending WHERE invocation_id = ANY (%b)"
            connection.execute(delete.encode(), (list(change.removed),))
        rows = []
        for row in change.put.values():
            due = row.due or recorded_at[row.invocation_id]
            rows.append((row.invocation_id, row.version, row.attempt, due, row.app, row.correlation_id))
        if rows:
            connection.execute(PENDING.upsert(self.schema).encode(), arrays(PENDING.columns, rows))
        return Change()


class Kv(Projection):
    """Keys and values of scripts; see :mod:`picloud.projections.kv`."""

    name = "kv"
    version = 1
    types = frozenset({"KeyWritten", "KeyDeleted"})
    tables = (ENTRIES,)
    inline = True

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        change = KvChange()
        for recorded, event in facts:
            change.add(event, recorded.metadata)
        rows = [(row.app, row.key, row.value, row.version) for row in change.put.values()]
        if rows:
            connection.execute(ENTRIES.upsert(self.schema).encode(), arrays(ENTRIES.columns, rows))
        return Change()
