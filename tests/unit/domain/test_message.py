"""Messages: what may be said of one, what may be in one; and samples of what triggers hand over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from picloud.domain.errors import Invalid
from picloud.domain.firing import Order
from picloud.domain.message import MAX_MESSAGE, Message, delivery_id, order_of
from picloud.domain.sample import fired_attributes, sample_event, shown_event
from picloud.domain.subject import matches
from picloud.domain.trigger_config import KINDS, read_config

AT = datetime(2030, 1, 1, 12, tzinfo=UTC)
NEEDED = {"cron": {"cron": "@daily"}, "topic": {"topic": "orders.*.>"}, "log": {"events": "Route*"}}


def test_what_nobody_says_anything_of_is_due_at_once() -> None:
    assert order_of(now=AT) == Order()


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({"delay": "5m"}, AT + timedelta(minutes=5)),
        ({"delay": "0s"}, None),
        ({"due": "2030-01-02T00:00:00+01:00"}, datetime(2030, 1, 1, 23, tzinfo=UTC)),
        ({"due": "2029-01-01T00:00:00Z"}, None),
        ({"due": AT + timedelta(hours=1)}, AT + timedelta(hours=1)),
    ],
)
def test_a_message_is_due_after_a_delay_or_at_a_time_and_at_once_if_that_is_past(
    given: dict[str, Any], due: datetime | None
) -> None:
    assert order_of(now=AT, **given).due == due


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"delay": "soon"}, "delay", "no duration"),
        ({"delay": "9999d"}, "delay", "0s to 3660d"),
        ({"due": "tomorrow"}, "due", "no time"),
        ({"due": "2030-01-01T00:00:00"}, "due", "with a zone"),
        ({"due": "2045-01-01T00:00:00Z"}, "due", "3,660 days ahead"),
        ({"delay": "1m", "due": "2030-01-02T00:00:00Z"}, "due", "contradict"),
        ({"ordering_key": "k" * 256}, "ordering_key", "255 characters"),
        ({"priority": 10}, "priority", "0 to 9"),
        ({"priority": -1}, "priority", "0 to 9"),
    ],
)
def test_what_cannot_be_said_of_a_message_is_refused_by_name(given: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        order_of(now=AT, **given)
    assert refused.value.field == field


def test_a_message_has_a_size() -> None:
    Message(id=UUID(int=1), data=b"x" * MAX_MESSAGE, sent=AT)
    with pytest.raises(Invalid, match="262,144 bytes at most, this one has 262,145"):
        Message(id=UUID(int=1), data=b"x" * (MAX_MESSAGE + 1), sent=AT)


def test_who_subscribes_gets_a_message_once_whoever_publishes_it_again() -> None:
    assert delivery_id(UUID(int=1), "mail") == delivery_id(UUID(int=1), "mail")
    assert len({delivery_id(UUID(int=n), name) for n in (1, 2) for name in ("mail", "invoice")}) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_sample_of_every_kind(kind: str) -> None:
    config = read_config(kind, NEEDED.get(kind, {}))
    event = sample_event(config, invocation=UUID(int=7), app="demo", now=AT)
    shown = shown_event(kind, "name", event)
    assert (shown["type"], shown["trigger"]) == (kind, "name")
    assert set(fired_attributes(config, event)) <= set(event.attributes)


def test_a_sample_of_a_topic_trigger_is_one_that_it_would_get() -> None:
    config = read_config("topic", NEEDED["topic"])
    event = sample_event(config, invocation=UUID(int=7), app="demo", now=AT)
    assert matches("orders.*.>", event.attributes["topic"])
    assert event.attributes["sent_at"] == "2030-01-01T12:00:00.000Z"
