"""A run that ended is run again in the cage, on its record, and nothing comes of it but a report.

It gets what it got then: input, clock, seed, limits, readings of ``timestamp()``, the answers of services in their
order (:mod:`picloud.orchestrator.repetition`). So it does the same again, and the report says whether it did. With
another script it says whether that would have succeeded, and how its effects differ. A trace comes from a further run
of the script, compiled for that; what the report says otherwise is of the script as it always runs.

Nothing is appended to the log. A repeated run takes a slot as others do, and few are repeated at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import msgspec
import structlog

from picloud.domain.document import DocumentEvent
from picloud.domain.errors import Conflict, NotFound
from picloud.domain.invocation import AttemptFailed, Checkpoint, Invocation, SecretRead, Started, Succeeded
from picloud.domain.kv import KeyEvent
from picloud.domain.lifecycle import evolve
from picloud.domain.vault import VaultError
from picloud.executor.pool import ExecutorDied, ExecutorPool
from picloud.executor.protocol import Limits, LogLine, Repeat, Reply, Result, RunError, RunRequest, Trace
from picloud.log.contents import ContentMissing, unpack
from picloud.log.ids import new_id
from picloud.log.reader import RecordedEvent, read_span, read_stream
from picloud.orchestrator.course import past_of
from picloud.orchestrator.door import Door
from picloud.orchestrator.journal import FORMAT, Journal, UnreadableJournal, unpacked
from picloud.orchestrator.privacy import Privacy
from picloud.orchestrator.repetition import Effect, Past, PastSecrets, Repetition
from picloud.orchestrator.report import Ended, Inspection, Traced, difference, ended, same_end, why_not, without_secrets
from picloud.orchestrator.requests import Requests
from picloud.orchestrator.runner import DEADLINE_PASSED
from picloud.orchestrator.slots import Slots
from picloud.postgres.sessions import Sessions
from picloud.rhai.steps import EVAL, Step
from picloud.services.past import effect_of
from picloud.services.past_docs import effect_of as effect_on_document
from picloud.services.secrets import Secrets
from picloud.services.work import Caller, Work

MOST_AT_A_TIME: Final = 2
"""Inspections of one process: they are for people, and the slots are for work."""
TRACE_MS: Final = 10_000
"""So much longer a traced run may take."""
_SPAN_BYTES: Final = 64 * 1024 * 1024

_log = structlog.get_logger(__name__)


class TooBusy(Exception):
    """There is no room for an inspection now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceWanted:
    """``limit`` steps: from number ``skip`` on, or the last ones if that is None."""

    limit: int
    skip: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to inspect: the ``attempt`` (None: the last that failed, else the last), with the script that ran or with
    ``source``, and with a trace of its steps if that is asked for.
    """

    attempt: int | None = None
    source: str | None = None
    trace: TraceWanted | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt of a stream: the invocation as it stood at its start, and its end."""

    state: Invocation
    started: RecordedEvent
    ended: RecordedEvent
    event: AttemptFailed | Succeeded
    at_end: Invocation
    """As the invocation stood at the end: with the checkpoints that the attempt passed."""
    checked_at: int
    """The position of its last checkpoint, or of its start if that was later."""

    @property
    def clock_ms(self) -> int:
        """The run's clock; of a run of which nothing is known, when it was started."""
        return self.event.usage.clock_ms or int(self.started.at.timestamp() * 1_000)

    @property
    def position(self) -> int:
        """The position of the log at which the run saw the world.

        A run that succeeded is fenced: what it changed was as it saw it right before its effects.
        """
        if isinstance(self.event, Succeeded):
            return self.ended.position - self.event.effects - 1
        return self.checked_at


