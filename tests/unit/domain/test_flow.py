"""Flow control: keys, rates, and what an invocation waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from picloud.domain import lifecycle
from picloud.domain.errors import Invalid
from picloud.domain.firing import Order, Target
from picloud.domain.flow import FlowControl, ordering_id, parse_rate, value_at
from picloud.domain.invocation import Content, EventInput, Invocation, Reply, Requested, RetryPolicy, Usage
from picloud.domain.trigger import Delivery, Trigger, TriggerLimits

AT = datetime(2030, 1, 1, tzinfo=UTC)
EVENT = EventInput({"topic": "orders.new"}, Content(text='{"customer":{"id":7},"lines":["a","b"]}'))


def target(flow: FlowControl = FlowControl(), *, kind: str = "topic", serial: bool = False) -> Target:  # noqa: B008
    return Target(
        app="demo",
        kind=kind,
        trigger="t",
        script="run",
        number=1,
        sha256="ab" * 32,
        delivery=Delivery(flow=flow),
        serial=serial,
    )


def ask(asking: Target, event: EventInput = EVENT, **given: object) -> Requested:
    return asking.request(UUID(int=1), event, now=AT, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("data.customer.id", "7"),
        ("data.customer", '{"id":7}'),
        ("data.lines.1", "b"),
        ("data.lines.9", ""),
        ("data.nobody.id", ""),
        ("topic", "orders.new"),
        ("nothing", ""),
    ],
)
def test_a_path_finds_text(path: str, found: str) -> None:
    data = {"customer": {"id": 7}, "lines": ["a", "b"]}
    assert value_at(path, {"topic": "orders.new"}, lambda: data) == found


def test_what_waits_for_nothing_has_no_flow() -> None:
    assert ask(target()).flow is None


def test_an_ordering_key_comes_from_who_asks_or_else_from_the_event() -> None:
    asking = target(FlowControl(ordering_key="data.customer.id"))
    found = ask(asking)
    assert found.ordering_key == "7"
    assert found.flow is not None
    assert found.flow.ordering == ordering_id(Trigger.id_of("demo", "t"), "7")
    given = ask(asking, order=Order(ordering_key="x"))
    assert given.ordering_key == "x"
    assert ask(asking, EventInput()).flow is None


def test_a_trigger_in_order_has_one_ordering_id_for_all() -> None:
    first, second = ask(target(serial=True)), ask(target(serial=True), EventInput())
    assert first.flow is not None
    assert first.flow == second.flow
    assert first.flow.ordering is not None


def test_a_key_says_what_is_counted_together() -> None:
    def counted(key: str, kind: str = "topic") -> UUID | None:
        flow = ask(target(FlowControl(concurrency=1, concurrency_key=key), kind=kind)).flow
        assert flow is not None
        return flow.concurrency

    keys = [counted("trigger"), counted("app"), counted("script"), counted("data.customer.id"), counted("data.lines")]
    assert len(set(keys)) == len(keys)
    assert keys[0] == Trigger.id_of("demo", "t")


def test_a_queue_always_counts_its_runs() -> None:
    flow = ask(target(kind="queue")).flow
    assert flow is not None
    assert flow.concurrency == Trigger.id_of("demo", "t")
    assert TriggerLimits.of("queue", {}, Delivery()) == TriggerLimits(concurrency=10, holds=True)
    given = TriggerLimits.of("queue", {"batch": 5, "batch_wait": "2s"}, Delivery(flow=FlowControl(concurrency=3)))
    assert given == TriggerLimits(concurrency=3, holds=True, batch=5, batch_wait_ms=2_000)


def test_data_that_is_kept_elsewhere_is_given_for_its_keys() -> None:
    asking = target(FlowControl(ordering_key="data.id"))
    kept = EventInput({}, Content(sha256="ab" * 32))
    assert ask(asking, kept).ordering_key == ""
    assert ask(asking, kept, payload=b'{"id":"x"}').ordering_key == "x"
    assert ask(asking, kept, payload=b"\xff no json").ordering_key == ""


def test_a_debounce_puts_off() -> None:
    asked = ask(target(FlowControl(debounce_ms=5_000, debounce_most_ms=60_000)))
    assert asked.due == AT + timedelta(seconds=5)
    assert asked.flow is not None
    assert asked.flow.debounce is not None
    assert asked.flow.debounce.most_ms == 60_000
    again = lifecycle.replay(_ended(asked), UUID(int=2), number=1, sha256="ab" * 32)[1]
    assert again.flow is None or again.flow.debounce is None


def test_a_throttle_keeps_runs_apart() -> None:
    asked = ask(target(FlowControl(throttle=10, throttle_ms=60_000)))
    assert asked.flow is not None
    assert asked.flow.throttle is not None
    assert (asked.flow.throttle.every_ms, asked.flow.throttle.burst) == (6_000, 10)


def test_a_deadline_counts_from_when_it_is_due() -> None:
    asking = replace(target(), delivery=Delivery(retry=RetryPolicy(deadline_ms=1_000)))
    asked = ask(asking, order=Order(due=AT + timedelta(hours=1)))
    assert asked.expires == AT + timedelta(hours=1, seconds=1)


def test_a_chain_of_scripts_ends_and_is_shown() -> None:
    callers = tuple("demo/ping" if number % 2 else "demo/pong" for number in range(16))
    assert ask(target(), callers=callers).depth == 16
    with pytest.raises(Invalid, match=r"18th script in a row.*demo/pong → demo/ping → .* → demo/run") as refused:
        ask(target(), callers=(*callers, "demo/pong")[:17])
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("flow", "field"),
    [
        (FlowControl(concurrency=-1), "concurrency"),
        (FlowControl(concurrency=1_001), "concurrency"),
        (FlowControl(priority=10), "priority"),
        (FlowControl(concurrency_key="data..id"), "concurrency_key"),
        (FlowControl(ordering_key="Data"), "ordering_key"),
        (FlowControl(throttle_key="data.é"), "throttle_key"),
        (FlowControl(debounce_key=""), "debounce_key"),
        (FlowControl(throttle=10, throttle_ms=5), "throttle"),
        (FlowControl(debounce_ms=10, debounce_most_ms=5), "debounce_most"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(flow: FlowControl, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        flow.check()
    assert refused.value.field == field


def test_a_key_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid, match="at most 255"):
        ask(target(), order=Order(ordering_key="x" * 256))


@pytest.mark.parametrize(("text", "rate"), [("10/1m", (10, 60_000)), ("10/m", (10, 60_000)), ("1/250ms", (1, 250))])
def test_a_rate_is_a_count_and_a_time(text: str, rate: tuple[int, int]) -> None:
    assert parse_rate(text, field="throttle") == rate


@pytest.mark.parametrize("text", ["", "10", "0/1m", "10/", "-1/1m", "10/1x", "ten/1m", "9999999/1m"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_rate(text, field="throttle")


def test_batches_and_keys_do_not_go_together() -> None:
    flow = FlowControl(concurrency=1, concurrency_key="data.id")
    with pytest.raises(Invalid, match="counts its runs as a whole"):
        Trigger.create(
            "demo", "q", kind="queue", script="run", config={"batch": 2}, delivery=Delivery(flow=flow), at=AT
        )


def _ended(asked: Requested) -> Invocation:
    started = lifecycle.start(lifecycle.evolve(None, asked), UUID(int=7))
    running = lifecycle.evolve(lifecycle.evolve(None, asked), started)
    reply = Reply(204, [], Content())
    return lifecycle.evolve(running, lifecycle.succeed(running, reply, usage=Usage(), logs=[]))
