"""Cron: fires each tick of each schedule when it is due, and makes up for those that nobody fired.

Nothing here is trusted to be alone: the stream of a tick follows from trigger and due time, so that a second scheduler
meets a version that is taken. Nothing is lost with a leader either: the next one begins where the log says that the
last one came to. Between two ticks it sleeps.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import UUID

import gevent
import msgspec
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.domain.duration import parse_duration
from picloud.domain.firing import Order, Target
from picloud.domain.invocation import EventInput
from picloud.domain.metadata import Metadata
from picloud.domain.schedule import Schedule
from picloud.domain.tick import TickSkipped, due_text, put_off, tick_id
from picloud.domain.trigger import Delivery
from picloud.domain.trigger_config import Cron, read_config
from picloud.log.appender import Appender, Entry, LogUnavailable, Pending, StreamConflict
from picloud.log.listener import CATALOG_CHANNEL, Listener
from picloud.log.reader import read_last_types
from picloud.manager.catching_up import CatchingUp
from picloud.postgres.sessions import Sessions
from picloud.projections.catalog import Catalog
from picloud.projections.tracking import read_position
from picloud.projections.triggers import CronRow, ScriptNow, cron_triggers, scripts_now

LATE: Final = timedelta(seconds=60)
"""A tick that comes later than this is missed: the trigger's catch-up policy says what becomes of it."""
MOST_MADE_UP: Final = 10_000
"""So many ticks at most are made up for by a catch-up of ``all``: the latest."""
TOGETHER: Final = 1_000
"""Ticks that are handed to the log at a time."""
LONGEST_SLEEP: Final = 60.0
"""Seconds after which the clock is looked at again: somebody may have set it."""

_ENDED: Final = frozenset({"Succeeded", "DeadLettered", "Cancelled", "Replayed", "Discarded"})

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Plan:
    """A trigger's schedule as it is kept here. ``last`` is the invocation of its latest tick that was fired."""

    row: CronRow
    config: Cron
    last: UUID | None

    @property
    def schedule(self) -> Schedule:
        return self.config.schedule


@dataclass(frozen=True, slots=True)
class _Tick:
    plan: _Plan
    due: datetime
    missed: int = 0
    reason: str = ""


