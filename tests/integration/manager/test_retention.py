"""Dead letters are purged when they have had their time, by an event, and by nobody's polling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from picloud.domain import lifecycle
from picloud.domain.invocation import Failure, Requested, RunError, Trigger
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry
from picloud.manager.retention import Retention
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.dead_letters import DeadLetters
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS

from .processes import wait_until

NODE = UUID(int=7)
MONTH = timedelta(days=30)


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    yield appender
    appender.stop()


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


def die(appender: Appender, app: str = "demo") -> UUID:
    stream = uuid4()
    requested = Requested(
        originator_id=stream,
        originator_version=1,
        app=app,
        script="hello",
        number=1,
        sha256="ab" * 32,
        trigger=Trigger("api", "ada"),
    )
    state = lifecycle.evolve(None, requested)
    started = lifecycle.start(state, NODE)
    failure = Failure(error=RunError("ErrorRuntime", "no"))
    ends = lifecycle.fail(lifecycle.evolve(state, started), failure, now=datetime.now(UTC), random=0.0)
    appender.append([Entry(event, Metadata(app, "test", stream, stream)) for event in (requested, started, *ends)])
    return stream


@contextmanager
def retention(dsn: str, appender: Appender, keep: timedelta, ahead: timedelta = timedelta()) -> Iterator[Retention]:
    """One at work, with the projections that it goes by; its clock is ``ahead`` of ours."""
    sessions = Sessions(dsn, purpose="test", size=1)
    found = Retention(appender=appender, sessions=sessions, keep=keep, clock=lambda: datetime.now(UTC) + ahead)
    follower = Follower(
        dsn,
        [kind() for kind in PROJECTIONS.values()],
        on_changed=lambda name: found.look() if name == DeadLetters.name else None,
    )
    follower.start()
    greenlet = found.start()
    try:
        yield found
        assert not greenlet.dead
    finally:
        found.stop()
        follower.stop()
        sessions.close()


def letters(session: psycopg.Connection) -> set[UUID]:
    return {row[0] for row in session.execute("SELECT id FROM dead_letters.letters").fetchall()}


def purges(session: psycopg.Connection) -> list[tuple[str, int]]:
    return session.execute(
        "SELECT app, (convert_from(state, 'UTF8')::jsonb ->> 'count')::int FROM log.events"
        " WHERE topic = 'DeadLettersPurged' ORDER BY app"
    ).fetchall()


def test_what_had_its_time_is_purged_with_an_event_for_each_app(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    die(appender)
    die(appender)
    die(appender, "shop")
    with retention(fresh_dsn, appender, MONTH):
        wait_until(lambda: len(letters(session)) == 3, "three letters")
    with retention(fresh_dsn, appender, MONTH, ahead=MONTH):
        wait_until(lambda: not letters(session), "a purge")
    assert purges(session) == [("demo", 2), ("shop", 1)]


def test_a_letter_is_purged_when_its_time_has_come_and_not_earlier(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    keep = timedelta(seconds=1)
    with retention(fresh_dsn, appender, keep):
        invocation = die(appender)
        wait_until(lambda: bool(letters(session)), "the letter")
        wait_until(lambda: not letters(session), "its purge")
    row = session.execute(
        "SELECT max(recorded_at) FILTER (WHERE topic = 'DeadLettersPurged')"
        " - max(recorded_at) FILTER (WHERE topic = 'DeadLettered') FROM log.events"
    ).fetchone()
    assert row is not None
    assert keep <= row[0] < keep + timedelta(seconds=5)
    stream = session.execute("SELECT count(*) FROM log.events WHERE originator_id = %s", (invocation,)).fetchone()
    assert stream == (4,), "the log keeps it"


def test_a_retention_of_nought_keeps_for_ever(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    die(appender)
    with retention(fresh_dsn, appender, timedelta(), ahead=100 * MONTH) as found:
        wait_until(lambda: len(letters(session)) == 1, "the letter")
        found.look()
        die(appender)
        wait_until(lambda: len(letters(session)) == 2, "another letter")
    assert purges(session) == []
