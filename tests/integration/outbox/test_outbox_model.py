"""The outbox in PostgreSQL does what a simple model does: claim by claim, whatever happened before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from picloud.domain import lifecycle
from picloud.domain.firing import Order, Target
from picloud.domain.flow import FlowControl
from picloud.domain.invocation import (
    AttemptFailed,
    Content,
    EventInput,
    Failure,
    Invocation,
    Reply,
    RetryPolicy,
    RunError,
    State,
    Usage,
)
from picloud.domain.metadata import Metadata
from picloud.domain.trigger import Delivery, Trigger
from picloud.log.appender import Appender, Entry
from picloud.log.reader import read_page
from picloud.log.repository import collect, load_invocation
from picloud.postgres.sessions import connect
from picloud.projections.inline import Outbox
from picloud.projections.projection import Page
from picloud.projections.table import Table
from tests.integration.outbox import model

START = datetime(2030, 1, 1, tzinfo=UTC)
NODE = UUID(int=77)
CLAIM = "SELECT invocation_id, batch FROM log.claim(%s, 'node:test', %s, %s::text[], %s::integer[])"
CLOCK = """
    CREATE TABLE IF NOT EXISTS public.test_clock (at timestamptz);
    CREATE OR REPLACE FUNCTION log.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT at FROM public.test_clock';
