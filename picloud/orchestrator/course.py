"""The course of one run: what an earlier run of the invocation did already, and what is committed on the way.

A run with checkpoints behind it begins at the script's beginning, with the clock and the seed of the first run, and its
calls are answered by the record up to the last checkpoint. It must ask the same in the same order: another question
means that the script isn't deterministic, and ends the run for good. Behind that its calls are real.

At a checkpoint (``step``, ``sleep`` with a duration, ``wait_for``) everything that the run did since the one before is
appended at once: its effects, and the calls that led to them. It goes in at the next version of the invocation's
stream, so whoever lost the invocation to another node is refused here as at the end. A key that somebody else changed
meanwhile ends the run too; then the runner begins again behind the last checkpoint.

A sleep or a wait ends the run at its checkpoint. The run that goes on there asks the same again, and is told the time,
and the message if one came.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg

from picloud.domain import lifecycle
from picloud.domain.duration import parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.invocation import (
    MAX_CHECKPOINTS,
    Checkpoint,
    Content,
    Invocation,
    LogLine,
    RunError,
    State,
    Stretch,
    Suspended,
    Usage,
    Wait,
    WaitedFor,
)
from picloud.domain.message import JSON, MessagePublished, sent_text
from picloud.domain.metadata import Metadata
from picloud.domain.subject import check_pattern, matches
from picloud.domain.waiting import check_filter, fits
from picloud.executor.pool import ExecutorPool
from picloud.executor.pool import ServiceError as RefusedCall
from picloud.executor.protocol import RunRequest
from picloud.executor.redaction import Redaction
from picloud.log.appender import (
    Appender,
    EffectRefused,
    Entry,
    LogUnavailable,
    Pending,
    QuotaExceeded,
    StreamConflict,
    Wake,
)
from picloud.log.contents import put_content, store, unpack
from picloud.log.reader import AuditFilter, read_audit, read_stream
from picloud.orchestrator.journal import (
    MAX_STRETCH,
    RecordedCall,
    Recorder,
    as_kept,
    packed_stretch,
    unpacked_stretch,
    without_secrets,
)
from picloud.orchestrator.messaging import metadata_of
from picloud.orchestrator.privacy import Privacy
from picloud.orchestrator.repetition import alike, shown
from picloud.postgres.sessions import Sessions
from picloud.services.files import FilesDraft
from picloud.services.secrets import reads_of
from picloud.services.work import ServiceError, Work

SERVICE: Final = "steps"
NON_DETERMINISM: Final = "NonDeterminism"
"""The kind of the error of a run that asked something else than the one before it."""

MAX_NAME: Final = 200
MAX_VALUE_BYTES: Final = 256 * 1024
"""Of what a step gives."""
MAX_HISTORY: Final = 16 * 1024 * 1024
"""Bytes of the calls of all stretches of one invocation."""
LATEST_EVENTS: Final = 50_000
"""So far back a wait whose time is over looks for a message that came just before."""
STRETCH_INLINE: Final = 2_048
"""Bytes of a stretch's calls that an event holds itself."""

_END_SUSPENDED: Final = "Suspended"
_END_REPEATED: Final = "Repeated"


@dataclass(frozen=True, slots=True)
class Tools:
    """What courses need; ``wakes`` are for whoever waits for an invocation."""

    appender: Appender
    sessions: Sessions
    pool: ExecutorPool
    privacy: Privacy
    wakes: Callable[[Invocation], list[Wake]]


