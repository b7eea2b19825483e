"""Watch over nodes: what a dead node was running goes back to the outbox.

Each node's session holds an advisory lock. The watch waits for that lock on a session of its own, one per node, without
polling; when PostgreSQL grants it, the node is gone. Its invocations are found in the invocations projection, once that
has caught up with the log, and each gets ``AttemptFailed`` at the version behind its ``Started``: whatever the dead, or
only cut off, node still tries to append there is refused. No clock decides anything that must be right.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.domain import lifecycle
from picloud.domain.invocation import Failure, RunError, State
from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.node import NodeLost
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict
from picloud.log.listener import CATALOG_CHANNEL, Listener
from picloud.log.reader import read_stream
from picloud.log.repository import load_invocation_with_metadata
from picloud.manager.catching_up import CatchingUp
from picloud.orchestrator.identity import lock_key
from picloud.postgres.advisory import wait_for_lock
from picloud.postgres.sessions import Sessions, connect

YOUNG_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 1.5
"""After a restart of the database every node's session is gone although the nodes live. A leader that is young gives
them this long to append the outcomes they hold, before it takes their invocations over. A matter of thrift, not safety.
"""

_LIVE: Final = "SELECT id FROM catalog.nodes WHERE state = 'live'"
_RUNNING: Final = "SELECT id FROM invocations.invocations WHERE state = 'running' AND node = %s"
_ORPHANED: Final = """
    SELECT DISTINCT i.node
    FROM invocations.invocations i
    LEFT JOIN catalog.nodes n ON n.id = i.node
    WHERE i.state = 'running' AND (n.state IS NULL OR n.state <> 'live')
"""

_log = structlog.get_logger(__name__)


class NodeWatch:
    """See the module. Lives on the leader, from ``start`` to ``stop``; subscribes to ``listener`` before it starts."""

    def __init__(self, dsn: str, *, appender: Appender, sessions: Sessions, listener: Listener) -> None:
        self._dsn = dsn
        self._appender = appender
        self._sessions = sessions
        self._look = Signal()
        self._history = CatchingUp("invocations", sessions=sessions, listener=listener)
        self._watches: dict[UUID, gevent.Greenlet[[UUID], None]] = {}
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._began = time.monotonic()
        listener.subscribe(CATALOG_CHANNEL, self._catalog_changed)

    def start(self) -> None:
        """Begin to watch every live node, present and to come."""
        self._began = time.monotonic()
        self._look.set()
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "node watch"

    def stop(self) -> None:
        """Let go of every lock."""
        if self._greenlet is not None:
            self._greenlet.kill()
        gevent.killall(list(self._watches.values()))
        self._watches.clear()

    def _catalog_changed(self, payload: str | None) -> None:
        if payload is None or "*" in payload:
            self._look.set()

    def _run(self) -> None:
        while True:
            self._look.wait()
            self._look.clear()
            try:
                with self._sessions.session() as connection:
                    live = [row[0] for row in connection.execute(_LIVE).fetchall()]
                    orphaned = [row[0] for row in connection.execute(_ORPHANED).fetchall()]
            except psycopg.Error as error:
                _log.warning("node_watch.unread", error=str(error).strip())
                gevent.sleep(0.5)
                self._look.set()
                continue
            for node in live:
                if node not in self._watches:
                    self._watches[node] = gevent.spawn(self._watch, node)
                    self._watches[node].name = f"watch of node {node}"
            for node in orphaned:
                if node not in self._watches:
                    self._watches[node] = gevent.spawn(self._bury, node)
                    self._watches[node].name = f"burial of node {node}"

    def _watch(self, node: UUID) -> None:
        """Wait for the node's end, then bury it."""
        while True:
            try:
                with connect(self._dsn, purpose="node watch") as connection:
                    wait_for_lock(connection, lock_key(node))
                    if time.monotonic() - self._began < YOUNG_SECONDS:
                        gevent.sleep(GRACE_SECONDS)
                    self._bury(node)
                return
            except psycopg.Error as error:
                _log.warning("node_watch.session_lost", node=str(node), error=str(error).strip())
                self._began = time.monotonic()
                gevent.sleep(0.2 + 0.2 * random.random())

    def _bury(self, node: UUID) -> None:
        """Give the node's invocations back and record its end."""
        try:
            given_back = self._give_back(node)
            with self._sessions.session() as connection:
                events = read_stream(connection, node)
            if events and events[-1].type == "NodeStarted":
                lost = NodeLost(originator_id=node, originator_version=len(events) + 1, given_back=given_back)
                self._append([Entry(lost, Metadata("", SYSTEM, node, node))])
                _log.warning("node.lost", node=str(node), given_back=given_back)
        finally:
            self._watches.pop(node, None)

    def _give_back(self, node: UUID) -> int:
        self._history.wait()
        with self._sessions.session() as connection:
            running = [row[0] for row in connection.execute(_RUNNING, (node,)).fetchall()]
        given_back = 0
        for invocation in running:
            with self._sessions.session() as connection:
                loaded = load_invocation_with_metadata(connection, invocation)
            if loaded is None:
                continue
            state, asked = loaded
            if state.state is not State.RUNNING or state.node != node:
                continue
            failure = Failure(error=RunError("NodeLost", f"the node {node} ended under the run"), lost=True)
            events = lifecycle.fail(state, failure, now=datetime.now(UTC), random=0.0)
            metadata = Metadata(asked.app, SYSTEM, asked.correlation_id, invocation)
            given_back += self._append([Entry(event, metadata) for event in events])
        return given_back

    def _append(self, entries: list[Entry]) -> bool:
        try:
            self._appender.append(entries, timeout=None)
        except StreamConflict:
            return False
        except LogUnavailable as error:
            raise psycopg.OperationalError(str(error)) from error
        return True
