"""A run's unit of work: what it has read and what it will write, until its outcome decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from picloud.domain.invocation import Requested

MAX_ASKED: Final = 1_000
"""So many runs and messages one run may ask for; a message counts as often as somebody gets it, and once if nobody."""


class ServiceError(Exception):
    """A service refuses a call; the message is the script's error."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A service's answer that the script gets and no record keeps: a secret."""

    value: Any


@dataclass(frozen=True, slots=True)
class Seen:
    """A key as the run read it: JSON text or None, and the version of its stream (0: never written)."""

    value: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose run it is: the ``invocation`` and its ``attempt``, the script as ``app/script``, the scripts that led to it
    (the first cause first), the root cause, and when the run must have ended (Unix time in milliseconds).
    """

    invocation: UUID
    attempt: int
    title: str
    callers: tuple[str, ...]
    correlation_id: UUID
    deadline_ms: int

    @property
    def chain(self) -> tuple[str, ...]:
        """The scripts that lead to whatever this run asks for: ``callers`` of that."""
        return (*self.callers, self.title)


@dataclass(slots=True)
class Work:
    """One attempt's reads and writes in one app. A written value is JSON text, None for a deletion.

    ``asked`` are further events that commit with the run's success, in order: requests for other runs, messages.
    ``contents`` are stored before that, since events name them by their hashes. ``messages`` counts them, and
    ``message_bytes`` their data, ``invoked`` the scripts that it invoked. ``interrupted`` tells that the database was
    lost under a call: whatever the run comes to rests on an answer that it didn't get.
    """

    app: str
    caller: Caller
    seen: dict[str, Seen] = field(default_factory=dict)
    written: dict[str, str | None] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    messages: int = 0
    message_bytes: int = 0
    invoked: int = 0
    interrupted: bool = False
    _counted: int = field(default=0, init=False)

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
