"""A part of what the leader does: it sleeps until something may be to do, or until its next thing is due."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.log.appender import LogUnavailable
from picloud.postgres.sessions import OUTAGE

AFTER_OUTAGE_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class Part(ABC):
    """See the module. ``name`` is what people are told of it by."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._wake = Signal()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    @abstractmethod
    def work(self) -> float | None:
        """Do what is to do; return the seconds until there is more, None if that depends on others.

        What it raises for want of the database or the log makes it be called again shortly.
        """

    def start(self) -> gevent.Greenlet[[], None]:
        """Begin with what is to do now; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = self.name
        return self._greenlet

    def stop(self) -> None:
        """Leave what is half done; whoever leads next goes on from there."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def look(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = self.work()
            except (*OUTAGE, psycopg.Error, OSError, LogUnavailable) as error:
                _log.warning("part.database_lost", part=self.name, error=str(error).strip())
                gevent.sleep(AFTER_OUTAGE_SECONDS)
            else:
                self._wake.wait(pause)
