"""Migrations: each once, in order, whole or not at all, and never over a database that knows more."""

from __future__ import annotations

from pathlib import Path

import gevent
import psycopg
import pytest

from picloud.postgres.migrations import (
    ChangedMigration,
    Migration,
    MigrationError,
    NewerDatabase,
    load,
    migrate,
    pending,
)
from picloud.postgres.sessions import connect

BOOKS = Migration("0001-books", "CREATE TABLE books (id int PRIMARY KEY);\nINSERT INTO books VALUES (1);")
SHELVES = Migration("0002-shelves", "CREATE TABLE shelves (id int PRIMARY KEY);")
SLOW = Migration("0002-slow", "CREATE TABLE slow (id int);\nSELECT pg_sleep(30);")
BROKEN = Migration("0002-broken", "CREATE TABLE half (id int);\nCREATE TABLE books (id int);")

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"


def tables(dsn: str) -> list[str]:
    with connect(dsn, purpose="test") as session:
        return [row[0] for row in session.execute(TABLES)]


def lacking(dsn: str, migrations: list[Migration]) -> list[str]:
    with connect(dsn, purpose="test") as session:
        return pending(session, migrations)


def test_migrations_are_applied_in_order_and_once(empty_dsn: str) -> None:
    assert lacking(empty_dsn, [BOOKS, SHELVES]) == ["0001-books", "0002-shelves"]
    told: list[str] = []
    assert migrate(empty_dsn, [BOOKS], report=told.append) == ["0001-books"]
    assert migrate(empty_dsn, [BOOKS, SHELVES], report=told.append) == ["0002-shelves"]
    assert migrate(empty_dsn, [BOOKS, SHELVES], report=told.append) == []
    assert told == ["0001-books", "0002-shelves"]
    assert lacking(empty_dsn, [BOOKS, SHELVES]) == []
    assert tables(empty_dsn) == ["books", "shelves"]


def test_starts_at_the_same_time_are_as_good_as_one(empty_dsn: str) -> None:
    starts = [gevent.spawn(migrate, empty_dsn, [BOOKS, SHELVES]) for _ in range(6)]
    gevent.joinall(starts, timeout=20, raise_error=True)
    applied = [name for start in starts for name in start.get(block=False)]
    assert sorted(applied) == ["0001-books", "0002-shelves"], "each was applied by exactly one"


def test_a_migration_that_fails_leaves_nothing_and_is_named(empty_dsn: str) -> None:
    with pytest.raises(MigrationError, match=r"0002-broken failed.*already exists"):
        migrate(empty_dsn, [BOOKS, BROKEN])
    assert tables(empty_dsn) == ["books"], "what went before stays, the broken one is gone whole"
    assert lacking(empty_dsn, [BOOKS, SHELVES]) == ["0002-shelves"]


def test_a_migration_cut_off_in_the_middle_needs_nobody_to_clean_up(empty_dsn: str) -> None:
    cut_off = gevent.spawn(migrate, empty_dsn, [BOOKS, SLOW])
    find = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(30)%%' AND pid <> %s"
    with connect(empty_dsn, purpose="test") as session, gevent.Timeout(10):
        while not session.execute(find, (session.info.backend_pid,)).fetchall():
            gevent.sleep(0.02)
    cut_off.join(timeout=10)
    assert isinstance(cut_off.exception, psycopg.Error | MigrationError)
    assert tables(empty_dsn) == ["books"]
    assert migrate(empty_dsn, [BOOKS, SHELVES]) == ["0002-shelves"]


def test_a_database_of_a_later_version_is_refused(empty_dsn: str) -> None:
    migrate(empty_dsn, [BOOKS, SHELVES])
    with pytest.raises(NewerDatabase, match=r"0002-shelves.*later version"):
        migrate(empty_dsn, [BOOKS])


def test_a_migration_that_was_changed_after_it_was_applied_is_refused(empty_dsn: str) -> None:
    migrate(empty_dsn, [BOOKS])
    changed = Migration(BOOKS.name, BOOKS.statements + " -- better")
    with pytest.raises(ChangedMigration, match="0001-books"):
        migrate(empty_dsn, [changed, SHELVES])


def test_the_platforms_own_migrations_bring_an_empty_database_up_to_date(empty_dsn: str) -> None:
    names = [migration.name for migration in load()]
    assert migrate(empty_dsn) == names
    with connect(empty_dsn, purpose="test") as session:
        assert pending(session) == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["books.sql"], "not named NNNN-what-it-does.sql"),
        (["0001-books.sql", "0001-shelves.sql"], "has the number of 0001-books"),
        ([], "not whole"),
    ],
)
def test_files_that_have_no_order_are_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=message):
        load(tmp_path)
