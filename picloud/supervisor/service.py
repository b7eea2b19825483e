"""One long-lived child and its restarts."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Final

from picloud.process import Child

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
GOOD_LIFE: Final = 30.0


class Service:
    """Keeps the child that ``start`` makes alive.

    After a death the next start is due ``FIRST_PAUSE`` seconds later, then twice as long each time up to
    ``LONGEST_PAUSE``; a life of ``GOOD_LIFE`` seconds begins anew.
    """

    def __init__(self, name: str, start: Callable[[], Child]) -> None:
        self.name: Final = name
        self.child: Child | None = None
        self.due: float | None = None
        """When the next start is due, on the monotonic clock; None while it runs or isn't wanted."""
        self._start = start
        self._pause = FIRST_PAUSE

    def start(self) -> None:
        """Start it. What the start raises counts as a death, and is raised."""
        self.due = None
        try:
            self.child = self._start()
        except BaseException:
            self._plan()
            raise

    def died(self) -> int | None:
        """The exit status if it has died since the last call, with the next start planned; else None.

        What the dead one left of its process group is killed: a worker without its master holds the port.
        """
        if self.child is None or (status := self.child.poll()) is None:
            return None
        self.child.send_group(signal.SIGKILL)
        if time.monotonic() - self.child.started >= GOOD_LIFE:
            self._pause = FIRST_PAUSE
        self.child = None
        self._plan()
        return status

    def is_due(self) -> bool:
        """Whether it is time to start it again."""
        return self.due is not None and self.due <= time.monotonic()

    def pause(self) -> float:
        """Seconds until the next start."""
        return 0.0 if self.due is None else max(0.0, self.due - time.monotonic())

    def _plan(self) -> None:
        self.due = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


def ending(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"
