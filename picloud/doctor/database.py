"""The database: reachable, current, safe, and of one mind with us about the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import psycopg

from picloud.config import Config
from picloud.doctor.finding import Finding, good, note, warning, wrong
from picloud.postgres.migrations import MigrationError, pending
from picloud.postgres.sessions import connect

SKEW_WARNING: Final = 1.0
SKEW_WRONG: Final = 10.0
_RESERVE: Final = 10

_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_SETTING: Final = "SELECT current_setting(%s)"
_SESSIONS: Final = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"


def examine(config: Config, *, running: bool) -> Iterator[Finding]:
    """Look at it; an embedded one that isn't ``running`` is left alone."""
    if config.embedded and not running:
        yield note("database", "the embedded PostgreSQL runs when PiCloud does")
        return
    try:
        with connect(config.dsn, purpose="doctor") as connection:
            yield from _examine(connection)
    except psycopg.OperationalError as error:
        yield wrong("database", f"can't be reached: {str(error).strip()}", _unreachable(config))


def _unreachable(config: Config) -> str:
    if config.embedded:
        return f"PiCloud starts it again by itself; if it doesn't come back, see {config.postgres_folder}.log"
    return "check PICLOUD_DATABASE, the server, its pg_hba.conf and the way there: psql with the same connection string"


def _examine(connection: psycopg.Connection) -> Iterator[Finding]:
    yield good("database", f"PostgreSQL {connection.info.parameter_status('server_version')} answers")
    yield from _schema(connection)
    yield from _clock(connection)
    yield from _durability(connection)
    yield from _room(connection)


def _schema(connection: psycopg.Connection) -> Iterator[Finding]:
    try:
        behind = pending(connection)
    except MigrationError as error:
        yield wrong("schema", str(error), "the code and the database have to fit")
        return
    if behind:
        yield wrong("schema", f"lacks {len(behind)} migrations: {', '.join(behind)}", "run `picloud migrate`")
    else:
        yield good("schema", "current")


def _clock(connection: psycopg.Connection) -> Iterator[Finding]:
    before = time.time()
    theirs = float(_value(connection, _CLOCK))
    after = time.time()
    skew = theirs - (before + after) / 2
    # Half the round trip is not known to be theirs or ours.
    size = max(0.0, abs(skew) - (after - before) / 2)
    found = f"the database's is {size:.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    remedy = "let both follow a time server: timedatectl set-ntp true"
    if size >= SKEW_WRONG:
        yield wrong("clock", found, remedy)
    elif size >= SKEW_WARNING:
        yield warning("clock", found, remedy)
    else:
        yield good("clock", "as the database's")


def _durability(connection: psycopg.Connection) -> Iterator[Finding]:
    lax = [name for name in ("fsync", "synchronous_commit", "full_page_writes") if _setting(connection, name) == "off"]
    if lax:
        yield wrong(
            "durability",
            f"{', '.join(lax)} is off: a crash of the database loses what was accepted",
            f"ALTER SYSTEM SET {lax[0]} = on; SELECT pg_reload_conf();",
        )
    else:
        yield good("durability", "committed means on the disk")


def _room(connection: psycopg.Connection) -> Iterator[Finding]:
    most = int(_setting(connection, "max_connections"))
    used = int(_value(connection, _SESSIONS))
    found = f"{used} sessions of {most}"
    if most - used < _RESERVE:
        yield warning("sessions", found, "raise max_connections, or lower PICLOUD_SESSIONS or PICLOUD_WORKERS")
    else:
        yield good("sessions", found)


def _setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute(_SETTING, (name,)).fetchone()
    assert row is not None
    return str(row[0])


def _value(connection: psycopg.Connection, query: str) -> float | int:
    row = connection.execute(query).fetchone()
    assert row is not None
    value = row[0]
    assert isinstance(value, int | float)
    return value
