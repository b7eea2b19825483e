"""Waiting for an advisory lock, or for the end of a session, nearly without waking up in between.

A statement that waits for a lock holds a snapshot all the while, and what was deleted or changed since that snapshot
can't be cleaned up: the outbox would grow by every row that it ever had. So the wait is cut into turns, each with a
snapshot of its own: a minute long while little happens, and a few seconds while much does.
"""

from __future__ import annotations

import random
from typing import Final

import psycopg
from gevent.socket import wait_read
from psycopg.pq import DiagnosticField, ExecStatus

SAFETY_SECONDS: Final = 60.0
LONGEST_TURN: Final = 55.0
SHORTEST_TURN: Final = 5.0
"""Seconds of one wait for a lock."""
BUSY: Final = 200
"""With more transactions than so many in a turn, the next one is short."""

_LOCK_TIMEOUT: Final = b"55P03"


def wait_for_lock(session: psycopg.Connection, key: int) -> None:
    """Wait for the session lock ``key`` for as long as it takes; it is held until the session ends.

    Raises :class:`psycopg.OperationalError` if the session breaks first.
    """
    seen = _transactions(session)
    turn = LONGEST_TURN
    while not _got_lock(session, key, turn):
        now = _transactions(session)
        turn = SHORTEST_TURN if now - seen > BUSY else LONGEST_TURN
        seen = now


def _got_lock(session: psycopg.Connection, key: int, seconds: float) -> bool:
    session.execute(f"SET lock_timeout = {round(seconds * 1_000)}".encode())
    # Not by execute(), which wakes ten times a second while it waits for the answer.
    session.pgconn.send_query(f"SELECT pg_advisory_lock({key})".encode())
    session.pgconn.flush()
    while session.pgconn.is_busy():
        _look(session)
    got = True
    while (result := session.pgconn.get_result()) is not None:
        if result.error_field(DiagnosticField.SQLSTATE) == _LOCK_TIMEOUT:
            got = False
        elif result.status != ExecStatus.TUPLES_OK:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
    return got


def _transactions(session: psycopg.Connection) -> int:
    """How many transactions the database has seen."""
    row = session.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    assert row is not None
    return int(row[0])


def wait_for_end(session: psycopg.Connection) -> None:
    """Sleep until the session breaks; asks it once a minute for safety.

    Raises :class:`psycopg.OperationalError`, in the end.
    """
    while True:
        if not _look(session):
            session.execute("SELECT 1")


def _look(session: psycopg.Connection) -> bool:
    """Wait until the session has something to say and take it in; False if it was silent for a minute."""
    try:
        wait_read(session.fileno(), timeout=SAFETY_SECONDS * (0.9 + 0.2 * random.random()))
    except TimeoutError:
        return False
    session.pgconn.consume_input()
    return True
