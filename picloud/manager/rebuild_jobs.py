"""Rebuilds that were asked for, done one after the other, each in a process of its own.

What the log knows (asked for, ended) decides what is to be done; how far the work has come is kept in
``projections.progress``. So a leader that takes over from a dead one begins the open rebuild anew, or, if only the end
was not recorded yet, records it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import gevent
import structlog
from gevent.event import Event as Signal
from gevent.socket import wait_read

from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.rebuild import RebuildFailed, RebuildFinished, RebuildRequested
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict
from picloud.log.ids import new_id
from picloud.log.reader import read_first_events
from picloud.postgres.sessions import OUTAGE, Sessions
from picloud.process import Child
from picloud.projections.installation import PROJECTIONS
from picloud.projections.progress import Phase, Progress, forget, read_progress, rebuild_status
from picloud.projections.rebuild import clean_up
from picloud.projections.rebuilds import open_rebuilds
from picloud.projections.tracking import read_tracking

MAX_DEATHS: Final = 3
"""A rebuild whose process died so often under one leader counts as failed."""
STOP_SECONDS: Final = 3.0

_log = structlog.get_logger(__name__)


class RebuildJobs:
    """See the module. ``environment`` is what the rebuilding process gets. Call ``look`` when one was asked for."""

    def __init__(self, dsn: str, *, appender: Appender, sessions: Sessions, environment: Mapping[str, str]) -> None:
        self._dsn = dsn
        self._appender = appender
        self._sessions = sessions
        self._environment = environment
        self._wake = Signal()
        self._own: list[UUID] = []
        self._deaths: Counter[UUID] = Counter()
        self._child: Child | None = None
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> gevent.Greenlet[[], None]:
        """Begin with what is open; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "rebuild jobs"
        return self._greenlet

    def stop(self) -> None:
        """End the rebuild that goes on, if one does; whoever leads next begins it anew."""
        if self._greenlet is not None:
            self._greenlet.kill()
        child, self._child = self._child, None
        if child is None:
            return
        child.send(signal.SIGTERM)
        if not child.wait(STOP_SECONDS):
            child.send(signal.SIGKILL)
            child.wait(STOP_SECONDS)

    def look(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def _run(self) -> None:
        self._again_after_outages(self._take_over)
        while True:
            self._again_after_outages(self._do_all)
            self._wake.wait()
            self._wake.clear()

    def _again_after_outages(self, act: Callable[[], None]) -> None:
        while True:
            try:
                act()
            except (*OUTAGE, LogUnavailable) as error:
                _log.warning("rebuild_jobs.database_lost", error=str(error).strip())
                gevent.sleep(0.5)
            else:
                return

    def _take_over(self) -> None:
        """Remove what a killed rebuild left, and ask for the rebuilds that this version of the code needs."""
        for kind in PROJECTIONS.values():
            clean_up(self._dsn, kind)
        with self._sessions.session() as connection:
            tracking = read_tracking(connection)
        for name, kind in PROJECTIONS.items():
            tracked = tracking.get(name)
            if tracked is not None and tracked.version < kind.version:
                _log.info("projection.outdated", projection=name, version=tracked.version, needed=kind.version)
                self._own.append(self._request(name))

    def _request(self, projection: str) -> UUID:
        rebuild = new_id()
        event = RebuildRequested(originator_id=rebuild, originator_version=1, projection=projection, verify=False)
        self._appender.append([Entry(event, Metadata("", SYSTEM, rebuild, rebuild))], timeout=None)
        return rebuild

    def _do_all(self) -> None:
        while (rebuild := self._next()) is not None:
            self._do(rebuild)

    def _next(self) -> UUID | None:
        """The first that is open by the log; the list of requests may be behind it."""
        with self._sessions.session() as connection:
            for rebuild in [*self._own, *open_rebuilds(connection)]:
                status = rebuild_status(connection, rebuild)
                if status is not None and status.ended_at is None:
                    return rebuild
        self._own.clear()
        return None

    def _do(self, rebuild: UUID) -> None:
        with self._sessions.session() as connection:
            status = rebuild_status(connection, rebuild)
            progress = read_progress(connection, rebuild)
        assert status is not None
        if status.projection not in PROJECTIONS:
            self._fail(rebuild, f"there is no projection {status.projection!r}")
            return
        if progress is None or progress.phase not in (Phase.SWAPPED, Phase.REFUSED):
            exit_status = self._run_child(rebuild)
            with self._sessions.session() as connection:
                progress = read_progress(connection, rebuild)
            _log.info("rebuild.process_ended", rebuild=str(rebuild), exit_status=exit_status)
        self._conclude(rebuild, progress)

    def _conclude(self, rebuild: UUID, progress: Progress | None) -> None:
        """Record how it ended; if its process died in the middle, leave it open, unless that happens too often."""
        if progress is not None and progress.phase == Phase.SWAPPED:
            self._record(
                RebuildFinished(
                    originator_id=rebuild,
                    originator_version=2,
                    position=progress.position,
                    events=progress.events_done,
                    seconds=progress.seconds,
                    difference=progress.difference,
                )
            )
        elif progress is not None and progress.phase == Phase.REFUSED:
            self._fail(rebuild, progress.reason or "")
        else:
            self._died(rebuild)

    def _died(self, rebuild: UUID) -> None:
        self._deaths[rebuild] += 1
        if self._deaths[rebuild] >= MAX_DEATHS:
            self._fail(rebuild, f"its process died {MAX_DEATHS} times")
        else:
            gevent.sleep(0.5)

    def _fail(self, rebuild: UUID, reason: str) -> None:
        self._record(RebuildFailed(originator_id=rebuild, originator_version=2, reason=reason))

    def _record(self, event: RebuildFinished | RebuildFailed) -> None:
        rebuild = event.originator_id
        with self._sessions.session() as connection:
            asked = read_first_events(connection, [rebuild])[rebuild]
        metadata = Metadata(asked.app, SYSTEM, asked.correlation_id, rebuild)
        try:
            self._appender.append([Entry(event, metadata)], timeout=None)
        except StreamConflict:
            # Another leader has recorded it.
            return
        with self._sessions.session() as connection:
            forget(connection, rebuild)

    def _run_child(self, rebuild: UUID) -> int | None:
        child = self._child = Child(
            [sys.executable, "-m", "picloud.projections", str(rebuild)],
            environment=self._environment,
            death_signal=signal.SIGKILL,
        )
        ended = os.pidfd_open(child.pid)
        try:
            while child.poll() is None:
                wait_read(ended)
        finally:
            os.close(ended)
        self._child = None
        return child.status