class Inspector:
    """Runs attempts again; see the module."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        requests: Requests,
        pool: ExecutorPool,
        door: Door,
        slots: Slots,
        secrets: Secrets,
        privacy: Privacy,
    ) -> None:
        self._sessions = sessions
        self._requests = requests
        self._pool = pool
        self._door = door
        self._slots = slots
        self._secrets = secrets
        self._privacy = privacy
        self._running = 0

    def inspect(self, stream: Sequence[RecordedEvent], wanted: Wanted) -> Inspection:
        """The report on an attempt of the invocation whose events are given.

        Raises :class:`NotFound` if there is no such attempt, :class:`Conflict` if it has not ended, :class:`TooBusy`.
        """
        attempt = _attempt_of(stream, wanted.attempt)
        if self._running >= MOST_AT_A_TIME or not self._slots.take():
            raise TooBusy(f"{self._running} inspections are under way" if self._running else "all slots are taken")
        with self._slots.kept_by(attempt.state.requested.app):
            self._running += 1
            try:
                return self._inspected(stream, attempt, wanted)
            finally:
                self._running -= 1

    def _inspected(self, stream: Sequence[RecordedEvent], attempt: _Attempt, wanted: Wanted) -> Inspection:
        state = attempt.state
        journal, notes, passed = self._journal(attempt)
        caller = self._requests.caller(state, stream[0].metadata, attempt.clock_ms)
        reads = [read for event in (*attempt.at_end.checkpoints, attempt.event) for read in event.secrets]
        secrets = PastSecrets(self._secrets, _numbers(reads))
        past = Past(self._sessions, state.requested.app, attempt.position, journal, caller, secrets)
        again = _Again(self, attempt, journal, past, caller, wanted.source, passed)
        result, repetition = again.run(None)
        record = without_secrets(self._recorded(attempt, journal, past, notes, again.passed), repetition.redaction)
        # What was done up to a checkpoint is neither the attempt's nor the repeated run's to do.
        effects = past.effects(repetition.calls[again.passed :])
        now = without_secrets(ended(result, effects), repetition.redaction)
        notes += dict.fromkeys(repetition.unknown)
        reason = why_not(record, now, journal, repetition, result)
        traced = None
        if state.requested.input.sealed is not None:
            notes.append(
                "the route is private: what was answered is compared, and neither that nor the steps are shown."
            )
            record, now = _without_answer(record), _without_answer(now)
        elif wanted.trace is not None:
            traced = again.traced(wanted.trace, result, notes)
        _log.info(
            "inspection.ran", invocation=str(state.id), attempt=state.attempt, other_script=wanted.source is not None
        )
        return Inspection(
            attempt=state.attempt,
            record=record,
            result=now,
            exact=None if wanted.source is not None else not reason,
            why_not=reason,
            calls=journal.made if journal is not None else None,
            effects=difference(record.effects, now.effects or []) if record.effects is not None else None,
            notes=notes,
            trace=traced,
        )

    def request(self, attempt: _Attempt, journal: Journal | None) -> RunRequest:
        """What an executor is asked to repeat an attempt. A batch's run was that of its first message."""
        batch = self._batch(journal)
        request = self._requests.of(batch[0] if batch else attempt.state, attempt.clock_ms, batch)
        limits = journal.limits if journal is not None else request.limits
        told = request.ctx["invocation"] | {"deadline_ms": attempt.clock_ms + limits.wall_ms}
        ctx = request.ctx | {"invocation": told}
        if limits != request.limits:
            # What was compiled ahead is for the limits of now.
            request = msgspec.structs.replace(request, program=lambda: None)
        return msgspec.structs.replace(request, invocation=f"inspection {new_id()}", limits=limits, ctx=ctx)

    def _batch(self, journal: Journal | None) -> list[Invocation]:
        """The invocations whose messages came together, each as it stood at the start of the attempt."""
        members = []
        with self._sessions.session() as connection:
            for invocation, number in journal.batch if journal is not None else ():
                state: Any = None
                for recorded in read_stream(connection, invocation):
                    event: Any = recorded.event
                    state = evolve(state, event)
                    if isinstance(event, Started) and event.attempt == number:
                        break
                members.append(state)
        return members

    def run(self, request: RunRequest, repetition: Repetition) -> Result:
        """Run it, with the repetition for services."""

        def answer(service: str, function: str, args: list[Any]) -> Any:
            kept = self._door.as_kept(repetition.app, service, function, args)
            answer = repetition.answer(service, function, kept)
            return self._door.as_told(repetition.app, service, function, answer)

        with self._door.answering(request.invocation, answer):
            try:
                result = self._pool.run(request)
            except ExecutorDied as died:
                error = RunError("ExecutorDied", f"the executor died under the run ({died.kind}): {died.reason}")
                result = Result(None, error, False, 0, 0, 0, died.logs)
        repetition.finished()
        return result

    def _journal(self, attempt: _Attempt) -> tuple[Journal | None, list[str], int]:
        """The attempt's journal, what is to be said of it, and how many of its calls are in front of checkpoints."""
        journal, notes = self._own_journal(attempt)
        checkpoints = attempt.at_end.checkpoints
        if not checkpoints:
            return journal, notes, 0
        try:
            calls, readings = past_of(attempt.at_end, self._sessions, self._privacy)
        except (UnreadableJournal, ContentMissing, VaultError) as error:
            return None, [f"the record of the invocation's steps can't be read: {error}."], 0
        passed = len(calls)
        notes.append(
            f"up to checkpoint {len(checkpoints)} it is answered by the record; steps that are done are skipped."
        )
        if journal is None:
            # Truncated: what came behind isn't known.
            limits = self._requests.of(attempt.state, attempt.clock_ms, ()).limits
            return Journal(FORMAT, passed + 1, calls, readings, limits), notes, passed
        made, further = passed + journal.made, journal.readings or readings
        return Journal(FORMAT, made, calls + journal.calls, further, journal.limits), notes, passed

    def _own_journal(self, attempt: _Attempt) -> tuple[Journal | None, list[str]]:
        event = attempt.event
        lost = isinstance(event, AttemptFailed) and event.lost
        if isinstance(event, Succeeded) and event.journal is None:
            said = "the run succeeded, and of those no journal was kept (PICLOUD_JOURNAL)"
            return None, [f"{said}. What it read is taken from the log, as it was right before the run's effects."]
        as_of = "It runs here on its input, and reads what was there when the attempt began."
        if isinstance(event, AttemptFailed) and event.error.kind == DEADLINE_PASSED:
            return None, [f"the attempt never ran: its deadline had passed. {as_of}"]
        if event.journal is None:
            if lost:
                return None, [f"the attempt was lost with its node, and with it all that it had done. {as_of}"]
            return None, [f"no journal was kept of the attempt (PICLOUD_JOURNAL_BYTES, or an earlier version). {as_of}"]
        try:
            journal = unpacked(self._privacy.opened_record(unpack(event.journal, self._sessions)))
        except (UnreadableJournal, ContentMissing, VaultError) as error:
            return None, [f"the attempt's journal can't be read: {error}. {as_of}"]
        notes = []
        if len(journal.batch) > 1:
            notes.append(f"the run got {len(journal.batch)} messages together, and gets them again.")
        if lost:
            notes.append("the executor died under the attempt: its record ends with the last answer of a service.")
        if journal.truncated:
            kept = f"the record has the first {len(journal.calls)} of {journal.made} calls (PICLOUD_JOURNAL_BYTES)"
            notes.append(f"{kept}: what is read behind them is what was there when the attempt began.")
        return journal, notes

    def _recorded(self, attempt: _Attempt, journal: Journal | None, past: Past, notes: list[str], passed: int) -> Ended:
        event = attempt.event
        logs = [LogLine(line.level, line.message, line.at_ms, 0, line.line, line.fields) for line in event.logs]
        usage = event.usage
        if isinstance(event, Succeeded):
            answer = self._privacy.answer(event.reply)
            file = event.file.sha256 if event.file is not None else ""
            reply = Reply(answer.status, answer.headers, answer.body, file)
            return Ended(
                succeeded=True,
                reply=reply,
                thrown=event.thrown,
                logs=logs,
                effects=self._effects_of(attempt, journal, past, notes, passed),
                operations=usage.operations,
                duration_us=usage.duration_us,
            )
        error = event.error
        return Ended(
            succeeded=False,
            error=RunError(error.kind, error.message, error.line, error.column, error.call_stack),
            logs=logs,
            effects=past.effects(journal.calls[passed:]) if journal is not None and not journal.truncated else None,
            operations=usage.operations,
            duration_us=usage.duration_us,
        )

    def _effects_of(
        self, attempt: _Attempt, journal: Journal | None, past: Past, notes: list[str], passed: int
    ) -> list[Effect]:
        """The effects of a run that succeeded: by its journal, or if there is none by the log."""
        if isinstance(attempt.event, Succeeded) and attempt.event.thrown:
            return []
        if journal is None or journal.truncated:
            return self._effects_in_log(attempt, notes)
        return past.effects(journal.calls[passed:])

    def _effects_in_log(self, attempt: _Attempt, notes: list[str]) -> list[Effect]:
        """The effects of a run that succeeded: the events in front of its end."""
        with self._sessions.session() as connection:
            span = read_span(
                connection, after=attempt.position, up_to=attempt.ended.position - 1, max_bytes=_SPAN_BYTES
            )
        effects, others = [], 0
        for recorded in span.events:
            event: Any = recorded.event
            if isinstance(event, KeyEvent):
                effects.append(Effect("kv", *effect_of(event)))
            elif isinstance(event, DocumentEvent):
                effects.append(Effect("docs", *effect_on_document(event)))
            else:
                others += 1
        if others:
            notes.append(f"the record has {others} events beside those of kv:: and docs::, which aren't compared.")
        return effects


