"""One attempt: the run in an executor, and its outcome in the log.

The outcome is appended at the version behind the attempt's ``Started``. If another node took the invocation over, that
version is taken: the append is refused, and nothing of this run counts.
"""

from __future__ import annotations

import random
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import msgspec
import psycopg
import structlog

from picloud.domain import lifecycle
from picloud.domain.invocation import (
    Content,
    Failure,
    FileBody,
    Invocation,
    InvocationEvent,
    LogLine,
    RunError,
    Usage,
)
from picloud.domain.metadata import Metadata
from picloud.domain.vault import VaultError
from picloud.executor.pool import ExecutorDied, ExecutorPool
from picloud.executor.protocol import Repeat, Result
from picloud.executor.protocol import RunError as ExecutorError
from picloud.log.appender import Appender, EffectRefused, Entry, QuotaExceeded, StreamConflict
from picloud.log.contents import put_content, store
from picloud.log.reader import read_stream
from picloud.orchestrator.attempt import Attempt
from picloud.orchestrator.course import Course, Tools
from picloud.orchestrator.door import Door
from picloud.orchestrator.inbox import Inbox
from picloud.orchestrator.journal import Recorder
from picloud.orchestrator.messaging import metadata_of
from picloud.orchestrator.outcome import Answer, Outcome
from picloud.orchestrator.privacy import Privacy
from picloud.orchestrator.requests import Requests, is_nested, seed_of
from picloud.orchestrator.slots import Slots
from picloud.orchestrator.turns import Turns
from picloud.postgres.sessions import OUTAGE, Sessions
from picloud.services.files import FilesDraft
from picloud.services.secrets import reads_of
from picloud.services.work import OutsideAnswers, Work

_log = structlog.get_logger(__name__)

MAX_COLLISIONS: Final = 50
"""So often a run is repeated because other runs changed the keys that it wrote."""

DEADLINE_PASSED: Final = "DeadlinePassed"
"""The kind of error of a run that nobody began in time."""
QUOTA_EXCEEDED: Final = "QuotaExceeded"
"""The kind of error of a run whose effects go beyond what its app may keep."""

