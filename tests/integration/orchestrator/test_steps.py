"""Durable steps: what a run has done up to one stays done, whatever becomes of the run, and is done once."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import gevent
import pytest
from gevent.event import Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.domain import lifecycle
from picloud.domain.invocation import (
    NO_REQUEST,
    AttemptFailed,
    Content,
    Failure,
    HttpInput,
    Invocation,
    Requested,
    RetryPolicy,
    RunError,
    State,
    StepCompleted,
    Succeeded,
    Trigger,
)
from picloud.domain.message import Message
from picloud.domain.metadata import Metadata
from picloud.domain.route import Durability
from picloud.log.appender import Entry
from picloud.log.repository import load_invocation
from picloud.manager.waking import Waker
from picloud.orchestrator.course import NON_DETERMINISM, past_of
from picloud.orchestrator.inspection import Wanted
from picloud.orchestrator.invoker import Call
from picloud.orchestrator.messaging import metadata_of
from picloud.orchestrator.outcome import Outcome
from picloud.projections.waits import Waits
from picloud.services.work import Withheld, Work

from .living_node import APP, LivingNode, living_node


class Outside:
    """What no commit can take back: `queue::send(name, value)` of the scripts here. ``made`` counts calls by name."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.answer: Callable[[str, Any], Any] = lambda name, value: value

    def send(self, work: Work, name: str, value: Any) -> Any:
        self.made[name] += 1
        return self.answer(name, value)


class Steps:
    """A node whose scripts call outside."""

    def __init__(self, living: LivingNode) -> None:
        self.living = living
        self.outside = Outside()
        living.node.door.add("queue", {"send": self.outside.send}, outside=frozenset({"send"}))
        self.deployed = 0

    def run(self, source: str, body: str = "", *, attempts: int = 1) -> UUID:
        """Run a script to its end."""
        self.deployed += 1
        return self.living.run(self.living.deploy(f"script-{self.deployed}", source), body, attempts=attempts)

    def begin(self, source: str, *, attempts: int = 1) -> UUID:
        self.deployed += 1
        return self.living.begin(self.living.deploy(f"script-{self.deployed}", source), attempts=attempts)

    def end(self, invocation: UUID) -> Outcome:
        return self.living.node.invoker.wait(invocation, timeout=30)

    def answer(self, invocation: UUID) -> Any:
        """What the script gave in the end."""
        outcome = self.end(invocation)
        assert outcome.answer is not None, outcome
        return json.loads(outcome.answer.body)

    def error(self, invocation: UUID) -> RunError:
        error = self.end(invocation).error
        assert error is not None
        return error

    def events(self, invocation: UUID, kind: type[Any]) -> list[Any]:
        return [recorded.event for recorded in self.living.stream(invocation) if isinstance(recorded.event, kind)]

    def steps(self, invocation: UUID) -> list[str]:
        return [event.name for event in self.events(invocation, StepCompleted)]

    def lines(self, invocation: UUID) -> list[str]:
        """What the script printed, as it is kept."""
        events = [recorded.event for recorded in self.living.stream(invocation)]
        return [line.message for event in events for line in getattr(event, "logs", [])]

    def types(self, invocation: UUID) -> list[str]:
        return [recorded.type for recorded in self.living.stream(invocation)]

    def value(self, key: str) -> Any:
        """What is under a key."""
        return self.answer(self.run(f'#{{value: kv::get("{key}")}}'))["value"]

    def state(self, invocation: UUID) -> Invocation:
        with self.living.node.sessions.session() as connection:
            state = load_invocation(connection, invocation)
        assert state is not None
        return state

    def until(self, invocation: UUID, state: State) -> None:
        """Wait until the invocation is in that state."""
        with gevent.Timeout(20):
            while self.state(invocation).state is not state:
                gevent.sleep(0.005)

    def publish(self, topic: str, data: Any) -> UUID:
        node = self.living.node
        message = Message(id=uuid4(), data=json.dumps(data).encode(), sent=datetime.now(UTC))
        posted = node.messaging.publish(APP, topic, message)
        metadata = Metadata(APP, "test", message.id, message.id)
        node.appender.append([Entry(event, metadata_of(event, metadata)) for event in posted.events])
        return message.id

    def die_once(self) -> None:
        """Have the executor die under the first call outside, which is ended with it and never answered."""

        def answer(name: str, value: Any) -> Any:
            if self.outside.made[name] == 1:
                self.kill_executor()
                Event().wait(30)
            return value

        self.outside.answer = answer

    def kill_executor(self) -> None:
        for pid in self.living.node.pool.pids():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def leaderless(dsn: str) -> Iterator[tuple[LivingNode, list[Waker]]]:
    """A node, and the wakers that are told of waits."""
    wakers: list[Waker] = []

    def changed(name: str) -> None:
        if name == Waits.name:
            for waker in wakers:
                waker.look()

    with (
        TemporaryDirectory(prefix="picloud-test-") as folder,
        living_node(dsn, Path(folder), on_changed=changed) as living,
    ):
        living.deploy("unused", "0")
        yield living, wakers


