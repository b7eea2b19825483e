"""How one run of an invocation ended: what is to be appended of it, and what is told to whoever waits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from picloud.domain.invocation import (
    AttemptFailed,
    Content,
    DeadLettered,
    Failure,
    Invocation,
    InvocationEvent,
    RunError,
    SecretRead,
    State,
    Succeeded,
)
from picloud.log.appender import EffectRefused, Entry, StreamConflict
from picloud.orchestrator.outcome import Answer, Outcome
from picloud.services.work import OutsideAnswers


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a run ended: the invocation as it stands, the first events of it that aren't recorded, and those that tell
    of the end; the effects that commit with them, and the answer if there is one.

    A run that was suspended has recorded its end. One whose checkpoint was refused has a ``conflict`` instead, and the
    effects that were refused. ``journal`` is what services answered, of a batch that ended well: some of its messages
    may have failed. ``outside`` is what the world outside answered, for the same run made again.
    """

    state: Invocation
    unrecorded: tuple[Entry, ...]
    events: list[InvocationEvent]
    effects: list[Any] = field(default_factory=list)
    answer: Answer | None = None
    journal: Content | None = None
    outside: OutsideAnswers | None = None
    conflict: StreamConflict | EffectRefused | None = None
    reads: list[SecretRead] = field(default_factory=list)
    """The secrets that it read, if no event of its end tells."""

    @property
    def outcome(self) -> Outcome | None:
        """What whoever waits for the invocation is told; None if it goes on."""
        invocation = self.state.id
        if self.answer is not None:
            return Outcome(invocation, State.SUCCEEDED, self.answer)
        if not self.events:
            return Outcome(invocation, State.SUSPENDED)
        last = self.events[-1]
        if isinstance(last, DeadLettered):
            failed = self.events[0]
            assert isinstance(failed, AttemptFailed)
            return Outcome(invocation, State.DEAD, error=failed.error, reason=last.reason)
        return None

    def failed(self, events: list[InvocationEvent]) -> Attempt:
        """The same, ended so instead."""
        return Attempt(self.state, self.unrecorded, events)

    @property
    def contended(self) -> list[UUID]:
        """The streams that the run expects at a version: others may want to change the same."""
        return [effect.originator_id for effect in self.effects if effect.originator_version]

    def failed_by(self, error: RunError) -> Failure:
        """What becomes of the run if its end can't be recorded: it cost what it cost, and logged what it logged."""
        ended = self.events[0]
        assert isinstance(ended, AttemptFailed | Succeeded)
        return Failure(error=error, usage=ended.usage, logs=ended.logs, secrets=ended.secrets)

    @property
    def secrets(self) -> list[SecretRead]:
        """The secrets that it read."""
        ended = self.events[0] if self.events else None
        return ended.secrets if isinstance(ended, AttemptFailed | Succeeded) else self.reads

    def besides(self, before: Attempt | None) -> Attempt:
        """The same, with what the try ``before`` it read of secrets: that alone of it counts."""
        if before is None or not before.secrets:
            return self
        counts = {(read.name, read.number): read.reads for read in before.secrets}
        for read in self.secrets:
            counts[read.name, read.number] = counts.get((read.name, read.number), 0) + read.reads
        both = [SecretRead(name, number, count) for (name, number), count in counts.items()]
        ended = self.events[0] if self.events else None
        if not isinstance(ended, AttemptFailed | Succeeded):
            return replace(self, reads=both)
        return replace(self, events=[replace(ended, secrets=both), *self.events[1:]])
