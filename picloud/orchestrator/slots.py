"""How many runs a node takes on at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent.event import Event as Signal


class Slots:
    """A count of free places. ``on_free`` is called after each release; it must not block.

    ``busy`` tells how many runs of each app go on here.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.taken = 0
        self.busy: Counter[str] = Counter()
        self.on_free: Callable[[], None] = lambda: None
        self._empty = Signal()
        self._empty.set()

    @property
    def free(self) -> int:
        """How many more runs may begin."""
        return self.capacity - self.taken

    def take(self) -> bool:
        """Take a place if one is free."""
        if self.taken >= self.capacity:
            return False
        self.taken += 1
        self._empty.clear()
        return True

    def take_anyway(self, places: int) -> None:
        """Take places for what has been claimed already, free or not."""
        if places:
            self.taken += places
            self._empty.clear()

    def release(self) -> None:
        """Give a place back."""
        self.taken -= 1
        if self.taken == 0:
            self._empty.set()
        self.on_free()

    @contextmanager
    def kept_by(self, app: str) -> Iterator[None]:
        """Use a place that was taken before for a run of ``app``, and give it back at the end of the block."""
        self.busy[app] += 1
        try:
            yield
        finally:
            self.busy[app] -= 1
            if not self.busy[app]:
                del self.busy[app]
            self.release()

    def wait_empty(self, timeout: float) -> bool:
        """Wait until nothing runs, ``timeout`` seconds at most; False if something still does."""
        return bool(self._empty.wait(timeout))
