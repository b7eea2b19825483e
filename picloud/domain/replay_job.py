"""A replay job: ended invocations, chosen once, of which each is run again, in their order and at a rate.

Stream ``replay_job`` of app and name. The selection is frozen with the start: its ids are a content of the log, named
by its hash. What is asked for goes batch by batch, each batch in one commit with a ``ReplayJobAdvanced`` that says up
to where the selection has been dealt with. So the key on (stream, version) fences whole batches: of two leaders one
asks, a pause or an abort that is stored is the last word, and who takes over goes on at the very place.

States: ``running → paused → running → … → finishing → finished``, or ``aborted``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from picloud.domain.errors import Conflict, Invalid
from picloud.domain.invocation import Content
from picloud.domain.names import check_script_name, stream_id
from picloud.domain.rate import Rate

MOST_SELECTED: Final = 100_000
"""A selection is of so many at most: its ids are one content of 1.6 MB then."""
ID_BYTES: Final = 16

CURRENT: Final = "current"
ORIGINAL: Final = "original"


class JobState(StrEnum):
    """Where a job is. ``finishing``: all were asked for, some go on."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHING = "finishing"
    FINISHED = "finished"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """How the selection was chosen, for those who read of it later; None means any.

    ``source`` is ``dead_letters`` or ``invocations``; ``state`` is that of a dead letter, or of an ended invocation.
    """

    source: str = "dead_letters"
    script: str | None = None
    state: str | None = None
    trigger: str | None = None
    kind: str | None = None
    text: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """What becomes of each payload: ``body`` takes its place, or the JSON merge patch ``patch`` is laid over it."""

    body: Content | None = None
    patch: str | None = None


AS_IT_WAS: Final = Edit()


