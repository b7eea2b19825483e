"""Runs that other runs wait for: ``invoke::run``.

A called script runs at once and here, in its caller's place: the caller, which only waits, has a slot and room in an
executor already, so that a chain of calls needs no more of either and can't be stuck for want of one, whatever else
runs. How deep a chain gets is bounded by the depth of calls.

The called invocation begins and ends in the log like any other. Who asks for it again, a run that is repeated, meets
its stream and waits for its outcome. One that nobody waits for any more (its caller ended, was cancelled, or has waited
long enough) is cancelled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Final

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.domain import lifecycle
from picloud.domain.invocation import FileBody, Requested, Started, State
from picloud.domain.lifecycle import evolve
from picloud.domain.metadata import SYSTEM, Metadata
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict
from picloud.log.blobs import read
from picloud.log.contents import ContentMissing
from picloud.log.repository import load_invocation
from picloud.orchestrator.cancellation import cancel_wake
from picloud.orchestrator.identity import Identity
from picloud.orchestrator.inbox import Inbox
from picloud.orchestrator.invoker import Invoker, NoAnswerYet
from picloud.orchestrator.outcome import Outcome
from picloud.orchestrator.runner import DEADLINE_PASSED, Runner
from picloud.orchestrator.slots import Slots
from picloud.postgres.sessions import Sessions
from picloud.services.invoke import Abandoned, Answered, Unanswered

MAX_FILE_BYTES: Final = 6 * 1024 * 1024
"""Of a file that a called script answers with, and that its caller is handed as a blob."""

NOBODY_WAITS: Final = "its caller doesn't wait for it any more"

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Call:
    """A call under way. ``settled`` once it is clear whether it is in the log; ``given_up`` when nobody waits. It was
    ``met`` if an earlier run of the caller has made it.
    """

    requested: Requested
    metadata: Metadata
    timeout: float
    settled: Signal = field(default_factory=Signal)
    given_up: bool = False
    met: bool = False


class Calls:
    """See the module."""

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        identity: Identity,
        inbox: Inbox,
        slots: Slots,
        runner: Runner,
        invoker: Invoker,
    ) -> None:
        self._appender = appender
        self._sessions = sessions
        self._identity = identity
        self._inbox = inbox
        self._slots = slots
        self._runner = runner
        self._invoker = invoker

    def call(self, requested: Requested, metadata: Metadata, timeout: float) -> Answered:
        """Run what is requested and wait for its end, ``timeout`` seconds at most; then it is cancelled.

        The calling greenlet belongs to a run, whose place is used meanwhile. Raises :class:`Unanswered`.
        """
        deadline = time.monotonic() + timeout
        call = _Call(replace(requested, owner=self._inbox.id), metadata, timeout)
        job = gevent.spawn(self._run, call)
        job.name = f"call {requested.originator_id}"
        outcome: Outcome | None = None
        try:
            outcome = job.get(timeout=timeout) or self._wait(call, deadline)
        except (gevent.Timeout, NoAnswerYet):
            raise Unanswered(f"gave no answer within {timeout * 1000:,.0f} ms, and was cancelled") from None
        except LogUnavailable as error:
            raise Unanswered(f"could not be called: {error}") from error
        finally:
            if outcome is None:
                call.given_up = True
                gevent.spawn(self._call_off, call).name = f"end of call {requested.originator_id}"
        if call.met and _is_abandoned(outcome):
            raise Abandoned(outcome.reason)
        return _answered(outcome, self._sessions)

    def _run(self, call: _Call) -> Outcome | None:
        """Record the invocation as begun here, and run it; None if its end is to be waited for."""
        try:
            node = self._identity.wait(call.timeout)
            requested = call.requested
            started = Started(originator_id=requested.originator_id, originator_version=2, attempt=1, node=node)
            metadata = Metadata(requested.app, f"node:{node}", call.metadata.correlation_id, requested.originator_id)
            try:
                self._appender.append([Entry(requested, call.metadata), Entry(started, metadata)], timeout=None)
            except StreamConflict:
                call.met = True
                return None
        finally:
            call.settled.set()
        if call.given_up:
            return None
        return self._runner.run(evolve(evolve(None, requested), started), metadata, in_place=True)

    def _wait(self, call: _Call, deadline: float) -> Outcome:
        """Wait for the end of what isn't run here now; whoever runs it may need the caller's slot."""
        self._slots.release()
        try:
            return self._invoker.wait(call.requested.originator_id, timeout=deadline - time.monotonic())
        finally:
            self._slots.take_anyway(1)

    def _call_off(self, call: _Call) -> None:
        call.settled.wait()
        invocation = call.requested.originator_id
        metadata = replace(call.metadata, actor=SYSTEM)
        while True:
            try:
                with self._sessions.session() as connection:
                    state = load_invocation(connection, invocation)
                if state is None or state.ended:
                    return
                event = lifecycle.cancel(state, NOBODY_WAITS)
                self._appender.append([Entry(event, metadata)], wakes=[cancel_wake(invocation)])
                return
            except StreamConflict:
                continue
            except (psycopg.Error, LogUnavailable) as error:
                # It ends by itself then: no run starts after the call's deadline, and each has its limits.
                _log.warning("call.not_cancelled", invocation=str(invocation), error=str(error).strip())
                return


def _is_abandoned(outcome: Outcome) -> bool:
    """Whether it ended only because nobody waited for it any more, or nobody ran it to an end in time."""
    if outcome.state is State.CANCELLED:
        return outcome.reason == NOBODY_WAITS
    return outcome.lost or (outcome.error is not None and outcome.error.kind == DEADLINE_PASSED)


def _answered(outcome: Outcome, sessions: Sessions) -> Answered:
    answer = outcome.answer
    if answer is not None:
        types = [value for name, value in answer.headers if name.lower() == "content-type"]
        body = answer.body if answer.file is None else _content_of(answer.file, sessions)
        return Answered(answer.status, types[0] if types else "", body)
    error = outcome.error
    if error is None:
        raise Unanswered(f"was cancelled: {outcome.reason}")
    place = f", line {error.line}" if error.line else ""
    thrown = error.message.removeprefix("Runtime error: ") if error.kind == "ErrorRuntime" else error.message
    kind = "" if error.kind == "ErrorRuntime" else f"{error.kind}: "
    raise Unanswered(f"failed: {kind}{thrown}{place}")


def _content_of(file: FileBody, sessions: Sessions) -> bytes:
    if file.size > MAX_FILE_BYTES:
        said = f"answered with a file of {file.size:,} bytes, more than {MAX_FILE_BYTES:,} that a script can be handed"
        raise Unanswered(f"{said}: have it answer with the path, and read that with files::")
    try:
        return read(sessions, file.sha256)
    except ContentMissing as error:
        raise Unanswered(f"answered with a file that isn't kept any more: {error}") from error
