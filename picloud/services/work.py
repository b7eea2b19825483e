"""A run's unit of work: what it has read and what it will write, until its outcome decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast
from uuid import UUID

from picloud.domain.invocation import Requested

MAX_ASKED: Final = 1_000
"""So many runs and messages one run may ask for; a message counts as often as somebody gets it, and once if nobody."""


class ServiceError(Exception):
    """A service refuses a call; the message is the script's error, or what is ``thrown``, a plain value, if given."""

    def __init__(self, message: str, *, thrown: Any = None) -> None:
        super().__init__(message)
        self.thrown = thrown


@dataclass(frozen=True, slots=True)
class Withheld:
    """A service's answer that the script gets and no record keeps: a secret. ``kept`` is what a record may hold."""

    value: Any = field(repr=False)
    kept: Any = None


@dataclass(frozen=True, slots=True)
class Disguised:
    """A service's answer with a secret in it; the record keeps ``recorded``, which has something else in its place."""

    value: Any
    recorded: Any


@dataclass(frozen=True, slots=True)
class OutOfStore:
    """A service's answer that the script gets, and of which a record keeps the hash of the content that it is from."""

    value: Any
    sha256: str


class Draft(Protocol):
    """What a run has read and written of one service, until its outcome decides. Made with the app's name."""

    def __init__(self, app: str) -> None: ...

    def events(self) -> Sequence[Any]:
        """The events that make it true: behind the version that the run saw where it read, else with version 0."""


_Draft = TypeVar("_Draft", bound=Draft)


class OutsideAnswers:
    """What the world outside answered to a run, for the run that is made of it again: nothing is asked twice.

    Calls are told apart by service, function and arguments; equal ones are answered in their order.
    """

    __slots__ = ("_known", "_taken")

    def __init__(self) -> None:
        self._known: dict[bytes, list[Any]] = {}
        self._taken: dict[bytes, int] = {}

    def again(self) -> OutsideAnswers:
        """The same answers, none of them taken."""
        self._taken = {}
        return self

    def take(self, call: bytes) -> Any:
        """The next answer to that call. Raises :class:`LookupError` if there is none."""
        number = self._taken.get(call, 0)
        answer = self._known[call][number]
        self._taken[call] = number + 1
        return answer

    def keep(self, call: bytes, answer: Any) -> None:
        """Keep the answer to a call just made; an exception is one that refused it."""
        self._known.setdefault(call, []).append(answer)
        self._taken[call] = len(self._known[call])


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose run it is: the ``invocation``, the script as ``app/script`` and its version's number, the scripts that led
    to it (the first cause first), the root cause; when the run began, by its own clock, and when it must have ended
    (Unix time in milliseconds).

    ``attempt`` is for ids of what the run asks for: a run that was lost is done again under the same number, one behind
    a failure or a checkpoint has another.
    """

    invocation: UUID
    attempt: int
    title: str
    callers: tuple[str, ...]
    correlation_id: UUID
    clock_ms: int
    deadline_ms: int
    version: int = 0

    @property
    def chain(self) -> tuple[str, ...]:
        """The scripts that lead to whatever this run asks for: ``callers`` of that."""
        return (*self.callers, self.title)


@dataclass(slots=True)
class Work:
    """One attempt's reads and writes in one app.

    ``asked`` are further events that commit with the run's success, in order: requests for other runs, messages.
    ``contents`` are stored before that, since events name them by their hashes. ``messages`` counts them, and
    ``message_bytes`` their data, ``invoked`` the scripts that it invoked. ``interrupted`` tells that the database was
    lost under a call: whatever the run comes to rests on an answer that it didn't get. ``calls`` counts the calls of
    each service, whoever answered them, so that one has the same number when the run is made again.

    A run that is repeated because others got in its way is ``careful``: what is otherwise only looked at when it
    commits is looked at when it is called, so that the script is told. ``outside`` is what its first try was answered.
    """

    app: str
    caller: Caller
    careful: bool = False
    outside: OutsideAnswers = field(default_factory=OutsideAnswers)
    asked: list[Any] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    messages: int = 0
    message_bytes: int = 0
    invoked: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False
    _drafts: dict[type[Draft], Draft] = field(default_factory=dict, init=False)
    _counted: int = field(default=0, init=False)

    def draft(self, kind: type[_Draft]) -> _Draft:
        """The run's draft of one service, made when it is first asked for."""
        draft = self._drafts.get(kind)
        if draft is None:
            draft = self._drafts[kind] = kind(self.app)
        return cast(_Draft, draft)

    def effects(self) -> list[Any]:
        """The events that make true what the run did."""
        return [*(event for draft in self._drafts.values() for event in draft.events()), *self.asked]

    def ask(self, events: Sequence[Any], contents: Sequence[bytes] = ()) -> None:
        """Have ``events`` appended when the run succeeds, and ``contents`` stored.

        Raises :class:`ServiceError` if the run has asked for too much.
        """
        counted = self._counted + max(1, sum(isinstance(event, Requested) for event in events))
        if counted > MAX_ASKED:
            raise ServiceError(f"a run may ask for {MAX_ASKED:,} messages and other runs at most")
        self._counted = counted
        self.asked += events
        self.contents += contents
