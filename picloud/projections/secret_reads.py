"""Who reads which secret, how often, and when last: by script, from what the ends of runs say.

A run that failed counts as well; the reads of one that was lost with its node are lost with it. An inspection isn't a
run, and isn't counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain.secret import Secret
from picloud.log.reader import RecordedEvent, read_first_events
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table

READS: Final = Table(
    name="reads",
    columns=(
        Column("id", "uuid"),
        Column("script", "text"),
        Column("app", "text"),
        Column("name", "text"),
        Column("reads", "bigint"),
        Column("runs", "bigint"),
        Column("last_at", "timestamptz"),
        Column("last_number", "integer"),
        Column("last_invocation", "uuid"),
    ),
    key=("id", "script"),
    indexes=("reads_app ON {table} (app)",),
)


@dataclass(slots=True)
class ReadsRow:
    """What one script read of one secret, whose stream ``id`` is: ``reads`` times in ``runs``."""

    id: UUID
    script: str
    app: str
    name: str
    reads: int
    runs: int
    last_at: datetime
    last_number: int
    last_invocation: UUID


class SecretReads(Projection):
    """See the module."""

    name = "secret_reads"
    version = 1
    types = frozenset({"StepCompleted", "Suspended", "AttemptFailed", "Succeeded"})
    tables = (READS,)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        told: list[tuple[RecordedEvent, Any]] = [(recorded, event) for recorded, event in facts if event.secrets]
        if not told:
            return None
        founding = read_first_events(connection, list({recorded.stream_id for recorded, _ in told}))
        rows = RowSet(READS, ReadsRow, self.schema)
        named = {(recorded.app, read.name) for recorded, event in told for read in event.secrets}
        rows.load(connection, {Secret.id_of(*each) for each in named})
        for recorded, event in told:
            requested: Any = founding[recorded.stream_id].event
            for name in dict.fromkeys(read.name for read in event.secrets):
                versions = [read for read in event.secrets if read.name == name]
                newest = max(read.number for read in versions)
                secret, script = Secret.id_of(recorded.app, name), requested.script
                row = rows.get(secret, script)
                if row is None:
                    row = ReadsRow(secret, script, recorded.app, name, 0, 0, recorded.at, newest, recorded.stream_id)
                row.reads += sum(read.reads for read in versions)
                row.runs += 1
                row.last_at, row.last_number, row.last_invocation = recorded.at, newest, recorded.stream_id
                rows.put(row)
        rows.write(connection)
        return Change()
