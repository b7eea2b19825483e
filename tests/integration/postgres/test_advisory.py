"""Waiting for a lock: as long as it takes, and without holding back what the database can clean up."""

from __future__ import annotations

import time

import gevent
import psycopg
import pytest

from picloud.postgres import advisory
from picloud.postgres.advisory import wait_for_lock
from picloud.postgres.sessions import connect

KEY = 4_711


def oldest_snapshot(session: psycopg.Connection) -> int | None:
    row = session.execute(
        "SELECT min(backend_xmin::text::bigint) FROM pg_stat_activity WHERE application_name = 'picloud waiter'"
    ).fetchone()
    return None if row is None else row[0]


def until(seconds: float, found: object) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found():  # type: ignore[operator]
            return True
        gevent.sleep(0.02)
    return False


def test_who_waits_for_a_lock_gets_it_when_its_holder_is_gone(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory, "LONGEST_TURN", 0.2)
    with connect(dsn, purpose="waiter") as waiter, connect(dsn, purpose="holder") as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (KEY,))
        waiting = gevent.spawn(wait_for_lock, waiter, KEY)
        # Several turns pass.
        assert not until(0.7, waiting.ready)
        holder.close()
        waiting.get(timeout=5)
        row = waiter.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", (KEY,))
        assert row.fetchone() == (1,)


def test_the_snapshot_of_who_waits_moves_on(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory, "LONGEST_TURN", 0.2)
    with (
        connect(dsn, purpose="waiter") as waiter,
        connect(dsn, purpose="holder") as holder,
        connect(dsn, purpose="test") as session,
    ):
        holder.execute("SELECT pg_advisory_lock(%s)", (KEY,))
        waiting = gevent.spawn(wait_for_lock, waiter, KEY)
        assert until(5, lambda: oldest_snapshot(session) is not None)
        for _ in range(3):
            before = oldest_snapshot(session) or 0
            session.execute("SELECT pg_current_xact_id()")
            assert until(5, lambda before=before: (oldest_snapshot(session) or 0) > before)
        holder.close()
        waiting.get(timeout=5)


def test_a_session_that_breaks_ends_the_wait(dsn: str) -> None:
    with connect(dsn, purpose="waiter") as waiter, connect(dsn, purpose="holder") as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (KEY,))
        waiting = gevent.spawn(wait_for_lock, waiter, KEY)
        pid = waiter.info.backend_pid
        assert until(5, lambda: holder.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone() == (True,))
        with pytest.raises(psycopg.OperationalError):
            waiting.get(timeout=5)
        # It may say so only when it is used again.
        waiter.close()
