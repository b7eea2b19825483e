"""Leadership: a session lock in PostgreSQL, waited for without polling, and given up when the session breaks."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Protocol

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.postgres.advisory import wait_for_end, wait_for_lock
from picloud.postgres.sessions import connect

LEADER_LOCK: Final = 7236274002

_log = structlog.get_logger(__name__)


class TermFailed(Exception):
    """What the leader does while it leads can't go on."""


class Term(Protocol):
    """What the leader does while it leads."""

    def start(self) -> None:
        """Begin all of it."""

    def stop(self) -> None:
        """End all of it; also what ``start`` began before it raised."""


class Leader:
    """Queues for the lock and leads, one term after the other.

    ``begin`` makes a term; it gets what the term is to call, with the reason, if it can't go on.
    """

    def __init__(self, dsn: str, begin: Callable[[Callable[[BaseException], None]], Term]) -> None:
        self._dsn = dsn
        self._begin = begin
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.leading = Signal()

    def start(self) -> gevent.Greenlet[[], None]:
        """Start queuing; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "leader"
        return self._greenlet

    def stop(self) -> None:
        """End the term if there is one, and leave the queue."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _run(self) -> None:
        delay = 0.1
        while True:
            try:
                with connect(self._dsn, purpose="leader") as session:
                    delay = 0.1
                    wait_for_lock(session, LEADER_LOCK)
                    self._lead(session)
            except (psycopg.OperationalError, OSError, TermFailed) as error:
                _log.warning("leader.interrupted", error=str(error).strip(), retry_in=round(delay, 2))
            gevent.sleep(delay * (0.5 + random.random()))
            delay = min(delay * 1.5, 5.0)

    def _lead(self, session: psycopg.Connection) -> None:
        _log.info("leader.elected")
        term = self._begin(self._term_failed)
        try:
            self.leading.set()
            term.start()
            wait_for_end(session)
        finally:
            self.leading.clear()
            term.stop()
            _log.info("leader.ended")

    def _term_failed(self, error: BaseException) -> None:
        if self.leading.is_set() and self._greenlet is not None:
            self.leading.clear()
            self._greenlet.kill(TermFailed(f"{type(error).__name__}: {error}"), block=False)
