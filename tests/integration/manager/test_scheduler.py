"""Schedules: with two leaders no tick is fired twice, and with a killed one none is lost."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from picloud.domain.app import App
from picloud.domain.metadata import Metadata
from picloud.domain.script import Script
from picloud.domain.trigger import Delivery, Trigger
from picloud.log.appender import Appender
from picloud.log.listener import Listener
from picloud.log.repository import collect
from picloud.manager.scheduler import Scheduler
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS

from .processes import manager, wait_until

SECOND = timedelta(seconds=1)
SECONDLY = {"cron": "* * * * * *", "overlap": "allow", "catch_up": "all"}


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    yield appender
    appender.stop()


def schedule(appender: Appender, **config: Any) -> Trigger:
    """A new app with a script and a schedule for it."""
    now, root = datetime.now(UTC), uuid4()
    script = Script.create("demo", "tick", at=now)
    script.deploy("ab" * 32, 10, at=now)
    trigger = Trigger.create(
        "demo", "often", kind="cron", script="tick", config=SECONDLY | config, delivery=Delivery(), at=now
    )
    appender.append(collect([App.create("demo", at=now), script, trigger], Metadata("demo", "token:ada", root, root)))
    return trigger


@contextmanager
def scheduling(dsn: str, ahead: timedelta) -> Iterator[Scheduler]:
    """A leader's scheduler, whose clock is ``ahead`` of ours."""
    appender, sessions = Appender(dsn), Sessions(dsn, purpose="test", size=2)
    listener = Listener(dsn, purpose="test")
    appender.start()
    scheduler = Scheduler(
        appender=appender, sessions=sessions, listener=listener, clock=lambda: datetime.now(UTC) + ahead
    )
    greenlet = scheduler.start()
    listener.start()
    try:
        yield scheduler
        assert not greenlet.dead
    finally:
        scheduler.stop()
        listener.stop()
        appender.stop()
        sessions.close()


@contextmanager
def following(dsn: str) -> Iterator[None]:
    follower = Follower(dsn, [kind() for kind in PROJECTIONS.values()])
    follower.start()
    try:
        yield
    finally:
        follower.stop()


def dues(session: psycopg.Connection) -> list[datetime]:
    """The due times of the ticks that were fired, in the order of the log."""
    rows = session.execute(
        "SELECT convert_from(state, 'UTF8') FROM log.events WHERE topic = 'Requested' ORDER BY notification_id"
    ).fetchall()
    return [datetime.fromisoformat(json.loads(row[0])["event"]["attributes"]["due"]) for row in rows]


def fired(session: psycopg.Connection, count: int) -> bool:
    return len(dues(session)) >= count


def assert_each_second_once(found: list[datetime]) -> None:
    found = sorted(found)
    assert found == [found[0] + n * SECOND for n in range(len(found))]


def test_two_leaders_fire_each_tick_once(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    ahead = timedelta(minutes=10)
    with following(fresh_dsn), ExitStack() as leaders:
        schedule(appender)
        wait_until(lambda: session.execute("SELECT 1 FROM catalog.triggers").fetchone() == (1,), "the trigger")
        for _ in range(2):
            leaders.enter_context(scheduling(fresh_dsn, ahead))
        # Ten minutes are made up for by both, and then both are there for each second.
        wait_until(partial(fired, session, 603), "603 ticks")
    assert_each_second_once(dues(session))


def test_what_a_killed_leader_left_is_fired_by_the_next(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    schedule(appender)
    with ExitStack() as managers:
        queue = [managers.enter_context(manager(fresh_dsn))]
        wait_until(partial(fired, session, 1), "a leader's first tick")
        for _ in range(3):
            # The lock is given in the order in which it was asked for: who came first leads.
            queue.append(managers.enter_context(manager(fresh_dsn)))
            seen = len(dues(session))
            wait_until(partial(fired, session, seen + 1), "a tick")
            leader = queue.pop(0)
            leader.send_signal(signal.SIGKILL)
            leader.wait(10)
            seen = len(dues(session))
            wait_until(partial(fired, session, seen + 2), "ticks of the next leader")
    assert_each_second_once(dues(session))


def test_ticks_that_are_queued_wait_for_the_one_before(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    ahead = timedelta(minutes=2)
    with following(fresh_dsn):
        schedule(appender, overlap="queue")
        wait_until(lambda: session.execute("SELECT 1 FROM catalog.triggers").fetchone() == (1,), "the trigger")
        with scheduling(fresh_dsn, ahead):
            wait_until(partial(fired, session, 5), "five ticks")
    claims = session.execute("SELECT * FROM log.claim(%s, 'node', 10, '{}', '{}')", (UUID(int=7),)).fetchall()
    assert len(claims) == 1
    assert_each_second_once(dues(session))
