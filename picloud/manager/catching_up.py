"""Waiting for a projection to reach what is the log's head now: a leader decides on nothing older."""

from __future__ import annotations

from gevent.event import Event as Signal

from picloud.log.listener import Listener
from picloud.log.reader import read_head
from picloud.postgres.sessions import Sessions
from picloud.projections.tracking import read_position

LOOK_SECONDS = 0.5


class CatchingUp:
    """One projection's progress, told by NOTIFY; make it before the listener starts."""

    def __init__(self, projection: str, *, sessions: Sessions, listener: Listener) -> None:
        self._projection = projection
        self._sessions = sessions
        self._moved = Signal()
        listener.subscribe(f"picloud_{projection}", lambda _payload: self._moved.set())

    def wait(self) -> None:
        """Return when the projection has reached what was the head at the call. Raises :class:`psycopg.Error`."""
        with self._sessions.session() as connection:
            head = read_head(connection)
        while True:
            self._moved.clear()
            with self._sessions.session() as connection:
                if read_position(connection, self._projection) >= head:
                    return
            self._moved.wait(LOOK_SECONDS)
