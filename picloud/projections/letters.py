"""What is asked of the dead letters beside lists: which are past their time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import psycopg

_OLD: Final = """
    SELECT app, count(*)
    FROM dead_letters.letters
    WHERE died_at >= %s AND died_at < %s
    GROUP BY app
    ORDER BY app
"""
_NEXT: Final = "SELECT min(died_at) FROM dead_letters.letters WHERE died_at >= %s"


def deaths(connection: psycopg.Connection, *, since: datetime, before: datetime) -> dict[str, int]:
    """How many letters died in that time, by app."""
    return dict(connection.execute(_OLD, (since, before)).fetchall())


def first_death(connection: psycopg.Connection, since: datetime) -> datetime | None:
    """When the first letter died that is not older than ``since``; None if there is none."""
    row = connection.execute(_NEXT, (since,)).fetchone()
    assert row is not None
    found: datetime | None = row[0]
    return found
