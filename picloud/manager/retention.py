"""Dead letters are kept for a time and then purged; an event says so, and the projection deletes the rows.

The next purge is due when the oldest letter has had its time; until then this sleeps. Purges are apart by a small part
of that time at least, so that a stream of deaths doesn't become a stream of purges.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import gevent
import structlog
from gevent.event import Event as Signal

from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.retention import purge
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict
from picloud.postgres.sessions import OUTAGE, Sessions
from picloud.projections.letters import deaths, first_death

PARTS: Final = 720
"""Purges are so many parts of the retention apart: for 30 days an hour."""
LONGEST_SLEEP: Final = 3600.0
"""Seconds after which the clock is looked at again: somebody may have set it."""

_log = structlog.get_logger(__name__)


class Retention:
    """See the module. ``keep`` is how long; zero keeps for ever. Call ``look`` when something died."""

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        keep: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._appender = appender
        self._sessions = sessions
        self._keep = keep
        self._clock = clock
        # What died before then was purged: its rows are gone as soon as the projection comes to the event.
        self._purged = datetime.min.replace(tzinfo=UTC)
        self._wake = Signal()
        self._idle = False
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> gevent.Greenlet[[], None]:
        """Begin with what is past its time; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "retention"
        return self._greenlet

    def stop(self) -> None:
        """Purge nothing more."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def look(self) -> None:
        """There may be a first letter; what comes later is never due earlier."""
        if self._idle:
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            pause = self._look_and_purge() if self._keep else None
            self._wake.wait(pause)

    def _look_and_purge(self) -> float | None:
        """Purge what is due, and return the seconds until the next is; None if there is no letter."""
        while True:
            # From here on a death that isn't seen yet has to wake this again.
            self._idle = True
            try:
                before = self._clock() - self._keep
                self._purge(before)
                with self._sessions.session() as connection:
                    oldest = first_death(connection, before)
            except (*OUTAGE, LogUnavailable) as error:
                _log.warning("retention.database_lost", error=str(error).strip())
                gevent.sleep(0.5)
                continue
            if oldest is None:
                return None
            self._idle = False
            due = max((oldest - before).total_seconds(), self._keep.total_seconds() / PARTS)
            return min(due, LONGEST_SLEEP)

    def _purge(self, before: datetime) -> None:
        with self._sessions.session() as connection:
            found = deaths(connection, since=self._purged, before=before)
        for app, count in found.items():
            event = purge(app, before=before, count=count)
            try:
                self._appender.append([Entry(event, Metadata(app, SYSTEM, event.originator_id, event.originator_id))])
            except StreamConflict:
                continue
            _log.info("dead_letters.purged", app=app, count=count, before=before.isoformat())
        self._purged = before