class Scheduler:
    """See the module. Lives on the leader, from ``start`` to ``stop``; subscribes to ``listener`` before it starts."""

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        listener: Listener,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._appender = appender
        self._sessions = sessions
        self._clock = clock
        self._progress = CatchingUp("schedules", sessions=sessions, listener=listener)
        self._plans: dict[UUID, _Plan] = {}
        self._agenda: list[tuple[datetime, int, _Plan]] = []
        self._entered = 0
        self._changed: set[str | None] = {None}
        self._loaded = -1
        self._wake = Signal()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        listener.subscribe(CATALOG_CHANNEL, self._catalog_changed)

    def start(self) -> gevent.Greenlet[[], None]:
        """Begin with what was missed; the greenlet ends only by ``stop`` or by a fault in the program."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "scheduler"
        return self._greenlet

    def stop(self) -> None:
        """Fire nothing more."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _catalog_changed(self, payload: str | None) -> None:
        names = payload.partition(" ")[2] if payload is not None else "*"
        if names:
            self._changed.update(None if name == "*" else name for name in names.split(","))
            self._wake.set()

    def _run(self) -> None:
        self._until_done(self._progress.wait)
        while True:
            self._wake.clear()
            if self._changed:
                self._until_done(self._load)
            self._until_done(self._fire_due)
            self._wake.wait(self._pause())

    def _until_done(self, act: Callable[[], None]) -> None:
        """Do it again after an outage of the database: what was fired by then is there, and nothing is doubled."""
        while True:
            try:
                act()
            except (psycopg.Error, LogUnavailable) as error:
                _log.warning("scheduler.database_lost", error=str(error).strip())
                gevent.sleep(0.5)
            else:
                return

    def _pause(self) -> float:
        if not self._agenda:
            return LONGEST_SLEEP
        until = (self._agenda[0][0] - self._clock()).total_seconds()
        return min(max(until, 0.0), LONGEST_SLEEP)

    def _load(self) -> None:
        """Read the triggers anew, of the apps that changed; of a trigger that is the same, the agenda stays."""
        changed, self._changed = self._changed, set()
        try:
            self._load_of(changed)
        except BaseException:
            self._changed |= changed
            raise

    def _load_of(self, changed: set[str | None]) -> None:
        apps = None if None in changed else sorted(app for app in changed if app is not None)
        with self._sessions.session() as connection:
            position = read_position(connection, Catalog.name)
            if apps is None and position == self._loaded:
                # A look for safety, and nothing has happened since.
                return
            rows = cron_triggers(connection, apps)
        kept = {row.id for row in rows}
        for trigger, plan in list(self._plans.items()):
            if trigger not in kept and (apps is None or plan.row.app in apps):
                del self._plans[trigger]
        for row in _giving_way(rows):
            known = self._plans.get(row.id)
            if known is None or known.row.since != row.since:
                self._plan(row)
        if apps is None:
            self._loaded = position

    def _plan(self, row: CronRow) -> None:
        config = read_config("cron", row.config)
        assert isinstance(config, Cron)
        plan = self._plans[row.id] = _Plan(row, config, row.invocation)
        begin = max(row.since, row.due) if row.due is not None else row.since
        due = _next_after(plan.schedule, begin)
        late = self._clock() - LATE
        if due < late:
            self._make_up(plan, begin, late)
            due = _next_after(plan.schedule, late)
        self._enter(plan, due)

    def _make_up(self, plan: _Plan, begin: datetime, late: datetime) -> None:
        """Do as the policy says with the ticks behind ``begin``, up to ``late``."""
        window = timedelta(milliseconds=parse_duration(plan.config.window, field="window"))
        missed = _latest(plan.schedule, max(begin, late - window), late)
        if not missed:
            return
        if plan.config.catch_up == "none":
            reason = "nobody was there to fire it, and the trigger makes up for nothing"
            self._append([_Tick(plan, missed[-1], len(missed) - 1, reason)])
        elif plan.config.catch_up == "last":
            self._append([_Tick(plan, missed[-1])])
        else:
            self._append([_Tick(plan, due) for due in missed])
        _log.info(
            "scheduler.missed",
            app=plan.row.app, trigger=plan.row.name, ticks=len(missed), policy=plan.config.catch_up,
        )  # fmt: skip

    def _enter(self, plan: _Plan, due: datetime) -> None:
        self._entered += 1
        heapq.heappush(self._agenda, (due, self._entered, plan))

    def _fire_due(self) -> None:
        now = self._clock()
        due_now: list[_Tick] = []
        agenda = self._agenda
        while agenda and agenda[0][0] <= now:
            due, _, plan = agenda[0]
            if self._plans.get(plan.row.id) is plan:
                due_now.append(_Tick(plan, due))
            heapq.heappop(agenda)
        try:
            self._append(due_now)
        except BaseException:
            for tick in due_now:
                self._enter(tick.plan, tick.due)
            raise
        for tick in _giving_way(due_now):
            self._enter(tick.plan, _next_after(tick.plan.schedule, tick.due))

    def _append(self, ticks: Sequence[_Tick]) -> None:
        """Record the ticks, each as fired or skipped. Returns when all are in the log, whoever wrote them."""
        parts = [wave[start : start + TOGETHER] for wave in _waves(ticks) for start in range(0, len(wave), TOGETHER)]
        for wave in parts:
            going_on, scripts = self._look(wave)
            appended: list[tuple[_Tick, bool, Pending]] = []
            for tick in wave:
                event = self._event(tick, going_on=going_on, scripts=scripts)
                fired = not isinstance(event, TickSkipped)
                row = tick.plan.row
                metadata = Metadata(row.app, f"cron:{row.name}", event.originator_id, row.id)
                appended.append((tick, fired, self._appender.append_later([Entry(event, metadata)])))
            for tick, fired, pending in appended:
                try:
                    pending.wait(None)
                except StreamConflict:
                    _log.info("scheduler.fired_already", trigger=tick.plan.row.name, due=due_text(tick.due))
                    continue
                if fired:
                    tick.plan.last = tick_id(tick.plan.row.id, tick.due)

    def _look(self, ticks: Sequence[_Tick]) -> tuple[set[UUID], dict[tuple[str, str], ScriptNow]]:
        """Which latest invocations go on, and the scripts as they are now."""
        asked = [tick.plan.last for tick in ticks if tick.plan.config.overlap == "skip" and tick.plan.last is not None]
        with self._sessions.session() as connection:
            types = read_last_types(connection, asked) if asked else {}
            scripts = scripts_now(connection, {(tick.plan.row.app, tick.plan.row.script) for tick in ticks})
        return {invocation for invocation, last in types.items() if last not in _ENDED}, scripts

    def _event(self, tick: _Tick, *, going_on: set[UUID], scripts: dict[tuple[str, str], ScriptNow]) -> Any:
        plan, row = tick.plan, tick.plan.row
        stream = tick_id(row.id, tick.due)
        script = scripts.get((row.app, row.script))
        reason = tick.reason
        if not reason and row.paused is not None:
            reason = "the trigger is paused"
        elif not reason and script is None:
            reason = f"there is no script {row.app}/{row.script}"
        elif not reason and script is not None and script.disabled is not None:
            reason = f"{row.app}/{row.script} is disabled: {script.disabled}"
        elif not reason and plan.last in going_on and plan.last != stream:
            reason = f"the invocation of the tick before goes on: {plan.last}"
        if reason or script is None:
            return TickSkipped(
                originator_id=stream,
                originator_version=1,
                trigger=row.id,
                due=tick.due,
                reason=reason,
                missed=tick.missed,
            )
        target = Target(
            app=row.app,
            kind="cron",
            trigger=row.name,
            script=row.script,
            number=script.number,
            sha256=script.sha256,
            delivery=msgspec.convert(row.delivery, Delivery),
            serial=plan.config.overlap == "queue",
        )
        jitter = parse_duration(plan.config.jitter, field="jitter")
        order = Order(due=put_off(stream, tick.due, jitter) if jitter else None)
        return target.request(stream, EventInput({"due": due_text(tick.due)}), now=self._clock(), order=order)


