"""Replay jobs, carried out: batch after batch of a frozen selection, each at its job's rate.

A batch is one commit: the new invocations, the ``Replayed`` of the old ones, and how far the job has come by it. So it
is asked for whole or not at all, and whoever decided on an old state, be it of the job or of one of its letters, is
refused and looks again. What is due next is one timer; a change of the jobs' projection wakes it too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog

from picloud.domain import lifecycle, replay_job
from picloud.domain.errors import DomainError
from picloud.domain.invocation import State
from picloud.domain.metadata import Metadata
from picloud.domain.replay_job import Counts, JobState, ReplayJob, Skip, replay_id, selected
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.briefs import Brief, read_briefs
from picloud.log.contents import ContentMissing, get_content
from picloud.log.reader import read_stream
from picloud.manager.part import Part
from picloud.orchestrator.control.invocations import version_of
from picloud.orchestrator.control.payload import edited
from picloud.postgres.sessions import Sessions
from picloud.projections.letters import listed
from picloud.projections.queries import open_replay_jobs

BATCH: Final = 250
"""So many are dealt with in one commit, at most."""
BATCH_BYTES: Final = 4 * 1024 * 1024
"""Behind the request with which a batch comes to so many bytes, the next one begins."""
TICK: Final = 0.1
"""Seconds: a job with a rate asks for what is due in so long at once."""

_MEANWHILE: Final = {
    "saved": "a replay has saved it meanwhile",
    "discarded": "it was discarded meanwhile",
    "replaying": "another replay of it goes on",
    "open": "it is open again",
}

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _AtWork:
    """A job as it is kept here. ``due`` is when the next batch is, by the clock."""

    state: ReplayJob
    metadata: Metadata
    selection: bytes
    due: float


class Replays(Part):
    """See the module. Lives on the leader, from ``start`` to ``stop``. Call ``look`` when jobs changed.

    ``clock`` gives seconds; only differences count.
    """

    name = "replay jobs"

    def __init__(self, *, appender: Appender, sessions: Sessions, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._appender = appender
        self._sessions = sessions
        self._clock = clock
        self._at_work: dict[UUID, _AtWork] = {}

    def work(self) -> float | None:
        """One batch of each job that is due; return the seconds until the next is, None if nothing will be."""
        with self._sessions.session() as connection:
            rows = open_replay_jobs(connection)
        jobs = {row["id"]: self._at_work.get(row["id"]) or self._take_up(row["id"]) for row in rows}
        self._at_work = {job: found for job, found in jobs.items() if found is not None}
        pauses: list[float] = []
        for row in rows:
            job = self._at_work.get(row["id"])
            if job is None:
                continue
            if row["state"] == JobState.FINISHING:
                if row["going_on"] == 0:
                    self._finish(job, Counts(**{name: row[name] for name in Counts.__dataclass_fields__}))
            elif (pause := self._go_on(job)) is not None:
                pauses.append(pause)
        return min(pauses, default=None)

    def _take_up(self, job: UUID) -> _AtWork | None:
        with self._sessions.session() as connection:
            stream = read_stream(connection, job)
            state = _folded(None, stream)
            assert state is not None
            try:
                selection = get_content(connection, state.started.selection)
            except ContentMissing as error:
                selection = b""
                missing = str(error)
            else:
                missing = ""
        first = stream[0]
        metadata = Metadata(first.app, f"replay:{state.started.name}", first.correlation_id, job)
        at_work = _AtWork(state, metadata, selection, self._clock())
        if missing and state.state in (JobState.RUNNING, JobState.PAUSED):
            self._record(at_work, replay_job.abort(state, f"its selection is lost: {missing}"))
            return None
        _log.info("replays.taken_up", job=state.title, reached=state.reached, count=state.started.count)
        return at_work

    def _refresh(self, job: _AtWork) -> None:
        with self._sessions.session() as connection:
            state = _folded(job.state, read_stream(connection, job.state.id, after=job.state.version))
        assert state is not None
        job.state = state

    def _record(self, job: _AtWork, event: Any, others: Sequence[Entry] = ()) -> bool:
        """Append the job's event behind ``others``; False if somebody was quicker, and the state is fresh then."""
        try:
            self._appender.append([*others, Entry(event, job.metadata)], timeout=None)
        except StreamConflict:
            self._refresh(job)
            return False
        job.state = replay_job.evolve(job.state, event)
        return True

    def _finish(self, job: _AtWork, counts: Counts) -> None:
        if job.state.state is not JobState.FINISHING:
            self._refresh(job)
        if job.state.state is JobState.FINISHING and self._record(job, replay_job.finish(job.state, counts)):
            _log.info("replays.finished", job=job.state.title, asked=counts.asked, succeeded=counts.succeeded)

    def _go_on(self, job: _AtWork) -> float | None:
        """Ask for the next batch if it is due; return the seconds until the one behind it is."""
        if job.state.state is not JobState.RUNNING:
            # The list of jobs may be behind the log, and so may we be.
            self._refresh(job)
        now = self._clock()
        if job.state.state is JobState.RUNNING and job.due <= now:
            rate = job.state.started.rate
            if rate is None:
                self._ask(job, BATCH)
            else:
                asked = self._ask(job, min(max(round(TICK / rate.interval), 1), BATCH))
                # What a late wake-up lost is caught up with, a longer outage is not.
                job.due = max(job.due, now - TICK) + asked * rate.interval
        return max(job.due - self._clock(), 0.0) if job.state.state is JobState.RUNNING else None

    def _ask(self, job: _AtWork, size: int) -> int:
        """Ask for up to ``size`` replays in one commit; return for how many, 0 if somebody was quicker."""
        state = job.state
        found = self._look(state, selected(job.selection, state.reached, size))
        entries: list[Entry] = []
        skipped: list[Skip] = []
        room = BATCH_BYTES
        for number, invocation in enumerate(found.invocations, state.reached):
            try:
                entries += self._replay(job, found, invocation, replay_id(state.id, number))
            except _Left as left:
                skipped.append(Skip(invocation, left.reason))
            else:
                room -= found.briefs[invocation].size
            if room <= 0:
                break
        asked = len(entries) // 2
        reached = state.reached + asked + len(skipped)
        return asked if self._record(job, replay_job.advance(state, reached, skipped), entries) else 0

    def _look(self, state: ReplayJob, invocations: list[UUID]) -> _Found:
        """What the decision on a batch goes by, from the log; only whether a letter was purged is the projection's."""
        of_letters = state.started.chosen.source == "dead_letters"
        versions: dict[tuple[str, str], tuple[int, str] | DomainError] = {}
        with self._sessions.session() as connection:
            briefs = read_briefs(connection, invocations)
            replays = _all_replays(connection, briefs) if of_letters else {}
            known = listed(connection, invocations) if of_letters else set(invocations)
            if state.started.version != replay_job.ORIGINAL:
                for brief in briefs.values():
                    asked = brief.invocation.requested
                    title = asked.app, asked.script
                    if title not in versions:
                        try:
                            versions[title] = version_of(connection, asked, state.started.version)
                        except DomainError as error:
                            versions[title] = error
        return _Found(invocations, briefs, replays, known, versions)

    def _replay(self, job: _AtWork, found: _Found, invocation: UUID, again: UUID) -> list[Entry]:
        """The events of one replay, which is called ``again``. Raises :class:`_Left`."""
        started = job.state.started
        brief = found.briefs.get(invocation)
        if brief is None:
            raise _Left("there is no such invocation")
        if started.chosen.source == "dead_letters":
            if invocation not in found.listed:
                raise _Left("it was purged meanwhile")
            now = _letter_state(brief, found.replays)
            if started.chosen.state is not None and now != started.chosen.state:
                raise _Left(_MEANWHILE[now])
        asked = brief.invocation.requested
        version = found.versions.get((asked.app, asked.script), (asked.number, asked.sha256))
        if isinstance(version, DomainError):
            raise _Left(version.message)
        try:
            replayed, requested = lifecycle.replay(
                brief.invocation,
                again,
                number=version[0],
                sha256=version[1],
                body=edited(started.edit, asked, self._sessions),
            )
        except DomainError as error:
            raise _Left(error.message) from None
        metadata = Metadata(asked.app, job.metadata.actor, brief.metadata.correlation_id, job.state.id)
        return [Entry(replayed, metadata), Entry(requested, metadata)]


