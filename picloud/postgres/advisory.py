"""Waiting for an advisory lock, or for the end of a session, without waking up in between."""

from __future__ import annotations

import random
from typing import Final

import psycopg
from gevent.socket import wait_read
from psycopg.pq import ExecStatus

SAFETY_SECONDS: Final = 60.0


def wait_for_lock(session: psycopg.Connection, key: int) -> None:
    """Wait for the session lock ``key`` for as long as it takes; it is held until the session ends.

    Raises :class:`psycopg.OperationalError` if the session breaks first.
    """
    # Not by execute(), which wakes ten times a second while it waits for the answer.
    session.pgconn.send_query(f"SELECT pg_advisory_lock({key})".encode())
    session.pgconn.flush()
    while session.pgconn.is_busy():
        _look(session)
    while (result := session.pgconn.get_result()) is not None:
        if result.status != ExecStatus.TUPLES_OK:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))


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
