"""Sessions with PostgreSQL: how one is opened, and a small pool of them.

The pool opens on demand, keeps what comes back healthy, and has no threads, timers or back-off of its own: the first
request after an outage is the one that finds the database again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import gevent
import psycopg
from gevent.lock import BoundedSemaphore
from psycopg.conninfo import conninfo_to_dict

KEEPALIVE: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""How long a dead server can hide from us: seconds to the first probe, between probes, their number; milliseconds."""

SERVER_SIDE: Final = (
    "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=30000"
    " -c client_connection_check_interval=10000 -c TimeZone=UTC"
)
"""How long a dead host of ours can hide from the server, whose default is two hours: until then it keeps its locks.

And the zone of all times, which psycopg reads faster in UTC than in any other.
"""

OUTAGE: Final = (psycopg.OperationalError, psycopg.InterfaceError)
"""The database is away or busy: the same may go well in a moment."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 0.5
"""Seconds between two tries."""

Result = TypeVar("Result")


def connect(dsn: str, *, purpose: str, **options: Any) -> psycopg.Connection:
    """Open a session in autocommit mode, named ``picloud <purpose>`` in pg_stat_activity.

    Raises :class:`psycopg.OperationalError` if the database can't be reached.
    """
    of_dsn = str(conninfo_to_dict(dsn).get("options") or "")
    given = {**KEEPALIVE, "options": f"{SERVER_SIDE} {of_dsn}".strip(), **options}
    return psycopg.connect(dsn, autocommit=True, application_name=f"picloud {purpose}", **given)


class Sessions:
    """Up to ``size`` sessions on ``dsn``, lent one at a time; a borrower waits while all are out."""

    def __init__(self, dsn: str, *, purpose: str, size: int = 4) -> None:
        self._dsn = dsn
        self._purpose = purpose
        self._room = BoundedSemaphore(size)
        self._idle: list[psycopg.Connection] = []

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection]:
        """A session in autocommit mode. One that broke, or was left in a transaction, is closed and not lent again."""
        with self._room:
            connection = self._idle.pop() if self._idle else connect(self._dsn, purpose=self._purpose)
            try:
                yield connection
            finally:
                if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    connection.close()
                    if connection.broken:
                        self._close_idle()
                else:
                    self._idle.append(connection)

    def patiently(self, act: Callable[[psycopg.Connection], Result]) -> Result:
        """What ``act`` gives on a session; while the database is away it is asked again, for as long as it takes."""
        delay = FIRST_PAUSE
        while True:
            try:
                with self.session() as connection:
                    return act(connection)
            except OUTAGE:
                gevent.sleep(delay * (0.5 + random.random()))
                delay = min(delay * 1.5, LONGEST_PAUSE)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """A session with a transaction that commits when the block ends well."""
        with self.session() as connection, connection.transaction():
            yield connection

    def close(self) -> None:
        """Close what is idle; what is lent closes when it comes back broken, or with the process."""
        self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()
