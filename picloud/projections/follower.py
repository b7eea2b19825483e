"""The greenlet that keeps the projections up with the log. The manager's leader runs one.

While events keep coming it looks again after a pause; only when it finds none it listens and sleeps. So a busy log,
which would wake it at each commit, wakes it a few dozen times a second, and a quiet one not at all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import gevent
import psycopg
import structlog
from gevent.lock import BoundedSemaphore
from gevent.socket import wait_read

from picloud.log.listener import LOG_CHANNEL, SAFETY_SECONDS
from picloud.postgres.sessions import OUTAGE, connect
from picloud.projections.folding import Folder, prepare_session
from picloud.projections.projection import Projection
from picloud.projections.tracking import revive

STOP_SECONDS: Final = 3.0
SHORTEST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.06
PAUSES_PER_PAGE: Final = 9
"""After a page the follower pauses for nine times as long as the page took, within these bounds (seconds).

What comes in between is merged into the next page, which costs little more for fifty events than for one. So following
takes a tenth of a core at most while requests want it, and a lone event is followed at once.
"""

_LISTEN: Final = f"LISTEN {LOG_CHANNEL}".encode()
_UNLISTEN: Final = f"UNLISTEN {LOG_CHANNEL}".encode()

_log = structlog.get_logger(__name__)


class Follower:
    """See the module. ``on_changed`` is called with a projection's name after rows of it changed; it must not block."""

    def __init__(
        self,
        dsn: str,
        projections: Sequence[Projection],
        *,
        on_changed: Callable[[str], None] | None = None,
    ) -> None:
        self._dsn = dsn
        self._folder = Folder(projections, on_changed=on_changed)
        self._at_work = BoundedSemaphore(1)
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> gevent.Greenlet[[], None]:
        """Start following; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "follower"
        return self._greenlet

    def stop(self) -> None:
        """Stop after the page in hand; a database that doesn't answer is waited for so long, then left alone."""
        if self._greenlet is None:
            return
        # In the middle of a pipeline the session could wait for ever for answers that it has lost count of.
        self._at_work.acquire(timeout=STOP_SECONDS)
        self._greenlet.kill(timeout=STOP_SECONDS)

    def look_again(self) -> None:
        """Have it find out anew which projections there are to follow: one that was outdated may be so no more."""
        self._folder.forget()

    def _run(self) -> None:
        delay = 0.1
        while True:
            try:
                with connect(self._dsn, purpose="follower") as connection:
                    delay = 0.1
                    self._follow(connection)
            except (*OUTAGE, OSError) as error:
                _log.warning("follower.database_lost", error=str(error).strip(), retry_in=round(delay, 2))
            gevent.sleep(delay * (0.5 + random.random()))
            delay = min(delay * 1.5, 0.5)

    def _follow(self, connection: psycopg.Connection) -> None:
        prepare_session(connection)
        revive(connection)
        self._folder.forget()
        while True:
            self._catch_up(connection)
            with self._at_work:
                connection.execute(_LISTEN)
                # What was appended since the last look, and before we listened, nobody will tell us.
                caught_up = self._folder.step(connection) == 0
            if caught_up:
                _sleep(connection)
            with self._at_work:
                connection.execute(_UNLISTEN)

    def _catch_up(self, connection: psycopg.Connection) -> None:
        """Fold page after page until there is nothing to fold."""
        while True:
            began = time.monotonic()
            with self._at_work:
                folded = self._folder.step(connection)
            if folded == 0:
                return
            if not self._folder.behind:
                pause = PAUSES_PER_PAGE * (time.monotonic() - began)
                gevent.sleep(min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE))


def _sleep(connection: psycopg.Connection) -> None:
    """Sleep until something is appended; for safety, a minute at most."""
    # A notification that came with the last answer is in the client already, and makes no socket readable.
    if not any(True for _ in connection.notifies(timeout=0)):
        try:
            wait_read(connection.fileno(), timeout=SAFETY_SECONDS * (0.9 + 0.2 * random.random()))
        except TimeoutError:
            return
        for _ in connection.notifies(timeout=0):
            pass
