"""What becomes of a message: who gets it, who doesn't and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from picloud.domain.errors import Disabled, Invalid, NotFound
from picloud.domain.firing import Order
from picloud.domain.flow import FlowControl, ordering_id
from picloud.domain.message import Message, MessagePublished, Posted, delivery_id
from picloud.domain.metadata import Metadata
from picloud.domain.names import stream_id
from picloud.domain.subject import Subscriptions
from picloud.domain.trigger import Delivery
from picloud.domain.trigger_config import Topic, read_config
from picloud.orchestrator.catalog import AppEntry, ScriptEntry, TriggerEntry
from picloud.orchestrator.messaging import Messaging, metadata_of
from picloud.orchestrator.routing import RouteTable

AT = datetime(2030, 1, 1, tzinfo=UTC)
SCRIPT = ScriptEntry("demo", "told", 3, "ab" * 32, None)
MESSAGE = Message(id=UUID(int=1), data=b'{"id":7}', sent=AT)


def trigger(name: str, kind: str = "topic", config: dict[str, Any] | None = None, **given: Any) -> TriggerEntry:
    told = {"config": read_config(kind, config or ({"topic": "orders.*"} if kind == "topic" else {}))}
    made: dict[str, Any] = {
        "app": "demo",
        "name": name,
        "kind": kind,
        "delivery": Delivery(),
        "paused": None,
        "script_name": "told",
        "script": SCRIPT,
    }
    return TriggerEntry(**(made | told | given))


def messaging(*triggers: TriggerEntry) -> Messaging:
    subscriptions = Subscriptions((each.config.topic, each) for each in triggers if isinstance(each.config, Topic))
    app = AppEntry("demo", {}, RouteTable([]), {each.name: each for each in triggers}, subscriptions)
    return Messaging(lambda name: app if name == "demo" else None)


def publish(*triggers: TriggerEntry, message: Message = MESSAGE, topic: str = "orders.created") -> Posted:
    return messaging(*triggers).publish("demo", topic, message)


def test_everyone_who_is_subscribed_gets_it_and_the_message_says_who() -> None:
    posted = publish(trigger("a"), trigger("b", config={"topic": "orders.>"}), trigger("c", config={"topic": "x"}))
    published, *requests = posted.events
    assert isinstance(published, MessagePublished)
    assert (published.topic, published.subscribers, published.left_out) == ("orders.created", ["a", "b"], {})
    assert [each.originator_id for each in requests] == [delivery_id(MESSAGE.id, name) for name in ("a", "b")]
    assert [(each.trigger.kind, each.number, each.retry.attempts) for each in requests] == [("topic", 3, 3)] * 2
    assert requests[0].event.attributes == {
        "id": str(MESSAGE.id),
        "sent_at": "2030-01-01T00:00:00.000Z",
        "topic": "orders.created",
    }


def test_a_message_to_nobody_is_published_all_the_same() -> None:
    (published,) = publish().events
    assert published.subscribers == []


def test_whoever_is_paused_disabled_or_without_a_script_is_left_out_with_the_reason() -> None:
    off = replace(SCRIPT, disabled="holidays")
    posted = publish(
        trigger("paused", paused="moving"), trigger("off", script=off), trigger("gone", script=None), trigger("on")
    )
    published, *requests = posted.events
    assert published.left_out == {
        "paused": "it is paused: moving",
        "off": "demo/told is disabled: holidays",
        "gone": "there is no script demo/told",
    }
    assert (published.subscribers, len(requests)) == (["on"], 1)


def test_what_is_larger_and_goes_to_several_is_stored_once() -> None:
    large = replace(MESSAGE, data=b'"' + b"x" * 5_000 + b'"')
    alone = publish(trigger("a"), message=large)
    assert alone.contents == []
    assert alone.events[0].data.text is not None
    shared = publish(trigger("a"), trigger("b"), message=large)
    assert shared.contents == [large.data]
    assert len({event.data.sha256 for event in [shared.events[0], *(e.event for e in shared.events[1:])]}) == 1


def test_keys_are_found_in_the_data_also_where_it_is_stored_apart() -> None:
    by_id = Delivery(flow=FlowControl(ordering_key="data.id"))
    large = replace(MESSAGE, data=b'{"id":7,"pad":"' + b"x" * 5_000 + b'"}')
    for request in publish(trigger("a", delivery=by_id), trigger("b", delivery=by_id), message=large).events[1:]:
        assert request.ordering_key == "7"
        assert request.flow.ordering == ordering_id(stream_id("trigger", "demo", request.trigger.name), "7")


def test_a_subscribers_run_is_caused_by_the_message_and_nothing_else_is() -> None:
    metadata = Metadata("demo", "token:x", UUID(int=8), UUID(int=9))
    published, request = publish(trigger("a")).events
    assert metadata_of(published, metadata) == metadata
    assert metadata_of(request, metadata) == replace(metadata, causation_id=MESSAGE.id)
    (sent,) = messaging(trigger("q", "queue")).send("demo", "q", [MESSAGE]).events
    assert metadata_of(sent, metadata) == metadata


def test_what_is_sent_is_its_own_invocation_and_waits_in_a_paused_queue() -> None:
    order = Order(due=AT.replace(year=2031), ordering_key="k", priority=4)
    message = replace(MESSAGE, order=order)
    (request,) = messaging(trigger("q", "queue", paused="")).send("demo", "q", [message]).events
    assert (request.originator_id, request.due, request.ordering_key) == (MESSAGE.id, order.due, "k")
    assert (request.flow.priority, request.flow.trigger) == (4, stream_id("trigger", "demo", "q"))
    assert request.event.attributes["ordering_key"] == "k"


@pytest.mark.parametrize(
    ("queue", "error", "said"),
    [
        ("ordrs", NotFound, "there is no queue 'ordrs' in demo"),
        ("topic", NotFound, "is no queue: it is of kind topic"),
        ("off", Disabled, "demo/told is disabled: holidays"),
        ("gone", NotFound, "there is no script demo/told"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(queue: str, error: type[Exception], said: str) -> None:
    known = [
        trigger("orders", "queue"),
        trigger("topic"),
        trigger("off", "queue", script=replace(SCRIPT, disabled="holidays")),
        trigger("gone", "queue", script=None),
    ]
    with pytest.raises(error, match=said) as refused:
        messaging(*known).send("demo", queue, [MESSAGE])
    if queue == "ordrs":
        assert getattr(refused.value, "remedy", "") == "Did you mean 'orders'?"


def test_a_chain_of_messages_ends() -> None:
    callers = tuple(f"demo/s{n}" for n in range(17))
    with pytest.raises(Invalid, match="16 may lead to one"):
        messaging(trigger("a")).publish("demo", "orders.created", MESSAGE, callers)


@pytest.mark.parametrize("topic", ["orders.*", "a..b", ""])
def test_nobody_publishes_to_a_pattern(topic: str) -> None:
    with pytest.raises(Invalid):
        publish(trigger("a"), topic=topic)
