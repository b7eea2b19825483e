"""Content of files that nobody needs any more is taken away: what was overwritten or deleted long ago, and what is left
of uploads that broke off with the process that took them in.

Looked at once an hour: nothing waits for it, and what is too old by an hour does no harm.
"""

from __future__ import annotations

from typing import Final

import gevent
import structlog

from picloud.log.blobs import give_up, sweep
from picloud.postgres.sessions import OUTAGE, Sessions

PAUSE_SECONDS: Final = 3_600.0
BROKEN_OFF_SECONDS: Final = 86_400.0
"""So long nothing comes for an upload until it counts as broken off, and content given up can still be read to its
end."""

_log = structlog.get_logger(__name__)


class Sweeping:
    """See the module. ``days`` is how long content is kept that no file names; 0 keeps it for ever."""

    def __init__(self, *, sessions: Sessions, days: int) -> None:
        self._sessions = sessions
        self._days = days
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> gevent.Greenlet[[], None]:
        """Begin with what is due; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "sweeping"
        return self._greenlet

    def stop(self) -> None:
        """Take nothing more away."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def look(self, *, broken_off_seconds: float = BROKEN_OFF_SECONDS) -> tuple[int, int]:
        """Give up what has had its time, and take away what has no name; return how many of each."""
        given_up = 0
        if self._days:
            with self._sessions.session() as connection:
                given_up = give_up(connection, self._days)
        swept = sweep(self._sessions, seconds=broken_off_seconds)
        if given_up or swept:
            _log.info("contents.swept", given_up=given_up, swept=swept)
        return given_up, swept

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except OUTAGE as error:
                _log.warning("sweeping.database_lost", error=str(error).strip())
            gevent.sleep(PAUSE_SECONDS)
