"""Connections, and how many: each has a session in a greenlet of its own."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import structlog
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

from picloud.smtp import reply
from picloud.smtp.session import Postmaster, Session, Terms

BACKLOG: Final = 128

_log = structlog.get_logger(__name__)


class SmtpServer:
    """Listens on ``host`` and ``port`` from ``start`` to ``stop``. More than ``most`` clients are sent away."""

    def __init__(self, host: str, port: int, *, most: int, terms: Terms, postmaster: Postmaster) -> None:
        self._greenlets = Pool()
        self._server = StreamServer((host, port), self._talk, backlog=BACKLOG, spawn=self._greenlets)
        self._most = most
        self._terms = terms
        self._postmaster = postmaster
        self._sessions: set[Session] = set()

    def start(self) -> None:
        """Take connections from now on. Raises :class:`OSError` if it can't listen."""
        self._server.start()

    def stop(self, grace: float) -> None:
        """Take no more connections; end those that wait, and the others once their mail is recorded.

        What isn't by then, after ``grace`` seconds, was not accepted, and comes again.
        """
        self._server.close()
        for session in list(self._sessions):
            session.end()
        self._greenlets.join(timeout=grace)

    def _talk(self, connection: socket.socket, peer: Any) -> None:
        client = str(peer[0]) if peer else ""
        if len(self._sessions) >= self._most:
            _log.warning("smtp.too_many_connections", client=client, most=self._most)
            self._send_away(connection)
            return
        session = Session(connection, client, terms=self._terms, postmaster=self._postmaster)
        self._sessions.add(session)
        try:
            session.run()
        finally:
            self._sessions.discard(session)

    @staticmethod
    def _send_away(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(1.0)
            connection.sendall(reply.TOO_MANY_CONNECTIONS.encode())
