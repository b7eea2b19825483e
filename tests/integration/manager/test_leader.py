"""Leadership: one at a time, the next one at once, no wake-up while queuing, and back after the database was away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from picloud.domain.app import App
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender
from picloud.log.repository import collect
from picloud.postgres.server import Server
from picloud.postgres.sessions import connect
from picloud.projections.tracking import status
from tests.databases import Databases

from ..projections.history import START
from .processes import end, manager, wait_until, wakes_within

FOLLOWERS = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'picloud follower' AND datname = current_database()
"""
LEADERS = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'picloud leader' AND datname = current_database()
"""


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


def pids(session: psycopg.Connection, query: str) -> list[int]:
    return [row[0] for row in session.execute(query.encode()).fetchall()]


def number_of(session: psycopg.Connection, query: str, number: int) -> bool:
    return len(pids(session, query)) == number


def create_app(dsn: str, name: str) -> int:
    appender = Appender(dsn)
    appender.start()
    cause = uuid4()
    try:
        return appender.append(collect([App.create(name, at=START)], Metadata(name, "token:ada", cause, cause)))
    finally:
        appender.stop()


def followed(session: psycopg.Connection, position: int) -> bool:
    return all(found.position >= position for found in status(session))


def test_when_the_leader_is_killed_the_next_in_the_queue_follows_on(
    fresh_dsn: str, session: psycopg.Connection
) -> None:
    with manager(fresh_dsn) as first:
        wait_until(partial(number_of, session, FOLLOWERS, 1), "a leader")
        with manager(fresh_dsn) as second:
            wait_until(partial(number_of, session, LEADERS, 2), "a second one in the queue")
            assert len(pids(session, FOLLOWERS)) == 1
            first.send_signal(signal.SIGKILL)
            first.wait(10)
            position = create_app(fresh_dsn, "demo")
            wait_until(partial(followed, session, position), "the second one following", seconds=5)
            assert end(second) == 0


def test_who_waits_for_the_lead_does_not_wake(fresh_dsn: str, session: psycopg.Connection) -> None:
    with manager(fresh_dsn):
        wait_until(partial(number_of, session, FOLLOWERS, 1), "a leader")
        with manager(fresh_dsn) as other:
            wait_until(partial(number_of, session, LEADERS, 2), "two in the queue")
            assert wakes_within(other.pid, seconds=3.0) <= 6


def test_a_leader_that_lost_its_session_gives_the_lead_up_and_queues_again(
    fresh_dsn: str, session: psycopg.Connection
) -> None:
    with manager(fresh_dsn) as process:
        wait_until(partial(number_of, session, FOLLOWERS, 1), "a leader")
        before = pids(session, FOLLOWERS)
        for pid in pids(session, LEADERS):
            session.execute("SELECT pg_terminate_backend(%s)", (pid,))
        wait_until(lambda: pids(session, FOLLOWERS) not in ([], before), "a new term")
        position = create_app(fresh_dsn, "demo")
        wait_until(partial(followed, session, position), "the new term following")
        assert end(process) == 0


def test_a_manager_outlives_a_killed_database_and_follows_on(data: Path) -> None:
    server = Server(data / "postgres")
    server.prepare()
    child = server.start()
    server.wait_ready()
    try:
        dsn = Databases(server).migrated()
        with manager(dsn) as process:
            with connect(dsn, purpose="test") as session:
                position = create_app(dsn, "before")
                wait_until(partial(followed, session, position), "the manager following")
            child.send_group(signal.SIGKILL)
            assert child.wait(10)
            server.prepare()
            server.start()
            server.wait_ready()
            position = create_app(dsn, "after")
            with connect(dsn, purpose="test") as session:
                wait_until(partial(followed, session, position), "the manager following again", seconds=10)
                names = session.execute("SELECT name FROM catalog.apps ORDER BY name").fetchall()
            assert names == [("after",), ("before",)]
            assert process.poll() is None
            assert end(process) == 0
    finally:
        server.stop()