JOURNAL_INLINE: Final = 2_048
"""Bytes of a journal that an event holds itself: the audit trail is to stay readable."""


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
        requests: Requests,
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
        self._requests = requests
        self._privacy = privacy
        self._turns = Turns()
        self._keep_all = keep_all_journals
        self._tools = Tools(
            appender, sessions, pool, privacy, lambda state: inbox.wake_for(state.requested.owner, state.id)
        )

    def run(
        self, state: Invocation, metadata: Metadata, unrecorded: tuple[Entry, ...] = (), *, in_place: bool = False
    ) -> Outcome | None:
        """Run the started attempt, append how it ended, and return the outcome; None if the invocation goes on, unless
        it is suspended.

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
        attempt = self.attempt(state, metadata, unrecorded)
        try:
            return self._record(attempt, metadata)
        except (StreamConflict, EffectRefused) as conflict:
            if not self._collided(attempt, conflict):
                return None
        with self._turns.at(attempt.contended):
            return self._repeat(attempt, metadata)

    def _repeat(self, attempt: Attempt, metadata: Metadata) -> Outcome | None:
        """Run again on fresh reads, until nobody got in between; what it was told from outside it is told again.

        What it did up to a checkpoint stays done.
        """
        collisions = 0
        while collisions < MAX_COLLISIONS:
            before = attempt.state
            again = self.attempt(before, metadata, attempt.unrecorded, again=attempt.outside)
            attempt = again.besides(attempt)
            try:
                return self._record(attempt, metadata)
            except (StreamConflict, EffectRefused) as conflict:
                if not self._collided(attempt, conflict):
                    return None
            collisions = collisions + 1 if attempt.state.version == before.version else 0
        failure = Failure(error=RunError("WriteConflict", "other runs kept changing the same keys"), lost=True)
        failure = replace(failure, secrets=attempt.secrets)
        try:
            return self._record(attempt.failed(self._failed(attempt.state, failure)), metadata)
        except StreamConflict as conflict:
            self._fenced(attempt.state, conflict)
            return None

    def _collided(self, attempt: Attempt, conflict: Exception) -> bool:
        """Whether it was a key that conflicted, and not the invocation, which then is another's."""
        if attempt.effects and self._still_ours(attempt):
            return True
        self._fenced(attempt.state, conflict)
        return False

    def _fenced(self, state: Invocation, conflict: Exception) -> None:
        _log.warning("run.fenced", invocation=str(state.id), attempt=state.attempt, reason=str(conflict))

    def attempt(
        self,
        state: Invocation,
        metadata: Metadata,
        unrecorded: tuple[Entry, ...] = (),
        *,
        batch: Sequence[Invocation] = (),
        again: OutsideAnswers | None = None,
    ) -> Attempt:
        """Run the script for a started attempt, and say how it ended; nothing is appended but its checkpoints.

        ``unrecorded`` are the invocation's first events, if they aren't in the log yet.
        ``again`` is what a run was told from outside that could not be recorded because others got in its way.
        With a ``batch`` of invocations, of which ``state`` is the first, the script gets all of their events.
        """
        now_ms = time.time_ns() // 1_000_000
        expires = state.expires
        if expires is not None and now_ms >= expires.timestamp() * 1_000:
            error = RunError(DEADLINE_PASSED, f"the run was to start before {expires.isoformat()}")
            failure = Failure(error=error, usage=Usage(clock_ms=now_ms))
            return Attempt(state, unrecorded, self._failed(state, failure))
        try:
            course = Course(
                self._tools,
                state,
                metadata,
                unrecorded,
                seed=seed_of(state),
                together=bool(batch),
                nested=is_nested(state),
            )
        except Exception as error:  # noqa: BLE001 - the invocation must not stay as if it were running
            return Attempt(state, unrecorded, self._failed(state, self._kept_from(error, state, now_ms)))
        ran = self._ran(course, metadata, batch, again)
        try:
            return self._concluded(course, ran, batch)
        except Exception as error:  # noqa: BLE001 - as above
            state = course.state
            failure = self._kept_from(error, state, course.clock_ms)
            return Attempt(state, course.unrecorded, self._failed(state, failure))

    def _ran(
        self, course: Course, metadata: Metadata, batch: Sequence[Invocation], again: OutsideAnswers | None
    ) -> Result | Failure:
        """Run the script in an executor: its result, or what kept it from one."""
        first = [again]

        def next_stretch() -> tuple[Work, Recorder]:
            state = course.state
            clock_ms = time.time_ns() // 1_000_000 if state.checkpoints else course.clock_ms
            caller = self._requests.caller(state, metadata, clock_ms, course.deadline_ms)
            return self._door.open(state.requested.app, caller, first.pop() if first else None)

        state = course.state
        try:
            course.deadline_ms = time.time_ns() // 1_000_000 + self._requests.limits(state).wall_ms
            request = self._requests.of(state, course.clock_ms, batch)
            if state.checkpoints:
                repeat = Repeat(course.readings)
                request = msgspec.structs.replace(request, repeat=repeat, answered=course.answered)
            course.request = request
            course.begin(next_stretch)
            with self._door.following(course):
                return self._pool.run(request)
        except ExecutorDied as died:
            return _lost(died, course.clock_ms)
        except Exception as error:  # noqa: BLE001 - the invocation must not stay as if it were running
            return self._kept_from(error, state, course.clock_ms)
        finally:
            course.close()

    def _kept_from(self, error: Exception, state: Invocation, clock_ms: int) -> Failure:
        """How a run failed that PiCloud itself kept from its end."""
        usage = Usage(clock_ms=clock_ms)
        if isinstance(error, (*OUTAGE, DatabaseLost)):
            return Failure(error=RunError("DatabaseLost", str(error).strip()), lost=True, usage=usage)
        if isinstance(error, VaultError):
            said = f"the request is private, and can't be opened here: {error}"
            return Failure(error=RunError("VaultClosed", said), usage=usage)
        _log.error("run.failed", invocation=str(state.id), attempt=state.attempt, exc_info=error)
        said = f"this is a fault of PiCloud: {type(error).__name__}"
        return Failure(error=RunError("InternalError", said), usage=usage)

    def _concluded(self, course: Course, ran: Result | Failure, batch: Sequence[Invocation]) -> Attempt:
        """How a run ended that got this far on its course."""
        state, unrecorded = course.state, course.unrecorded
        if isinstance(ran, Failure) and not course.begun:
            return Attempt(state, unrecorded, self._failed(state, ran))
        work, reads = course.work, reads_of(course.work)
        if course.conflict is not None:
            conflict = course.conflict
            return Attempt(state, unrecorded, [], course.refused, outside=work.outside, conflict=conflict, reads=reads)
        if course.suspended:
            return Attempt(state, unrecorded, [])
        if isinstance(ran, Result) and work.interrupted:
            raise DatabaseLost("the database was lost under a call of the script")
        readings = ran.readings if isinstance(ran, Result) else []
        if isinstance(ran, Result):
            ran = _as_course_says(course, ran)
            if ran.error is not None and course.redaction:
                # A call that was posted may be refused behind the run's end, in the words of its service.
                said = course.redaction.text(ran.error.message)
                ran = msgspec.structs.replace(ran, error=msgspec.structs.replace(ran.error, message=said))
        journal = None
        if batch or isinstance(ran, Failure) or ran.reply is None or self._keep_all:
            journal = self._journal(state, course.recorder, readings, batch)
        if isinstance(ran, Failure):
            failure = replace(ran, journal=journal, secrets=reads)
            return Attempt(state, unrecorded, self._failed(state, failure))
        return self._ended(course, ran, journal)

    def _journal(
        self, state: Invocation, recorder: Recorder, readings: list[int], batch: Sequence[Invocation]
    ) -> Content | None:
        """What is kept with a failure, to repeat the run."""
        if not recorder.keeps:
            return None
        members = [(member.id, member.attempt) for member in batch]
        plain = recorder.journal(self._requests.limits(state), readings, members).packed()
        packed = self._privacy.record(state.requested.input, plain)
        if len(packed) > JOURNAL_INLINE:
            try:
                with self._sessions.session() as connection:
                    return Content(sha256=put_content(connection, packed))
            except psycopg.Error as error:
                # The failure itself waits for the database: then the journal goes with it, as long as it is.
                _log.warning("run.journal_inline", invocation=str(state.id), bytes=len(packed), reason=str(error))
        return Content(base64=b64encode(packed).decode())

    def _still_ours(self, attempt: Attempt) -> bool:
        """Whether the invocation still stands where this attempt left it, so that a key was what conflicted."""
        stream = self._sessions.patiently(lambda connection: read_stream(connection, attempt.state.id))
        return len(stream) == (0 if attempt.unrecorded else attempt.state.version)

    def _ended(self, course: Course, result: Result, journal: Content | None) -> Attempt:
        state, unrecorded, work = course.state, course.unrecorded, course.work
        usage = Usage(
            clock_ms=course.clock_ms,
            duration_us=result.wall_us,
            cpu_us=result.cpu_us,
            operations=result.operations,
        )
        logs = [LogLine(line.level, line.message, line.at_ms, line.line, line.fields) for line in result.logs]
        if result.reply is not None:
            file = _file(result.reply.file, work) if result.reply.file else None
            answer = Answer(result.reply.status, result.reply.headers, result.reply.body, file)
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
                file=file,
            )
            if self._keep_all:
                ended = replace(ended, journal=journal)
            return Attempt(state, unrecorded, [ended], kept, answer, journal, work.outside)
        assert result.error is not None
        error = result.error
        failure = Failure(
            error=RunError(error.kind, error.message, error.line, error.column, error.call_stack),
            final=course.astray is not None,
            usage=usage,
            logs=logs,
            journal=journal,
            secrets=reads_of(work),
        )
        return Attempt(state, unrecorded, self._failed(state, failure))

    def _failed(self, state: Invocation, failure: Failure) -> list[InvocationEvent]:
        return lifecycle.fail(state, failure, now=datetime.now(UTC), random=random.random())

    def _record(self, attempt: Attempt, metadata: Metadata) -> Outcome | None:
        if attempt.conflict is not None:
            raise attempt.conflict
        state = attempt.state
        outcome = attempt.outcome
        if attempt.events:
            wakes = self._inbox.wake_for(state.requested.owner, state.id) if outcome is not None else []
            asked = (Entry(event, metadata_of(event, metadata)) for event in attempt.effects)
            entries = [*attempt.unrecorded, *asked, *(Entry(event, metadata) for event in attempt.events)]
            try:
                self._appender.append(entries, wakes=wakes, timeout=None)
            except QuotaExceeded as error:
                failure = attempt.failed_by(RunError(QUOTA_EXCEEDED, str(error)))
                return self._record(attempt.failed(self._failed(state, failure)), metadata)
        if outcome is not None:
            self._inbox.ended(state.id)
        return outcome


