"""The parent's side: executor children, runs handed to the one with most room, results handed to who waits.

One io watcher per child reads frames in the hub and switches straight into the greenlet that waits for the run, so a
run costs no greenlet of its own. Frames to a child are gathered for one turn of the loop and sent by one call.
Nothing wakes while nothing runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picloud.executor.protocol import LogLine, Result, RunRequest

Door = Callable[[RunRequest, str, str, list[Any]], Any]
"""``door(request, service, function, args)`` answers a service call; it runs in a greenlet of its own and may block.

What it raises as :class:`ServiceError` is told to the script; anything else is told as an internal error.
"""


class ServiceError(Exception):
    """A service refuses a call; the message is the script's error."""


class ExecutorDied(Exception):
    """The child of a run is gone, and the run with it: nothing of it was committed, it can be run again.

    ``kind`` is ``crashed``, ``stuck``, ``memory`` or ``stopped``; ``logs`` is what the script had printed by then.
    """

    def __init__(self, kind: str, reason: str, logs: list[LogLine]) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.logs = logs


class ExecutorPool:
    """Some executor children. Make it after the process's last fork, in a process that gevent has patched."""

    def __init__(
        self, door: Door, *, executors: int = 1, runs: int = 16, memory_mb: int = 256
    ) -> None:
        """``runs`` is how many runs one child takes at a time, ``memory_mb`` what it may use beyond its start."""

    def start(self) -> None:
        """Start the children and return when each is ready. Raises :class:`ExecutorDied` if one can't start."""
        raise NotImplementedError

    def stop(self, deadline: float = 5.0) -> None:
        """Wait up to ``deadline`` seconds for the runs in flight, then end the children and what still runs."""
        raise NotImplementedError

    def room(self) -> int:
        """How many more runs the pool takes now."""
        raise NotImplementedError

    def run(self, request: RunRequest) -> Result:
        """Run a script; the calling greenlet sleeps until its end. Raises :class:`ExecutorDied`.

        If the greenlet is killed meanwhile, the run is cancelled. With no room the run waits for some.
        """
        raise NotImplementedError

    def cancel(self, invocation: str, why: str) -> bool:
        """End the run of this invocation with the error ``Cancelled``. False if it isn't running here."""
        raise NotImplementedError

    def features(self) -> dict[str, bool]:
        """Which parts of the cage are in force, as the children said."""
        raise NotImplementedError