class Course:
    """See the module. ``state`` is the invocation as it stands; it moves on with each checkpoint."""

    def __init__(
        self,
        tools: Tools,
        state: Invocation,
        metadata: Metadata,
        unrecorded: tuple[Entry, ...] = (),
        *,
        seed: int,
        together: bool = False,
        nested: bool = False,
    ) -> None:
        """``unrecorded`` are the invocation's first events, if they aren't in the log yet. A run for several messages
        ``together`` has no checkpoints; one that another run waits for, ``nested``, can't be suspended.
        """
        self._tools = tools
        self.state = state
        self._metadata = metadata
        self.unrecorded = unrecorded
        self._together = together
        self._nested = nested
        first = state.first_stretch
        self.seed = first.seed if first is not None else seed
        self.clock_ms = self._now_ms = first.clock_ms if first is not None else time.time_ns() // 1_000_000
        self.deadline_ms = 0
        """When the run must have ended."""
        self._past, self.readings = past_of(state, tools.sessions, tools.privacy)
        self._size = sum(checkpoint.stretch.size for checkpoint in state.checkpoints)
        self._at = 0
        self._resuming = state.suspension
        self.redaction = Redaction()
        """The secrets that the run was given: records have them by their names, and scripts by their values."""
        self.request: RunRequest
        """What an executor was asked; a call of another run of the invocation is none of this one's."""
        self._next_stretch: Callable[[], tuple[Work, Recorder]]
        self._work: Work
        self._recorder: Recorder
        self.begun = False
        """Whether it came so far as to be run."""
        self._begun: tuple[str, int, float] | None = None
        self._pending: tuple[Pending, Checkpoint, list[Any]] | None = None
        self._closed = False
        self.astray: RunError | None = None
        """Why the run can't be relied on: it asks what it didn't ask."""
        self.conflict: StreamConflict | EffectRefused | None = None
        """Why its last checkpoint was refused."""
        self.exceeded: QuotaExceeded | None = None
        """Or that the app would have kept too much."""
        self.refused: list[Any] = []
        """The effects that were refused with it."""

    @property
    def answered(self) -> int:
        """How many calls of the run were made before; lines logged up to them are kept already."""
        return len(self._past) + (self._resuming is not None)

    @property
    def suspended(self) -> bool:
        """Whether the run ended at a sleep or a wait."""
        return self.state.state is State.SUSPENDED

    @property
    def work(self) -> Work:
        """What the run did since its last checkpoint."""
        return self._work

    @property
    def recorder(self) -> Recorder:
        """Its calls since then."""
        return self._recorder

    def begin(self, next_stretch: Callable[[], tuple[Work, Recorder]]) -> None:
        """The run begins; ``next_stretch`` gives it a fresh unit of work and record, now and at each checkpoint."""
        self.begun = True
        self._next_stretch = next_stretch
        self._begin_stretch()
        if self.state.checkpoints:
            self._work.calls.update(self.state.checkpoints[-1].stretch.made)

    def _begin_stretch(self) -> None:
        self._work, self._recorder = self._next_stretch()
        self._recorder.redaction = self.redaction

    # ------------------------------------------------------------------------------------------ the way so far

    def recorded(self, service: str, function: str, args: list[Any]) -> RecordedCall | None:
        """The call as it was made before; None if it is a new one. Ends the run if another one was made here."""
        args = self.redaction.plain(as_kept(service, args))
        if self._at < len(self._past):
            was = self._past[self._at]
            asked = RecordedCall(service, function, args)
            if (was.service, was.function) != (service, function) or not alike(was.args, args):
                self._go_astray(shown(was), shown(asked))
            self._at += 1
            if service == SERVICE and isinstance(was.value, dict):
                self._now_ms = was.value["now"]
            return was
        if self._resuming is not None:
            expected = _asked(self._resuming)
            if (service, function) != (SERVICE, expected.function) or not alike(expected.args, args):
                self._go_astray(shown(expected), shown(RecordedCall(service, function, args)))
        return None

    def check_arrived(self) -> None:
        """The run has answered. If it didn't come to where it was before, it went astray."""
        if self.astray is not None:
            return
        if self._at < len(self._past):
            self.astray = self._error(shown(self._past[self._at]), "it ended")
        elif self._resuming is not None:
            self.astray = self._error(shown(_asked(self._resuming)), "it ended")

    def _go_astray(self, was: str, found: str) -> None:
        self.astray = self._error(was, f"it asked {found}")
        self._tools.pool.cancel(str(self.state.id), self.astray.message)
        raise RefusedCall(self.astray.message)

    def _error(self, was: str, found: str) -> RunError:
        return RunError(
            NON_DETERMINISM,
            f"this run went another way than the one before: call {self._at + 1} was {was}, now {found}. Up to a step"
            " that is done a script must do the same again: have a step give what may differ",
        )

    # ------------------------------------------------------------------------------------------ checkpoints

    def call(self, function: str, args: list[Any]) -> Any:
        """The answer of the service of that name. Raises the pool's ``ServiceError``."""
        answering: dict[str, Callable[..., dict[str, Any]]] = {
            "step": self._step,
            "done": self._done,
            "sleep": self._sleep,
            "wait_for": self._wait_for,
        }
        called = answering[function]
        before = self._recorder
        try:
            answer = called(*args)
        except (ServiceError, Invalid) as error:
            refusal = f"{error.message} {error.remedy}".strip() if isinstance(error, Invalid) else str(error)
            why = refusal if isinstance(error, ServiceError) else f"{function}: {refusal}"
            if function != "done":
                before.refused(SERVICE, function, args, why)
            raise RefusedCall(why) from error
        except LogUnavailable as error:
            self._work.interrupted = True
            raise RefusedCall(f"{function}: {error}") from error
        if before is self._recorder and function != "done" and "end" not in answer:
            self._recorder.answered(SERVICE, function, args, answer)
        return answer

    def _step(self, name: str) -> dict[str, Any]:
        title = f'step("{name}")'
        if self._together:
            raise ServiceError(f"{title}: a run for the messages of a batch has no steps: set the queue's batch to 1")
        if not 1 <= len(name) <= MAX_NAME:
            raise ServiceError(f"{title[:MAX_NAME]}: a step's name has 1 to {MAX_NAME} characters, not {len(name)}")
        self._check_room(title, self._recorder.made)
        self._begun = (name, self._recorder.made, time.monotonic())
        return {"now": self._tick()}

    def _done(self, name: str, value: Any) -> dict[str, Any]:
        title = f'step("{name}")'
        if self._begun is None or self._begun[0] != name:
            raise ServiceError(f"{title}: no such step was begun")
        _, before, began = self._begun
        size = len(msgspec.msgpack.encode(value))
        if size > MAX_VALUE_BYTES:
            raise ServiceError(
                f"{title}: what its closure gives has {size:,} bytes, more than {MAX_VALUE_BYTES:,}: keep what is large"
                " elsewhere, and give where it is"
            )
        # What is called inside of it isn't kept.
        self._check_room(title, before)
        now = self._tick()
        calls = self._recorder.calls(before)
        done = RecordedCall(SERVICE, "step", [name], {"value": value, "now": now})
        calls.append(without_secrets(done, self.redaction))
        spent = int((time.monotonic() - began) * 1_000_000)

        told = self.redaction.text(name)

        def completed(stretch: Stretch, effects: int, usage: Usage, logs: list[LogLine]) -> Checkpoint:
            return lifecycle.complete_step(
                self.state,
                told,
                stretch,
                duration_us=spent,
                effects=effects,
                usage=usage,
                logs=logs,
                secrets=reads_of(self._work),
            )

        self._begun = None
        return {"now": now} if self._commit(title, calls, completed) else {"end": _END_REPEATED}

    def _sleep(self, asked: str) -> dict[str, Any]:
        if self._resuming is not None:
            self._resuming = None
            return {"now": self._tick()}
        return self._suspend("sleep", self._wait(asked))

    def _wait_for(self, topic: str, wanted: dict[str, Any], asked: str) -> dict[str, Any]:
        if self._resuming is not None:
            message = self.state.waited_for or self._came_late(self._resuming)
            self._resuming = None
            return {"now": self._tick(), "value": None if message is None else self._told(message)}
        if self.redaction.plain([topic, wanted]) != [topic, wanted]:
            raise ServiceError("wait_for: what is waited for holds a secret, which no record keeps")
        check_pattern(topic, field="topic")
        return self._suspend("wait_for", self._wait(asked, topic, check_filter(wanted)))

    def _wait(self, asked: str, topic: str = "", wanted: dict[str, Any] | None = None) -> Wait:
        field = "timeout" if topic else "time"
        until = datetime.now(UTC) + timedelta(milliseconds=parse_duration(asked, field=field, least_ms=1))
        return Wait(until=until, asked=asked, topic=topic, filter=wanted or {})

    def _suspend(self, function: str, wait: Wait) -> dict[str, Any]:
        if self._together:
            raise ServiceError(f"{function}: a run for the messages of a batch can't wait: set the queue's batch to 1")
        if self._nested:
            raise ServiceError(f"{function}: another run waits for this one: have it use invoke::start")
        self._check_room(function, self._recorder.made)

        def suspended(stretch: Stretch, effects: int, usage: Usage, logs: list[LogLine]) -> Checkpoint:
            secrets = reads_of(self._work)
            return lifecycle.suspend(
                self.state, wait, stretch, effects=effects, usage=usage, logs=logs, secrets=secrets
            )

        calls = self._recorder.calls(self._recorder.made)
        return {"end": _END_SUSPENDED if self._commit(function, calls, suspended) else _END_REPEATED}

    def _check_room(self, title: str, calls: int) -> None:
        if len(self.state.checkpoints) >= MAX_CHECKPOINTS:
            raise ServiceError(
                f"{title}: an invocation has {MAX_CHECKPOINTS:,} steps, sleeps and waits at most: go on in another one,"
                " by invoke::start"
            )
        if self._recorder.kept < calls:
            raise ServiceError(f"{title}: the calls since the last step have more than {MAX_STRETCH:,} bytes")

    def _tick(self) -> int:
        """The run's time from here on; it never goes back."""
        self._now_ms = max(self._now_ms, time.time_ns() // 1_000_000)
        return self._now_ms

    # ------------------------------------------------------------------------------------------ commits

    def _commit(
        self,
        title: str,
        calls: list[RecordedCall],
        checkpoint: Callable[[Stretch, int, Usage, list[LogLine]], Checkpoint],
    ) -> bool:
        """Append what the run did since the last checkpoint; False if that was refused."""
        packed = packed_stretch(calls)
        if self._size + len(packed) > MAX_HISTORY:
            raise ServiceError(
                f"{title}: the calls between this invocation's steps have more than {MAX_HISTORY:,} bytes"
            )
        effects = self._work.effects()
        if effects:
            store(self._work.contents, self._tools.sessions)
        kept = self._kept(packed)
        told = self._tools.pool.take_so_far(self.request)
        if told.refused:
            raise ServiceError(f"{title}: {told.refused}")
        first = self.state.first_stretch
        stretch = Stretch(
            attempt=first.attempt if first is not None else self.state.attempt,
            clock_ms=self.clock_ms,
            seed=self.seed,
            calls=kept,
            size=len(packed),
            readings=told.readings[len(self.readings) :],
            made=dict(self._work.calls),
        )
        usage = Usage(clock_ms=self.clock_ms, duration_us=told.elapsed_ms * 1_000)
        logs = [LogLine(line.level, line.message, line.at_ms, line.line, line.fields) for line in told.logs]
        event = checkpoint(stretch, len(effects), usage, logs)
        asked = [Entry(effect, metadata_of(effect, self._metadata)) for effect in effects]
        wakes = self._tools.wakes(self.state) if isinstance(event, Suspended) else []
        entries = [*self.unrecorded, *asked, Entry(event, self._metadata)]
        if self._closed:
            raise ServiceError(f"{title}: the run has ended")
        self._pending = (self._tools.appender.append_later(entries, wakes=wakes), event, effects)
        self._settle()
        return self.conflict is None and self.exceeded is None

    def close(self) -> None:
        """The run has ended, and passes no further checkpoint.

        Wait until it is clear whether the last one is in the log: its call may have been given up meanwhile.
        """
        self._closed = True
        self._settle()

    def _settle(self) -> None:
        if self._pending is None:
            return
        append, event, effects = self._pending
        try:
            append.wait(None)
        except (StreamConflict, EffectRefused) as conflict:
            self.conflict, self.refused = conflict, effects
        except QuotaExceeded as exceeded:
            self.exceeded = exceeded
        except psycopg.Error:
            self._pending = None
            raise
        else:
            self.state = lifecycle.evolve(self.state, event)
            self.unrecorded = ()
            self.readings = [*self.readings, *event.stretch.readings]
            self._size += event.stretch.size
            offered = self._work.draft(FilesDraft).offered
            self._begin_stretch()
            self._work.draft(FilesDraft).offered = offered
            self._work.calls.update(event.stretch.made)
        self._pending = None

    def _kept(self, stretch: bytes) -> Content:
        packed = self._tools.privacy.record(self.state.requested.input, stretch)
        if len(packed) <= STRETCH_INLINE:
            return Content(base64=b64encode(packed).decode())
        with self._tools.sessions.session() as connection:
            return Content(sha256=put_content(connection, packed))

    # ------------------------------------------------------------------------------------------ messages

    def _came_late(self, wait: Suspended) -> WaitedFor | None:
        """A message that came before the time was over, but so shortly that nobody woke the run for it."""
        sessions = self._tools.sessions
        with sessions.session() as connection:
            stream = read_stream(connection, self.state.id, after=wait.originator_version - 1)
            began = stream[1].position
            looked_at = AuditFilter(
                app=self.state.requested.app,
                type=MessagePublished.__name__,
                after=max(stream[0].position, began - LATEST_EVENTS),
                before=began,
                newest_first=False,
                limit=1_000,
            )
            for recorded in read_audit(connection, looked_at):
                event = recorded.event
                if isinstance(event, MessagePublished) and matches(wait.topic, event.topic):
                    data = _data(unpack(event.data, sessions), event.content_type)
                    if fits(wait.filter, data if event.content_type == JSON else None):
                        at, key = sent_text(recorded.at), event.ordering_key
                        return WaitedFor(recorded.stream_id, event.topic, event.data, event.content_type, at, key)
        return None

    def _told(self, message: WaitedFor) -> dict[str, Any]:
        told = {
            "id": str(message.id),
            "topic": message.topic,
            "data": _data(unpack(message.data, self._tools.sessions), message.content_type),
            "sent_at": message.sent_at,
        }
        return told | {"ordering_key": message.ordering_key} if message.ordering_key else told


def past_of(state: Invocation, sessions: Sessions, privacy: Privacy) -> tuple[list[RecordedCall], list[int]]:
    """The calls of an invocation's runs up to the last checkpoint, and their readings of ``timestamp()``.

    Raises :class:`VaultError` if they are private and can't be opened here.
    """
    calls: list[RecordedCall] = []
    readings: list[int] = []
    for checkpoint in state.checkpoints:
        calls += unpacked_stretch(privacy.opened_record(unpack(checkpoint.stretch.calls, sessions)))
        readings += checkpoint.stretch.readings
    return calls, readings


def _asked(wait: Suspended) -> RecordedCall:
    """The call by which a run was suspended."""
    if wait.topic:
        return RecordedCall(SERVICE, "wait_for", [wait.topic, wait.filter, wait.asked])
    return RecordedCall(SERVICE, "sleep", [wait.asked])


def _data(body: bytes, content_type: str) -> Any:
    """A message's data as scripts get it."""
    try:
        if content_type == JSON:
            return json.loads(body) if body else None
        return body.decode()
    except ValueError:
        return body