class _Again:
    """The runs of one inspection: the same each time, but for what is taken down of them."""

    def __init__(
        self,
        inspector: Inspector,
        attempt: _Attempt,
        journal: Journal | None,
        past: Past,
        caller: Caller,
        source: str | None,
        passed: int,
    ) -> None:
        """The first ``passed`` calls are in front of checkpoints: what was logged up to there is kept with those."""
        self._inspector = inspector
        self.passed = passed
        self._journal = journal
        self._past = past
        self._caller = caller
        request = inspector.request(attempt, journal)
        if passed:
            answered = passed + (attempt.at_end.suspension is not None)
            request = msgspec.structs.replace(request, answered=answered)
        if source is not None:
            text: str = source
            digest = sha256(text.encode("utf-8", "replace")).hexdigest()
            request = msgspec.structs.replace(request, sha256=digest, source=lambda: text, program=lambda: None)
        self._request = request

    def run(self, trace: Trace | None) -> tuple[Result, Repetition]:
        """Run it once more."""
        readings = self._journal.readings if self._journal is not None else []
        request = msgspec.structs.replace(self._request, repeat=Repeat(readings, trace))
        if trace is not None:
            limits: Limits = msgspec.structs.replace(request.limits, wall_ms=request.limits.wall_ms + TRACE_MS)
            request = msgspec.structs.replace(request, program=lambda: None, limits=limits)
        repetition = Repetition(self._journal, self._past, self._caller)
        return self._inspector.run(request, repetition), repetition

    def traced(self, wanted: TraceWanted, plain: Result, notes: list[str]) -> Traced:
        """The steps that are wanted. The last ones need a run of their own, to know how many there are."""
        skip = wanted.skip or 0
        result, _ = self.run(Trace(skip, wanted.limit))
        as_plain = same_end(ended(plain, []), ended(result, []))
        if as_plain and wanted.skip is None and result.step_count > wanted.limit:
            skip = result.step_count - wanted.limit
            result, _ = self.run(Trace(skip, wanted.limit))
        if not as_plain:
            said = result.error.message if result.error is not None else "with an answer"
            notes.append(f"the traced run ended otherwise: {said}. Tracing takes time, and some operations.")
        taken = sum(step.kind != "after" for step in result.steps)
        if taken < min(wanted.limit, result.step_count - skip):
            notes.append("the trace was cut: its texts are too long.")
        return Traced(steps=result.steps, count=result.step_count, skipped=skip, sources=self._sources(result.steps))

    def _sources(self, steps: Sequence[Step]) -> dict[str, str]:
        """The sources of the parts that steps are in."""
        parts = {step.part for step in steps} - {"", EVAL}
        work = Work(self._past.app, self._caller)
        found = {part: self._past.functions["modules"]["source"](work, part) for part in parts}
        return {"": self._request.source()} | {part: source for part, source in found.items() if source is not None}


