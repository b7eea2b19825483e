"""One attempt: the run in an executor, and its outcome in the log.

The outcome is appended at the version behind the attempt's ``Started``. If another node took the invocation over, that
version is taken: the append is refused, and nothing of this run counts.
"""

from __future__ import annotations

import random
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
import structlog

from picloud.domain import invocation as lifecycle
from picloud.domain.invocation import (
    AttemptFailed,
    Content,
    DeadLettered,
    Failure,
    Invocation,
    InvocationEvent,
    LogLine,
    Requested,
    RunError,
    SecretRead,
    State,
    Succeeded,
    Usage,
)
from picloud.domain.metadata import Metadata
from picloud.domain.vault import VaultError
from picloud.executor.pool import ExecutorDied, ExecutorPool
from picloud.executor.protocol import Limits, Result, RunRequest
from picloud.log.appender import Appender, EffectRefused, Entry, QuotaExceeded, StreamConflict
from picloud.log.contents import get_content, put_content, store, unpack
from picloud.log.reader import read_stream
from picloud.orchestrator.door import Door
from picloud.orchestrator.inbox import Inbox
from picloud.orchestrator.journal import Recorder
from picloud.orchestrator.messaging import metadata_of
from picloud.orchestrator.outcome import Answer, Outcome
from picloud.orchestrator.privacy import Privacy
from picloud.orchestrator.programs import Programs
from picloud.orchestrator.slots import Slots
from picloud.orchestrator.turns import Turns
from picloud.postgres.sessions import OUTAGE, Sessions
from picloud.services.invoke import KIND as INVOKE
from picloud.services.secrets import reads_of
from picloud.services.work import Caller, OutsideAnswers, Work

_log = structlog.get_logger(__name__)

MAX_COLLISIONS: Final = 50
"""So often a run is repeated because other runs changed the keys that it wrote."""

QUOTA_EXCEEDED: Final = "QuotaExceeded"
"""The kind of error of a run whose effects go beyond what its app may keep."""

JOURNAL_INLINE: Final = 2_048
"""Bytes of a journal that an event holds itself: the audit trail is to stay readable."""

_SEED_MASK: Final = (1 << 63) - 1


class DatabaseLost(Exception):
    """The run's answers are not to be relied on: the database was away for one of them."""


