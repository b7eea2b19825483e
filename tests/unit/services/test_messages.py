"""``topic::`` and ``queue::`` behind the door: what scripts may hand over, and what a run asks for in all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from picloud.domain.errors import NotFound
from picloud.domain.invocation import EventInput, Requested, Trigger
from picloud.domain.message import Message, Posted
from picloud.services.queues import Queues
from picloud.services.topics import Topics
from picloud.services.work import Caller, ServiceError, Work

AT = datetime(2030, 1, 1, tzinfo=UTC)


def work(attempt: int = 1) -> Work:
    caller = Caller(
        invocation=UUID(int=5),
        attempt=attempt,
        title="demo/orders",
        callers=("demo/first",),
        correlation_id=UUID(int=6),
        clock_ms=0,
        deadline_ms=0,
    )
    return Work("demo", caller)


class Sent:
    """Remembers what was sent, and asks for a run for each message."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.callers: tuple[str, ...] = ()

    def __call__(self, app: str, queue: str, messages: Sequence[Message], callers: tuple[str, ...]) -> Posted:
        if queue == "none":
            raise NotFound("there is no queue 'none' in demo", field="queue", remedy="Did you mean 'one'?")
        self.messages += messages
        self.callers = callers
        return Posted([requested(message) for message in messages])


def requested(message: Message) -> Requested:
    return Requested(
        originator_id=message.id,
        originator_version=1,
        app="demo",
        script="told",
        number=1,
        sha256="ab" * 32,
        trigger=Trigger("queue", "q"),
        event=EventInput(),
    )


def refusal(data: Any = 1, options: Any = None, queue: Any = "q") -> str:
    with pytest.raises(ServiceError) as refused:
        Queues(Sent()).send(work(), queue, data, options)
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "content", "content_type"),
    [
        ({"a": [1, 2.5, None]}, b'{"a":[1,2.5,null]}', "application/json"),
        ("grün", '"grün"'.encode(), "application/json"),
        (None, b"", "application/json"),
        (b"\xff\x00", b"\xff\x00", "application/octet-stream"),
    ],
)
def test_any_value_is_sent_as_json_and_a_blob_as_it_is(data: Any, content: bytes, content_type: str) -> None:
    sent = Sent()
    Queues(sent).send(work(), "q", data)
    assert (sent.messages[0].data, sent.messages[0].content_type) == (content, content_type)


def test_a_message_is_asked_for_with_its_options_and_the_scripts_that_led_to_it() -> None:
    sent, run = Sent(), work()
    answer = Queues(sent).send(run, "q", 1, {"delay": "5m", "ordering_key": "k", "priority": 3})
    (message,) = sent.messages
    assert answer == str(message.id)
    assert (message.order.ordering_key, message.order.priority) == ("k", 3)
    assert message.order.due is not None
    assert sent.callers == ("demo/first", "demo/orders")
    assert [event.originator_id for event in run.asked] == [message.id]


def test_an_attempt_that_is_repeated_sends_the_same_messages_and_another_one_others() -> None:
    ids = []
    for attempt in (1, 1, 2):
        queues, run = Queues(Sent()), work(attempt)
        ids.append([queues.send(run, "q", n) for n in range(3)])
    assert ids[0] == ids[1]
    assert len({message for each in ids for message in each}) == 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ordering_kye": "x"}, "queue::send has no option 'ordering_kye': did you mean 'ordering_key'?"),
        ({"zzz": 1}, "it takes delay, due, ordering_key, priority"),
        ({"delay": 5}, 'delay is a string such as "5m", not i64'),
        ({"due": None}, "due is a string"),
        ({"ordering_key": 7}, "ordering_key is a string, not i64"),
        ({"priority": "high"}, "priority is an integer from 0 to 9, not string"),
        ({"priority": True}, "priority is an integer from 0 to 9, not bool"),
        ({"priority": 11}, "queue::send: a priority is 0 to 9"),
        ({"delay": "soon"}, "Write it with units: '250ms'"),
        ([], "takes its options as a map"),
    ],
)
def test_options_are_checked(options: Any, said: str) -> None:
    assert said in refusal(options=options)


def test_what_cannot_be_sent_is_refused() -> None:
    assert "can't be sent as JSON" in refusal({"a": b"x"})
    assert "262,144 bytes at most" in refusal("x" * 300_000)
    assert refusal(queue=7) == "queue::send takes the queue as a string, not i64"
    assert refusal(queue="none") == "queue::send: there is no queue 'none' in demo. Did you mean 'one'?"


def test_a_run_asks_for_a_thousand_messages_at_most() -> None:
    queues, run = Queues(Sent()), work()
    for n in range(1_000):
        queues.send(run, "q", n)
    with pytest.raises(ServiceError, match="queue::send: a run may ask for 1,000"):
        queues.send(run, "q", 1)
    assert len(run.asked) == 1_000


def test_a_published_message_counts_for_each_who_gets_it_and_once_for_nobody() -> None:
    run = work()
    Topics(lambda *_: Posted(["published"])).publish(run, "a", 1)
    many = Posted(["published", *(requested(Message(id=UUID(int=n), data=b"", sent=AT)) for n in range(999))])
    topics = Topics(lambda *_: many)
    topics.publish(run, "a", 1)
    with pytest.raises(ServiceError, match="topic::publish: a run may ask for"):
        topics.publish(run, "a", 1)


def test_the_messages_of_a_run_have_a_size_together() -> None:
    queues, run = Queues(Sent()), work()
    large = "x" * 250_000
    for _ in range(33):
        queues.send(run, "q", large)
    with pytest.raises(ServiceError, match="8,388,608 bytes together"):
        queues.send(run, "q", large)
    assert json.loads(run.asked[0].event.data.text or "null") is None