"""
EMPTY = "TRUNCATE log.events, outbox.pending, outbox.limits, outbox.throttles, public.test_clock"
FLOWS: dict[str, FlowControl] = {
    "plain": FlowControl(),
    "one": FlowControl(concurrency=1),
    "some": FlowControl(concurrency=2, priority=3),
    "app": FlowControl(concurrency=2, concurrency_key="app"),
    "wide": FlowControl(concurrency=3, concurrency_key="app"),
    "keyed": FlowControl(concurrency=1, concurrency_key="data.key"),
    "ordered": FlowControl(ordering_key="data.key"),
    "throttled": FlowControl(throttle=2, throttle_ms=2_000, throttle_key="data.key"),
    "debounced": FlowControl(debounce_ms=3_000, debounce_most_ms=5_000, debounce_key="data.key"),
    "bounced": FlowControl(debounce_ms=3_000, concurrency=1),
}
QUEUES = {"batches": (3, 2_000), "queue": (1, 0)}


class Machine(RuleBasedStateMachine):
    """Two apps with a trigger of each kind of flow; time moves only when it is told to."""

    dsn: str
    session: psycopg.Connection
    appender: Appender

    @initialize(names=st.lists(st.sampled_from([*FLOWS, *QUEUES]), min_size=1, max_size=3, unique=True))
    def begin(self, names: list[str]) -> None:
        self.session.execute(EMPTY)
        self.session.execute("INSERT INTO public.test_clock VALUES (%s)", (START,))
        self.now = 0
        self.number = 0
        self.model = model.Outbox()
        self.aggregates: dict[UUID, Trigger] = {}
        self.running: dict[UUID, Invocation] = {}
        self.chosen = names
        for app in ("a", "b"):
            for name in names:
                if name in FLOWS:
                    self._create(app, name, "topic", {"topic": ">"}, FLOWS[name])
                else:
                    batch, wait = QUEUES[name]
                    config = {"batch": batch, "batch_wait": f"{wait}ms"}
                    self._create(app, name, "queue", config, FlowControl(concurrency=2))

    def _create(self, app: str, name: str, kind: str, config: dict[str, Any], flow: FlowControl) -> None:
        delivery = Delivery(retry=RetryPolicy(attempts=3, delays_ms=(1_500,)), flow=flow)
        made = Trigger.create(app, name, kind=kind, script="run", config=config, delivery=delivery, at=START)
        self.aggregates[made.id] = made
        self._append(app, *made.collect_events())
        batch, wait = QUEUES.get(name, (1, 0))
        self.model.triggers[made.id] = model.Trigger(
            concurrency=flow.concurrency, holds=kind == "queue", batch=batch, batch_wait_ms=wait
        )

    def _append(self, app: str, *events: Any) -> int:
        return self.appender.append([Entry(event, Metadata(app, "test", NODE, NODE)) for event in events], timeout=10)

    def _at(self, ms: int) -> datetime:
        return START + timedelta(milliseconds=ms)

    @rule(
        app=st.sampled_from("ab"),
        choice=st.integers(0, 2),
        count=st.integers(1, 4),
        key=st.sampled_from(("x", "y")),
        ordering=st.sampled_from(("", "", "k", "l")),
        delay=st.sampled_from((0, 0, 0, 1_000, 7_000)),
        priority=st.sampled_from((None, None, 5)),
    )
    def request(
        self, app: str, choice: int, count: int, key: str, ordering: str, delay: int, priority: int | None
    ) -> None:
        name = self.chosen[choice % len(self.chosen)]
        for _ in range(count):
            self._request(app, name, key, ordering, delay, priority)

    def _request(self, app: str, name: str, key: str, ordering: str, delay: int, priority: int | None) -> None:
        trigger = self.aggregates[Trigger.id_of(app, name)]
        self.number += 1
        target = Target(
            app=app,
            kind=trigger.kind,
            trigger=name,
            script="run",
            number=1,
            sha256="ab" * 32,
            delivery=trigger.delivery,
        )
        due = self._at(self.now + delay) if delay else None
        order = Order(due=due, ordering_key=ordering, priority=priority)
        event = EventInput({}, Content(text=f'{{"key":"{key}"}}'))
        asked = target.request(UUID(int=self.number), event, now=self._at(self.now), order=order)
        position = self._append(app, asked)
        flow = asked.flow
        row = model.Row(asked.originator_id, app, position if flow is not None else 0, 0)
        told: dict[str, Any] = {}
        if flow is not None:
            row.trigger, row.ordering, row.concurrency = flow.trigger, flow.ordering, flow.concurrency
            told["priority"] = flow.priority
            if flow.throttle is not None:
                told["throttle"] = (flow.throttle.id, flow.throttle.every_ms, flow.throttle.burst)
            if flow.debounce is not None:
                row.debounce = flow.debounce.id
                told["debounce_most"] = flow.debounce.most_ms
        at = None if asked.due is None else (asked.due - START) // timedelta(milliseconds=1)
        superseded = self.model.request(row, now=self.now, due=at, **told)
        for stream in superseded:
            state = load_invocation(self.session, stream)
            assert state is not None
            assert state.state is State.CANCELLED

    @rule(ms=st.sampled_from((1, 500, 1_000, 2_500, 20_000)))
    def wait(self, ms: int) -> None:
        self.now += ms
        self.session.execute("UPDATE public.test_clock SET at = %s", (self._at(self.now),))

    @rule(room=st.sampled_from((1, 2, 5, 64)))
    def claim(self, room: int) -> None:
        busy = Counter(state.requested.app for state in self.running.values())
        rows = self.session.execute(CLAIM, (NODE, room, list(busy), list(busy.values()))).fetchall()
        taken: dict[object, list[UUID]] = {}
        for stream, batch in rows:
            taken.setdefault(batch or stream, []).append(stream)
        expected = self.model.claim(now=self.now, room=room, busy=busy)
        assert sorted(map(sorted, taken.values())) == sorted(map(sorted, expected))
        for stream, batch in rows:
            state = load_invocation(self.session, stream)
            assert state is not None
            assert state.state is State.RUNNING
            assert (batch is None) == (
                self.model.rows.get(stream) is None or self.model._size(self.model.rows[stream]) == 1
            )
            self.running[stream] = state

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(("succeed", "succeed", "fail", "lose", "cancel")))
    def end(self, data: st.DataObject, how: str) -> None:
        state = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self._end(state, how)

    @precondition(lambda self: self.running)
    @rule()
    def crash(self) -> None:
        """The node is gone between two of its transactions: all that it was running is given back."""
        for state in self.running.values():
            self._end(state, "lose")
        self.running.clear()

    def _end(self, state: Invocation, how: str) -> None:
        if how == "succeed":
            events: list[Any] = [lifecycle.succeed(state, Reply(204, [], Content()), usage=Usage(), logs=[])]
        elif how == "cancel":
            events = [lifecycle.cancel(state, "enough")]
        else:
            failure = Failure(error=RunError("Thrown", "no"), lost=how == "lose")
            events = lifecycle.fail(state, failure, now=self._at(self.now), random=0.5)
        self._append(state.requested.app, *events)
        last = events[-1]
        row = self.model.rows.get(state.id)
        if not isinstance(last, AttemptFailed):
            self.model.rows.pop(state.id, None)
            return
        assert last.retry_at is not None
        rank = (last.retry_at - START) // timedelta(milliseconds=1)
        if row is None:
            self.model.rows[state.id] = model.Row(state.id, state.requested.app, 0, rank)
        else:
            row.running, row.batch, row.rank = False, None, rank

    @precondition(lambda self: any(not row.running for row in self.model.rows.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from(sorted(row.id for row in self.model.rows.values() if not row.running)))
        state = load_invocation(self.session, stream)
        assert state is not None
        self._append(state.requested.app, lifecycle.cancel(state, "enough"))
        del self.model.rows[stream]

    @rule(
        app=st.sampled_from("ab"),
        choice=st.integers(0, 2),
        what=st.sampled_from(("pause", "concurrency", "remove")),
        count=st.integers(1, 4),
    )
    def change(self, app: str, choice: int, what: str, count: int) -> None:
        trigger = self.aggregates[Trigger.id_of(app, self.chosen[choice % len(self.chosen)])]
        limits = self.model.triggers[trigger.id]
        if what == "pause" and not trigger.removed:
            trigger.resume(at=START) if trigger.paused is not None else trigger.pause("", at=START)
            limits.paused = trigger.paused is not None
        elif what == "remove" and not trigger.removed:
            trigger.remove(at=START)
        elif what != "pause":
            was = trigger.delivery
            flow = was.flow
            if flow.concurrency:
                flow = FlowControl(
                    **{each: getattr(flow, each) for each in FlowControl.__slots__} | {"concurrency": count}
                )
            told = {"kind": trigger.kind, "script": "run", "config": trigger.config, "at": START}
            limits.paused = limits.paused and not trigger.removed
            trigger.change(delivery=Delivery(was.retry, was.limits, flow), **told)
            limits.concurrency = flow.concurrency
        events = collect([trigger], Metadata(app, "test", NODE, NODE))
        if events:
            self.appender.append(events, timeout=10)

    @rule(pages=st.sampled_from((1, 7, 1_000)))
    def rebuild(self, pages: int) -> None:
        """The rows follow from the log, however it is cut into pages."""
        anew = Outbox("outbox__next")
        with self.session.transaction(force_rollback=True):
            anew.create(self.session)
            position = 0
            while page := read_page(self.session, after=position, limit=pages):
                position = page[-1].position
                if facts := Page(page).facts(anew.types):
                    anew.fold(self.session, facts)
            for table in anew.tables:
                live, made = (self._rows(schema, table) for schema in ("outbox", anew.schema))
                assert made == live

    def _rows(self, schema: str, table: Table) -> list[tuple[object, ...]]:
        columns = ", ".join(column.name for column in table.columns)
        query = f"SELECT {columns} FROM {schema}.{table.name} ORDER BY {', '.join(table.key)}"
        return self.session.execute(query.encode()).fetchall()

    @invariant()
    def timer_is_set(self) -> None:
        """If a claim would find nothing, the timer says when the next one finds something."""
        due = self.model.next_due() if hasattr(self, "model") else None
        row = self.session.execute("SELECT log.next_due()").fetchone()
        assert row is not None
        if hasattr(self, "model"):
            assert (row[0] is None) == (due is None)
            assert due is None or abs(row[0] * 1_000 - (due - self.now)) < 0.01


@pytest.fixture
def machine(fresh_dsn: str) -> Iterator[type[Machine]]:
    appender = Appender(fresh_dsn)
    appender.start()
    with connect(fresh_dsn, purpose="test") as session:
        session.execute(CLOCK)
        yield type("Bound", (Machine,), {"dsn": fresh_dsn, "session": session, "appender": appender})
    appender.stop()


@pytest.mark.slow
def test_the_outbox_does_what_the_model_does(machine: type[Machine]) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    # As many as the profile says more than usual (make fuzz), but these are long.
    examples = max(60, settings.default.max_examples // 10) if settings.default is not None else 60
    bounds = settings(max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=bounds)
