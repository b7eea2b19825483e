"""What may become of an invocation: from its events to its state, and from a state to the next events.

The functions here decide; they take the state, the time and the randomness as arguments and return events. The log's
key on (stream, version) is the fence: whoever decides on an old state appends at a version that is taken, and is
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from picloud.domain.errors import Conflict
from picloud.domain.invocation import (
    MAX_LOSSES,
    NOTHING_USED,
    AttemptFailed,
    Cancelled,
    Content,
    DeadLettered,
    Discarded,
    Failure,
    FileBody,
    Invocation,
    InvocationEvent,
    LogLine,
    Replayed,
    Reply,
    Requested,
    Resumed,
    SecretRead,
    Started,
    State,
    StepCompleted,
    Stretch,
    Succeeded,
    Suspended,
    Usage,
    Wait,
    WaitedFor,
)


def evolve(state: Invocation | None, event: InvocationEvent) -> Invocation:
    """The state after ``event``."""
    if isinstance(event, Requested):
        return Invocation(id=event.originator_id, version=1, state=State.PENDING, requested=event)
    assert state is not None, "the first event of an invocation is Requested"
    version = event.originator_version
    match event:
        case Started():
            return replace(state, version=version, state=State.RUNNING, attempt=event.attempt, node=event.node)
        case AttemptFailed():
            return replace(
                state,
                version=version,
                state=State.RETRYING,
                node=None,
                failures=state.failures + (not event.lost),
                losses=state.losses + event.lost,
            )
        case StepCompleted():
            return replace(state, version=version, losses=0, checkpoints=(*state.checkpoints, event), waited_for=None)
        case Suspended():
            return replace(
                state,
                version=version,
                state=State.SUSPENDED,
                node=None,
                losses=0,
                checkpoints=(*state.checkpoints, event),
                waited_for=None,
            )
        case Resumed():
            return replace(state, version=version, state=State.PENDING, waited_for=event.message)
        case Succeeded():
            return replace(state, version=version, state=State.SUCCEEDED, node=None)
        case DeadLettered():
            return replace(state, version=version, state=State.DEAD, node=None)
        case Cancelled():
            return replace(state, version=version, state=State.CANCELLED, node=None)
        case Replayed():
            return replace(state, version=version)
        case Discarded():
            return replace(state, version=version, discarded=True)


def start(state: Invocation, node: UUID) -> Started:
    """Take the invocation up on ``node``. Raises :class:`Conflict` unless it waits for a run."""
    if state.state not in (State.PENDING, State.RETRYING, State.SUSPENDED):
        raise Conflict(f"invocation {state.id} can't start: it is {state.state}")
    return Started(originator_id=state.id, originator_version=state.version + 1, attempt=state.attempt + 1, node=node)


def complete_step(
    state: Invocation,
    name: str,
    stretch: Stretch,
    *,
    duration_us: int = 0,
    effects: int = 0,
    usage: Usage = NOTHING_USED,
    logs: Sequence[LogLine] = (),
    secrets: Sequence[SecretRead] = (),
) -> StepCompleted:
    """The running attempt has done a durable step, and goes on. Raises :class:`Conflict` unless it runs."""
    _check_running(state)
    return StepCompleted(
        originator_id=state.id,
        originator_version=state.version + 1,
        attempt=state.attempt,
        name=name,
        number=len(state.checkpoints) + 1,
        stretch=stretch,
        duration_us=duration_us,
        effects=effects,
        usage=usage,
        logs=list(logs),
        secrets=list(secrets),
    )


def suspend(
    state: Invocation,
    wait: Wait,
    stretch: Stretch,
    *,
    effects: int = 0,
    usage: Usage = NOTHING_USED,
    logs: Sequence[LogLine] = (),
    secrets: Sequence[SecretRead] = (),
) -> Suspended:
    """End the running attempt, to go on after a wait. Raises :class:`Conflict` unless it runs."""
    _check_running(state)
    return Suspended(
        originator_id=state.id,
        originator_version=state.version + 1,
        attempt=state.attempt,
        number=len(state.checkpoints) + 1,
        until=wait.until,
        asked=wait.asked,
        stretch=stretch,
        topic=wait.topic,
        filter=wait.filter,
        effects=effects,
        usage=usage,
        logs=list(logs),
        secrets=list(secrets),
    )


def resume(state: Invocation, message: WaitedFor) -> Resumed:
    """Let a suspended invocation go on with the message that it waits for. Raises :class:`Conflict` if it doesn't."""
    if state.state is not State.SUSPENDED or state.suspension is None or not state.suspension.topic:
        raise Conflict(f"invocation {state.id} waits for no message: it is {state.state}")
    return Resumed(originator_id=state.id, originator_version=state.version + 1, attempt=state.attempt, message=message)


