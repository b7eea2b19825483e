"""Reads the log alone, and says which promises were broken. It knows nothing of what made the load."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg

from picloud.domain.invocation import AttemptFailed, Cancelled, DeadLettered, Requested, Started, Succeeded
from picloud.domain.kv import KeyDeleted, KeyWritten
from picloud.domain.message import MessagePublished, delivery_id
from picloud.domain.script import ScriptDeployed
from picloud.domain.tick import TickSkipped
from picloud.domain.trigger import TriggerCreated, TriggerLimits
from picloud.log.reader import RecordedEvent, read_page

ENDS = (Succeeded, DeadLettered, Cancelled)


@dataclass(slots=True)
class Life:
    """An invocation as the log tells it. ``runs`` are the positions where one began and ended."""

    requested: Requested
    recorded: RecordedEvent
    runs: list[tuple[int, int]] = field(default_factory=list)
    batches: list[UUID | None] = field(default_factory=list)
    began: int = 0
    end: RecordedEvent | None = None
    outcome: Any = None


@dataclass(slots=True)
class Judge:
    """The whole log, taken apart; ``faults`` says what is wrong with it. What isn't over yet is in ``waiting``."""

    lives: dict[UUID, Life] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    written: dict[UUID, list[tuple[str, RecordedEvent]]] = field(default_factory=lambda: defaultdict(list))
    values: dict[str, str] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    published: dict[UUID, tuple[MessagePublished, RecordedEvent]] = field(default_factory=dict)
    triggers: dict[UUID, tuple[TriggerCreated, RecordedEvent]] = field(default_factory=dict)
    deployed: list[RecordedEvent] = field(default_factory=list)
    ticks: dict[UUID, Counter[datetime]] = field(default_factory=lambda: defaultdict(Counter))
    position: int = 0

    def read(self, dsn: str) -> Judge:
        """Read everything that is there, and judge it."""
        versions: dict[UUID, int] = {}
        with psycopg.connect(dsn, autocommit=True) as connection:
            while page := read_page(connection, after=self.position, limit=5_000):
                for recorded in page:
                    if recorded.position != self.position + 1:
                        self.faults.append(f"a gap between positions {self.position} and {recorded.position}")
                    self.position = recorded.position
                    if recorded.version != versions.get(recorded.stream_id, 0) + 1:
                        self.faults.append(f"stream {recorded.stream_id} has a gap before version {recorded.version}")
                    versions[recorded.stream_id] = recorded.version
                    self._take(recorded, recorded.event)
        for check in (
            self._ends,
            self._effects,
            self._order,
            self._room,
            self._fan_out,
            self._counts,
            self._schedules,
            self._reactions,
        ):
            check()
        return self

    def _take(self, recorded: RecordedEvent, event: Any) -> None:
        stream = recorded.stream_id
        match event:
            case Requested():
                self.lives[stream] = Life(event, recorded)
                if event.trigger.kind == "cron" and event.event is not None and "due" in event.event.attributes:
                    trigger = event.flow.trigger if event.flow is not None else recorded.causation_id
                    self.ticks[trigger][datetime.fromisoformat(event.event.attributes["due"])] += 1
            case Started(batch=batch):
                life = self.lives[stream]
                life.began = recorded.position
                life.batches.append(batch)
            case AttemptFailed():
                life = self.lives[stream]
                life.runs.append((life.began, recorded.position))
                life.began = 0
            case Succeeded() | DeadLettered() | Cancelled():
                life = self.lives[stream]
                if life.end is not None:
                    self.faults.append(f"invocation {stream} ended twice")
                life.end, life.outcome = recorded, event
                if life.began:
                    life.runs.append((life.began, recorded.position))
            case KeyWritten() | KeyDeleted():
                self.written[recorded.causation_id].append((event.key, recorded))
                if isinstance(event, KeyWritten):
                    self.writes[event.key] += 1
                    self.values[event.key] = event.value
            case MessagePublished():
                self.published[stream] = event, recorded
            case TriggerCreated():
                self.triggers[stream] = event, recorded
            case ScriptDeployed():
                self.deployed.append(recorded)
            case TickSkipped(trigger=trigger, due=due):
                self.ticks[trigger][due] += 1

    def _ends(self) -> None:
        self.waiting += [f"invocation {stream} goes on" for stream, life in self.lives.items() if life.end is None]

    def _effects(self) -> None:
        """What a run did is there once, in its success's own commit, or not at all."""
        children: dict[UUID, list[Life]] = defaultdict(list)
        for life in self.lives.values():
            children[life.recorded.causation_id].append(life)
        messages: dict[UUID, list[RecordedEvent]] = defaultdict(list)
        for _, recorded in self.published.values():
            messages[recorded.causation_id].append(recorded)
        # The effects of a batch are those of its first success.
        for stream in self.written.keys() | messages.keys():
            life = self.lives.get(stream)
            if life is None:
                continue
            if not isinstance(life.outcome, Succeeded):
                self.faults.append(f"invocation {stream} has effects and didn't succeed")
                continue
            keys = Counter(key for key, _ in self.written[stream])
            self.faults += [f"invocation {stream} wrote {key} {n} times" for key, n in keys.items() if n > 1]
        for stream, life in self.lives.items():
            if not isinstance(life.outcome, Succeeded) or life.end is None:
                continue
            own = [recorded for _, recorded in self.written.get(stream, [])] + messages.get(stream, [])
            asked = [child.recorded for child in children.get(stream, []) if child.recorded.at == life.end.at]
            for message in messages.get(stream, []):
                asked += [child.recorded for child in children.get(message.stream_id, [])]
            apart = [each for each in own if each.at != life.end.at]
            if apart:
                self.faults.append(f"effects of {stream} were committed apart from its success")
            if len(own) + len(asked) != life.outcome.effects:
                self.faults.append(f"{stream} has {len(own) + len(asked)} effects, not {life.outcome.effects}")

    def _order(self) -> None:
        """What has one ordering key ran one after the other, in the order in which it was asked for."""
        chains: dict[UUID, list[Life]] = defaultdict(list)
        for life in self.lives.values():
            if life.requested.flow is not None and life.requested.flow.ordering is not None:
                chains[life.requested.flow.ordering].append(life)
        for chain in chains.values():
            chain.sort(key=lambda life: life.recorded.position)
            for before, after in pairwise(chain):
                first = min((run[0] for run in after.runs), default=after.began)
                if first and (before.end is None or before.end.position > first):
                    self.faults.append(f"{after.recorded.stream_id} began before {before.recorded.stream_id} had ended")

    def _room(self) -> None:
        """No more runs of a queue went on at a time than it allows; a batch is one run."""
        limits = {
            stream: TriggerLimits.of(created.kind, created.config, created.delivery)
            for stream, (created, _) in self.triggers.items()
        }
        moments: dict[UUID, list[tuple[int, int, UUID]]] = defaultdict(list)
        for stream, life in self.lives.items():
            flow = life.requested.flow
            if flow is None or flow.concurrency != flow.trigger:
                continue
            for number, (began, ended) in enumerate(life.runs):
                run = life.batches[number] or stream
                moments[flow.trigger] += [(began, 1, run), (ended, -1, run)]
        for trigger, changes in moments.items():
            running: Counter[UUID] = Counter()
            for position, change, run in sorted(changes):
                running[run] += change
                if not running[run]:
                    del running[run]
                # A batch is started in one commit, and ends in one: what is between is no moment.
                if change > 0 and len(running) > limits[trigger].concurrency:
                    self.faults.append(f"at {position}, {len(running)} runs of {trigger} went on at a time")

    def _fan_out(self) -> None:
        """Whoever was subscribed got the message, in its own commit."""
        for stream, (message, recorded) in self.published.items():
            for name in message.subscribers:
                life = self.lives.get(delivery_id(stream, name))
                if life is None or life.recorded.at != recorded.at:
                    self.faults.append(f"the message {stream} didn't go to {name} in its own commit")

    def _counts(self) -> None:
        """What counts its runs, counted each once."""
        for key, value in self.values.items():
            if key.startswith(("count/", "work/")) and value != str(self.writes[key]):
                self.faults.append(f"{key} is {value} after {self.writes[key]} writes")

    def _schedules(self) -> None:
        """Each due time from the first to the last is there once."""
        steps = {"* * * * * *": 1, "*/2 * * * * *": 2}
        for stream, (created, _) in self.triggers.items():
            if created.kind != "cron":
                continue
            step = timedelta(seconds=steps[created.config["cron"]])
            dues = self.ticks.get(stream, Counter())
            self.faults += [f"the tick {due} of {created.name} is there {n} times" for due, n in dues.items() if n > 1]
            found = sorted(dues)
            if not found:
                self.faults.append(f"{created.name} was never due")
                continue
            missing = (found[-1] - found[0]) // step + 1 - len(found)
            if missing:
                self.faults.append(f"{missing} ticks of {created.name} are missing")

    def _reactions(self) -> None:
        """Each death has a run of the dead_letter trigger, each deploy one of the log trigger; and just one."""
        for kind, causes in (("dead_letter", self._deaths()), ("log", self.deployed)):
            watching = [(created, recorded) for created, recorded in self.triggers.values() if created.kind == kind]
            for created, since in watching:
                runs: Counter[str] = Counter()
                for life in self.lives.values():
                    if life.requested.trigger.kind == kind and life.requested.trigger.name == created.name:
                        assert life.requested.event is not None
                        data = json.loads(life.requested.event.data.text or "{}")
                        if kind == "dead_letter" or data["type"] == "ScriptDeployed":
                            runs[str(data["invocation"] if kind == "dead_letter" else data["position"])] += 1
                for cause in causes:
                    if cause.position < since.position:
                        continue
                    told = runs.pop(str(cause.stream_id if kind == "dead_letter" else cause.position), 0)
                    if told == 0:
                        self.waiting.append(f"{created.name} has not run for {cause.type} at {cause.position}")
                    elif told > 1:
                        self.faults.append(f"{created.name} ran {told} times for {cause.type} at {cause.position}")
                self.faults += [f"{created.name} ran for {what}, which was nothing" for what in runs]

    def _deaths(self) -> list[RecordedEvent]:
        return [
            life.end
            for life in self.lives.values()
            if isinstance(life.outcome, DeadLettered) and life.end and life.requested.trigger.kind != "dead_letter"
        ]

    @property
    def outcomes(self) -> Counter[str]:
        """How many invocations of each kind of trigger ended how."""
        return Counter(
            f"{life.requested.trigger.kind} {'open' if life.end is None else life.end.type}"
            for life in self.lives.values()
        )

    def mails(self) -> Counter[str]:
        """The mails that became invocations, by Message-ID."""
        found: Counter[str] = Counter()
        for life in self.lives.values():
            if life.requested.trigger.kind == "email" and life.requested.event is not None:
                data = json.loads(life.requested.event.data.text or "{}")
                found[data.get("message_id", "")] += 1
        return found
