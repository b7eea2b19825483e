"""Turns at keys: runs that collided on a key are repeated one after the other, not all against all.

Only a matter of speed: what keeps two runs from overwriting each other is the log. A run takes turns once it has
collided; within one process, that makes a hot key cost one repeat per run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import UUID

from gevent.lock import BoundedSemaphore


class Turns:
    """See the module."""

    def __init__(self) -> None:
        self._locks: dict[UUID, tuple[BoundedSemaphore, int]] = {}

    @contextmanager
    def at(self, streams: Iterable[UUID]) -> Iterator[None]:
        """Wait for the turn at all of the streams, and keep it until the end of the block."""
        with ExitStack() as stack:
            # In one order for everyone, so that no two wait for each other.
            for stream in sorted(set(streams)):
                stack.enter_context(self._at(stream))
            yield

    @contextmanager
    def _at(self, stream: UUID) -> Iterator[None]:
        lock, users = self._locks.get(stream, (BoundedSemaphore(1), 0))
        self._locks[stream] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            users = self._locks[stream][1]
            if users == 1:
                del self._locks[stream]
            else:
                self._locks[stream] = lock, users - 1
