"""What is asked of the dead letters beside lists: which are past their time, which are there, who tried to save one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

_OLD: Final = """
    SELECT app, count(*)
    FROM dead_letters.letters
    WHERE died_at >= %s AND died_at < %s
    GROUP BY app
    ORDER BY app
"""
_NEXT: Final = "SELECT min(died_at) FROM dead_letters.letters WHERE died_at >= %s"
_LISTED: Final = "SELECT id FROM dead_letters.letters WHERE id = ANY(%s)"
_REPLAYS: Final = """
    SELECT r.id, r.state, r.cause, j.name AS job
    FROM dead_letters.replays r
    LEFT JOIN replay_jobs.jobs j ON j.id = r.cause
    WHERE r.letter = %s
    ORDER BY r.id
    LIMIT 1000
"""


def deaths(connection: psycopg.Connection, *, since: datetime, before: datetime) -> dict[str, int]:
    """How many letters died in that time, by app."""
    return dict(connection.execute(_OLD, (since, before)).fetchall())


def first_death(connection: psycopg.Connection, since: datetime) -> datetime | None:
    """When the first letter died that is not older than ``since``; None if there is none."""
    row = connection.execute(_NEXT, (since,)).fetchone()
    assert row is not None
    found: datetime | None = row[0]
    return found


def listed(connection: psycopg.Connection, letters: Sequence[UUID]) -> set[UUID]:
    """Which of these letters are there: neither purged nor unknown."""
    return {row[0] for row in connection.execute(_LISTED, (list(letters),)).fetchall()}


def replays_of(connection: psycopg.Connection, letter: UUID) -> list[dict[str, Any]]:
    """The replays of a letter, each with its ``state`` and its ``cause``: an invocation replayed, or a job."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_REPLAYS, (letter,)).fetchall()
