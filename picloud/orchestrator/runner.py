"""One attempt: the run in an executor, and its outcome in the log.

The outcome is appended at the version behind the attempt's ``Started``. If another node took the invocation over, that
version is taken: the append is refused, and nothing of this run counts.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import structlog

from picloud.domain import invocation as lifecycle
from picloud.domain.invocation import (
    DeadLettered,
    Failure,
    Invocation,
    InvocationEvent,
    LogLine,
    Reply,
    RunError,
    State,
    Usage,
)
from picloud.domain.metadata import Metadata
from picloud.executor.pool import ExecutorDied, ExecutorPool
from picloud.executor.protocol import Limits, Result, RunRequest
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.contents import get_content, pack, unpack
from picloud.orchestrator.inbox import Inbox
from picloud.orchestrator.outcome import Answer, Outcome
from picloud.orchestrator.slots import Slots
from picloud.postgres.sessions import Sessions

_log = structlog.get_logger(__name__)

_SEED_MASK: Final = (1 << 63) - 1


class Runner:
    """Runs attempts that are ``Started`` on this node."""

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        pool: ExecutorPool,
        inbox: Inbox,
        slots: Slots,
        limits: Limits,
    ) -> None:
        self._appender = appender
        self._sessions = sessions
        self._pool = pool
        self._inbox = inbox
        self._slots = slots
        self._limits = limits

    def run(self, state: Invocation, metadata: Metadata, unrecorded: tuple[Entry, ...] = ()) -> Outcome | None:
        """Run the started attempt, append how it ended, and return the outcome; None if the invocation goes on.

        The caller has taken a slot; it is free again as soon as the executor is done. ``metadata`` is that of the
        attempt's events. ``unrecorded`` are the invocation's first events if they are to be appended together with
        the outcome (``durability: outcome``).
        """
        clock_ms = time.time_ns() // 1_000_000
        answer: Answer | None = None
        try:
            result = self._pool.run(self._request(state, clock_ms))
        except ExecutorDied as died:
            failure = _lost(died, clock_ms)
            events = self._failed(state, failure)
        else:
            if result.reply is not None:
                answer = Answer(result.reply.status, result.reply.headers, result.reply.body)
            events = self._ended(state, result, clock_ms)
        finally:
            self._slots.release()
        return self._record(state, events, answer, metadata, unrecorded)

    def _request(self, state: Invocation, clock_ms: int) -> RunRequest:
        requested = state.requested
        return RunRequest(
            invocation=str(state.id),
            sha256=requested.sha256,
            source=lambda: self._source(requested.sha256),
            name=f"{requested.app}/{requested.script}",
            ctx=self._context(state, clock_ms),
            seed=(state.id.int ^ state.attempt) & _SEED_MASK,
            now_ms=clock_ms,
            limits=self._limits,
        )

    def _source(self, sha256: str) -> str:
        with self._sessions.session() as connection:
            return get_content(connection, sha256).decode()

    def _context(self, state: Invocation, clock_ms: int) -> dict[str, Any]:
        requested = state.requested
        asked = requested.input
        return {
            "request": {
                "method": asked.method,
                "path": asked.path,
                "params": asked.params,
                "query": asked.query,
                "headers": asked.headers,
                "body": unpack(asked.body, self._sessions),
            },
            "invocation": {
                "id": str(state.id),
                "attempt": state.attempt,
                "trigger": requested.trigger.kind,
                "replay_of": str(requested.replay_of) if requested.replay_of else None,
                "deadline_ms": clock_ms + self._limits.wall_ms,
            },
            "app": requested.app,
            "script": {"name": requested.script, "version": requested.number},
        }

    def _ended(self, state: Invocation, result: Result, clock_ms: int) -> list[InvocationEvent]:
        usage = Usage(clock_ms=clock_ms, duration_us=result.wall_us, cpu_us=result.cpu_us, operations=result.operations)
        logs = [LogLine(line.level, line.message, line.at_ms, line.line, line.fields) for line in result.logs]
        if result.reply is not None:
            reply = Reply(result.reply.status, result.reply.headers, pack(result.reply.body, self._sessions))
            return [lifecycle.succeed(state, reply, usage=usage, logs=logs, thrown=result.thrown)]
        assert result.error is not None
        error = result.error
        return self._failed(
            state,
            Failure(
                error=RunError(error.kind, error.message, error.line, error.column, error.call_stack),
                usage=usage,
                logs=logs,
            ),
        )

    def _failed(self, state: Invocation, failure: Failure) -> list[InvocationEvent]:
        return lifecycle.fail(state, failure, now=datetime.now(UTC), random=random.random())

    def _record(
        self,
        state: Invocation,
        events: list[InvocationEvent],
        answer: Answer | None,
        metadata: Metadata,
        unrecorded: tuple[Entry, ...],
    ) -> Outcome | None:
        outcome = _outcome(state.id, events, answer)
        wakes = self._inbox.wake_for(state.requested.owner, state.id) if outcome is not None else []
        entries = [*unrecorded, *(Entry(event, metadata) for event in events)]
        try:
            self._appender.append(entries, wakes=wakes, timeout=None)
        except StreamConflict as conflict:
            _log.warning("run.fenced", invocation=str(state.id), attempt=state.attempt, reason=str(conflict))
            return None
        if outcome is not None:
            self._inbox.ended(state.id)
        return outcome


def _outcome(invocation: UUID, events: list[InvocationEvent], answer: Answer | None) -> Outcome | None:
    if answer is not None:
        return Outcome(invocation, State.SUCCEEDED, answer)
    last = events[-1]
    if isinstance(last, DeadLettered):
        failed = events[0]
        assert isinstance(failed, lifecycle.AttemptFailed)
        return Outcome(invocation, State.DEAD, error=failed.error, reason=last.reason)
    return None


def _lost(died: ExecutorDied, clock_ms: int) -> Failure:
    return Failure(
        error=RunError("ExecutorDied", f"the executor died under the run ({died.kind}): {died.reason}"),
        lost=True,
        usage=Usage(clock_ms=clock_ms),
        logs=[LogLine(line.level, line.message, line.at_ms, line.line, line.fields) for line in died.logs],
    )