def _numbers(reads: Sequence[SecretRead]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for read in reads:
        numbers[read.name] = sorted([*numbers.get(read.name, []), read.number], reverse=True)
    return numbers


def _without_answer(end: Ended) -> Ended:
    return end if end.reply is None else replace(end, reply=Reply(end.reply.status, [], b""))


def _attempt_of(stream: Sequence[RecordedEvent], number: int | None) -> _Attempt:
    state: Invocation | None = None
    began: tuple[Invocation, RecordedEvent] | None = None
    attempts: dict[int, _Attempt] = {}
    checked_at = 0
    for recorded in stream:
        event: Any = recorded.event
        state = evolve(state, event)
        if isinstance(event, Started):
            began = state, recorded
            checked_at = recorded.position
        elif isinstance(event, Checkpoint):
            checked_at = recorded.position
        elif isinstance(event, AttemptFailed | Succeeded) and began is not None:
            attempts[event.attempt] = _Attempt(began[0], began[1], recorded, event, state, checked_at)
    if number is None:
        failed = [each for each in attempts.values() if isinstance(each.event, AttemptFailed)]
        if not attempts:
            raise Conflict(
                "no attempt of the invocation has ended yet: there is nothing to inspect",
                remedy="Wait for its end: picloud invocation ID shows it.",
            )
        return (failed or list(attempts.values()))[-1]
    if number in attempts:
        return attempts[number]
    if began is not None and number == began[0].attempt:
        raise Conflict(f"attempt {number} has not ended, or was called off", field="attempt")
    ended = ", ".join(map(str, attempts)) or "none"
    raise NotFound(f"there is no attempt {number} that has ended; there are: {ended}", field="attempt")