Each = TypeVar("Each")


def _giving_way(items: Sequence[Each]) -> Iterator[Each]:
    """The items, with a turn for everybody else in the process now and then: a schedule's next time takes a while."""
    for number, item in enumerate(items, 1):
        yield item
        if number % 25 == 0:
            gevent.sleep(0)


def _next_after(schedule: Schedule, instant: datetime) -> datetime:
    """Schedules are due at whole seconds, and many have the same times."""
    return _next_due(schedule, instant.replace(microsecond=0))


@lru_cache(maxsize=10_000)
def _next_due(schedule: Schedule, instant: datetime) -> datetime:
    return schedule.next_after(instant)


def _waves(ticks: Sequence[_Tick]) -> list[list[_Tick]]:
    """The ticks so that no trigger comes twice in a wave: a tick asks what became of the one before."""
    waves: list[list[_Tick]] = []
    counts: dict[UUID, int] = {}
    for tick in ticks:
        number = counts.get(tick.plan.row.id, 0)
        counts[tick.plan.row.id] = number + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(tick)
    return waves


def _latest(schedule: Schedule, begin: datetime, until: datetime) -> list[datetime]:
    """The latest due times behind ``begin``, up to ``until``; looked for backwards in growing spans."""
    span = timedelta(minutes=1)
    while True:
        since = max(begin, until - span)
        found = []
        for due in schedule.due_times(after=since):
            if due > until:
                break
            found.append(due)
        if since == begin or len(found) >= MOST_MADE_UP:
            return found[-MOST_MADE_UP:]
        span *= 8
