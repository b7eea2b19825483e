"""Bring a database's schema up to the code's: the files of ``migrations/``, forward only, each once.

A migration and the note that it was applied commit in one transaction, under an advisory lock that all who migrate a
database take. So a kill at any moment leaves it either applied and noted or neither, several starts at a time are as
good as one, and nothing has to be unlocked by hand afterwards. Why this is no library's job here:
``docs/decisions/0005-migrations-of-our-own.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from picloud.postgres.sessions import connect

FOLDER: Final = Path(__file__).parent.parent / "migrations"
OLDEST_SERVER: Final = 14

_LOCK: Final = 7236274000
_NAME: Final = re.compile(r"(?P<number>[0-9]{4})-[a-z0-9-]+")

_HAS_TABLE: Final = "SELECT to_regclass('picloud.migrations') IS NOT NULL"
_CREATE_TABLE: Final = """
    CREATE SCHEMA IF NOT EXISTS picloud;
    CREATE TABLE IF NOT EXISTS picloud.migrations (
        name       text        PRIMARY KEY,
        sha256     bytea       NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
_APPLIED: Final = "SELECT name, sha256 FROM picloud.migrations ORDER BY name"
_NOTE: Final = "INSERT INTO picloud.migrations (name, sha256) VALUES (%s, %s)"


class MigrationError(RuntimeError):
    """The schema can't be brought up to the code's; the message says why and what to do."""


class NewerDatabase(MigrationError):
    """The database has migrations that this code doesn't know: it was used by a later PiCloud."""


class ChangedMigration(MigrationError):
    """A migration that was applied to the database reads differently in this code."""


class OldServer(MigrationError):
    """The PostgreSQL server is older than what PiCloud works with."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name without the suffix, and its statements."""

    name: str
    statements: str

    @property
    def digest(self) -> bytes:
        """What tells a changed file: the SHA-256 of its text."""
        return sha256(self.statements.encode()).digest()


def load(folder: Path = FOLDER) -> list[Migration]:
    """The migrations in ``folder`` in the order of their numbers.

    Raises :class:`MigrationError` for a file that is not named ``NNNN-what-it-does.sql``, and for a number used twice.
    """
    found: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            raise MigrationError(f"{path} is not named NNNN-what-it-does.sql")
        if twin := found.get(match["number"]):
            raise MigrationError(f"{path} has the number of {twin.name}")
        found[match["number"]] = Migration(path.stem, path.read_text(encoding="utf-8"))
    if not found:
        raise MigrationError(f"there are no migrations in {folder}; this installation is not whole")
    return list(found.values())


def pending(connection: psycopg.Connection, migrations: Iterable[Migration] | None = None) -> list[str]:
    """The names of the migrations that the database lacks, in order; empty if it is current.

    Raises :class:`NewerDatabase`, :class:`ChangedMigration`, :class:`OldServer`, or :class:`psycopg.Error`.
    """
    return [migration.name for migration in _lacking(connection, list(migrations or load()))]


def migrate(
    dsn: str,
    migrations: Iterable[Migration] | None = None,
    *,
    report: Callable[[str], None] = lambda name: None,
) -> list[str]:
    """Apply what the database lacks and return the names, each of which ``report`` gets when it is applied.

    Waits while another process migrates the same database. Raises what :func:`pending` does, and
    :class:`MigrationError` for a statement that fails; what went before it stays applied.
    """
    known = list(migrations or load())
    with connect(dsn, purpose="migrate") as connection:
        if not _lacking(connection, known):
            return []
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(_CREATE_TABLE)
        applied = []
        for migration in _lacking(connection, known):
            _apply(connection, migration)
            applied.append(migration.name)
            report(migration.name)
    return applied


def _lacking(connection: psycopg.Connection, known: list[Migration]) -> list[Migration]:
    version = connection.info.server_version // 10000
    if version < OLDEST_SERVER:
        raise OldServer(f"the server is PostgreSQL {version}; PiCloud needs {OLDEST_SERVER} or later")
    applied = _applied(connection)
    digests = {migration.name: migration.digest for migration in known}
    if later := sorted(applied.keys() - digests.keys()):
        raise NewerDatabase(
            f"the database has migrations that this version of PiCloud doesn't know ({', '.join(later)}): "
            "it was used by a later version; install that one, or restore a backup from before it"
        )
    if changed := sorted(name for name, digest in applied.items() if digests[name] != digest):
        raise ChangedMigration(
            f"these migrations were applied to the database and have been changed since: {', '.join(changed)}; "
            "the code and the database don't fit: install a released version, or start with a new database"
        )
    return [migration for migration in known if migration.name not in applied]


def _applied(connection: psycopg.Connection) -> dict[str, bytes]:
    row = connection.execute(_HAS_TABLE).fetchone()
    if row is None or not row[0]:
        return {}
    return {name: bytes(digest) for name, digest in connection.execute(_APPLIED)}


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            # Better to fail than to queue behind a long transaction, with all others queueing behind us.
            connection.execute("SET LOCAL lock_timeout = '30s'")
            connection.execute(sql.SQL(migration.statements))
            connection.execute(_NOTE, (migration.name, migration.digest))
    except psycopg.Error as error:
        where = f" at character {error.diag.statement_position}" if error.diag.statement_position else ""
        raise MigrationError(f"migration {migration.name} failed{where}: {error}") from error
