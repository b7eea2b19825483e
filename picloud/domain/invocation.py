"""An invocation: one request to run a script, from its acceptance to its one outcome.

States: ``pending → running → succeeded | retrying → running … | suspended → running … | dead | cancelled``. A run may
pass checkpoints (a durable step, a long sleep, a wait for a message): what it did up to one is committed, and a further
run goes on behind it. What follows from a state is in :mod:`picloud.domain.lifecycle`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from picloud.domain.flow import Flow

MAX_DEPTH: Final = 16
MAX_LOSSES: Final = 3
"""So many times a run that was lost with its executor or node is taken up again before the invocation dies. A
checkpoint begins the count anew: it is progress."""
MAX_CHECKPOINTS: Final = 1_000
"""Steps, sleeps and waits of one invocation."""
_PARTS: Final = 10_000
"""More than an invocation has failures."""


class State(StrEnum):
    """Where an invocation is."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    SUSPENDED = "suspended"
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({State.SUCCEEDED, State.DEAD, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes as the log keeps them: as ``text`` if they are UTF-8, else as ``base64``; large ones by ``sha256``.

    At most one is set; none means no bytes.
    """

    text: str | None = None
    base64: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class HttpInput:
    """A request to a script's endpoint: ``params`` of the path; of ``query`` and ``headers`` the last of each name.

    On a private route query, headers and body are ``sealed`` as one, and empty here.
    """

    method: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: Content
    sealed: Content | None = None


NO_REQUEST: Final = HttpInput("", "", {}, {}, {}, Content())
"""The request of an invocation that none asked for: it has an event."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who called, as the route found out: by which ``kind`` of proof, and the ``name`` of the key, user, secret or
    subject; ``claims`` are those of a token."""

    kind: str
    name: str
    claims: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventInput:
    """What a trigger that is no route hands to the script, who finds it as ``ctx.event``.

    ``attributes`` say what happened (``due`` of a tick, ``topic`` of a message, …); ``data`` is the payload, JSON
    unless ``content_type`` says otherwise, and nothing if there is none.
    """

    attributes: dict[str, str] = field(default_factory=dict)
    data: Content = Content()
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What asked for the run: ``kind`` (``http``, ``api``) and its ``name`` (the route's pattern, the token)."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed run is tried again. Delays are in milliseconds, exponential with full jitter.

    ``attempts`` counts runs that ended in an error of the script; lost runs are counted apart (MAX_LOSSES).
    With ``delays_ms`` these are waited exactly, one after the other, the last again and again. With ``retry_on`` only
    errors of these kinds are tried again. ``deadline_ms`` is the longest from the request to the start of a run; 0 is
    none.
    """

    attempts: int = 1
    first_delay_ms: int = 1_000
    factor: float = 2.0
    max_delay_ms: int = 300_000
    delays_ms: tuple[int, ...] = ()
    retry_on: tuple[str, ...] = ()
    deadline_ms: int = 0

    def delay(self, failed: int, random: float) -> timedelta:
        """How long to wait after the ``failed``-th failure; ``random`` is uniform in [0, 1)."""
        if self.delays_ms:
            return timedelta(milliseconds=self.delays_ms[min(failed, len(self.delays_ms)) - 1])
        ceiling = min(self.max_delay_ms, self.first_delay_ms * self.factor ** (failed - 1))
        return timedelta(milliseconds=ceiling * random)


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a run may use, where its trigger says less than the node: milliseconds of wall time, operations; 0 says
    nothing.
    """

    wall_ms: int = 0
    operations: int = 0


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed. ``line`` and ``column`` are 0 where there is no place; ``call_stack`` is innermost first."""

    kind: str
    message: str
    line: int = 0
    column: int = 0
    call_stack: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the script printed or logged. ``at_ms`` is milliseconds since the run began."""

    level: str
    message: str
    at_ms: int
    line: int = 0
    fields: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The script's answer, shaped as an HTTP response whatever the trigger was.

    On a private route headers and body are ``sealed`` as one, and empty here.
    """

    status: int
    headers: list[tuple[str, str]]
    body: Content
    sealed: Content | None = None


@dataclass(frozen=True, slots=True)
class FileBody:
    """The content of a file, as an answer's body: its hash and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run cost: ``duration_us`` of wall time, ``cpu_us`` of computing, ``operations`` of the script.

    ``clock_ms`` is the run's clock at its start (Unix time), so that a replay can be shown the same time.
    """

    clock_ms: int = 0
    duration_us: int = 0
    cpu_us: int = 0
    operations: int = 0


NOTHING_USED: Final = Usage()


@dataclass(frozen=True, slots=True)
class SecretRead:
    """A secret that a run read, in which version and how often."""

    name: str
    number: int
    reads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a run up to a checkpoint, as it has to be repeated.

    ``made`` counts the calls of each service up to its end, those inside of steps too.

    ``attempt``, ``clock_ms`` and ``seed`` are those of the run that made the first checkpoint: every further run of the
    script begins with them. ``calls`` are the calls of services since the checkpoint before, of ``size`` bytes
    (``orchestrator/journal.py``); ``readings`` are those of ``timestamp()``.
    """

    attempt: int
    clock_ms: int
    seed: int
    calls: Content
    size: int
    readings: list[int] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """The invocation was accepted; a run is due at once, or at ``due``.

    ``number`` and ``sha256`` say which version of the script is to run. ``owner`` is the inbox of the process whose
    client waits for the answer, if one does. Who asks again under an ``idempotency_key`` meets this invocation.
    What has an ``event`` has no request for ``input``. No run starts at ``expires`` or later. ``flow`` is what it waits
    for beside its due time, under the ``ordering_key`` that people know. ``callers`` are the scripts (app/script) whose
    runs led here, the first cause first; ``depth`` counts them. ``auth`` is who called, if the route asks for that.
    """

    originator_id: UUID
    originator_version: int
    app: str
    script: str
    number: int
    sha256: str
    trigger: Trigger
    input: HttpInput = NO_REQUEST
    due: datetime | None = None
    retry: RetryPolicy = RetryPolicy()
    owner: UUID | None = None
    replay_of: UUID | None = None
    depth: int = 0
    idempotency_key: str | None = None
    event: EventInput | None = None
    limits: RunLimits = RunLimits()
    expires: datetime | None = None
    flow: Flow | None = None
    ordering_key: str = ""
    callers: tuple[str, ...] = ()
    auth: Authenticated | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A node took the invocation up; in one run with others that have the same ``batch``, if there is one."""

    originator_id: UUID
    originator_version: int
    attempt: int
    node: UUID
    batch: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """A run ended without an answer. ``lost`` tells that its executor or node died; ``retry_at`` is None at the end.

    ``journal`` is what services answered to the run (``orchestrator/journal.py``), if that was kept. ``secrets`` are
    those that it read.
    """

    originator_id: UUID
    originator_version: int
    attempt: int
    error: RunError
    lost: bool = False
    retry_at: datetime | None = None
    usage: Usage = Usage()
    logs: list[LogLine] = field(default_factory=list)
    journal: Content | None = None
    secrets: list[SecretRead] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted:
    """A durable step is done; what the run did so far is in the same commit, and no further run does it again.

    ``number`` counts the invocation's checkpoints from 1. The step's value is among the calls of the stretch. The step
    itself took ``duration_us``; ``usage`` is that of the run up to here, as far as it is known; ``secrets`` are those
    that it read since the checkpoint before.
    """

    originator_id: UUID
    originator_version: int
    attempt: int
    name: str
    number: int
    stretch: Stretch
    duration_us: int = 0
    effects: int = 0
    usage: Usage = Usage()
    logs: list[LogLine] = field(default_factory=list)
    secrets: list[SecretRead] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """The run ended to go on ``until`` then, or when a message comes whose topic fits ``topic`` and whose data
    ``filter``; without a topic it only sleeps. What it did so far is in the same commit.

    ``asked`` is for how long, in the script's words: the next run must ask the same.
    """

    originator_id: UUID
    originator_version: int
    attempt: int
    number: int
    until: datetime
    asked: str
    stretch: Stretch
    topic: str = ""
    filter: dict[str, object] = field(default_factory=dict)
    effects: int = 0
    usage: Usage = Usage()
    logs: list[LogLine] = field(default_factory=list)
    secrets: list[SecretRead] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WaitedFor:
    """The message that a run waited for: ``sent_at`` as scripts see times."""

    id: UUID
    topic: str
    data: Content
    content_type: str
    sent_at: str
    ordering_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The message that the suspended run of that ``attempt`` waits for came: it goes on at once."""

    originator_id: UUID
    originator_version: int
    attempt: int
    message: WaitedFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """A run ended with an answer, and its effects, if any, are in the same commit.

    ``journal`` is what services answered to it, if that is kept of such runs too. ``secrets`` are those that it read.
    An answer with a ``file`` has no other body.
    """

    originator_id: UUID
    originator_version: int
    attempt: int
    reply: Reply
    thrown: bool = False
    effects: int = 0
    usage: Usage = Usage()
    logs: list[LogLine] = field(default_factory=list)
    journal: Content | None = None
    secrets: list[SecretRead] = field(default_factory=list)
    file: FileBody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered:
    """No attempt is left. The input and every attempt's error stay readable and can be replayed."""

    originator_id: UUID
    originator_version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Somebody called the invocation off before it ended."""

    originator_id: UUID
    originator_version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A new invocation was made from this one's input."""

    originator_id: UUID
    originator_version: int
    invocation: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """Somebody gave a dead invocation up: nobody need look at it any more."""

    originator_id: UUID
    originator_version: int
    reason: str


Checkpoint = StepCompleted | Suspended
InvocationEvent = (
    Requested
    | Started
    | Checkpoint
    | Resumed
    | AttemptFailed
    | Succeeded
    | DeadLettered
    | Cancelled
    | Replayed
    | Discarded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """An invocation's present state, folded from its events."""

    id: UUID
    version: int
    state: State
    requested: Requested
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    node: UUID | None = None
    discarded: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()
    waited_for: WaitedFor | None = None
    """The message that ended the wait which the last checkpoint is."""

    @property
    def ended(self) -> bool:
        """Whether no further run will come."""
        return self.state in ENDED

    @property
    def first_stretch(self) -> Stretch | None:
        """What every further run begins with; None before the first checkpoint."""
        return self.checkpoints[0].stretch if self.checkpoints else None

    @property
    def suspension(self) -> Suspended | None:
        """The sleep or wait behind which the next run goes on; None if the last checkpoint isn't one."""
        last = self.checkpoints[-1] if self.checkpoints else None
        return last if isinstance(last, Suspended) else None

    @property
    def part(self) -> int:
        """A number for what the next run does behind the last checkpoint: the same if that is lost and done again,
        another one behind a further checkpoint or a failure."""
        return self.failures + 1 + len(self.checkpoints) * _PARTS

    @property
    def expires(self) -> datetime | None:
        """When no run starts any more. What has passed a checkpoint has begun in time."""
        return None if self.checkpoints else self.requested.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a run is suspended for: ``asked`` is the time in the script's words, ``topic`` empty for a sleep."""

    until: datetime
    asked: str
    topic: str = ""
    filter: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How the running attempt ended badly; ``lost`` if its executor or node died under it, ``final`` if no further run
    could do better.
    """

    error: RunError
    lost: bool = False
    final: bool = False
    usage: Usage = Usage()
    logs: list[LogLine] = field(default_factory=list)
    journal: Content | None = None
    secrets: list[SecretRead] = field(default_factory=list)
