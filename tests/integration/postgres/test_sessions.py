"""Sessions: named, and bounded in how long a dead end can hide."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from picloud.postgres.sessions import Sessions, connect


def shown(session: psycopg.Connection, setting: str) -> str:
    row = session.execute("SELECT current_setting(%s)", (setting,)).fetchone()
    assert row is not None
    return str(row[0])


def test_a_session_tells_what_it_is_for_and_commits_each_statement(dsn: str) -> None:
    with connect(dsn, purpose="test") as session:
        assert shown(session, "application_name") == "picloud test"
        assert session.autocommit


def test_the_server_looks_whether_a_waiting_client_still_lives(dsn: str) -> None:
    with connect(dsn, purpose="test") as session:
        assert shown(session, "client_connection_check_interval") == "10s"
        parameters = session.info.get_parameters()
    assert "tcp_keepalives_idle=20" in parameters["options"]
    assert parameters["keepalives_idle"] == "20"


def test_options_of_the_connection_string_stay(dsn: str) -> None:
    with connect(make_conninfo(dsn, options="-c work_mem=5MB"), purpose="test") as session:
        assert shown(session, "work_mem") == "5MB"
        assert shown(session, "client_connection_check_interval") == "10s"


def test_a_session_that_was_cut_is_not_lent_again(dsn: str) -> None:
    sessions = Sessions(dsn, purpose="test", size=1)
    with connect(dsn, purpose="killer") as killer:
        with sessions.session() as first:
            killer.execute("SELECT pg_terminate_backend(%s)", (first.info.backend_pid,))
            with pytest.raises(psycopg.OperationalError):
                first.execute("SELECT 1")
        with sessions.session() as second:
            assert second.execute("SELECT 1").fetchone() == (1,)
    sessions.close()


def test_a_session_left_in_a_transaction_is_not_lent_again(dsn: str) -> None:
    sessions = Sessions(dsn, purpose="test", size=1)
    with sessions.session() as first:
        first.execute("BEGIN")
    with sessions.session() as second:
        assert second is not first
        assert second.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    sessions.close()