def succeed(
    state: Invocation,
    reply: Reply,
    *,
    usage: Usage,
    logs: list[LogLine],
    thrown: bool = False,
    effects: int = 0,
    secrets: Sequence[SecretRead] = (),
    file: FileBody | None = None,
) -> Succeeded:
    """End the running attempt with an answer. Raises :class:`Conflict` unless it runs."""
    _check_running(state)
    return Succeeded(
        originator_id=state.id,
        originator_version=state.version + 1,
        attempt=state.attempt,
        reply=reply,
        thrown=thrown,
        effects=effects,
        usage=usage,
        logs=logs,
        secrets=list(secrets),
        file=file,
    )


def fail(state: Invocation, failure: Failure, *, now: datetime, random: float) -> list[InvocationEvent]:
    """End the running attempt with an error: one event if another run follows, else two, the second a death.

    A lost run is taken up again at once, up to MAX_LOSSES times; a failed one after the policy's delay.
    Raises :class:`Conflict` unless it runs.
    """
    _check_running(state)
    policy = state.requested.retry
    retry_at: datetime | None = None
    if failure.lost:
        reason = f"the run was lost {MAX_LOSSES + 1} times"
        if state.losses < MAX_LOSSES:
            retry_at = now
    else:
        reason = f"attempt {state.failures + 1} of {policy.attempts} failed"
        if failure.final:
            reason += f", and {failure.error.kind} is never tried again"
        elif policy.retry_on and failure.error.kind not in policy.retry_on:
            reason += f", and {failure.error.kind} is not tried again"
        elif state.failures + 1 < policy.attempts:
            retry_at = now + policy.delay(state.failures + 1, random)
    expires = state.expires
    if retry_at is not None and expires is not None and retry_at >= expires:
        reason, retry_at = f"{reason}, and the next run would come after the deadline", None
    failed = AttemptFailed(
        originator_id=state.id,
        originator_version=state.version + 1,
        attempt=state.attempt,
        error=failure.error,
        lost=failure.lost,
        retry_at=retry_at,
        usage=failure.usage,
        logs=failure.logs,
        journal=failure.journal,
        secrets=failure.secrets,
    )
    if retry_at is not None:
        return [failed]
    return [failed, DeadLettered(originator_id=state.id, originator_version=state.version + 2, reason=reason)]


def cancel(state: Invocation, reason: str) -> Cancelled:
    """Call the invocation off. Raises :class:`Conflict` if it has ended."""
    if state.ended:
        raise Conflict(f"invocation {state.id} can't be cancelled: it is {state.state}")
    return Cancelled(originator_id=state.id, originator_version=state.version + 1, reason=reason)


def discard(state: Invocation, reason: str) -> Discarded:
    """Give a dead invocation up. Raises :class:`Conflict` unless it is dead, and not given up already."""
    if state.state is not State.DEAD:
        raise Conflict(f"invocation {state.id} is no dead letter: it is {state.state}")
    if state.discarded:
        raise Conflict(f"the dead letter {state.id} was discarded already")
    return Discarded(originator_id=state.id, originator_version=state.version + 1, reason=reason)


def replay(
    state: Invocation, new_id: UUID, *, number: int, sha256: str, body: Content | None = None
) -> tuple[Replayed, Requested]:
    """Make a new invocation from an ended one's input, on the given version; ``body`` takes the place of the input's.

    Raises :class:`Conflict` if it goes on, or is private and was to have another body.
    """
    if body is not None and state.requested.input.sealed is not None:
        raise Conflict(
            f"the input of invocation {state.id} is private: it can be run again as it was, and not with another body",
            field="body",
        )
    if not state.ended:
        raise Conflict(
            f"invocation {state.id} can't be replayed yet: it is {state.state}",
            remedy="Wait for its end, or cancel it first.",
        )
    was = state.requested
    again = replace(was, originator_id=new_id, number=number, sha256=sha256, replay_of=state.id)
    if body is not None and was.event is not None:
        again = replace(again, event=replace(was.event, data=body))
    elif body is not None:
        again = replace(again, input=replace(was.input, body=body))
    if was.flow is not None and was.flow.debounce is not None:
        # Many replays at once are all meant.
        again = replace(again, flow=replace(was.flow, debounce=None))
    return (
        Replayed(originator_id=state.id, originator_version=state.version + 1, invocation=new_id),
        replace(again, due=None, owner=None, idempotency_key=None, expires=None),
    )


def _check_running(state: Invocation) -> None:
    if state.state is not State.RUNNING:
        raise Conflict(f"invocation {state.id} has no run to end: it is {state.state}")
