"""How far the catalog has come, for those who wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from gevent.event import Event as Signal

from picloud.log.listener import CATALOG_CHANNEL, Listener
from picloud.postgres.sessions import Sessions
from picloud.projections.tracking import read_position

LOOK_SECONDS: Final = 1.0


class CatalogWatch:
    """Told by NOTIFY where the catalog is. A waiter also looks for itself once a second, in case it was not told.

    ``untold`` is called when that finds something new: what else goes by NOTIFY doesn't know of it yet.
    """

    def __init__(self, sessions: Sessions, listener: Listener, untold: Callable[[], None] = lambda: None) -> None:
        self._sessions = sessions
        self._untold = untold
        self._position = 0
        self._waiting: set[Signal] = set()
        listener.subscribe(CATALOG_CHANNEL, self._moved)

    def wait(self, position: int, timeout: float) -> bool:
        """Wait until the catalog has reached ``position``; False if it has not after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        signal = Signal()
        self._waiting.add(signal)
        try:
            while self._position < position:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                if not signal.wait(min(left, LOOK_SECONDS)):
                    self._look()
                signal.clear()
        finally:
            self._waiting.discard(signal)
        return True

    def _look(self) -> None:
        with self._sessions.session() as connection:
            position = read_position(connection, "catalog")
        if position > self._position:
            self._position = position
            self._untold()

    def _moved(self, payload: str | None) -> None:
        if payload is not None:
            self._position = max(self._position, int(payload.partition(" ")[0]))
        for signal in self._waiting:
            signal.set()