@dataclass(frozen=True, slots=True)
class Skip:
    """One of the selection was left out, and why."""

    invocation: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of a selection."""

    asked: int = 0
    skipped: int = 0
    succeeded: int = 0
    dead: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJobStarted:
    """From now on the ``count`` invocations of the ``selection`` (a content's SHA-256) are replayed.

    ``version`` is ``current``, ``original`` or a number.
    """

    originator_id: UUID
    originator_version: int
    app: str
    name: str
    chosen: Chosen
    selection: str
    count: int
    version: str = CURRENT
    edit: Edit = AS_IT_WAS
    rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJobAdvanced:
    """The first ``reached`` of the selection were dealt with: asked for in this commit or before, or skipped."""

    originator_id: UUID
    originator_version: int
    reached: int
    skipped: list[Skip] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJobPaused:
    """Nothing more is asked for until the job is resumed; what was asked for goes on."""

    originator_id: UUID
    originator_version: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJobResumed:
    """The job goes on where it was."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJobAborted:
    """Nothing more is asked for, ever; what was asked for goes on."""

    originator_id: UUID
    originator_version: int
    reason: str
    asked: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJobFinished:
    """Every replay that the job asked for has ended."""

    originator_id: UUID
    originator_version: int
    counts: Counts


ReplayJobEvent = (
    ReplayJobStarted | ReplayJobAdvanced | ReplayJobPaused | ReplayJobResumed | ReplayJobAborted | ReplayJobFinished
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJob:
    """A job's present state, folded from its events."""

    id: UUID
    version: int
    state: JobState
    started: ReplayJobStarted
    reached: int = 0
    skipped: int = 0

    @property
    def title(self) -> str:
        """``app/name``."""
        return f"{self.started.app}/{self.started.name}"

    @property
    def asked(self) -> int:
        """How many replays were asked for."""
        return self.reached - self.skipped


def job_id(app: str, name: str) -> UUID:
    """The stream of the job ``app/name``. A name is used once."""
    return stream_id("replay_job", app, name)


def replay_id(job: UUID, number: int) -> UUID:
    """The stream of the replay of the selection's member ``number``: asked for twice, it is one.

    A UUID of version 8 (RFC 9562) made of the job's and the number, so that the replays of one commit, which are due
    at the same time, sort as they were asked for.
    """
    value = job.int & ~0xFFFFFF | number
    return UUID(int=value & ~(0xF << 76) | 0x8 << 76)


def selection_content(invocations: list[UUID]) -> bytes:
    """The ids of a selection, in order, as they are stored: 16 bytes each."""
    return b"".join(invocation.bytes for invocation in invocations)


def selected(content: bytes, start: int, count: int) -> list[UUID]:
    """``count`` ids of a selection from number ``start`` on, fewer at its end."""
    part = content[start * ID_BYTES : (start + count) * ID_BYTES]
    return [UUID(bytes=part[at : at + ID_BYTES]) for at in range(0, len(part), ID_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOrder:
    """What is to be replayed how; see :class:`ReplayJobStarted`."""

    app: str
    name: str
    chosen: Chosen
    version: str = CURRENT
    edit: Edit = AS_IT_WAS
    rate: Rate | None = None

    def check(self) -> ReplayOrder:
        """Return it if it can be carried out. Raises :class:`Invalid`."""
        check_script_name(self.name, field="name")
        if self.version not in (CURRENT, ORIGINAL):
            if not self.version.isdigit() or len(self.version) > 9:
                raise Invalid(
                    f"{self.version!r} is no version: expected current, original or a number", field="version"
                )
            if self.chosen.script is None:
                raise Invalid(
                    f"version {self.version} is that of one script, but the selection is of all scripts",
                    field="version",
                    remedy="Say which script.",
                )
        if self.edit.body is not None and self.edit.patch is not None:
            raise Invalid(
                "a payload can get another body, or a patch, but not both", field="patch", remedy="Leave one out."
            )
        return self


def start(order: ReplayOrder, *, selection: str, count: int) -> ReplayJobStarted:
    """Begin a job. Raises :class:`Invalid` for an empty selection, or one that is too large."""
    order.check()
    if count == 0:
        raise Invalid("nothing is there to replay: no such invocation", field="filter", remedy="Look with a dry run.")
    check_size(count)
    return ReplayJobStarted(
        originator_id=job_id(order.app, order.name),
        originator_version=1,
        app=order.app,
        name=order.name,
        chosen=order.chosen,
        selection=selection,
        count=count,
        version=order.version,
        edit=order.edit,
        rate=order.rate,
    )


def check_size(count: int) -> None:
    """Raise :class:`Invalid` if a selection of ``count`` is too large for one job."""
    if count > MOST_SELECTED:
        raise Invalid(
            f"the selection is of {count:,}, and a job's of {MOST_SELECTED:,} at most",
            field="filter",
            remedy="Take it in parts, by since and until.",
        )


def evolve(state: ReplayJob | None, event: ReplayJobEvent) -> ReplayJob:
    """The state after ``event``."""
    if isinstance(event, ReplayJobStarted):
        return ReplayJob(id=event.originator_id, version=1, state=JobState.RUNNING, started=event)
    assert state is not None, "the first event of a replay job is ReplayJobStarted"
    now = replace(state, version=event.originator_version)
    match event:
        case ReplayJobAdvanced():
            done = event.reached == state.started.count
            return replace(
                now,
                state=JobState.FINISHING if done else state.state,
                reached=event.reached,
                skipped=state.skipped + len(event.skipped),
            )
        case ReplayJobPaused():
            return replace(now, state=JobState.PAUSED)
        case ReplayJobResumed():
            return replace(now, state=JobState.RUNNING)
        case ReplayJobAborted():
            return replace(now, state=JobState.ABORTED)
        case ReplayJobFinished():
            return replace(now, state=JobState.FINISHED)


def advance(state: ReplayJob, reached: int, skipped: list[Skip]) -> ReplayJobAdvanced:
    """Note what a batch dealt with. Raises :class:`Conflict` unless the job is running."""
    if state.state is not JobState.RUNNING:
        raise Conflict(f"{state.title} asks for nothing: it is {state.state}")
    return ReplayJobAdvanced(
        originator_id=state.id, originator_version=state.version + 1, reached=reached, skipped=skipped
    )


def pause(state: ReplayJob, note: str) -> ReplayJobPaused:
    """Ask for nothing more for now. Raises :class:`Conflict` unless the job is running."""
    if state.state is not JobState.RUNNING:
        raise Conflict(f"{state.title} can't be paused: it is {_told(state)}")
    return ReplayJobPaused(originator_id=state.id, originator_version=state.version + 1, note=note)


def resume(state: ReplayJob) -> ReplayJobResumed:
    """Go on. Raises :class:`Conflict` unless the job is paused."""
    if state.state is not JobState.PAUSED:
        raise Conflict(f"{state.title} can't be resumed: it is {_told(state)}")
    return ReplayJobResumed(originator_id=state.id, originator_version=state.version + 1)


def abort(state: ReplayJob, reason: str) -> ReplayJobAborted:
    """Ask for nothing more, ever. Raises :class:`Conflict` if there is nothing left to ask for."""
    if state.state not in (JobState.RUNNING, JobState.PAUSED):
        raise Conflict(
            f"{state.title} can't be aborted: it is {_told(state)}",
            remedy="What was asked for is called off by picloud cancel.",
        )
    return ReplayJobAborted(
        originator_id=state.id,
        originator_version=state.version + 1,
        reason=reason,
        asked=state.asked,
        skipped=state.skipped,
    )


def finish(state: ReplayJob, counts: Counts) -> ReplayJobFinished:
    """End a job whose replays have all ended. Raises :class:`Conflict` unless it was finishing."""
    if state.state is not JobState.FINISHING:
        raise Conflict(f"{state.title} can't be finished: it is {state.state}")
    return ReplayJobFinished(originator_id=state.id, originator_version=state.version + 1, counts=counts)


def _told(state: ReplayJob) -> str:
    return "finishing, all its replays were asked for" if state.state is JobState.FINISHING else str(state.state)
