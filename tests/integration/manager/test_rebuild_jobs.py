"""Rebuilds that are asked for in the log are done, whatever happens to who does them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from picloud.domain.metadata import Metadata
from picloud.domain.rebuild import RebuildRequested
from picloud.log.appender import Appender, Entry
from picloud.postgres.sessions import connect
from picloud.projections.installation import PROJECTIONS
from picloud.projections.progress import RebuildStatus, newest_rebuilds, rebuild_status

from ..projections.history import History
from .processes import end, manager, wait_until

LEFTOVERS = r"SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\_\_next' OR nspname LIKE '%\_\_old'"
REBUILDERS = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'picloud rebuild' AND datname = current_database()
"""


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


def ask(appender: Appender, projection: str, *, verify: bool = True) -> UUID:
    rebuild = uuid4()
    event = RebuildRequested(originator_id=rebuild, originator_version=1, projection=projection, verify=verify)
    appender.append([Entry(event, Metadata("", "token:ada", rebuild, rebuild))])
    return rebuild


def ended(session: psycopg.Connection, rebuild: UUID) -> RebuildStatus:
    def has_ended() -> bool:
        status = rebuild_status(session, rebuild)
        return status is not None and status.ended_at is not None

    wait_until(has_ended, f"the end of rebuild {rebuild}")
    status = rebuild_status(session, rebuild)
    assert status is not None
    return status


def fill(appender: Appender, commands: int) -> None:
    History(seed=5).append_to(appender, commands)


def leftovers(session: psycopg.Connection) -> list[str]:
    return [row[0] for row in session.execute(LEFTOVERS).fetchall()]


def caught_up(session: psycopg.Connection) -> bool:
    row = session.execute(
        "SELECT min(position) >= (SELECT max(notification_id) FROM log.events) FROM projections.tracking"
        " WHERE NOT name = ANY (%s)",
        ([name for name, kind in PROJECTIONS.items() if kind.inline],),
    ).fetchone()
    return row is not None and bool(row[0])


@pytest.mark.parametrize("projection", ["catalog", "invocations", "logs", "rebuilds", "outbox", "kv"])
def test_a_rebuild_that_is_asked_for_is_done_and_finds_no_difference(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, projection: str
) -> None:
    fill(appender, 300)
    with manager(fresh_dsn) as process:
        wait_until(lambda: caught_up(session), "the followers at the head")
        status = ended(session, ask(appender, projection))
        assert (status.state, status.difference, status.reason) == ("finished", None, None)
        assert status.events_done > 300
        assert newest_rebuilds(session, 1) == [status]
        assert leftovers(session) == []
        assert end(process) == 0


def test_a_rebuild_of_what_does_not_exist_fails_with_the_reason(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    with manager(fresh_dsn):
        status = ended(session, ask(appender, "dreams"))
        assert (status.state, status.reason) == ("failed", "there is no projection 'dreams'")


def test_a_rebuild_whose_leader_was_killed_is_taken_up_by_the_next_one(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    fill(appender, 3_000)
    with connect(fresh_dsn, purpose="test") as reader:
        # A reader in the middle of a transaction keeps the rebuild from its swap.
        reader.execute("BEGIN")
        reader.execute("SELECT FROM invocations.invocations")
        with manager(fresh_dsn) as first:
            rebuild = ask(appender, "invocations")
            wait_until(lambda: phase(session, rebuild) == "swapping", "a rebuild before its swap")
            first.send_signal(signal.SIGKILL)
            first.wait(10)
        assert leftovers(session) == ["invocations__next"]
    with manager(fresh_dsn):
        status = ended(session, rebuild)
        assert (status.state, status.difference) == ("finished", None)
        assert leftovers(session) == []


def test_a_manager_that_ends_in_order_leaves_no_half_built_tables_and_the_rebuild_open(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    fill(appender, 300)
    with connect(fresh_dsn, purpose="test") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT FROM logs.lines")
        with manager(fresh_dsn) as first:
            rebuild = ask(appender, "logs")
            wait_until(lambda: phase(session, rebuild) == "swapping", "a rebuild before its swap")
            assert end(first) == 0
        assert leftovers(session) == []
    with manager(fresh_dsn):
        assert ended(session, rebuild).state == "finished"


def test_a_rebuild_whose_process_dies_every_time_fails_at_last(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    fill(appender, 300)
    killed: set[int] = set()

    def killed_again() -> bool:
        for pid in {row[0] for row in session.execute(REBUILDERS).fetchall()} - killed:
            session.execute("SELECT pg_terminate_backend(%s)", (pid,))
            killed.add(pid)
        status = rebuild_status(session, rebuild)
        return status is not None and status.ended_at is not None

    with connect(fresh_dsn, purpose="test") as reader, manager(fresh_dsn):
        reader.execute("BEGIN")
        reader.execute("SELECT FROM logs.lines")
        rebuild = ask(appender, "logs")
        wait_until(killed_again, "the end of a rebuild that always dies", seconds=60)
        status = rebuild_status(session, rebuild)
        assert status is not None
        assert status.state == "failed"
        assert "died 3 times" in str(status.reason)


def test_tables_of_an_older_version_are_rebuilt_at_the_start(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    fill(appender, 300)
    session.execute("UPDATE projections.tracking SET version = 0 WHERE name = 'logs'")
    session.execute("ALTER TABLE logs.lines DROP COLUMN level")
    with manager(fresh_dsn):
        wait_until(lambda: version(session, "logs") == 1, "a rebuilt set of tables")
        wait_until(lambda: caught_up(session), "the followers at the head")
    row = session.execute("SELECT count(level) FROM logs.lines").fetchone()
    assert row is not None
    assert row[0] > 50


def test_what_was_rebuilt_for_its_age_is_followed_from_then_on(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    history = History(seed=5)
    appender.append(history.request())
    session.execute("UPDATE projections.tracking SET version = 0 WHERE name = 'schedules'")
    with manager(fresh_dsn):
        wait_until(lambda: version(session, "schedules") == 1, "a rebuilt set of tables")
        appender.append(history.request())
        wait_until(lambda: caught_up(session), "the followers at the head")


def phase(session: psycopg.Connection, rebuild: UUID) -> str | None:
    status = rebuild_status(session, rebuild)
    return status and status.phase


def version(session: psycopg.Connection, projection: str) -> int:
    row = session.execute("SELECT version FROM projections.tracking WHERE name = %s", (projection,)).fetchone()
    assert row is not None
    return int(row[0])
