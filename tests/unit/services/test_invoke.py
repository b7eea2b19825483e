"""``invoke::``: what it refuses, and what it asks for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from picloud.domain.invocation import Requested
from picloud.domain.metadata import Metadata
from picloud.postgres.sessions import Sessions
from picloud.services.invoke import MAX_DATA_BYTES, Answered, Invoke
from picloud.services.work import Caller, ServiceError, Work

NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Deployed:
    name: str
    number: int = 3
    sha256: str = "ab" * 32
    disabled: str | None = None


class Called:
    """Answers every call and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Requested, Metadata, float]] = []
        self.answer = Answered(200, "application/json", b'{"n":1}')

    def __call__(self, requested: Requested, metadata: Metadata, timeout: float) -> Answered:
        self.asked.append((requested, metadata, timeout))
        return self.answer


def work(*, callers: tuple[str, ...] = (), attempt: int = 1, left_ms: int = 5_000) -> Work:
    now = time.time_ns() // 1_000_000
    caller = Caller(
        invocation=UUID(int=1),
        attempt=attempt,
        title="demo/caller",
        callers=callers,
        correlation_id=UUID(int=9),
        clock_ms=0,
        deadline_ms=now + left_ms,
    )
    return Work("demo", caller)


@pytest.fixture
def called() -> Called:
    return Called()


@pytest.fixture
def invoke(called: Called) -> Invoke:
    scripts = {"orders": Deployed("orders"), "off": Deployed("off", disabled="holidays")}
    return Invoke(lambda _app: scripts, called, Sessions("", purpose="test"))


@pytest.mark.parametrize("function", ["start", "run"])
@pytest.mark.parametrize(
    ("script", "data", "said"),
    [
        (5, 1, "takes the name of a script as a string, not i64"),
        (None, 1, "takes the name of a script as a string, not ()"),
        ("order", 1, "there is no script 'order' in demo: did you mean 'orders'?"),
        ("demo/orders", 1, "did you mean 'orders'?"),
        ("x" * 500, 1, "there is no script 'xxx"),
        ("off", 1, "demo/off is disabled: holidays"),
        ("orders", {"a": b"\x00"}, "the data can't be sent as JSON"),
        ("orders", float("nan"), "the data can't be sent as JSON"),
        ("orders", "x" * MAX_DATA_BYTES, "more than 1,048,576"),
        ("orders", b"x" * (MAX_DATA_BYTES + 1), "more than 1,048,576"),
    ],
)
def test_a_bad_script_or_bad_data_is_refused(invoke: Invoke, function: str, script: Any, data: Any, said: str) -> None:
    with pytest.raises(ServiceError) as refused:
        invoke.functions[function](work(), script, data)
    assert str(refused.value).startswith(f"invoke::{function}")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        ("start", 5, 'takes its options as a map, such as #{delay: "5m"}, not i64'),
        ("start", "soon", "not string"),
        ("start", {"delai": "5m"}, "has no option 'delai': did you mean 'delay'?"),
        ("start", {"colour": 1}, "it takes delay, due, ordering_key, priority, attempts"),
        ("start", {"delay": 5}, 'delay is a string such as "5m", not i64'),
        ("start", {"delay": "soon"}, "'soon'"),
        ("start", {"delay": "1s", "due": "2030-01-01T00:00:00Z"}, "contradict each other"),
        ("start", {"due": "tomorrow"}, "'tomorrow'"),
        ("start", {"due": "2030-01-01T00:00:00"}, "zone"),
        ("start", {"ordering_key": 7}, "ordering_key is a string"),
        ("start", {"ordering_key": "k" * 300}, "at most 255 characters"),
        ("start", {"priority": "high"}, "priority is an integer"),
        ("start", {"priority": 10}, "0 to 9"),
        ("start", {"attempts": 0}, "1 to 100"),
        ("start", {"timeout": "1s"}, "has no option 'timeout'"),
        ("run", {"delay": "1s"}, "has no option 'delay': it takes timeout"),
        ("run", {"timeout": 100}, 'timeout is a string such as "500ms", not i64'),
        ("run", {"timeout": "0s"}, "no duration"),
    ],
)
def test_a_bad_option_is_refused_by_name(invoke: Invoke, function: str, options: Any, said: str) -> None:
    with pytest.raises(ServiceError) as refused:
        invoke.functions[function](work(), "orders", 1, options)
    assert said in str(refused.value)


def test_what_is_started_is_asked_for_with_the_chain_that_led_to_it(invoke: Invoke) -> None:
    mine = work(callers=("demo/first",))
    invocation = invoke.start(mine, "orders", {"n": 1})
    (requested,) = mine.asked
    assert str(requested.originator_id) == invocation
    assert (requested.callers, requested.depth) == (("demo/first", "demo/caller"), 2)
    assert (requested.trigger.kind, requested.trigger.name, requested.retry.attempts) == ("invoke", "demo/caller", 3)
    assert requested.event.data.text == '{"n":1}'


def test_the_seventeenth_caller_is_one_too_many(invoke: Invoke) -> None:
    invoke.start(work(callers=("demo/x",) * 15), "orders", 1)
    with pytest.raises(ServiceError, match="demo/x → demo/caller → demo/orders"):
        invoke.start(work(callers=("demo/x",) * 16), "orders", 1)


def test_a_repeated_run_asks_for_the_same_invocations_and_another_attempt_for_others(
    invoke: Invoke, called: Called
) -> None:
    for attempt, data in ((1, 1), (1, 1), (2, 1), (1, 2)):
        mine = work(attempt=attempt)
        invoke.run(mine, "orders", data)
        invoke.run(mine, "orders", data)
    ids = [requested.originator_id for requested, _, _ in called.asked]
    assert ids[:2] == ids[2:4]
    assert len(set(ids)) == 6


def test_a_call_has_the_time_that_its_caller_has_left_or_less(invoke: Invoke, called: Called) -> None:
    invoke.run(work(left_ms=5_000), "orders", 1)
    invoke.run(work(left_ms=5_000), "orders", 1, {"timeout": "200ms"})
    assert 4 < called.asked[0][2] <= 5
    assert called.asked[1][2] == 0.2
    with pytest.raises(ServiceError, match="own time is over"):
        invoke.run(work(left_ms=0), "orders", 1)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (Answered(200, "application/json", b"[1,null]"), [1, None]),
        (Answered(200, "application/problem+json; charset=utf-8", b"{}"), {}),
        (Answered(200, "text/plain; charset=utf-8", "é".encode()), "é"),
        (Answered(200, "application/octet-stream", b"\xff"), b"\xff"),
        (Answered(200, "application/json", b"{"), "{"),
        (Answered(204, "", b""), None),
    ],
)
def test_an_answer_is_the_value_that_its_type_says(
    invoke: Invoke, called: Called, answer: Answered, value: Any
) -> None:
    called.answer = answer
    assert invoke.run(work(), "orders", 1) == value


def test_an_answer_with_an_error_status_is_an_error_and_quoted_in_short(invoke: Invoke, called: Called) -> None:
    called.answer = Answered(422, "text/plain", b"x" * 5_000)
    with pytest.raises(ServiceError, match=r"^demo/orders answered 422: x{199}… \(invocation [0-9a-f-]{36}\)$"):
        invoke.run(work(), "orders", 1)
