"""The parent's side: some executors, each run handed to the one with most room.

An executor whose run misses its hard deadline, that breaks the protocol or that dies is replaced at once; its runs end
with :class:`ExecutorDied`, and can be run again, since nothing of them was committed. Nothing wakes while nothing runs.
"""

from __future__ import annotations

from time import monotonic

from gevent.event import Event

from picloud.executor.executor import START_SECONDS, Door, Executor, ExecutorDied, ServiceError
from picloud.executor.protocol import Result, RunRequest, SoFar

__all__ = ["Door", "ExecutorDied", "ExecutorPool", "ServiceError"]


class ExecutorPool:
    """Some executor children. Make it after the process's last fork, in a process that gevent has patched."""

    def __init__(self, door: Door, *, executors: int = 1, runs: int = 16, memory_mb: int = 256) -> None:
        """``runs`` is how many runs one child takes at a time, ``memory_mb`` what it may use beyond its start."""
        self._freed = Event()
        self._executors = [
            Executor(door, runs=runs, memory_mb=memory_mb, freed=self._freed.set) for _ in range(executors)
        ]
        self._stopping = False

    def start(self) -> None:
        """Start the children and return when each is ready. Raises :class:`ExecutorDied` if one can't start."""
        for executor in self._executors:
            executor.start()
        for executor in self._executors:
            executor.settled.wait(START_SECONDS)
            if not executor.ready:
                trouble = executor.trouble or "it says nothing"
                self.stop(0)
                raise ExecutorDied("crashed", f"an executor can't start: {trouble}")

    def stop(self, deadline: float = 5.0) -> None:
        """Wait up to ``deadline`` seconds for the runs in flight, then end the children and what still runs."""
        self._stopping = True
        self._freed.set()
        end = monotonic() + deadline
        for executor in self._executors:
            executor.drain(end - monotonic())
        for executor in self._executors:
            executor.stop()

    def room(self) -> int:
        """How many more runs the pool takes now."""
        return 0 if self._stopping else sum(executor.room for executor in self._executors)

    def run(self, request: RunRequest) -> Result:
        """Run a script; the calling greenlet sleeps until its end. Raises :class:`ExecutorDied`.

        If the greenlet is killed meanwhile, the run is cancelled. With no room the run waits for some, unless it is
        nested: the run that waits for it takes up room already, and might never end otherwise.
        """
        while not self._stopping:
            executor = max(self._executors, key=_room)
            if executor.room > 0:
                return executor.run(request)
            if request.nested and (ready := [each for each in self._executors if each.ready]):
                return max(ready, key=_room).run(request)
            self._freed.clear()
            self._freed.wait()
        raise ExecutorDied("stopped", "the executors are being stopped")

    def cancel(self, invocation: str, why: str) -> bool:
        """End the run of this invocation with the error ``Cancelled``. False if it isn't running here."""
        found = [executor.cancel(invocation, why) for executor in self._executors]
        return any(found)

    def take_so_far(self, request: RunRequest) -> SoFar:
        """What the run has told before a checkpoint; the lines are given once."""
        for executor in self._executors:
            told = executor.take_so_far(request)
            if told is not None:
                return told
        return SoFar()

    def features(self) -> dict[str, bool]:
        """Which parts of the cage are in force in every child, as they said; empty before the first is ready."""
        said = [executor.features for executor in self._executors if executor.features]
        return {name: all(features[name] for features in said) for name in said[0]} if said else {}

    def pids(self) -> list[int]:
        """The process ids of the children that live."""
        return [executor.pid for executor in self._executors if executor.pid is not None]


def _room(executor: Executor) -> int:
    return executor.room
