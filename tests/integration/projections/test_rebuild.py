"""Rebuilds: the new tables equal the live ones, a row that was tampered with is named, and nobody notices the swap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID, uuid4

import gevent
import psycopg
import pytest

from picloud.log.appender import Appender
from picloud.log.reader import read_head
from picloud.postgres.sessions import connect
from picloud.projections import rebuild as rebuilding
from picloud.projections.folding import Folder
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS
from picloud.projections.progress import Progress, read_progress
from picloud.projections.projection import Unfoldable
from picloud.projections.rebuild import Rebuild, RebuildRefused
from picloud.projections.tracking import status

from ..manager.processes import wait_until
from .history import History
from .tables import contents

LEFTOVERS = r"SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\_\_next' OR nspname LIKE '%\_\_old'"
STRUCTURE = """
    SELECT table_name, column_name, data_type, is_nullable, collation_name, NULL AS index
    FROM information_schema.columns WHERE table_schema = %(schema)s
    UNION ALL
    SELECT tablename, NULL, NULL, NULL, NULL, indexdef FROM pg_indexes WHERE schemaname = %(schema)s
    ORDER BY 1, 2, 6
"""


def rebuild(dsn: str, name: str, *, verify: bool = True) -> Progress:
    stream = uuid4()
    Rebuild(dsn, stream, PROJECTIONS[name], verify=verify).run()
    with connect(dsn, purpose="test") as session:
        progress = read_progress(session, stream)
    assert progress is not None
    return progress


def catch_up(session: psycopg.Connection, page_size: int = 500) -> None:
    folder = Folder([kind() for kind in PROJECTIONS.values()], page_size=page_size)
    while folder.step(session):
        pass


@contextmanager
def following(dsn: str) -> Iterator[None]:
    follower = Follower(dsn, [kind() for kind in PROJECTIONS.values()])
    follower.start()
    yield
    follower.stop()


@contextmanager
def going_on(act: Callable[[], None]) -> Iterator[list[int]]:
    """Do ``act`` over and over beside the block; what is yielded counts. What it raises is raised."""
    count = [0]
    stop = [False]

    def again() -> None:
        while not stop[0]:
            act()
            count[0] += 1
            gevent.sleep(0.001)

    greenlet = gevent.spawn(again)
    try:
        yield count
    finally:
        stop[0] = True
        greenlet.join()
    greenlet.get()


def test_rebuilt_tables_equal_the_live_ones(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(seed=21)
    for span in (2_000, 13):
        history.append_to(appender, 600)
        # The last event may be one that the append itself put behind what it was given.
        head = read_head(session)
        monkeypatch.setattr(rebuilding, "FIRST_SPAN", span)
        catch_up(session, page_size=29)
        live = contents(session)
        for name in PROJECTIONS:
            progress = rebuild(fresh_dsn, name)
            assert (progress.phase, progress.difference, progress.position) == ("swapped", None, head)
        assert contents(session) == live
    assert session.execute(LEFTOVERS).fetchall() == []


@pytest.mark.parametrize("name", list(PROJECTIONS))
def test_a_rebuilt_set_has_the_structure_of_the_one_it_replaces(
    fresh_dsn: str, session: psycopg.Connection, name: str
) -> None:
    before = session.execute(STRUCTURE, {"schema": name}).fetchall()
    rebuild(fresh_dsn, name)
    assert session.execute(STRUCTURE, {"schema": name}).fetchall() == before
    assert before


TAMPERED = {
    "UPDATE catalog.scripts SET current = 999 WHERE (app, name) = (SELECT app, name FROM catalog.scripts LIMIT 1)": (
        "catalog.scripts (id=",
        "): current is '999' in the live table, ",
    ),
    "UPDATE invocations.invocations SET ended_at = NULL WHERE id ="
    " (SELECT id FROM invocations.invocations WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1)": (
        "invocations.invocations (id=",
        "): ended_at is NULL in the live table, '",
    ),
    "DELETE FROM logs.lines WHERE (position, seq) ="
    " (SELECT position, seq FROM logs.lines ORDER BY app DESC, position DESC, seq DESC LIMIT 1)": (
        "logs.lines (app=",
        "): the row is in the rebuilt table and not in the live one",
    ),
    "INSERT INTO outbox.pending SELECT gen_random_uuid(), 1, 1, now(), 'a', gen_random_uuid(), 'ready', now(), 0": (
        "outbox.pending (invocation_id=",
        "): the row is in the live table and not in the rebuilt one",
    ),
    "UPDATE kv.entries SET value = 'null' WHERE (app, key) = (SELECT app, key FROM kv.entries LIMIT 1)": (
        "kv.entries (app=",
        "): value is 'null' in the live table, ",
    ),
    "UPDATE rebuilds.requests SET seconds = seconds + 1 WHERE id ="
    " (SELECT id FROM rebuilds.requests WHERE seconds IS NOT NULL LIMIT 1)": (
        "rebuilds.requests (id=",
        "): seconds is '1.123456789' in the live table, '0.123456789' in the rebuilt one",
    ),
}


@pytest.mark.parametrize("statement", TAMPERED, ids=[found[0].split(" ")[0] for found in TAMPERED.values()])
def test_verify_names_the_row_that_was_tampered_with_and_the_rebuild_mends_it(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, statement: str
) -> None:
    History(seed=31).append_to(appender, 1_200)
    catch_up(session)
    sound = contents(session)
    assert session.execute(statement.encode()).rowcount == 1
    begins, holds = TAMPERED[statement]
    difference = rebuild(fresh_dsn, begins.split(".")[0]).difference
    assert difference is not None
    assert difference.startswith(begins)
    assert holds in difference
    assert contents(session) == sound


def test_a_dropped_table_comes_back(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    History(seed=32).append_to(appender, 300)
    catch_up(session)
    sound = contents(session)
    session.execute("DROP SCHEMA catalog CASCADE")
    session.execute("DROP TABLE logs.lines")
    for name in ("catalog", "logs"):
        assert "not compared" in str(rebuild(fresh_dsn, name).difference)
    assert contents(session) == sound


def test_reads_go_on_during_rebuilds_and_see_every_row(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    History(seed=33).append_to(appender, 600)
    catch_up(session)
    sizes = {table: len(rows) for table, rows in contents(session).items()}
    with connect(fresh_dsn, purpose="test") as reader:

        def read() -> None:
            for table, size in sizes.items():
                row = reader.execute(f"SELECT count(*) FROM {table}".encode(), prepare=True).fetchone()
                assert row == (size,), table

        with going_on(read) as reads:
            for name in PROJECTIONS:
                before = reads[0]
                rebuild(fresh_dsn, name)
                assert reads[0] > before, f"no read during the rebuild of {name}"


def test_a_reader_of_several_tables_sees_one_state_of_them_during_a_rebuild(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    History(seed=34).append_to(appender, 400)
    catch_up(session)
    tables = [f"catalog.{table.name}" for table in PROJECTIONS["catalog"].tables]
    sizes = [len(contents(session)[table]) for table in tables]
    with connect(fresh_dsn, purpose="test") as reader:

        def read() -> None:
            with reader.transaction():
                reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                for table, size in zip(tables, sizes, strict=True):
                    assert reader.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (size,), table
                    gevent.sleep(0.005)

        with going_on(read) as reads:
            for _ in range(8):
                rebuild(fresh_dsn, "catalog", verify=False)
        assert reads[0] > 8


def test_rebuilds_while_the_log_grows_and_is_followed_lose_nothing(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    history = History(seed=35)
    history.append_to(appender, 300)
    with following(fresh_dsn):
        with going_on(lambda: history.append_to(appender, 5) and None) as appends:
            for name in [*PROJECTIONS, *PROJECTIONS]:
                assert rebuild(fresh_dsn, name).difference is None
        assert appends[0] > 20
        head = read_head(session)
        wait_until(partial(stands_at, session, head), "the followers at the head")
    live = contents(session)
    for name in PROJECTIONS:
        assert rebuild(fresh_dsn, name).difference is None
    assert contents(session) == live


def stands_at(session: psycopg.Connection, head: int) -> bool:
    return all(found.position >= head and found.error is None for found in status(session))


def test_claims_go_on_while_the_outbox_is_rebuilt(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    history = History(seed=36)
    claimed: list[UUID] = []
    with connect(fresh_dsn, purpose="test") as claimer:

        def claim() -> None:
            rows = claimer.execute(
                "SELECT invocation_id FROM log.claim(%s, 'test', 1, '{}', '{}')", (UUID(int=7),)
            ).fetchall()
            claimed.extend(row[0] for row in rows)

        with going_on(claim), going_on(lambda: appender.append(history.request()) and None):
            for _ in range(5):
                assert rebuild(fresh_dsn, "outbox").difference is None
    assert len(claimed) > 5
    assert rebuild(fresh_dsn, "outbox").difference is None


def test_an_event_that_can_not_be_read_refuses_the_rebuild_and_leaves_the_live_tables(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    History(seed=37).append_to(appender, 900)
    catch_up(session)
    live = contents(session)
    session.execute("UPDATE log.events SET state = 'nonsense' WHERE topic = 'ScriptDeployed'")
    with pytest.raises(Unfoldable, match="ScriptDeployed at position"):
        rebuild(fresh_dsn, "catalog")
    assert contents(session) == live
    assert session.execute(LEFTOVERS).fetchall() == []


def test_a_reader_who_never_leaves_refuses_the_swap_in_the_end(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "SWAP_SECONDS", 0.5)
    History(seed=38).append_to(appender, 100)
    with connect(fresh_dsn, purpose="test") as reader, reader.transaction():
        reader.execute("SELECT FROM catalog.apps")
        with pytest.raises(RebuildRefused, match="in use"):
            rebuild(fresh_dsn, "catalog")
        assert reader.execute("SELECT count(*) FROM catalog.apps").fetchone() is not None
    assert session.execute(LEFTOVERS).fetchall() == []
