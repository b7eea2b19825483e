"""Followers: every event counts exactly once, whatever happens to who follows; what can't be folded is told."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import gevent
import psycopg
import pytest

from picloud.domain.app import App
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender
from picloud.log.reader import read_head
from picloud.log.repository import collect
from picloud.postgres.sessions import connect
from picloud.projections.folding import Folder
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS
from picloud.projections.projection import Projection
from picloud.projections.tracking import ProjectionState, ProjectionStatus, status
from tests.databases import Databases

from ..manager.processes import manager, wait_until, wakes_within
from .history import START, History
from .tables import contents

FOLLOWED = [name for name, kind in PROJECTIONS.items() if not kind.inline]
WRITER = str(Path(__file__).with_name("writer.py"))
OUTCOMES = """
    SELECT count(*), count(*) FILTER (WHERE state IN ('succeeded', 'dead')), count(DISTINCT id),
           count(*) FILTER (WHERE attempt = 1 AND node IS NOT NULL AND ended_at >= started_at)
    FROM invocations.invocations
"""


def projections() -> list[Projection]:
    return [kind() for kind in PROJECTIONS.values()]


@contextmanager
def following(dsn: str) -> Iterator[Follower]:
    follower = Follower(dsn, projections())
    follower.start()
    yield follower
    follower.stop()


def catch_up(session: psycopg.Connection, page_size: int = 500) -> None:
    folder = Folder(projections(), page_size=page_size)
    while folder.step(session):
        pass


def states(session: psycopg.Connection) -> dict[str, ProjectionStatus]:
    return {found.name: found for found in status(session)}


def has_passed(session: psycopg.Connection, position: int) -> bool:
    return states(session)["invocations"].position > position


def lag(session: psycopg.Connection) -> int:
    return max(found.lag for found in status(session))


@contextmanager
def writers(dsn: str, *, processes: int, invocations: int) -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen([sys.executable, WRITER, dsn, str(invocations), str(seed)], stdout=subprocess.PIPE, text=True)
        for seed in range(processes)
    ]
    try:
        for writer in started:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
        yield started
    finally:
        for writer in started:
            writer.kill()
            writer.wait(10)


def acknowledged(started: list[subprocess.Popen[str]]) -> int:
    total = 0
    for writer in started:
        assert writer.stdout is not None
        total += int(writer.stdout.readline())
    return total


def test_a_change_is_in_the_tables_when_it_is_notified(fresh_dsn: str, appender: Appender) -> None:
    with following(fresh_dsn), connect(fresh_dsn, purpose="test") as session:
        session.execute("LISTEN picloud_catalog")
        cause = uuid4()
        app = App.create("demo", at=START)
        position = appender.append(collect([app], Metadata("demo", "token:ada", cause, cause)))
        notice = next(session.notifies(timeout=10, stop_after=1))
        assert notice.payload == f"{position} demo"
        assert session.execute("SELECT name, removed_at FROM catalog.apps").fetchall() == [("demo", None)]
        assert states(session)["catalog"].position == position


def test_a_follower_misses_no_event_under_four_concurrent_writers(fresh_dsn: str, session: psycopg.Connection) -> None:
    with following(fresh_dsn), writers(fresh_dsn, processes=4, invocations=400) as started:
        total = acknowledged(started)
        wait_until(lambda: lag(session) == 0, "the follower at the head")
    assert total == 1_600
    assert session.execute(OUTCOMES).fetchone() == (total,) * 4
    lines = session.execute("SELECT count(*), count(DISTINCT invocation_id) FROM logs.lines").fetchone()
    assert lines == (total, total)


def test_a_follower_killed_in_the_middle_of_pages_goes_on_exactly_once(
    fresh_dsn: str, session: psycopg.Connection
) -> None:
    chance = random.Random(7)
    kills = 0
    with writers(fresh_dsn, processes=2, invocations=1_200) as started:
        while any(writer.poll() is None for writer in started) or kills < 5:
            position = states(session)["invocations"].position
            with manager(fresh_dsn) as process:
                if states(session)["invocations"].lag:
                    wait_until(lambda position=position: states(session)["invocations"].position > position, "a page")
                gevent.sleep(chance.random() * 0.1)
                process.send_signal(signal.SIGKILL)
                process.wait(10)
            kills += 1
        total = acknowledged(started)
    with following(fresh_dsn):
        wait_until(lambda: lag(session) == 0, "the follower at the head")
    assert kills >= 5
    assert session.execute(OUTCOMES).fetchone() == (total,) * 4
    lines = session.execute("SELECT count(*), count(DISTINCT invocation_id) FROM logs.lines").fetchone()
    assert lines == (total, total)


def test_two_who_follow_at_once_fold_no_event_twice(fresh_dsn: str, appender: Appender) -> None:
    history = History(seed=11)
    with following(fresh_dsn), following(fresh_dsn), connect(fresh_dsn, purpose="test") as session:
        history.append_to(appender, 800)
        wait_until(lambda: lag(session) == 0, "the followers at the head")
        assert {found.state for found in status(session)} == {ProjectionState.LIVE}
        followed = contents(session)
    assert followed == refolded(fresh_dsn, page_size=1_000)


@pytest.mark.parametrize("seed", range(3))
def test_the_rows_do_not_depend_on_where_the_pages_end(fresh_dsn: str, appender: Appender, seed: int) -> None:
    History(seed=seed).append_to(appender, 900)
    folded = [refolded(fresh_dsn, page_size=size) for size in (1, 7, 10_000)]
    assert folded[0] == folded[1] == folded[2]


def test_histories_leave_no_table_empty_of_which_they_are_to_prove_something(databases: Databases) -> None:
    filled: set[str] = set()
    for seed in range(5):
        dsn = databases.migrated()
        appender = Appender(dsn)
        appender.start()
        History(seed=seed).append_to(appender, 900)
        appender.stop()
        tables = refolded(dsn, page_size=10_000)
        filled |= {table for table, rows in tables.items() if rows}
        databases.drop(dsn)
    assert filled == set(tables)


def refolded(dsn: str, *, page_size: int) -> dict[str, list[tuple[object, ...]]]:
    """The tables' rows after folding the whole log from the start."""
    with connect(dsn, purpose="test") as session:
        for name in FOLLOWED:
            for table in PROJECTIONS[name].tables:
                session.execute(f"TRUNCATE {name}.{table.name}".encode())
        session.execute("UPDATE projections.tracking SET position = 0")
        catch_up(session, page_size)
        return contents(session)


