"""How an invocation ended, for whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from picloud.domain.invocation import (
    AttemptFailed,
    Cancelled,
    DeadLettered,
    FileBody,
    Reply,
    RunError,
    State,
    Succeeded,
)
from picloud.log.reader import RecordedEvent


@dataclass(frozen=True, slots=True)
class Answer:
    """The script's answer as an HTTP response; the body is that of a ``file`` if it answered with one."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    file: FileBody | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an invocation: an ``answer`` if it succeeded, the last ``error`` if it is dead, else a ``reason``. One
    that is suspended goes on later. ``lost`` tells that its last run was, so that nothing came of that.
    """

    invocation: UUID
    state: State
    answer: Answer | None = None
    error: RunError | None = None
    reason: str = ""
    lost: bool = False


def outcome_of(stream: Sequence[RecordedEvent], answer_of: Callable[[Reply], Answer]) -> Outcome | None:
    """The outcome that the stream's events tell, or None if the invocation goes on."""
    error: RunError | None = None
    lost = False
    for recorded in stream:
        match recorded.event:
            case AttemptFailed() as failed:
                error, lost = failed.error, failed.lost
            case Succeeded() as succeeded:
                answer = replace(answer_of(succeeded.reply), file=succeeded.file)
                return Outcome(recorded.stream_id, State.SUCCEEDED, answer)
            case DeadLettered() as dead:
                return Outcome(recorded.stream_id, State.DEAD, error=error, reason=dead.reason, lost=lost)
            case Cancelled() as cancelled:
                return Outcome(recorded.stream_id, State.CANCELLED, reason=cancelled.reason)
    return None