@pytest.fixture
def living(leaderless: tuple[LivingNode, list[Waker]]) -> Iterator[LivingNode]:
    """A node beside a leader."""
    living, wakers = leaderless
    with leading(living, wakers):
        yield living


@contextmanager
def leading(living: LivingNode, wakers: list[Waker]) -> Iterator[None]:
    """A leader's term."""
    waker = Waker(appender=living.node.appender, sessions=living.node.sessions)
    wakers.append(waker)
    waker.start()
    try:
        yield
    finally:
        wakers.remove(waker)
        waker.stop()


@pytest.fixture
def node(living: LivingNode) -> Steps:
    return Steps(living)


# ------------------------------------------------------------------------------------------ steps


def test_a_step_gives_its_value_and_commits_what_was_done_before(node: Steps) -> None:
    invocation = node.run(
        """
        kv::set("before", 1);
        let a = step("first", || { kv::set("inside", 2); #{n: 7, list: [1, 2.5, (), "x"], at: 'c'} });
        step("second", || ());
        #{a: a, inside: kv::get("inside")}
        """
    )
    assert node.answer(invocation) == {"a": {"n": 7, "list": [1, 2.5, None, "x"], "at": "c"}, "inside": 2}
    assert node.types(invocation) == ["Requested", "Started", "StepCompleted", "StepCompleted", "Succeeded"]
    first, second = node.events(invocation, StepCompleted)
    assert (first.name, first.number, first.effects, second.name, second.effects) == ("first", 1, 2, "second", 0)
    (succeeded,) = node.events(invocation, Succeeded)
    assert succeeded.effects == 0, "it is committed already"
    assert (node.value("before"), node.value("inside")) == (1, 2)