def test_a_projection_that_is_far_behind_does_not_hold_up_the_others(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    History(seed=3).append_to(appender, 500)
    catch_up(session)
    session.execute("TRUNCATE logs.lines")
    session.execute("UPDATE projections.tracking SET position = 0 WHERE name = 'logs'")
    cause = uuid4()
    app = App.create("late", at=START)
    position = appender.append(collect([app], Metadata("late", "token:ada", cause, cause)))
    Folder(projections(), page_size=10).step(session)
    found = states(session)
    assert found["catalog"].position == position
    assert found["logs"].position == 10


def tamper(session: psycopg.Connection, kind: str, change: str) -> int:
    """Change the second event of a type behind the log's back; return its position."""
    row = session.execute(
        f"UPDATE log.events SET {change} WHERE notification_id ="
        " (SELECT notification_id FROM log.events WHERE topic = %s ORDER BY notification_id OFFSET 1 LIMIT 1)"
        " RETURNING notification_id".encode(),
        (kind,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_an_event_that_can_not_be_read_stops_the_projections_that_need_it_and_no_other(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    History(seed=4).append_to(appender, 400)
    head = read_head(session)
    position = tamper(session, "AttemptFailed", "state = 'nonsense'")
    with following(fresh_dsn):
        wait_until(lambda: states(session)["catalog"].position == head, "a catalog at the head")
        wait_until(lambda: states(session)["logs"].error is not None, "logs that failed")
        found = states(session)
    for name in ("invocations", "logs"):
        assert found[name].state is ProjectionState.FAILED
        assert found[name].position == position - 1
        assert found[name].error is not None
        assert f"AttemptFailed at position {position}: " in found[name].error
    assert found["rebuilds"].state is ProjectionState.LIVE


def test_an_event_of_an_unknown_type_stops_all_projections_and_is_named(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    History(seed=4).append_to(appender, 400)
    position = tamper(session, "Requested", "topic = 'RequestDreamt'")
    with following(fresh_dsn):
        wait_until(lambda: all(states(session)[name].error for name in FOLLOWED), "projections that failed")
        for name in FOLLOWED:
            found = states(session)[name]
            assert found.position == position - 1
            assert found.error == f"RequestDreamt at position {position}: this version of PiCloud doesn't know the type"


def test_a_projection_that_failed_goes_on_when_the_reason_is_gone(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    History(seed=4).append_to(appender, 400)
    head = read_head(session)
    session.execute("ALTER TABLE invocations.invocations RENAME COLUMN path TO road")
    with following(fresh_dsn):
        wait_until(lambda: states(session)["invocations"].error is not None, "invocations that failed")
    assert "path" in str(states(session)["invocations"].error)
    session.execute("ALTER TABLE invocations.invocations RENAME COLUMN road TO path")
    with following(fresh_dsn):
        wait_until(lambda: states(session)["invocations"].position == head, "invocations at the head")
    assert states(session)["invocations"].error is None


def test_a_follower_whose_session_is_cut_follows_on(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    history = History(seed=9)
    with following(fresh_dsn):
        for _ in range(5):
            head = history.append_to(appender, 60)
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'picloud follower' AND datname = current_database()"
            )
            wait_until(partial(has_passed, session, head - 1), "invocations at the head")
    assert contents(session) == refolded(fresh_dsn, page_size=1_000)


def test_a_follower_with_nothing_to_follow_sleeps(fresh_dsn: str, appender: Appender) -> None:
    cause = uuid4()
    with manager(fresh_dsn) as process, connect(fresh_dsn, purpose="test") as session:
        appender.append(collect([App.create("demo", at=START)], Metadata("demo", "token:ada", cause, cause)))
        wait_until(lambda: lag(session) == 0, "the follower at the head")
        gevent.sleep(0.5)
        assert wakes_within(process.pid, seconds=3.0) <= 6, "wakes without an event"