class Runner:
    """Runs attempts that are ``Started`` on this node."""

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        pool: ExecutorPool,
        door: Door,
        inbox: Inbox,
        slots: Slots,
        limits: Limits,
        programs: Programs,
        privacy: Privacy,
        keep_all_journals: bool = False,
    ) -> None:
        """Journals of runs that ended well are kept only with ``keep_all_journals``."""
        self._appender = appender
        self._sessions = sessions
        self._pool = pool
        self._door = door
        self._inbox = inbox
        self._slots = slots
        self._limits = limits
        self._programs = programs
        self._privacy = privacy
        self._turns = Turns()
        self._keep_all = keep_all_journals

    def run(
        self, state: Invocation, metadata: Metadata, unrecorded: tuple[Entry, ...] = (), *, in_place: bool = False
    ) -> Outcome | None:
        """Run the started attempt, append how it ended, and return the outcome; None if the invocation goes on.

        The caller has taken a slot, which is given back at the end, unless the run is ``in_place`` of one that waits
        for it. ``metadata`` is that of the attempt's events. ``unrecorded`` are the invocation's first events if they
        are to be appended together with the outcome (``durability: outcome``). If another run changed a key that this
        one wrote, the script is run again at once, on what the other wrote.
        """
        if in_place:
            return self._run(state, metadata, unrecorded)
        with self._slots.kept_by(state.requested.app):
            return self._run(state, metadata, unrecorded)

    def _run(self, state: Invocation, metadata: Metadata, unrecorded: tuple[Entry, ...]) -> Outcome | None:
        attempt = self.attempt(state, metadata)
        try:
            return self._record(state, attempt, metadata, unrecorded)
        except (StreamConflict, EffectRefused) as conflict:
            if not self._collided(state, attempt, unrecorded, conflict):
                return None
        with self._turns.at(attempt.contended):
            return self._repeat(state, attempt, metadata, unrecorded)

    def _repeat(
        self, state: Invocation, attempt: Attempt, metadata: Metadata, unrecorded: tuple[Entry, ...]
    ) -> Outcome | None:
        """Run again on fresh reads, until nobody got in between; what it was told from outside it is told again."""
        for _ in range(MAX_COLLISIONS):
            attempt = self.attempt(state, metadata, again=attempt.outside).besides(attempt)
            try:
                return self._record(state, attempt, metadata, unrecorded)
            except (StreamConflict, EffectRefused) as conflict:
                if not self._collided(state, attempt, unrecorded, conflict):
                    return None
        failure = Failure(error=RunError("WriteConflict", "other runs kept changing the same keys"), lost=True)
        failure = replace(failure, secrets=attempt.secrets)
        try:
            return self._record(state, Attempt(self._failed(state, failure)), metadata, unrecorded)
        except StreamConflict as conflict:
            self._fenced(state, conflict)
            return None

    def _collided(
        self, state: Invocation, attempt: Attempt, unrecorded: tuple[Entry, ...], conflict: Exception
    ) -> bool:
        """Whether it was a key that conflicted, and not the invocation, which then is another's."""
        if attempt.effects and self._still_ours(state, unrecorded):
            return True
        self._fenced(state, conflict)
        return False

    def _fenced(self, state: Invocation, conflict: Exception) -> None:
        _log.warning("run.fenced", invocation=str(state.id), attempt=state.attempt, reason=str(conflict))

    def attempt(
        self,
        state: Invocation,
        metadata: Metadata,
        *,
        batch: Sequence[Invocation] = (),
        again: OutsideAnswers | None = None,
    ) -> Attempt:
        """Run the script for a started attempt, and say how it ended; nothing is appended.

        ``again`` is what a run was told from outside that could not be recorded because others got in its way.
        With a ``batch`` of invocations, of which ``state`` is the first, the script gets all of their events.
        """
        clock_ms = time.time_ns() // 1_000_000
        expires = state.requested.expires
        if expires is not None and clock_ms >= expires.timestamp() * 1_000:
            error = RunError("DeadlinePassed", f"the run was to start before {expires.isoformat()}")
            return Attempt(self._failed(state, Failure(error=error, usage=Usage(clock_ms=clock_ms))))
        work = self._door.open(state.requested.app, self.caller(state, metadata, clock_ms), again)
        recorder = self._door.recorder(str(state.id))
        try:
            result = self._pool.run(self.request(state, clock_ms, batch))
            if work.interrupted:
                raise DatabaseLost("the database was lost under a call of the script")
            if result.error is not None and recorder.redaction:
                # A call that was posted may be refused behind the run's end, in the words of its service.
                said = recorder.redaction.text(result.error.message)
                result.error = msgspec.structs.replace(result.error, message=said)
            journal = None
            if batch or result.reply is None or self._keep_all:
                journal = self._journal(state, recorder, result.readings, batch)
            return self._ended(state, result, work, clock_ms, journal)
        except ExecutorDied as died:
            journal = self._journal(state, recorder, [], batch)
            lost = replace(_lost(died, clock_ms), journal=journal, secrets=reads_of(work))
            return Attempt(self._failed(state, lost))
        except (*OUTAGE, DatabaseLost) as error:
            failure = Failure(error=RunError("DatabaseLost", str(error).strip()), lost=True)
        except VaultError as error:
            failure = Failure(
                error=RunError("VaultClosed", f"the request is private, and can't be opened here: {error}")
            )
        except Exception as error:  # noqa: BLE001 - the invocation must not stay as if it were running
            _log.exception("run.failed", invocation=str(state.id), attempt=state.attempt)
            failure = Failure(error=RunError("InternalError", f"this is a fault of PiCloud: {type(error).__name__}"))
        finally:
            self._door.close(str(state.id))
        failure = replace(failure, usage=Usage(clock_ms=clock_ms), secrets=reads_of(work))
        return Attempt(self._failed(state, failure))

    def _journal(
        self, state: Invocation, recorder: Recorder, readings: list[int], batch: Sequence[Invocation]
    ) -> Content | None:
        """What is kept with a failure, to repeat the run."""
        if not recorder.keeps:
            return None
        members = [(member.id, member.attempt) for member in batch]
        plain = recorder.journal(self._limits_of(state), readings, members).packed()
        packed = self._privacy.record(state.requested.input, plain)
        if len(packed) > JOURNAL_INLINE:
            try:
                with self._sessions.session() as connection:
                    return Content(sha256=put_content(connection, packed))
            except psycopg.Error as error:
                # The failure itself waits for the database: then the journal goes with it, as long as it is.
                _log.warning("run.journal_inline", invocation=str(state.id), bytes=len(packed), reason=str(error))
        return Content(base64=b64encode(packed).decode())

    def caller(self, state: Invocation, metadata: Metadata, clock_ms: int) -> Caller:
        """Whose run the attempt is that ``state`` stands at."""
        requested = state.requested
        return Caller(
            invocation=state.id,
            attempt=state.attempt,
            title=f"{requested.app}/{requested.script}",
            version=requested.number,
            callers=requested.callers,
            correlation_id=metadata.correlation_id,
            clock_ms=clock_ms,
            deadline_ms=clock_ms + self._limits_of(state).wall_ms,
        )

    def _still_ours(self, state: Invocation, unrecorded: tuple[Entry, ...]) -> bool:
        """Whether the invocation still stands where this attempt began, so that a key was what conflicted."""
        stream = self._sessions.patiently(lambda connection: read_stream(connection, state.id))
        return len(stream) == (0 if unrecorded else state.version)

    def request(self, state: Invocation, clock_ms: int, batch: Sequence[Invocation]) -> RunRequest:
        """What an executor is asked for the attempt that ``state`` stands at, begun at ``clock_ms`` (Unix time)."""
        requested = state.requested
        return RunRequest(
            invocation=str(state.id),
            sha256=requested.sha256,
            source=lambda: self._source(requested.sha256),
            program=lambda: self._programs.kept(requested.sha256),
            name=f"{requested.app}/{requested.script}",
            ctx=self._context(state, clock_ms, batch),
            seed=(state.id.int ^ state.attempt) & _SEED_MASK,
            now_ms=clock_ms,
            limits=self._limits_of(state),
            nested=requested.trigger.kind == INVOKE and requested.owner is not None,
        )

    def _source(self, sha256: str) -> str:
        with self._sessions.session() as connection:
            return get_content(connection, sha256).decode()

    def _context(self, state: Invocation, clock_ms: int, batch: Sequence[Invocation]) -> dict[str, Any]:
        requested = state.requested
        told = self._input(requested)
        if batch:
            told["event"] |= {"messages": [self._message(member) for member in batch]}
        return {
            **told,
            "invocation": {
                "id": str(state.id),
                "attempt": state.attempt,
                "trigger": requested.trigger.kind,
                "replay_of": str(requested.replay_of) if requested.replay_of else None,
                "deadline_ms": clock_ms + self._limits_of(state).wall_ms,
            },
            "app": requested.app,
            "script": {"name": requested.script, "version": requested.number},
        }

    def _input(self, requested: Requested) -> dict[str, Any]:
        event, asked = requested.event, requested.input
        if event is not None:
            told = {"type": requested.trigger.kind, "trigger": requested.trigger.name, **event.attributes}
            if requested.ordering_key:
                told["ordering_key"] = requested.ordering_key
            return {"event": told | {"content_type": event.content_type, "body": unpack(event.data, self._sessions)}}
        private = self._privacy.opened_input(asked)
        return {
            "request": {
                "method": asked.method,
                "path": asked.path,
                "params": asked.params,
                "query": private.query,
                "headers": private.headers,
                "body": private.body,
                "auth": asdict(requested.auth) if requested.auth is not None else None,
            }
        }

    def _message(self, member: Invocation) -> dict[str, Any]:
        """A batch's message as the script finds it; its body becomes ``data``."""
        event: dict[str, Any] = self._input(member.requested)["event"]
        return event | {"id": str(member.id), "attempt": member.attempt}

    def _limits_of(self, state: Invocation) -> Limits:
        asked = state.requested.limits
        if not asked.wall_ms and not asked.operations:
            return self._limits
        given = self._limits
        return msgspec.structs.replace(
            given,
            wall_ms=min(asked.wall_ms or given.wall_ms, given.wall_ms),
            operations=min(asked.operations or given.operations, given.operations),
        )

    def _ended(self, state: Invocation, result: Result, work: Work, clock_ms: int, journal: Content | None) -> Attempt:
        usage = Usage(clock_ms=clock_ms, duration_us=result.wall_us, cpu_us=result.cpu_us, operations=result.operations)
        logs = [LogLine(line.level, line.message, line.at_ms, line.line, line.fields) for line in result.logs]
        if result.reply is not None:
            answer = Answer(result.reply.status, result.reply.headers, result.reply.body)
            reply = self._privacy.reply(state.requested.input, answer)
            # An answer that was thrown is an outcome, but the script gave its work up: nothing of it is kept.
            kept = [] if result.thrown else work.effects()
            if kept:
                store(work.contents, self._sessions)
            ended = lifecycle.succeed(
                state,
                reply,
                usage=usage,
                logs=logs,
                thrown=result.thrown,
                effects=len(kept),
                secrets=reads_of(work),
            )
            if self._keep_all:
                ended = replace(ended, journal=journal)
            return Attempt([ended], kept, answer, journal, work.outside)
        assert result.error is not None
        error = result.error
        failure = Failure(
            error=RunError(error.kind, error.message, error.line, error.column, error.call_stack),
            usage=usage,
            logs=logs,
            journal=journal,
            secrets=reads_of(work),
        )
        return Attempt(self._failed(state, failure))

    def _failed(self, state: Invocation, failure: Failure) -> list[InvocationEvent]:
        return lifecycle.fail(state, failure, now=datetime.now(UTC), random=random.random())

    def _record(
        self, state: Invocation, attempt: Attempt, metadata: Metadata, unrecorded: tuple[Entry, ...]
    ) -> Outcome | None:
        outcome = _outcome(state.id, attempt)
        wakes = self._inbox.wake_for(state.requested.owner, state.id) if outcome is not None else []
        asked = (Entry(event, metadata_of(event, metadata)) for event in attempt.effects)
        entries = [*unrecorded, *asked, *(Entry(event, metadata) for event in attempt.events)]
        try:
            self._appender.append(entries, wakes=wakes, timeout=None)
        except QuotaExceeded as error:
            failure = attempt.failed_by(RunError(QUOTA_EXCEEDED, str(error)))
            return self._record(state, Attempt(self._failed(state, failure)), metadata, unrecorded)
        if outcome is not None:
            self._inbox.ended(state.id)
        return outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a run ended: the invocation's events, the effects that commit with them, and the answer if there is one.

    ``journal`` is what services answered, of a batch that ended well: some of its messages may have failed. ``outside``
    is what the world outside answered, for the same run made again.
    """

    events: list[InvocationEvent]
    effects: list[Any] = field(default_factory=list)
    answer: Answer | None = None
    journal: Content | None = None
    outside: OutsideAnswers | None = None

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
        ended = self.events[0]
        return ended.secrets if isinstance(ended, AttemptFailed | Succeeded) else []

    def besides(self, before: Attempt | None) -> Attempt:
        """The same, with what the try ``before`` it read of secrets: that alone of it counts."""
        ended = self.events[0]
        if before is None or not before.secrets or not isinstance(ended, AttemptFailed | Succeeded):
            return self
        counts = {(read.name, read.number): read.reads for read in before.secrets}
        for read in ended.secrets:
            counts[read.name, read.number] = counts.get((read.name, read.number), 0) + read.reads
        both = [SecretRead(name, number, count) for (name, number), count in counts.items()]
        return replace(self, events=[replace(ended, secrets=both), *self.events[1:]])


def _outcome(invocation: UUID, attempt: Attempt) -> Outcome | None:
    if attempt.answer is not None:
        return Outcome(invocation, State.SUCCEEDED, attempt.answer)
    last = attempt.events[-1]
    if isinstance(last, DeadLettered):
        failed = attempt.events[0]
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
