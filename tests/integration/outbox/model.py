"""What the outbox promises, in a few lines of Python that nobody would call fast. Times are whole milliseconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

PRIORITY_MS = 10_000
FOREVER = 10**12


@dataclass
class Trigger:
    """A trigger's limits; ``holds`` is true of queues."""

    concurrency: int = 0
    holds: bool = False
    paused: bool = False
    batch: int = 1
    batch_wait_ms: int = 0


@dataclass
class Row:
    """An invocation that has not ended."""

    id: UUID
    app: str
    seq: int
    rank: int
    trigger: UUID | None = None
    ordering: UUID | None = None
    concurrency: UUID | None = None
    debounce: UUID | None = None
    since: int = 0
    running: bool = False
    batch: int | None = None
    version: int = 1
    attempt: int = 1

    @property
    def place(self) -> tuple[int, int, UUID]:
        return self.rank, self.seq, self.id


@dataclass
class Outbox:
    """See the module."""

    rows: dict[UUID, Row] = field(default_factory=dict)
    triggers: dict[UUID, Trigger] = field(default_factory=dict)
    throttles: dict[UUID, int] = field(default_factory=dict)
    batches: int = 0

    def request(
        self,
        row: Row,
        *,
        now: int,
        due: int | None,
        priority: int = 0,
        throttle: tuple[UUID, int, int] | None = None,
        debounce_most: int = 0,
    ) -> list[UUID]:
        """Put a request in; return what it takes the place of."""
        at = max(due or now, now)
        if throttle is not None and at == now:
            key, every, burst = throttle
            arrival = max(self.throttles.get(key, now), now)
            at = max(at, arrival - (burst - 1) * every)
            self.throttles[key] = arrival + every
        superseded = []
        if row.debounce is not None:
            row.since = now
            for other in list(self.rows.values()):
                if other.debounce == row.debounce and not other.running:
                    row.since = min(row.since, other.since)
                    superseded.append(other.id)
                    del self.rows[other.id]
            if debounce_most:
                at = max(min(at, row.since + debounce_most), now)
        row.rank = at if at > now else at - priority * PRIORITY_MS
        self.rows[row.id] = row
        return superseded

    def claim(self, *, now: int, room: int, busy: Counter[str]) -> list[list[UUID]]:
        """The runs that are taken, each with its invocations: one, or a batch's."""
        units: list[tuple[Row, list[Row]]] = [(row, [row]) for row in self._open(now) if self._size(row) == 1]
        for trigger, limits in self.triggers.items():
            if limits.batch > 1:
                line = sorted(
                    (row for row in self._open(now) if row.concurrency == trigger), key=lambda row: row.place
                )[: limits.batch]
                if line and (len(line) == limits.batch or line[0].rank + limits.batch_wait_ms <= now):
                    units.append((line[0], line))
        turns: Counter[str] = Counter(busy)
        ordered = []
        for first, members in sorted(units, key=lambda unit: unit[0].place):
            turns[first.app] += 1
            ordered.append((turns[first.app], first.place, members))
        taken = []
        for _, _, members in sorted(ordered, key=lambda unit: unit[:2])[:room]:
            self.batches += 1
            for row in members:
                if row.ordering is None and row.concurrency is None:
                    del self.rows[row.id]
                row.running = True
                row.batch = self.batches
            taken.append([row.id for row in members])
        return taken

    def next_due(self) -> int | None:
        """When the next run may begin."""
        dues = [row.rank for row in self._open(FOREVER) if self._size(row) == 1]
        for trigger, limits in self.triggers.items():
            line = sorted(row.rank for row in self._open(FOREVER) if row.concurrency == trigger)
            if limits.batch > 1 and line:
                full = line[limits.batch - 1] if len(line) >= limits.batch else FOREVER
                dues.append(min(full, line[0] + limits.batch_wait_ms))
        return min(dues, default=None)

    def _size(self, row: Row) -> int:
        return self.triggers[row.trigger].batch if row.trigger is not None and row.concurrency == row.trigger else 1

    def _open(self, now: int) -> list[Row]:
        """What neither its ordering key, nor its concurrency key, nor a pause, nor the time holds back."""
        first = {}
        for row in sorted(self.rows.values(), key=lambda row: row.seq):
            if row.ordering is not None:
                first.setdefault(row.ordering, row)
        forward = [
            row
            for row in self.rows.values()
            if not row.running and (row.ordering is None or first[row.ordering] is row)
        ]
        found = []
        lines: dict[UUID, list[Row]] = {}
        for row in sorted(forward, key=lambda row: row.place):
            if row.concurrency is None:
                found.append(row)
            else:
                lines.setdefault(row.concurrency, []).append(row)
        for key, line in lines.items():
            running = len({row.batch for row in self.rows.values() if row.concurrency == key and row.running})
            for number, row in enumerate(line):
                limits = self.triggers[row.trigger] if row.trigger is not None else Trigger()
                room = (limits.concurrency - running) * limits.batch
                if not (limits.paused and limits.holds) and (not limits.concurrency or number < room):
                    found.append(row)
        return [row for row in found if row.rank <= now]