def test_a_retry_goes_on_behind_the_last_step(node: Steps) -> None:
    fails = iter([True, True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.run(
        """
        let random = random::int(0, 1000000);
        let a = step("a", || { kv::incr("once"); queue::send("a", 1) });
        print(`a is ${a}`);
        let b = step("b", || queue::send("b", a + 1));
        print(`b is ${b}`);
        if queue::send("fail?", 0) { throw "not yet"; }
        #{b: b, random: [random, random::int(0, 1000000)], attempt: ctx.invocation.attempt, once: kv::get("once")}
        """,
        attempts=3,
    )
    answer = node.answer(invocation)
    assert (answer["b"], answer["attempt"], answer["once"]) == (2, 1, 1)
    assert node.outside.made == {"a": 1, "b": 1, "fail?": 3}
    assert node.steps(invocation) == ["a", "b"]
    assert node.lines(invocation) == ["a is 1", "b is 2", "b is 2", "b is 2"], "what is behind a step is said again"


def test_a_run_that_dies_in_a_step_goes_on_there(node: Steps) -> None:
    def answer(name: str, value: Any) -> Any:
        if name == "b" and node.outside.made["b"] == 1:
            node.kill_executor()
            gevent.sleep(30)
        return value

    node.outside.answer = answer
    invocation = node.run(
        """
        let found = [];
        for name in ["a", "b", "c"] {
            found.push(step("do " + name, || queue::send(name, name + "!")));
        }
        #{found: found}
        """
    )
    assert node.answer(invocation) == {"found": ["a!", "b!", "c!"]}
    assert node.outside.made == {"a": 1, "b": 2, "c": 1}, "only what was under way is done again"
    assert node.steps(invocation) == ["do a", "do b", "do c"]


def test_a_conflict_at_a_step_repeats_it_alone_on_what_is_there_then(node: Steps) -> None:
    def answer(name: str, value: Any) -> Any:
        if name == "b":
            node.run('kv::set("contended", 100);')
        return value

    node.outside.answer = answer
    invocation = node.run(
        """
        kv::set("contended", 1);
        step("a", || queue::send("a", 1));
        let n = kv::get("contended");
        let sum = step("b", || { kv::set("contended", n + queue::send("b", 5)); n });
        #{sum: sum, now: kv::get("contended")}
        """
    )
    assert node.answer(invocation) == {"sum": 100, "now": 105}
    assert node.outside.made == {"a": 1, "b": 1}, "the answer from outside is that of the first try"
    assert node.types(invocation).count("Started") == 1, "it is repeated at once"


def test_a_failing_closure_is_an_error_of_the_script(node: Steps) -> None:
    fails = iter([True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.run(
        """
        let caught = "";
        try {
            step("broken", || { kv::set("kept", queue::send("inside", random::int(1, 9))); throw "no"; });
        } catch (error) { caught = error; }
        let n = step("fine", || random::int(1, 1000000));
        if queue::send("fail?", 0) { throw "not yet"; }
        #{caught: caught, n: n, next: random::int(1, 1000000), kept: kv::get("kept") > 0}
        """,
        attempts=2,
    )
    answer = node.answer(invocation)
    assert (answer["caught"], answer["kept"]) == ("no", True)
    assert node.outside.made == {"inside": 1, "fail?": 2}
    assert node.steps(invocation) == ["fine"]


REFUSED = {
    'step("a", || step("b", || 1))': 'step("b"): it is inside of step("a")',
    'step("a", || sleep("1h"))': 'sleep: it is inside of step("a")',
    'step("a", || wait_for("t", "1h"))': 'wait_for: it is inside of step("a")',
    'step("a", || || 1)': 'step("a"): what its closure gives can\'t be recorded: the value is a function',
    'step("a", || [1, timestamp()])': "[1] is a timestamp",
    'let n = 1; step("a", || { n += 1; n })': 'step("a"): its closure changed a variable around it',
    'let l = []; step("a", || { l.push(1); 1 })': 'step("a"): its closure changed a variable around it',
    'step("", || 1)': "a step's name has 1 to 200 characters, not 0",
    'let x = ""; x.pad(201, "x"); step(x, || 1)': "a step's name has 1 to 200 characters, not 201",
    'step("a", || { let x = ""; x.pad(300000, "x"); x })': "has 300,005 bytes, more than 262,144",
    "step(1, || 1)": "Function not found: step (i64, Fn)",
    'step("a", |x| x)': "Function not found: anon",
    'sleep("soon")': "sleep: 'soon' is no duration that fits here: expected 1ms to 366d",
    'sleep("400d")': "sleep: '400d' is no duration that fits here",
    'wait_for("a b", "1h")': "wait_for: 'a b' is no pattern of topics",
    'wait_for("a", #{}, "x")': "wait_for: 'x' is no duration",
    'wait_for("a", #{x: timestamp()}, "1h")': "wait_for: the filter can't be sent: x is a timestamp",
    'let b = blob(3); wait_for("a", #{x: b}, "1h")': "wait_for: a filter's values are what JSON has",
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_can_not_be_a_checkpoint_is_refused_with_the_reason(node: Steps, source: str) -> None:
    invocation = node.run(source)
    assert REFUSED[source] in node.error(invocation).message
    assert "StepCompleted" not in node.types(invocation)


def test_what_is_called_inside_of_a_step_takes_no_room_in_the_record(node: Steps) -> None:
    node.outside.answer = lambda name, value: "x" * 3_000_000
    inside = node.run('let n = step("large", || queue::send("a", 1).len()); step("next", || n)')
    assert node.answer(inside) == 3_000_000
    outside = node.run('let n = queue::send("a", 1).len(); step("next", || n)')
    assert "the calls since the last step have more than 2,097,152 bytes" in node.error(outside).message


def test_a_run_for_a_batch_has_no_steps(node: Steps) -> None:
    script = node.living.deploy("of-a-batch", 'step("a", || 1)')
    for invocation in node.living.run_batch(script, ["x", "y"]):
        (failed,) = node.events(invocation, AttemptFailed)
        assert "a run for the messages of a batch has no steps: set the queue's batch to 1" in failed.error.message


def test_two_steps_may_have_one_name_and_loops_are_easy(node: Steps) -> None:
    invocation = node.run("let sum = 0; for i in 0..5 { sum += step(`add`, || i); } #{sum: sum}")
    assert node.answer(invocation) == {"sum": 10}
    assert node.steps(invocation) == ["add"] * 5


# ------------------------------------------------------------------------------------------ the same again


def test_a_script_that_asks_something_else_fails_for_good_and_says_where(node: Steps) -> None:
    numbers = iter(range(10))
    node.outside.answer = lambda name, value: Withheld(next(numbers)) if name == "secret" else value
    invocation = node.run(
        """
        let secret = queue::send("secret", 0);
        queue::send(`number ${secret}`, secret);
        step("a", || 1);
        throw "fails";
        """,
        attempts=5,
    )
    error = node.error(invocation)
    assert error.kind == NON_DETERMINISM
    assert 'call 2 was queue::send("number 0", 0), now it asked queue::send("number 1", 1)' in error.message
    assert (error.line, len(node.events(invocation, AttemptFailed))) == (3, 2)
    assert "never tried again" in node.end(invocation).reason


def test_a_script_that_ends_before_it_comes_to_its_last_step_fails_too(node: Steps) -> None:
    numbers = iter(range(10))
    node.outside.answer = lambda name, value: Withheld(next(numbers)) if name == "secret" else value
    invocation = node.run(
        'if queue::send("secret", 0) > 0 { return "early"; } step("a", || 1); throw "fails";', attempts=5
    )
    error = node.error(invocation)
    assert error.kind == NON_DETERMINISM
    assert 'call 2 was step("a"), now it ended' in error.message


def test_a_secret_is_in_no_checkpoint_and_comes_back_to_the_script(node: Steps) -> None:
    living = node.living
    living.node.door.add("secrets", {"get": lambda work, name: Withheld("hunter2-hunter2", 1)})
    fails = iter([True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.run(
        """
        let key = secrets::get("KEY");
        let sent = queue::send("a", `key ${key}`);
        print(key);
        let given = step("a", || "given " + key);
        kv::get(key);
        sleep("1ms");
        if queue::send("fail?", 0) { throw "not yet"; }
        #{same: given == "given " + key && sent == "key " + key, length: given.len()}
        """,
        attempts=2,
    )
    assert node.answer(invocation) == {"same": True, "length": 21}
    for recorded in living.stream(invocation):
        assert b"hunter2" not in recorded.state, recorded.type
    calls, _ = past_of(node.state(invocation), living.node.sessions, living.node.privacy)
    assert "hunter2" not in repr(calls)
    assert "[secret KEY]" in repr(calls)


def test_accounts_are_the_same_again_and_no_checkpoint_holds_a_password(node: Steps) -> None:
    source = """
        users::register("ada", "correct horse battery");
        let before = users::session("no such token");
        let session = users::sign_in("ada", "correct horse battery");
        step("in", || 1);
        queue::send("behind", 1);
        if users::session(session.token) == () { throw "nobody" }
        #{same: users::verify("ada", "correct horse battery") != ()}
    """

    node.die_once()
    invocation = node.run(source)
    assert node.answer(invocation) == {"same": True}
    assert node.steps(invocation) == ["in"]
    living = node.living
    calls, _ = past_of(node.state(invocation), living.node.sessions, living.node.privacy)
    assert [call.name for call in calls][:3] == ["users::register", "users::session", "users::sign_in"]
    assert "correct horse" not in repr(calls)
    assert all(b"correct horse" not in recorded.state for recorded in living.stream(invocation))


def test_a_file_that_was_read_or_offered_before_a_step_is_the_same_behind_it(node: Steps) -> None:
    source = """
        let text = ""; for i in 0..1000 { text += "0123456789"; }
        files::write("big.txt", text);
        let before = files::read_text("big.txt");
        let answer = reply::file("big.txt");
        step("in", || 1);
        files::write("big.txt", "something else");
        queue::send("behind", before.len());
        answer
    """

    node.die_once()
    outcome = node.end(node.run(source))
    assert outcome.answer is not None, outcome
    assert outcome.answer.file is not None
    assert outcome.answer.file.size == 10_000
    assert node.outside.made["behind"] == 2


def test_documents_on_both_sides_of_a_step_are_there_once(node: Steps) -> None:
    source = """
        let one = docs::insert("orders", #{n: 1});
        let found = docs::find("orders", #{}).len();
        step("in", || docs::insert("orders", #{n: 2}));
        let three = docs::insert("orders", #{n: 3});
        queue::send("behind", 1);
        docs::patch("orders", one, #{seen: found});
        #{ids: [one, three], all: docs::find("orders", #{}, #{sort: "n"}).map(|d| d.data)}
    """

    node.die_once()
    answer = node.answer(node.run(source))
    assert answer["all"] == [{"n": 1, "seen": 1}, {"n": 2}, {"n": 3}]
    assert len(set(answer["ids"])) == 2
    again = node.answer(node.run('#{n: docs::count("orders", #{})}'))
    assert again == {"n": 3}


def test_the_clock_moves_on_at_checkpoints_and_is_the_same_again(node: Steps) -> None:
    fails = iter([True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.run(
        """
        let seen = [time::now()];
        step("a", || { sleep(0.02); 1 });
        seen.push(time::now());
        sleep("20ms");
        seen.push(time::now());
        let told = step("tell", || seen);
        if queue::send("fail?", 0) { throw "not yet"; }
        #{told: told, seen: seen}
        """,
        attempts=2,
    )
    answer = node.answer(invocation)
    assert answer["told"] == answer["seen"]
    began, behind_step, behind_sleep = answer["seen"]
    assert behind_step >= began + 20
    assert behind_sleep >= behind_step + 20


def test_readings_of_the_timer_are_the_same_again(node: Steps) -> None:
    fails = iter([True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.run(
        """
        let began = timestamp();
        let first = began.elapsed;
        let inside = step("a", || began.elapsed + 0.0);
        let second = began.elapsed;
        let told = step("tell", || [first, second]);
        if queue::send("fail?", 0) { throw "not yet"; }
        #{told: told, seen: [first, second], inside: inside}
        """,
        attempts=2,
    )
    answer = node.answer(invocation)
    assert answer["told"] == answer["seen"]


def test_ids_and_time_zones_shift_nothing(node: Steps) -> None:
    fails = iter([True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.run(
        """
        print(time::is_zone("Asia/Kathmandu"));
        let first = uuid::v7();
        let told = step("a", || { uuid::v7(); first });
        let second = uuid::v7();
        let again = step("b", || second);
        if queue::send("fail?", 0) { throw "not yet"; }
        #{first: told == first, second: again == second}
        """,
        attempts=2,
    )
    assert node.answer(invocation) == {"first": True, "second": True}
    assert node.lines(invocation) == ["true"]


def test_libraries_are_those_that_the_run_began_with(node: Steps) -> None:
    node.living.deploy("library", "fn value() { 1 }")

    def answer(name: str, value: Any) -> Any:
        if name == "fail?" and node.outside.made["fail?"] == 1:
            node.living.deploy("library", "fn value() { 2 }")
            return True
        return False

    node.outside.answer = answer
    invocation = node.run(
        """
        import "library" as library;
        step("a", || 1);
        if queue::send("fail?", 0) { throw "not yet"; }
        #{value: library::value()}
        """,
        attempts=2,
    )
    assert node.answer(invocation) == {"value": 1}


# ------------------------------------------------------------------------------------------ sleeps and waits


def test_a_sleep_ends_the_run_and_another_one_goes_on_there(node: Steps) -> None:
    invocation = node.begin(
        """
        kv::set("slept", false);
        print("before");
        sleep("20ms");
        print("behind");
        kv::set("slept", true);
        "done"
        """
    )
    node.end(invocation)
    assert node.types(invocation) == ["Requested", "Started", "Suspended", "Started", "Succeeded"]
    assert node.lines(invocation) == ["before", "behind"]
    assert node.value("slept") is True


def test_who_is_suspended_can_be_called_off(node: Steps) -> None:
    invocation = node.begin('kv::set("asleep", true); sleep("1h");')
    node.until(invocation, State.SUSPENDED)
    assert node.living.node.slots.wait_empty(5), "who sleeps takes no place"
    assert node.value("asleep") is True
    state = node.state(invocation)
    cancelled = lifecycle.cancel(state, "enough")
    metadata = Metadata(APP, "test", invocation, invocation)
    node.living.node.appender.append([Entry(cancelled, metadata)])
    assert node.end(invocation).state is State.CANCELLED
    with node.living.node.sessions.session() as connection:
        assert connection.execute("SELECT FROM outbox.pending WHERE invocation_id = %s", (invocation,)).fetchall() == []


def test_a_message_that_fits_ends_a_wait(node: Steps) -> None:
    node.publish("paid.early", {"order": 7})
    invocation = node.begin('wait_for("paid.*", #{order: 7, "by.name": "ada"}, "1h")')
    node.until(invocation, State.SUSPENDED)
    for topic, data in [
        ("refunded.eu", {"order": 7, "by": {"name": "ada"}}),
        ("paid.eu", {"order": 8, "by": {"name": "ada"}}),
        ("paid.eu", {"order": 7}),
        ("paid.eu", "text"),
    ]:
        node.publish(topic, data)
    fits = node.publish("paid.eu", {"order": 7, "by": {"name": "ada"}, "n": 1})
    node.publish("paid.eu", {"order": 7, "by": {"name": "ada"}, "n": 2})
    answer = node.answer(invocation)
    assert answer.pop("sent_at").endswith("Z")
    assert answer == {"id": str(fits), "topic": "paid.eu", "data": {"order": 7, "by": {"name": "ada"}, "n": 1}}
    assert node.types(invocation) == ["Requested", "Started", "Suspended", "Resumed", "Started", "Succeeded"]


def test_a_wait_for_what_does_not_come_gives_unit(node: Steps) -> None:
    invocation = node.run('#{came: wait_for("never", "50ms")}')
    assert node.answer(invocation) == {"came": None}
    assert "Resumed" not in node.types(invocation)


def test_a_message_that_came_in_time_counts_although_nobody_led(leaderless: tuple[LivingNode, list[Waker]]) -> None:
    node = Steps(leaderless[0])
    invocation = node.begin('wait_for("late", #{n: 1}, "700ms").data.n')
    node.until(invocation, State.SUSPENDED)
    node.publish("late", {"n": 2})
    node.publish("late", {"n": 1})
    assert node.answer(invocation) == 1
    assert "Resumed" not in node.types(invocation)


def test_two_leaders_wake_a_run_once(leaderless: tuple[LivingNode, list[Waker]]) -> None:
    living, wakers = leaderless
    node = Steps(living)
    invocations = [node.begin('wait_for("shared", "1h").data') for _ in range(20)]
    for invocation in invocations:
        node.until(invocation, State.SUSPENDED)
    node.publish("shared", 7)
    with leading(living, wakers), leading(living, wakers):
        for invocation in invocations:
            assert node.answer(invocation) == 7
            assert node.types(invocation).count("Resumed") == 1


def test_what_a_wait_gave_is_given_again(node: Steps) -> None:
    fails = iter([True, True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.begin(
        """
        let came = wait_for("again", "1h");
        if queue::send("fail?", 1) { throw "not yet"; }
        let told = step("told", || came.data);
        if queue::send("fail?", 2) { throw "not yet"; }
        sleep("10ms");
        if queue::send("fail?", 3) { throw "not yet"; }
        #{told: told, data: came.data}
        """,
        attempts=3,
    )
    node.until(invocation, State.SUSPENDED)
    node.publish("again", {"n": 1})
    fails = iter([True, False, True, False, False])
    assert node.answer(invocation) == {"told": {"n": 1}, "data": {"n": 1}}


def test_a_message_is_never_missed_however_close_it_comes(node: Steps) -> None:
    """It is published by a script that the wait's own run started, at the moment at which the run is suspended."""
    publisher = node.living.deploy("publisher", 'topic::publish("close", #{id: ctx.event.data})')
    waiting = node.living.deploy(
        "waiting",
        f"""
        invoke::start("{publisher.name}", ctx.invocation.id);
        wait_for("close", #{{id: ctx.invocation.id}}, "20s").data.id
        """,
    )
    invocations = [node.living.begin(waiting) for _ in range(20)]
    for invocation in invocations:
        outcome = node.end(invocation)
        assert outcome.answer is not None
        assert outcome.answer.body.decode() == str(invocation)


# ------------------------------------------------------------------------------------------ whoever asked


def call_of(node: Steps, source: str) -> Call:
    node.deployed += 1
    script = node.living.deploy(f"script-{node.deployed}", source)
    return Call(script=script, trigger=Trigger("http", "GET /"), input=NO_REQUEST, actor="test")


@pytest.mark.parametrize("durability", list(Durability))
def test_a_caller_gets_the_answer_behind_steps(node: Steps, durability: Durability) -> None:
    call = call_of(node, 'kv::set("called", 1); let a = step("a", || kv::get("called")); step("b", || a + 1)')
    outcome = node.living.node.invoker.call(call, durability=durability, timeout=10)
    assert outcome.answer is not None
    assert outcome.answer.body == b"2"
    assert node.types(outcome.invocation) == ["Requested", "Started", "StepCompleted", "StepCompleted", "Succeeded"]


@pytest.mark.parametrize("durability", list(Durability))
def test_a_caller_is_told_that_the_run_is_suspended(node: Steps, durability: Durability) -> None:
    call = call_of(node, 'kv::set("slept", 1); sleep("200ms"); "done"')
    outcome = node.living.node.invoker.call(call, durability=durability, timeout=10)
    assert (outcome.state, outcome.answer) == (State.SUSPENDED, None)
    ended = node.end(outcome.invocation)
    assert ended.answer is not None
    assert ended.answer.body == b"done"


def test_a_run_that_another_waits_for_has_steps_but_is_never_suspended(node: Steps) -> None:
    node.living.deploy("child", 'let n = step("a", || 20); step("b", || n + 1)')
    node.living.deploy("sleeper", 'sleep("1h")')
    invocation = node.run(
        """
        let caught = "";
        try { invoke::run("sleeper", ()); } catch (error) { caught = error; }
        #{n: step("run", || invoke::run("child", ())), caught: caught}
        """
    )
    answer = node.answer(invocation)
    assert answer["n"] == 21
    assert "sleep: another run waits for this one: have it use invoke::start" in answer["caught"]


def test_a_child_that_a_lost_run_waited_for_is_met_again(node: Steps) -> None:
    def answer(name: str, value: Any) -> Any:
        if name == "behind" and node.outside.made["behind"] == 1:
            node.kill_executor()
            gevent.sleep(30)
        return value

    node.outside.answer = answer
    node.living.deploy("counted", 'kv::incr("children"); queue::send("child", 7)')
    invocation = node.run(
        'let n = step("ask", || { let n = invoke::run("counted", 1); queue::send("behind", n) }); #{n: n}'
    )
    assert node.answer(invocation) == {"n": 7}
    assert (node.outside.made["child"], node.outside.made["behind"]) == (1, 2)
    assert node.value("children") == 1


def test_a_child_that_was_called_off_with_its_lost_caller_is_called_again(node: Steps) -> None:
    def answer(name: str, value: Any) -> Any:
        if node.outside.made["child"] == 1:
            node.kill_executor()
            gevent.sleep(30)
        return value

    node.outside.answer = answer
    node.living.deploy("killed", 'kv::incr("killed children"); queue::send("child", 7)')
    invocation = node.run('let n = step("ask", || invoke::run("killed", 1)); #{n: n}')
    assert node.answer(invocation) == {"n": 7}
    assert node.value("killed children") == 1


def test_messages_of_all_steps_go_out_once(node: Steps) -> None:
    fails = iter([True, False])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    node.living.deploy("sum", 'kv::incr("sum", ctx.event.data);')
    invocation = node.run(
        """
        for i in 1..=4 { step(`start ${i}`, || { invoke::start("sum", i); topic::publish("told", i); }); }
        if queue::send("fail?", 0) { throw "not yet"; }
        invoke::start("sum", 100);
        """,
        attempts=2,
    )
    assert node.end(invocation).state is State.SUCCEEDED
    with gevent.Timeout(10):
        while node.value("sum") != 110:
            gevent.sleep(0.02)


# ------------------------------------------------------------------------------------------ taken over


def test_a_run_that_was_taken_over_is_fenced_at_its_next_step(node: Steps) -> None:
    """As the watch over nodes does it for a node that is only cut off."""

    def answer(name: str, value: Any) -> Any:
        if name == "b" and node.outside.made["b"] == 1:
            (invocation,) = begun
            state = node.state(invocation)
            failure = Failure(error=RunError("NodeLost", "gone"), lost=True)
            events = lifecycle.fail(state, failure, now=datetime.now(UTC), random=0.0)
            metadata = Metadata(APP, "system", invocation, invocation)
            node.living.node.appender.append([Entry(event, metadata) for event in events])
        return value

    node.outside.answer = answer
    begun: list[UUID] = []
    begun.append(
        node.begin(
            """
            step("a", || kv::incr("fenced a"));
            step("b", || { kv::incr("fenced b"); queue::send("b", 1) });
            #{a: kv::get("fenced a"), b: kv::get("fenced b")}
            """
        )
    )
    assert node.answer(begun[0]) == {"a": 1, "b": 1}
    assert node.steps(begun[0]) == ["a", "b"]
    assert [event.attempt for event in node.events(begun[0], StepCompleted)] == [1, 2]


# ------------------------------------------------------------------------------------------ inspection


def test_a_failed_run_with_steps_is_inspected_exactly(node: Steps) -> None:
    fails = iter([True, True])
    node.outside.answer = lambda name, value: next(fails) if name == "fail?" else value
    invocation = node.run(
        """
        print(`begins ${random::int(0, 1000)}`);
        let a = step("a", || { print("in a"); kv::set("inspected", 5); queue::send("a", random::int(0, 1000)) });
        kv::set("between", a);
        print(`a ${a} ${time::now()} ${timestamp()}`);
        sleep("10ms");
        print(`slept ${time::now()} ${random::int(0, 1000)}`);
        kv::get("inspected");
        if queue::send("fail?", 0) { throw `not yet ${random::int(0, 1000)}`; }
        """,
        attempts=2,
    )
    assert node.end(invocation).state is State.DEAD
    for attempt in (2, 3):
        found = node.living.inspect(invocation, Wanted(attempt=attempt))
        assert (found.exact, found.why_not) == (True, "")


# ------------------------------------------------------------------------------------------ any script, any crash

CRASH = 'if queue::send("crash?", 0) { throw "crash"; }'
STATEMENTS = st.sampled_from(
    [
        "seen.push(random::int(0, 1000));",
        "seen.push(uuid::v4());",
        'kv::set(p + "a", seen.len());',
        'kv::incr(p + "n", random::int(1, 5));',
        'kv::append(p + "l", random::int(0, 9));',
        'kv::delete(p + "a");',
        'seen.push(kv::get(p + "a"));',
        'seen.push(kv::get(p + "n"));',
        'seen.push(step("one", || { kv::incr(p + "n"); queue::send("one", random::int(0, 1000)) }));',
        'seen.push(step("two", || [kv::get(p + "n"), random::float(), kv::list(p)]));',
        """
        try { step("broken", || { kv::incr(p + "broken"); throw queue::send("broken", random::int(0, 9)); }); }
        catch (e) { seen.push(e); }
        """,
        'let before = time::now(); step("time", || 1); seen.push(time::now() >= before);',
        'sleep("1ms");',
        "for i in 0..3 { seen.push(step(`loop ${i}`, || { kv::set(p + `k${i}`, random::int(0, 100)); i })); }",
        'if random::bool() { seen.push(step("maybe", || random::uuid())); } else { kv::incr(p + "else"); }',
        'import "tools" as tools; seen.push(tools::twice(seen.len()));',
        'let began = timestamp(); step("timer", || began.elapsed); seen.push(began.elapsed >= 0.0);',
        CRASH,
        CRASH,
    ]
)
CRASHES = st.lists(st.sampled_from(["no", "throw", "kill"]), max_size=6)


def run_as(node: Steps, source: str, prefix: str, high: int, low: int) -> UUID:
    """Run a script under an id whose last 63 bits are ``low``: these make the seed."""
    node.deployed += 1
    script = node.living.deploy(f"script-{node.deployed}", source)
    stream = UUID(int=(high << 64) | low)
    requested = Requested(
        originator_id=stream,
        originator_version=1,
        app=APP,
        script=script.name,
        number=script.number,
        sha256=script.sha256,
        trigger=Trigger("api", "test"),
        input=HttpInput("POST", "/", {}, {}, {}, Content(text=prefix)),
        retry=RetryPolicy(attempts=20, first_delay_ms=1),
    )
    node.living.node.appender.append([Entry(requested, Metadata(APP, "test", stream, stream))])
    return stream


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statements=st.lists(STATEMENTS, min_size=2, max_size=12), crashes=CRASHES, low=st.integers(0, 2**63 - 1))
def test_crashes_change_nothing(living: LivingNode, statements: list[str], crashes: list[str], low: int) -> None:
    living.deploy("tools", "fn twice(n) { n * 2 }")
    node = Steps(living)
    begin = 'let p = ctx.request.body; let seen = []; step("begin", || p);\n'
    source = begin + "\n".join(statements) + "\n#{seen: seen}"
    left: list[str] = []

    def answer(name: str, value: Any) -> Any:
        if name != "crash?":
            return value
        what = left.pop() if left else "no"
        if what == "kill":
            node.kill_executor()
            gevent.sleep(30)
        return what == "throw"

    node.outside.answer = answer
    high = uuid4().int >> 64
    calm = run_as(node, source, f"{high:x}/calm/", high, low)
    expected = node.answer(calm)
    left += crashes
    made, node.outside.made = node.outside.made, Counter()
    stormy = run_as(node, source, f"{high:x}/storm/", high ^ 1, low)
    assert as_calm(node.answer(stormy)) == expected, source
    assert node.steps(stormy) == node.steps(calm)
    assert values(node, f"{high:x}/storm/") == values(node, f"{high:x}/calm/"), source
    once = {name: count for name, count in node.outside.made.items() if name == "one"}
    assert once == {name: count for name, count in made.items() if name == "one"}, "each was called once"


def as_calm(answer: Any) -> Any:
    return json.loads(json.dumps(answer).replace("/storm/", "/calm/"))


def values(node: Steps, prefix: str) -> dict[str, str]:
    """All that is kept under a prefix, by the rest of the key."""
    with node.living.node.sessions.session() as connection:
        rows = connection.execute(
            "SELECT key, value FROM kv.entries WHERE app = %s AND starts_with(key, %s)", (APP, prefix)
        ).fetchall()
    return {key.removeprefix(prefix): value for key, value in rows if value is not None}