def _file(sha256: str, work: Work) -> FileBody:
    """The file that the run answers with. An executor that names one which it was not told breaks out of its cage."""
    file = work.draft(FilesDraft).answered(sha256)
    if file is None:
        raise PermissionError(f"the executor answers with a file that it was not told of: {sha256}")
    return FileBody(file.sha256, file.size)


def _as_course_says(course: Course, result: Result) -> Result:
    """The result, unless the run went another way than the one before it, or beyond what its app may keep."""
    if result.reply is not None:
        course.check_arrived()
    error = course.astray
    if error is None and course.exceeded is not None:
        error = RunError(QUOTA_EXCEEDED, str(course.exceeded))
    if error is None:
        return result
    place = result.error
    said = ExecutorError(error.kind, error.message)
    if place is not None:
        said = ExecutorError(error.kind, error.message, place.line, place.column, place.call_stack)
    return msgspec.structs.replace(result, reply=None, thrown=False, error=said)


def _lost(died: ExecutorDied, clock_ms: int) -> Failure:
    return Failure(
        error=RunError("ExecutorDied", f"the executor died under the run ({died.kind}): {died.reason}"),
        lost=True,
        usage=Usage(clock_ms=clock_ms),
        logs=[LogLine(line.level, line.message, line.at_ms, line.line, line.fields) for line in died.logs],
    )