@dataclass(frozen=True, slots=True)
class _Found:
    invocations: list[UUID]
    briefs: dict[UUID, Brief]
    replays: dict[UUID, Brief]
    listed: set[UUID]
    versions: dict[tuple[str, str], tuple[int, str] | DomainError]


class _Left(Exception):
    """One of a selection is left out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _folded(state: ReplayJob | None, stream: Sequence[Any]) -> ReplayJob | None:
    for recorded in stream:
        state = replay_job.evolve(state, recorded.event)
    return state


def _all_replays(connection: psycopg.Connection, briefs: dict[UUID, Brief]) -> dict[UUID, Brief]:
    """The replays of these invocations, those of the replays too, and so on."""
    replays: dict[UUID, Brief] = {}
    latest = briefs
    while wanted := [replay for brief in latest.values() for replay in brief.replays if replay not in replays]:
        latest = read_briefs(connection, wanted)
        replays |= latest
    return replays


def _letter_state(letter: Brief, replays: dict[UUID, Brief]) -> str:
    """What the letter is by now, by the same rule as in the list of dead letters."""
    family = [letter]
    for member in family:
        family += [replays[replay] for replay in member.replays if replay in replays]
    if any(member.invocation.state is State.SUCCEEDED for member in family):
        return "saved"
    if any(member.invocation.discarded for member in family):
        return "discarded"
    return "replaying" if any(not member.invocation.ended for member in family) else "open"
