"""Takes what waits in the outbox, as long as there is room, and runs it here.

Woken by NOTIFY, by a place that became free, and by one timer set to the next due time; it never polls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal

from picloud.domain.invocation import Invocation, Requested, Started
from picloud.domain.lifecycle import evolve
from picloud.domain.metadata import Metadata
from picloud.log.listener import OUTBOX_CHANNEL, Listener
from picloud.log.reader import read_first_events
from picloud.log.repository import load_invocation
from picloud.orchestrator.batches import Batches, Member
from picloud.orchestrator.runner import Runner
from picloud.orchestrator.slots import Slots
from picloud.postgres.sessions import Sessions

_CLAIM: Final = (
    "SELECT invocation_id, version, attempt, app, correlation_id, batch"
    " FROM log.claim(%s, %s, %s, %s::text[], %s::integer[])"
)
_NEXT_DUE: Final = "SELECT log.next_due()"
_RECHECK_SECONDS: Final = 1.0
"""When to look again at a row that is due but that another node is just taking."""
_LONGEST_TIMER: Final = 3600.0

_log = structlog.get_logger(__name__)

_Claim = tuple[UUID, int, int, str, UUID, UUID | None]


class Dispatcher:
    """See the module. ``node_id`` tells the node's present id, None while it has none; ``renew`` asks for a new one."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        listener: Listener,
        runner: Runner,
        batches: Batches,
        slots: Slots,
        node_id: Callable[[], UUID | None],
        renew: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._runner = runner
        self._batches = batches
        self._slots = slots
        self._node_id = node_id
        self._renew = renew
        self._wake = Signal()
        self._more = False
        self._timer: gevent.Greenlet[[], None] | None = None
        self._greenlet: gevent.Greenlet[[], None] | None = None
        slots.on_free = self._freed
        listener.subscribe(OUTBOX_CHANNEL, lambda _payload: self._wake.set())

    def start(self) -> None:
        """Begin to take work."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "dispatcher"

    def stop(self) -> None:
        """Take no more work; what runs goes on."""
        for greenlet in (self._greenlet, self._timer):
            if greenlet is not None:
                greenlet.kill()

    def _freed(self) -> None:
        if self._more:
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                self._take()
            except psycopg.Error as error:
                # Whether the claim was committed is unknown. Under a new id, what the old one took is given back.
                _log.warning("dispatcher.lost", error=str(error).strip())
                self._renew()

    def _take(self) -> None:
        node = self._node_id()
        room = self._slots.free
        self._more = room <= 0
        if node is None or room <= 0:
            return
        with self._sessions.session() as connection:
            busy = self._slots.busy
            asked = (node, f"node:{node}", room, list(busy), list(busy.values()))
            claims: list[_Claim] = connection.execute(_CLAIM, asked, prepare=True).fetchall()
            batches = {claim[5] for claim in claims} - {None}
            runs = sum(claim[5] is None for claim in claims) + len(batches)
            # Of each queue one batch is taken at a time: there may be another.
            self._more = runs == room or bool(batches)
            if runs < room:
                self._set_timer(connection)
        self._slots.take_anyway(runs)
        if claims:
            gevent.spawn(self._start_runs, claims, node).name = "dispatcher runs"
        if self._slots.free > 0 and self._more:
            self._wake.set()

    def _start_runs(self, claims: list[_Claim], node: UUID) -> None:
        delay = 0.05
        while True:
            try:
                self._load_and_spawn(claims, node)
                return
            except psycopg.OperationalError as error:
                _log.warning("dispatcher.unread", runs=len(claims), error=str(error).strip())
                gevent.sleep(delay)
                delay = min(delay * 2, 1.0)

    def _load_and_spawn(self, claims: list[_Claim], node: UUID) -> None:
        with self._sessions.session() as connection:
            first = read_first_events(connection, [claim[0] for claim in claims if claim[2] == 1])
            alone: list[Member] = []
            together: dict[UUID, list[Member]] = {}
            for invocation, version, attempt, app, correlation, batch in claims:
                metadata = Metadata(app, f"node:{node}", correlation, invocation)
                state: Invocation | None
                if attempt == 1:
                    requested = first[invocation].event
                    assert isinstance(requested, Requested)
                    started = Started(
                        originator_id=invocation, originator_version=version, attempt=attempt, node=node, batch=batch
                    )
                    state = evolve(evolve(None, requested), started)
                else:
                    state = load_invocation(connection, invocation)
                    assert state is not None
                (alone if batch is None else together.setdefault(batch, [])).append(Member(state, metadata))
        for member in alone:
            gevent.spawn(self._runner.run, member.state, member.metadata).name = f"run {member.state.id}"
        for batch, members in together.items():
            gevent.spawn(self._batches.run, members).name = f"batch {batch}"

    def _set_timer(self, connection: psycopg.Connection) -> None:
        if self._timer is not None:
            self._timer.kill(block=False)
            self._timer = None
        row = connection.execute(_NEXT_DUE, prepare=True).fetchone()
        if row is None or row[0] is None:
            return
        seconds = row[0] if row[0] > 0 else _RECHECK_SECONDS
        self._timer = gevent.spawn_later(min(seconds, _LONGEST_TIMER), self._wake.set)
