"""Which answer of the record a repeated run gets, and what is said of questions that the record doesn't know."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from picloud.executor.pool import ServiceError
from picloud.executor.protocol import Limits
from picloud.orchestrator.journal import FORMAT, Journal, RecordedCall
from picloud.orchestrator.repetition import Effect, Past, Repetition, alike
from picloud.postgres.sessions import Sessions
from picloud.services.work import Caller

CALLER = Caller(
    invocation=UUID(int=1), attempt=1, title="demo/x", callers=(), correlation_id=UUID(int=1), clock_ms=0, deadline_ms=0
)


def repetition(*calls: RecordedCall, made: int | None = None) -> tuple[Repetition, Past]:
    """On a record of these calls. There is no database: what these tests ask is in the record."""
    journal = Journal(FORMAT, len(calls) if made is None else made, list(calls), [], Limits())
    past = Past(Sessions("host=/nowhere", purpose="test", size=1), "demo", 0, journal, CALLER)
    return Repetition(journal, past, CALLER), past


def call(name: str, *args: Any, answer: Any = None, refusal: str | None = None, withheld: bool = False) -> RecordedCall:
    service, _, function = name.partition("::")
    return RecordedCall(service, function, list(args), answer, refusal, withheld=withheld)


def test_the_same_questions_get_the_same_answers_in_their_order() -> None:
    again, _ = repetition(
        call("queue::depth", "mail", answer=3),
        call("queue::send", "mail", 1, answer="id-1"),
        call("queue::depth", "mail", answer=4),
    )
    assert again.answer("queue", "depth", ["mail"]) == 3
    assert again.answer("queue", "send", ["mail", 1]) == "id-1"
    assert again.answer("queue", "depth", ["mail"]) == 4
    again.finished()
    assert again.divergence is None
    assert not again.unknown


def test_a_refusal_is_refused_again() -> None:
    again, _ = repetition(call("queue::send", "mail", refusal="the queue is full"))
    with pytest.raises(ServiceError, match="the queue is full"):
        again.answer("queue", "send", ["mail"])
    again.finished()
    assert again.divergence is None


def test_another_question_diverges_once_and_tells_both() -> None:
    again, _ = repetition(call("queue::send", "mail", answer="id-1"), call("queue::send", "post", answer="id-2"))
    assert again.answer("queue", "send", ["post"]) == "id-2", "the record knows the question, in another place"
    assert again.answer("queue", "send", ["mail"]) == "id-1"
    assert str(again.divergence) == (
        'diverged at call 1: the record has queue::send("mail"), it asked queue::send("post")'
    )


def test_types_of_arguments_count() -> None:
    again, _ = repetition(call("queue::send", "mail", 1, answer="id-1"))
    assert again.answer("queue", "send", ["mail", 1.0]) is None
    assert again.divergence is not None
    assert again.unknown == ['queue::send("mail", 1.0) was not recorded: () stands for its answer']


def test_a_run_that_goes_on_diverges_and_so_does_one_that_ends_early() -> None:
    again, _ = repetition(call("queue::send", "mail"))
    again.answer("queue", "send", ["mail"])
    again.answer("queue", "send", ["post"])
    assert str(again.divergence) == 'it went on behind the record, at call 2: queue::send("post")'
    again, _ = repetition(call("queue::send", "mail"))
    again.finished()
    assert str(again.divergence) == 'diverged at call 1: the record has queue::send("mail"), it asked nothing more'


def test_behind_a_record_that_was_cut_nothing_diverges() -> None:
    again, _ = repetition(call("queue::send", "mail"), made=2)
    again.answer("queue", "send", ["mail"])
    again.answer("queue", "send", ["post"])
    assert again.divergence is None
    assert again.beyond_record


def test_an_answer_that_was_not_kept_is_refused() -> None:
    again, _ = repetition(call("secrets::get", "key", withheld=True))
    with pytest.raises(ServiceError, match=r'the answer to secrets::get\("key"\) was not kept'):
        again.answer("secrets", "get", ["key"])
    assert again.unknown == ['the answer to secrets::get("key") was not to be kept: it was refused']


def test_values_are_those_that_were_read_and_a_run_sees_what_it_wrote() -> None:
    again, _ = repetition(
        call("kv::get", "n", answer=4), call("kv::set", "n", 5), call("kv::get", "n", answer=5), call("kv::get", "m")
    )
    assert again.answer("kv", "get", ["m"]) is None
    assert again.answer("kv", "get", ["n"]) == 4, "not what the recorded run had written by then"
    again.answer("kv", "set", ["n", 9])
    assert again.answer("kv", "get", ["n"]) == 9


def test_of_a_prefix_that_was_listed_the_keys_are_known() -> None:
    again, _ = repetition(call("kv::list", "a", answer=["a1", "a2"]), call("kv::set", "a3", 1))
    again.answer("kv", "set", ["a0", 1])
    assert again.answer("kv", "list", ["a"]) == ["a0", "a1", "a2"]


def test_effects_are_the_last_write_of_each_key_and_every_other_call_that_changes() -> None:
    calls = [
        call("kv::get", "b"),
        call("kv::set", "a", 1),
        call("queue::send", "mail", {"n": 1}, answer="id"),
        call("kv::set", "a", 2),
        call("kv::set", "b", 1),
        call("kv::delete", "b"),
        call("kv::set", 5, 5, refusal="no"),
        call("queue::send", "mail", {"n": 1}, answer="id"),
    ]
    _, past = repetition(*calls)
    assert past.effects(calls) == [
        Effect("kv", "set", ["a", 2]),
        Effect("kv", "delete", ["b"]),
        Effect("queue", "send", ["mail", {"n": 1}]),
        Effect("queue", "send", ["mail", {"n": 1}]),
    ]


def test_values_are_alike_if_their_types_are() -> None:
    assert alike({"a": [1, "x", None, b"y"]}, {"a": [1, "x", None, b"y"]})
    for one, other in ((1, 1.0), (True, 1), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ("a", b"a"), ({"a": 1}, {"a": 1.0})):
        assert not alike(one, other)


def document(name: str, version: int = 1, **data: Any) -> dict[str, Any]:
    return {"id": name, "version": version, "created": "2030-01-01T00:00:00Z", "updated": None, "data": data}


def test_documents_of_a_corrected_run_are_those_of_the_record_and_its_own() -> None:
    again, past = repetition(
        call("docs::find", "orders", {"n": 1}, answer=[document("a", n=1)]),
        call("docs::get", "orders", "b", answer=None),
        call("docs::insert", "orders", {"n": 2}, answer="made-1"),
        call("docs::patch", "orders", "a", {"n": 3}, answer=document("a", 2, n=3)),
        call("docs::insert", "orders", {"n": 4}, {"id": "b"}, answer="b"),
        call("docs::delete", "orders", "a", answer=True),
    )
    assert again.answer("docs", "find", ["orders", {"n": 1}]) == [document("a", n=1)]
    assert again.answer("docs", "get", ["orders", "b"]) is None
    # From here on it asks otherwise: it has the same ids, sees what it wrote, and what the record knows.
    assert again.answer("docs", "insert", ["orders", {"n": 20}]) == "made-1"
    assert again.answer("docs", "get", ["orders", "made-1"])["data"] == {"n": 20}
    assert again.answer("docs", "get", ["orders", "a"]) == document("a", n=1)
    assert again.answer("docs", "patch", ["orders", "a", {"m": -0.0}])["data"] == {"n": 1, "m": -0.0}
    assert again.answer("docs", "insert", ["orders", {}, {"id": "b"}]) == "b"
    assert again.answer("docs", "find", ["orders", {"n": 1}]) == [document("a", n=1)]
    with pytest.raises(ServiceError, match="docs::count: what it would have found then was not recorded"):
        again.answer("docs", "count", ["orders"])
    with pytest.raises(ServiceError, match=r"data\.n is a blob"):
        again.answer("docs", "replace", ["orders", "b", {"n": b"x"}])
    again.finished()
    assert again.divergence is not None
    assert past.effects(again.calls) == [
        Effect("docs", "insert", ["orders", {"n": 20}, {"id": "made-1"}]),
        Effect("docs", "patch", ["orders", "a", {"m": -0.0}]),
        Effect("docs", "insert", ["orders", {}, {"id": "b"}]),
    ]


def test_what_a_run_comes_to_is_one_change_for_each_document() -> None:
    calls = [
        call("docs::insert", "orders", {"n": 2}, answer="made-1"),
        call("docs::replace", "orders", "made-1", {"n": 3}),
        call("docs::delete", "orders", "a", answer=True),
        call("docs::delete", "orders", "b", answer=False),
        call("docs::patch", "orders", "c", {"n": 1}, answer=document("c", 2, n=1)),
        call("docs::patch", "orders", "c", {"n": None}, answer=document("c", 2)),
    ]
    again, past = repetition(*calls)
    for each in calls:
        assert again.answer(each.service, each.function, each.args) == each.value
    assert again.divergence is None
    assert past.effects(again.calls) == [
        Effect("docs", "insert", ["orders", {"n": 3}, {"id": "made-1"}]),
        Effect("docs", "delete", ["orders", "a"]),
        Effect("docs", "replace", ["orders", "c", {}]),
    ]
