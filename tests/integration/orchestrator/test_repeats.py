"""Runs that others got in the way of are run again, on fresh reads, and never ask the world outside twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import gevent
import pytest

from picloud.domain.invocation import AttemptFailed, Content, HttpInput, State, Succeeded, Trigger
from picloud.domain.metadata import Metadata
from picloud.domain.quota import QuotaSet, quota_id
from picloud.domain.route import Durability
from picloud.log.appender import Entry
from picloud.orchestrator.invoker import Call
from picloud.services.work import ServiceError, Work
from tests.integration.orchestrator.living_node import APP, LivingNode, living_node

COUNTING = """
let n = kv::get("n", 0);
let told = invoke::run("outside", ctx.invocation.id);
kv::set("n", n + 1);
kv::set("told/" + ctx.invocation.id, told);
told
"""


REFUSED = """
let n = kv::get("n", 0);
let why = ();
try { invoke::run("refusing", ctx.invocation.id) } catch (e) { why = e; }
kv::set("n", n + 1);
why
"""


class Outside:
    """What no commit can take back: counts who asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def run(self, work: Work, script: str, data: Any) -> int:
        """Answer with how many had asked before; refuse whom it doesn't like."""
        self.asked[data] += 1
        gevent.sleep(0)
        if script == "refusing":
            raise ServiceError(f"refused for the {self.asked[data]}. time")
        return sum(self.asked.values())


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def node(fresh_dsn: str, tmp_path: Path, outside: Outside) -> Iterator[LivingNode]:
    with living_node(fresh_dsn, tmp_path, runs="32") as living:
        living.node.door.add("invoke", {"run": outside.run}, outside=frozenset({"run"}))
        yield living


def last(node: LivingNode, invocation: Any) -> Any:
    return node.stream(invocation)[-1].event


def test_sixty_four_that_read_ask_and_write_count_to_sixty_four_and_each_asked_once(
    node: LivingNode, outside: Outside
) -> None:
    script = node.deploy("counting", COUNTING)
    runs = [gevent.spawn(node.run, script) for _ in range(64)]
    gevent.joinall(runs, raise_error=True)
    assert all(isinstance(last(node, run.value), Succeeded) for run in runs)
    reading = node.run(node.deploy("reading", 'kv::get("n")'))
    assert last(node, reading).reply.body.text == "64"
    assert set(outside.asked.values()) == {1}
    assert len(outside.asked) == 64


def test_what_was_refused_outside_is_refused_again_without_being_asked(node: LivingNode, outside: Outside) -> None:
    script = node.deploy("refused", REFUSED)
    runs = [gevent.spawn(node.run, script) for _ in range(16)]
    gevent.joinall(runs, raise_error=True)
    assert {last(node, run.value).reply.body.text for run in runs} == {"refused for the 1. time"}
    assert set(outside.asked.values()) == {1}


def test_another_attempt_asks_anew(node: LivingNode, outside: Outside) -> None:
    source = 'invoke::run("outside", "x"); if ctx.invocation.attempt == 1 { throw "again" } 1'
    invocation = node.run(node.deploy("retried", source), attempts=2)
    assert isinstance(last(node, invocation), Succeeded)
    assert outside.asked["x"] == 2


def test_a_counter_that_meets_a_text_fails_the_script_at_its_place(node: LivingNode) -> None:
    node.run(node.deploy("text", 'kv::set("c", "text")'))
    invocation = node.run(node.deploy("incr", 'let a = 1;\nkv::incr("c");\na'))
    failed = next(e.event for e in node.stream(invocation) if isinstance(e.event, AttemptFailed))
    assert 'kv::incr: the key has "text", and only an integer can be added to' in failed.error.message


def test_a_run_that_would_keep_too_much_fails_with_the_quota_and_keeps_nothing(node: LivingNode) -> None:
    quota = QuotaSet(originator_id=quota_id(APP), originator_version=1, service="kv", items=3)
    node.node.appender.append([Entry(quota, Metadata(APP, "test", uuid4(), uuid4()))])
    fits = node.run(node.deploy("fits", 'for i in 0..3 { kv::set("k/" + i, i) }'))
    more = node.run(node.deploy("more", 'kv::delete("k/0"); for i in 3..5 { kv::set("k/" + i, i) }'))
    failed = next(e.event for e in node.stream(more) if isinstance(e.event, AttemptFailed))
    assert isinstance(last(node, fits), Succeeded)
    assert (failed.error.kind, failed.lost) == ("QuotaExceeded", False)
    assert "kv:: of the app 'demo' would hold 4 items of at most 3" in failed.error.message
    listing = node.run(node.deploy("listing", 'kv::list("k/").len()'))
    assert last(node, listing).reply.body.text == "3"


def test_a_refusal_of_what_was_posted_is_the_end_of_the_run(node: LivingNode) -> None:
    source = 'let text = "x"; text.pad(260000, "x"); for i in 0..100 { kv::set("big/" + i, text) } "done"'
    invocation = node.run(node.deploy("large", source))
    failed = next(e.event for e in node.stream(invocation) if isinstance(e.event, AttemptFailed))
    assert failed.error.message == "Runtime error: kv:: a run may write 16,777,216 bytes at most"


def test_one_request_that_is_run_twice_at_once_counts_once_and_neither_run_disturbs_the_other(
    node: LivingNode, outside: Outside
) -> None:
    script = node.deploy("twice", 'kv::incr("runs");' + COUNTING)
    calls = [
        Call(
            script=script,
            trigger=Trigger("api", "test"),
            input=HttpInput("POST", "/", {}, {}, {}, Content()),
            actor="test",
            trigger_id=UUID(int=3),
            idempotency_key="same",
        )
        for _ in range(8)
    ]
    runs = [gevent.spawn(node.node.invoker.call, call, durability=Durability.OUTCOME, timeout=30) for call in calls]
    gevent.joinall(runs, raise_error=True)
    assert {run.value.state for run in runs} == {State.SUCCEEDED}
    assert len({run.value.invocation for run in runs}) == 1
    reading = node.run(node.deploy("runs", 'kv::get("runs")'))
    assert last(node, reading).reply.body.text == "1"
