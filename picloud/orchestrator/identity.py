"""The node's id, which lives as long as its database session.

The session holds an advisory lock made from the id. When the session ends, PostgreSQL frees the lock, the leader who
waits for it knows that the node is gone, and gives back what it was running. So a node that lost its session, but
lives, comes back under a new id; what it still runs under the old one may be taken over, and is then fenced.
"""

from __future__ import annotations

import os
import socket
from typing import Final
from uuid import UUID

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.node import NodeStarted, NodeStopped
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict
from picloud.log.ids import new_id
from picloud.log.listener import Listener

_LOCK: Final = "SELECT pg_advisory_lock(%s)"

_log = structlog.get_logger(__name__)


def lock_key(node: UUID) -> int:
    """The advisory lock of a node, as PostgreSQL's signed 64-bit key: the random half of its id."""
    return int.from_bytes(node.bytes[8:], "big", signed=True)


class Identity:
    """See the module. ``current`` is None while there is no session."""

    def __init__(self, dsn: str, appender: Appender, *, capacity: int) -> None:
        self.listener = Listener(dsn, purpose="node", on_connect=self._on_connect, on_lost=self._on_lost)
        self.current: UUID | None = None
        self._appender = appender
        self._capacity = capacity
        self._present = Signal()

    def wait(self, timeout: float) -> UUID:
        """The present id, waiting up to ``timeout`` seconds for one. Raises :class:`LogUnavailable`."""
        if self.current is None:
            self._present.wait(timeout)
            if self.current is None:
                raise LogUnavailable(f"the database can't be reached since {timeout:g} s", unknown=False)
        return self.current

    def renew(self) -> None:
        """Give the present id up and come back under a new one."""
        gevent.spawn(self.listener.reconnect)

    def retire(self) -> None:
        """Tell the history that the node ended in order. Call it when nothing runs any more."""
        node, self.current = self.current, None
        if node is None:
            return
        event = NodeStopped(originator_id=node, originator_version=2)
        try:
            self._appender.append([Entry(event, _metadata(node))], timeout=2.0)
        except (LogUnavailable, StreamConflict) as error:
            _log.warning("node.unrecorded_stop", node=str(node), error=str(error))

    def _on_connect(self, connection: psycopg.Connection) -> None:
        node = new_id()
        connection.execute(_LOCK, (lock_key(node),))
        started = NodeStarted(
            originator_id=node,
            originator_version=1,
            host=socket.gethostname(),
            pid=os.getpid(),
            capacity=self._capacity,
        )
        try:
            self._appender.append([Entry(started, _metadata(node))], timeout=10.0)
        except LogUnavailable as error:
            raise psycopg.OperationalError(str(error)) from error
        self.current = node
        self._present.set()
        _log.info("node.started", node=str(node))

    def _on_lost(self) -> None:
        _log.warning("node.session_lost", node=str(self.current))
        self.current = None
        self._present.clear()


def _metadata(node: UUID) -> Metadata:
    return Metadata("", SYSTEM, node, node)
