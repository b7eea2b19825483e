"""A database of the test's own, an appender and a session on it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from picloud.log.appender import Appender
from picloud.postgres.sessions import connect


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    yield appender
    appender.stop()


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection
