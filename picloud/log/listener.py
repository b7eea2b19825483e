"""NOTIFY turned into calls, on one session per process that nothing polls.

A notification is a hint, never the truth: whoever is woken reads. After each (re)connect, and once a minute for
safety, every subscriber is called with None: whatever came in between, it must look for itself.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Final

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal
from gevent.socket import wait_read
from psycopg import sql

from picloud.postgres.sessions import connect

SAFETY_SECONDS: Final = 60.0

LOG_CHANNEL: Final = "picloud_log"
OUTBOX_CHANNEL: Final = "picloud_outbox"
CATALOG_CHANNEL: Final = "picloud_catalog"
INVOCATIONS_CHANNEL: Final = "picloud_invocations"

Subscriber = Callable[[str | None], None]

_log = structlog.get_logger(__name__)


class _Reconnect(Exception):
    """Asked to give the session up."""


class Listener:
    """Calls subscribers when their channel is notified: with the payload, or with None for "look yourself".

    Subscribers must not block: they set events or spawn. ``on_connect`` is run on each new session before anything
    else, for what must live and die with the session (a session lock); ``on_lost`` when the session broke.
    """

    def __init__(
        self,
        dsn: str,
        *,
        purpose: str,
        on_connect: Callable[[psycopg.Connection], None] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._dsn = dsn
        self._purpose = purpose
        self._on_connect = on_connect
        self._on_lost = on_lost
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._connection: psycopg.Connection | None = None
        self.connected = Signal()

    def subscribe(self, channel: str, subscriber: Subscriber) -> None:
        """Call ``subscriber`` for ``channel``; before ``start`` only."""
        assert self._greenlet is None, "subscribe before start: a later LISTEN would need the session's turn"
        self._subscribers.setdefault(channel, []).append(subscriber)

    def start(self) -> None:
        """Start the listening greenlet."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = f"listener {self._purpose}"

    def stop(self) -> None:
        """End the session."""
        if self._greenlet is not None:
            self._greenlet.kill()
        if self._connection is not None:
            self._connection.close()

    def reconnect(self) -> None:
        """Give the session up; the listener opens another one."""
        if self._greenlet is not None and self.connected.is_set():
            self._greenlet.kill(_Reconnect, block=False)

    def _run(self) -> None:
        delay = 0.1
        while True:
            try:
                self._connect()
                delay = 0.1
                self._listen()
            except (psycopg.Error, OSError, _Reconnect) as error:
                if self.connected.is_set():
                    self.connected.clear()
                    if self._on_lost is not None:
                        self._on_lost()
                _log.warning("listener.lost", purpose=self._purpose, error=str(error).strip())
            finally:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            with contextlib.suppress(_Reconnect):
                gevent.sleep(delay * (0.5 + random.random()))
            delay = min(delay * 1.5, 0.5)

    def _connect(self) -> None:
        connection = self._connection = connect(self._dsn, purpose=f"listener {self._purpose}")
        for channel in self._subscribers:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        if self._on_connect is not None:
            self._on_connect(connection)
        self.connected.set()
        self._look()

    def _listen(self) -> None:
        connection = self._connection
        assert connection is not None
        while True:
            try:
                wait_read(connection.fileno(), timeout=SAFETY_SECONDS * (0.9 + 0.2 * random.random()))
            except TimeoutError:
                connection.execute("SELECT 1")
                self._look()
                continue
            for notice in connection.notifies(timeout=0):
                for subscriber in self._subscribers.get(notice.channel, ()):
                    subscriber(notice.payload)

    def _look(self) -> None:
        for subscribers in self._subscribers.values():
            for subscriber in subscribers:
                subscriber(None)
