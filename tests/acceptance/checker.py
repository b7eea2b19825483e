"""Reads the log alone and says whether the promises were kept. It knows nothing of what made the load."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from picloud.domain.invocation import Cancelled, DeadLettered, Requested, Succeeded
from picloud.domain.kv import KeyWritten
from picloud.log.reader import read_page

ENDS = (Succeeded, DeadLettered, Cancelled)


@dataclass(slots=True)
class Verdict:
    """What the log tells. ``faults`` is empty if every promise that the log can show was kept."""

    requested: set[UUID] = field(default_factory=set)
    succeeded: set[UUID] = field(default_factory=set)
    dead: set[UUID] = field(default_factory=set)
    open: set[UUID] = field(default_factory=set)
    writes: Counter[str] = field(default_factory=Counter)
    values: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read_verdict(dsn: str) -> Verdict:
    """Read the whole log."""
    verdict = Verdict()
    versions: dict[UUID, int] = {}
    ends: Counter[UUID] = Counter()
    writers: Counter[tuple[UUID, str]] = Counter()
    position = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        while page := read_page(connection, after=position, limit=5000):
            for recorded in page:
                if recorded.position != position + 1:
                    verdict.faults.append(f"a gap between positions {position} and {recorded.position}")
                position = recorded.position
                if recorded.version != versions.get(recorded.stream_id, 0) + 1:
                    verdict.faults.append(f"a gap in stream {recorded.stream_id} before version {recorded.version}")
                versions[recorded.stream_id] = recorded.version
                event = recorded.event
                if isinstance(event, Requested):
                    verdict.requested.add(recorded.stream_id)
                elif isinstance(event, ENDS):
                    ends[recorded.stream_id] += 1
                    (verdict.succeeded if isinstance(event, Succeeded) else verdict.dead).add(recorded.stream_id)
                elif isinstance(event, KeyWritten):
                    verdict.writes[event.key] += 1
                    verdict.values[event.key] = event.value
                    writers[recorded.causation_id, event.key] += 1
    verdict.open = verdict.requested - set(ends)
    verdict.faults += [f"invocation {stream} ended {n} times" for stream, n in ends.items() if n > 1]
    verdict.faults += [f"invocation {run} wrote {key} {n} times" for (run, key), n in writers.items() if n > 1]
    verdict.faults += [f"{run} wrote {key} and didn't succeed" for run, key in writers if run not in verdict.succeeded]
    return verdict
