"""Whatever is asked of an invocation, in any order, its life keeps to the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from picloud.domain import lifecycle
from picloud.domain.errors import Conflict
from picloud.domain.invocation import (
    ENDED,
    MAX_LOSSES,
    AttemptFailed,
    Cancelled,
    Content,
    DeadLettered,
    Failure,
    HttpInput,
    Invocation,
    InvocationEvent,
    Reply,
    Requested,
    RetryPolicy,
    RunError,
    Started,
    State,
    Stretch,
    Succeeded,
    Trigger,
    Usage,
    Wait,
    WaitedFor,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ID = UUID(int=1)
NODES = [UUID(int=10), UUID(int=11)]
STRETCH = Stretch(attempt=1, clock_ms=5, seed=7, calls=Content(), size=0)
MESSAGE = WaitedFor(UUID(int=20), "orders.paid", Content(text="{}"), "application/json", "2030-01-01T00:00:00.000Z")


def requested(attempts: int = 1) -> Requested:
    return Requested(
        originator_id=ID,
        originator_version=1,
        app="demo",
        script="hello",
        number=1,
        sha256="ab" * 32,
        trigger=Trigger("http", "GET /hello"),
        input=HttpInput("GET", "/hello", {}, {}, {}, Content()),
        retry=RetryPolicy(attempts=attempts),
    )


def run_of(attempts: int = 1) -> Invocation:
    born = lifecycle.evolve(None, requested(attempts))
    return lifecycle.evolve(born, lifecycle.start(born, NODES[0]))


class InvocationLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[InvocationEvent] = []
        self.state: Invocation

    def record(self, *events: InvocationEvent) -> None:
        for event in events:
            self.events.append(event)
            self.state = lifecycle.evolve(self.state, event)

    @initialize(attempts=st.integers(1, 5))
    def request(self, attempts: int) -> None:
        first = requested(attempts)
        self.events = [first]
        self.state = lifecycle.evolve(None, first)

    @rule(node=st.sampled_from(NODES))
    def start(self, node: UUID) -> None:
        if self.state.state in (State.PENDING, State.RETRYING, State.SUSPENDED):
            self.record(lifecycle.start(self.state, node))
        else:
            with pytest.raises(Conflict):
                lifecycle.start(self.state, node)

    @precondition(lambda self: self.state.state is State.RUNNING)
    @rule()
    def succeed(self) -> None:
        self.record(lifecycle.succeed(self.state, Reply(200, [], Content()), usage=Usage(), logs=[]))

    @rule()
    def complete_a_step(self) -> None:
        if self.state.state is not State.RUNNING:
            with pytest.raises(Conflict):
                lifecycle.complete_step(self.state, "a", STRETCH)
            return
        before = self.state
        self.record(lifecycle.complete_step(self.state, "a", STRETCH))
        assert self.state.state is State.RUNNING
        assert len(self.state.checkpoints) == len(before.checkpoints) + 1
        assert (self.state.losses, self.state.failures) == (0, before.failures), "a checkpoint is progress"
        assert self.state.expires is None, "what has passed a checkpoint has begun in time"

    @rule(topic=st.sampled_from(["", "orders.*"]))
    def suspend(self, topic: str) -> None:
        wait = Wait(until=NOW, asked="1h", topic=topic)
        if self.state.state is not State.RUNNING:
            with pytest.raises(Conflict):
                lifecycle.suspend(self.state, wait, STRETCH)
            return
        self.record(lifecycle.suspend(self.state, wait, STRETCH))
        assert self.state.suspension is not None
        assert self.state.waited_for is None

    @rule()
    def resume(self) -> None:
        suspension = self.state.suspension
        if self.state.state is State.SUSPENDED and suspension is not None and suspension.topic:
            self.record(lifecycle.resume(self.state, MESSAGE))
            assert self.state.waited_for == MESSAGE
        else:
            with pytest.raises(Conflict):
                lifecycle.resume(self.state, MESSAGE)

    @rule(lost=st.booleans(), random=st.floats(0, 1, exclude_max=True))
    def fail(self, lost: bool, random: float) -> None:
        failure = Failure(error=RunError("ErrorRuntime", "no"), lost=lost)
        if self.state.state is State.RUNNING:
            self.record(*lifecycle.fail(self.state, failure, now=NOW, random=random))
        else:
            with pytest.raises(Conflict):
                lifecycle.fail(self.state, failure, now=NOW, random=random)

    @rule()
    def cancel(self) -> None:
        if self.state.ended:
            with pytest.raises(Conflict):
                lifecycle.cancel(self.state, "why")
        else:
            self.record(lifecycle.cancel(self.state, "why"))

    @rule()
    def replay(self) -> None:
        new_id = uuid5(ID, str(len(self.events)))
        if not self.state.ended:
            with pytest.raises(Conflict):
                lifecycle.replay(self.state, new_id, number=2, sha256="cd" * 32)
            return
        before = self.state.state
        replayed, again = lifecycle.replay(self.state, new_id, number=2, sha256="cd" * 32)
        self.record(replayed)
        assert self.state.state is before, "a replay never alters the old invocation"
        assert again.input == self.state.requested.input
        assert again.replay_of == ID
        assert again.owner is None
        _, mended = lifecycle.replay(self.state, new_id, number=2, sha256="cd" * 32, body=Content(text="mended"))
        assert mended.input == replace(self.state.requested.input, body=Content(text="mended"))

    @rule()
    def discard(self) -> None:
        if self.state.state is not State.DEAD or self.state.discarded:
            with pytest.raises(Conflict):
                lifecycle.discard(self.state, "why")
        else:
            self.record(lifecycle.discard(self.state, "why"))
            assert self.state.discarded

    @invariant()
    def versions_have_no_gaps(self) -> None:
        assert [event.originator_version for event in self.events] == list(range(1, len(self.events) + 1))

    @invariant()
    def there_is_at_most_one_end(self) -> None:
        ends = [e for e in self.events if isinstance(e, Succeeded | DeadLettered | Cancelled)]
        assert len(ends) <= 1
        assert bool(ends) == (self.state.state in ENDED)

    @invariant()
    def attempts_count_up_and_are_bounded(self) -> None:
        starts = [e.attempt for e in self.events if isinstance(e, Started)]
        assert starts == list(range(1, len(starts) + 1))
        checkpoints = len(self.state.checkpoints)
        assert len(starts) <= self.state.requested.retry.attempts + (MAX_LOSSES + 1) * (checkpoints + 1)

    @invariant()
    def a_failed_attempt_is_followed_by_a_retry_or_a_death(self) -> None:
        for event, following in zip(self.events, [*self.events[1:], None], strict=True):
            if isinstance(event, AttemptFailed):
                assert (event.retry_at is None) == isinstance(following, DeadLettered)

    @invariant()
    def folding_the_events_gives_the_state(self) -> None:
        folded: Invocation | None = None
        for event in self.events:
            folded = lifecycle.evolve(folded, event)
        assert folded == self.state


TestInvocationLife = InvocationLife.TestCase


def test_a_lost_run_is_taken_up_again_at_once_and_does_not_use_up_an_attempt() -> None:
    (failed,) = lifecycle.fail(
        run_of(attempts=1), Failure(error=RunError("NodeLost", "gone"), lost=True), now=NOW, random=0.5
    )
    assert isinstance(failed, AttemptFailed)
    assert failed.retry_at == NOW


def test_delays_grow_with_full_jitter_up_to_the_policys_longest() -> None:
    policy = RetryPolicy(attempts=9, first_delay_ms=100, factor=2, max_delay_ms=500)
    assert [policy.delay(n, 0.5) // timedelta(milliseconds=1) for n in (1, 2, 3, 4)] == [50, 100, 200, 250]
    assert policy.delay(3, 0.0) == timedelta(0)


def test_what_no_run_could_do_better_is_not_tried_again() -> None:
    failed, dead = lifecycle.fail(
        run_of(attempts=5), Failure(error=RunError("NonDeterminism", "no"), final=True), now=NOW, random=0.5
    )
    assert isinstance(failed, AttemptFailed)
    assert isinstance(dead, DeadLettered)
    assert "NonDeterminism is never tried again" in dead.reason


def test_a_run_lost_at_each_of_many_steps_goes_on() -> None:
    state = run_of()
    for _ in range(4 * MAX_LOSSES):
        state = lifecycle.evolve(state, lifecycle.complete_step(state, "a", STRETCH))
        lost = Failure(error=RunError("NodeLost", "gone"), lost=True)
        (failed,) = lifecycle.fail(state, lost, now=NOW, random=0.5)
        state = lifecycle.evolve(state, failed)
        state = lifecycle.evolve(state, lifecycle.start(state, NODES[0]))
    assert state.state is State.RUNNING
