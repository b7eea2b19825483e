"""The greenlet that keeps the projections up with the log. The manager's leader runs one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.log.listener import LOG_CHANNEL, Listener
from picloud.postgres.sessions import connect
from picloud.projections.folding import Folder
from picloud.projections.projection import Projection
from picloud.projections.tracking import revive

MERGE_SECONDS: Final = 0.015
"""So long after a page further wakes are merged into the next one: a page costs the same for one event as for fifty."""

_log = structlog.get_logger(__name__)


class Follower:
    """See the module. Subscribes to ``listener``, which must not have been started.

    ``on_changed`` is called with a projection's name after rows of it changed; it must not block.
    """

    def __init__(
        self,
        dsn: str,
        listener: Listener,
        projections: Sequence[Projection],
        *,
        on_changed: Callable[[str], None] | None = None,
    ) -> None:
        self._dsn = dsn
        self._folder = Folder(projections, on_changed=on_changed)
        self._wake = Signal()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        listener.subscribe(LOG_CHANNEL, self._woken)

    def start(self) -> gevent.Greenlet[[], None]:
        """Start following; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "follower"
        return self._greenlet

    def stop(self) -> None:
        """Stop at once; a page that wasn't committed is folded again by whoever follows next."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _woken(self, _payload: str | None) -> None:
        self._wake.set()

    def _run(self) -> None:
        delay = 0.1
        while True:
            try:
                with connect(self._dsn, purpose="follower") as connection:
                    delay = 0.1
                    self._follow(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                _log.warning("follower.database_lost", error=str(error).strip(), retry_in=round(delay, 2))
            gevent.sleep(delay * (0.5 + random.random()))
            delay = min(delay * 1.5, 0.5)

    def _follow(self, connection: psycopg.Connection) -> None:
        self._folder.forget()
        revive(connection)
        self._wake.set()
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._folder.step(connection):
                self._wake.set()
            gevent.sleep(MERGE_SECONDS)
