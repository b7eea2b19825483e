"""A run that failed is run again on its record: it does the same, bit for bit, and nothing comes of it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picloud.domain.errors import Conflict, NotFound
from picloud.domain.invocation import AttemptFailed, RunError, Started
from picloud.log.mapper import MAPPER
from picloud.orchestrator.inspection import MOST_AT_A_TIME, TooBusy, TraceWanted, Wanted
from picloud.orchestrator.repetition import Effect
from picloud.orchestrator.report import Ended, Inspection
from tests.databases import Databases

from .living_node import LivingNode, living_node

TOOLS = """
fn twice(n) { n * 2 }
fn remember(key, value) { kv::set(key, value); kv::get(key) }
fn fail(n) { throw `tools fail at ${n} ${random::int(0, 1000)}`; }
"""
CHANGED = "fn twice(n) { n * 3 } fn remember(key, value) { value } fn fail(n) { throw 0; }"


@pytest.fixture(scope="module")
def node(dsn: str) -> Iterator[LivingNode]:
    with TemporaryDirectory(prefix="picloud-test-") as folder, living_node(dsn, Path(folder)) as living:
        living.deploy("tools", TOOLS)
        yield living


@pytest.fixture
def narrow_node(databases: Databases) -> Iterator[LivingNode]:
    """A node that keeps little of what services answered."""
    dsn = databases.migrated("narrow")
    with (
        TemporaryDirectory(prefix="picloud-test-") as folder,
        living_node(dsn, Path(folder), journal_bytes="120") as living,
    ):
        yield living
    databases.drop(dsn)


def failed(node: LivingNode, source: str, body: str = "") -> tuple[Inspection, AttemptFailed]:
    """Run a script that fails, have the world changed, and inspect it."""
    script = node.deploy("failing", source)
    invocation = node.run(script, body)
    last = next(e.event for e in reversed(node.stream(invocation)) if e.type == "AttemptFailed")
    assert isinstance(last, AttemptFailed)
    overwrite(node)
    return node.inspect(invocation), last


def overwrite(node: LivingNode, value: str = '"later"') -> None:
    """Have another run change every key that the tests use."""
    keys = json.dumps(["a", "b", "c", "n", "later", "at"])
    node.run(node.deploy("overwriting", f"for key in {keys} {{ kv::set(key, {value}); }}"))


def answered(node: LivingNode, invocation: UUID) -> int:
    """How many calls of services of a running attempt were answered."""
    recorder = node.node.door.recorder(invocation)
    return recorder.made if recorder is not None else 0


def printed(ended: Ended) -> list[tuple[str, str, int, object]]:
    return [(line.level, line.message, line.line, line.fields) for line in ended.logs]


# ------------------------------------------------------------------------------------------ the same again

KEYS = st.sampled_from(["a", "b", "c", "ab"])
PLAIN = st.sampled_from(
    [
        'kv::set("{key}", total);',
        'kv::set("{key}", #{{n: [1, 2.5, "x", ()], at: time::now()}});',
        'print(`${{kv::get("{key}")}}`);',
        'kv::delete("{key}");',
        'print(kv::list("{key}"));',
        "total += random::int(1, 9);",
        'kv::set("{key}", random::uuid());',
        "print(`${{random::float()}} ${{random::shuffle([1, 2, 3, 4])}} ${{random::string(5)}}`);",
        'log::info("total", #{{total: total, at: time::iso()}});',
        "print(started.elapsed); print(timestamp() - started);",
        'import "tools" as tools; total = tools::twice(total);',
        'import "tools" as tools; print(tools::remember("{key}", total));',
        "try {{ kv::get(5); }} catch (e) {{ print(e); }}",
        "total += own(total % 7); debug(total);",
        "let f = |x| x + total; total = f.call(1);",
        "print(ctx.request.json); print(ctx.invocation);",
        'eval("total += 1;");',
    ]
)
ENDS = st.sampled_from(
    [
        "throw `end ${total} ${random::uuid()}`;",
        "throw #{code: total, id: random::uuid()};",
        "let items = [1]; items[total + 5]",
        'kv::get("missing").nothing.at.all',
        'import "tools" as tools; tools::fail(total)',
        'import "nothing" as nothing; 1',
        "kv::set(total, 1);",
        "own(1000)",
        'kv::set("big", "x".nowhere());',
        "loop { total += 1; if total > 9999 { own(1000); } }",
    ]
)


def block(statement: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(statement, min_size=1, max_size=3).map(" ".join)
    return st.one_of(
        st.tuples(st.integers(0, 3), body).map(lambda pair: f"for i in 0..{pair[0]} {{ {pair[1]} }}"),
        st.tuples(body, body).map(lambda pair: f"if random::bool() {{ {pair[0]} }} else {{ {pair[1]} }}"),
        body.map(lambda inner: f'try {{ {inner} throw "caught"; }} catch (e) {{ print(e); total += 1; }}'),
    )


STATEMENTS = st.recursive(st.tuples(PLAIN, KEYS).map(lambda pair: pair[0].format(key=pair[1])), block, max_leaves=6)
SCRIPTS = st.tuples(st.lists(STATEMENTS, max_size=8).map("\n".join), ENDS).map(
    lambda pair: (
        "let started = timestamp(); let total = 0;\n"
        "fn own(n) { if n > 900 { throw n; } if n > 0 { own(n - 1) + 1 } else { 1 } }\n" + "\n".join(pair)
    )
)


@settings(max_examples=60)
@given(SCRIPTS)
def test_what_failed_does_the_same_again_bit_for_bit(node: LivingNode, source: str) -> None:
    found, was = failed(node, source)
    assert found.exact, (source, found.why_not, found.result)
    assert found.why_not == ""
    assert not found.notes
    error = found.result.error
    assert error is not None
    assert (error.kind, error.message, error.line, error.column, error.call_stack) == (
        was.error.kind,
        was.error.message,
        was.error.line,
        was.error.column,
        was.error.call_stack,
    )
    assert printed(found.result) == [(line.level, line.message, line.line, line.fields) for line in was.logs]
    assert found.result.effects == found.record.effects
    assert found.effects is not None
    assert not found.effects.added
    assert not found.effects.missing
    assert found.result.operations == was.usage.operations


def test_a_run_that_used_up_its_operations_does_so_again(node: LivingNode) -> None:
    found, was = failed(node, 'kv::set("n", 1); let n = 0; loop { n += 1; }')
    assert found.exact
    assert found.result.error is not None
    assert (found.result.error.kind, found.result.operations) == ("ErrorTooManyOperations", was.usage.operations)


def test_modules_are_those_that_ran(node: LivingNode) -> None:
    script = node.deploy("importing", 'import "tools" as tools; throw tools::twice(21);')
    invocation = node.run(script)
    node.deploy("tools", CHANGED)
    try:
        found = node.inspect(invocation)
        fresh = node.inspect(invocation, Wanted(source='import "tools" as t; t::twice(1)'))
        other = node.run(node.deploy("not-importing", "throw 1;"))
    finally:
        node.deploy("tools", TOOLS)
    assert found.exact
    assert found.result.error is not None
    assert found.result.error.message.endswith("42")
    assert fresh.result.reply is not None
    assert fresh.result.reply.body == b"2", "the version that ran, not the one that is deployed now"
    as_it_was = node.inspect(other, Wanted(source='import "tools" as t; t::twice(1)'))
    assert as_it_was.result.reply is not None
    assert as_it_was.result.reply.body == b"3", "the version that was deployed when the attempt began"


def test_modules_of_a_run_that_succeeded_are_those_that_its_version_pins(node: LivingNode) -> None:
    script = node.deploy("pinning", 'import "tools" as tools; tools::twice(21)')
    node.deploy("tools", CHANGED)
    try:
        invocation = node.run(script)
        found = node.inspect(invocation)
    finally:
        node.deploy("tools", TOOLS)
    assert found.result.reply is not None
    assert found.result.reply.body == b"42", "not the version that was deployed when it ran"


# ------------------------------------------------------------------------------------------ another script


def test_a_corrected_script_would_have_succeeded_and_its_effects_are_compared(node: LivingNode) -> None:
    node.run(node.deploy("before", 'kv::set("n", 1); kv::set("other", "early");'))
    broken = 'let n = kv::get("n"); kv::set("n", n + 1); kv::set("tries", n); throw `no: ${random::int(0, 9999)}`;'
    invocation = node.run(node.deploy("broken", broken))
    node.run(node.deploy("after", 'kv::set("n", 100); kv::set("other", "late"); kv::delete("tries");'))
    fixed = 'let n = kv::get("n"); kv::set("n", n + 1); kv::set("seen", kv::get("other")); kv::list("n")'
    found = node.inspect(invocation, Wanted(source=fixed))
    assert found.exact is None
    assert found.result.succeeded
    assert found.result.reply is not None
    assert json.loads(found.result.reply.body) == ["n"]
    assert found.result.effects == [Effect("kv", "set", ["n", 2]), Effect("kv", "set", ["seen", "early"])]
    assert found.effects is not None
    assert found.effects.added == [Effect("kv", "set", ["seen", "early"])]
    assert found.effects.missing == [Effect("kv", "set", ["tries", 1])]
    assert found.why_not == 'diverged at call 3: the record has kv::set("tries", 1), it asked kv::get("other")'


def test_a_corrected_script_reads_what_it_wrote_and_not_what_the_broken_one_did(node: LivingNode) -> None:
    node.run(node.deploy("before", 'kv::set("a", 1);'))
    invocation = node.run(node.deploy("broken", 'kv::set("a", 2); kv::get("a"); kv::delete("a"); throw 1;'))
    overwrite(node)
    found = node.inspect(invocation, Wanted(source='let was = kv::get("a"); kv::set("a", 5); [was, kv::get("a")]'))
    assert found.result.reply is not None
    assert json.loads(found.result.reply.body) == [1, 5]


def test_a_script_that_fails_too_tells_where(node: LivingNode) -> None:
    invocation = node.run(node.deploy("broken", "throw 1;"))
    found = node.inspect(invocation, Wanted(source="let a = 1;\nlet b = a +;"))
    assert found.result.error is not None
    assert found.result.error.line == 2
    thrown = node.inspect(invocation, Wanted(source='kv::set("a", 1); throw #{status: 422, why: "no"};'))
    assert (thrown.result.succeeded, thrown.result.thrown, thrown.result.effects) == (True, True, [])


def test_what_other_services_answered_is_answered_again(node: LivingNode) -> None:
    source = 'let id = topic::publish("orders.made", #{n: 1}); throw id;'
    invocation = node.run(node.deploy("publishing", source))
    found = node.inspect(invocation)
    assert found.exact
    published = Effect("topic", "publish", ["orders.made", {"n": 1}])
    assert found.result.effects == [published]
    more = node.inspect(invocation, Wanted(source=source.replace("throw id;", 'topic::publish("orders.paid", 2); id')))
    assert more.effects is not None
    assert more.effects.added == [Effect("topic", "publish", ["orders.paid", 2])]
    assert more.notes == ['topic::publish("orders.paid", 2) was not recorded: () stands for its answer']


# ------------------------------------------------------------------------------------------ traces


def test_a_trace_shows_the_lines_of_the_script_and_of_its_modules(node: LivingNode) -> None:
    source = 'import "tools" as tools;\nlet n = tools::twice(4);\nkv::set("a", n);\nprint(n);\nthrow n;'
    invocation = node.run(node.deploy("traced", source))
    found = node.inspect(invocation, Wanted(trace=TraceWanted(limit=100)))
    assert found.exact
    assert not found.notes
    trace = found.trace
    assert trace is not None
    lines = [(step.kind, step.part, step.line) for step in trace.steps]
    assert ("enter", "tools", 2) in lines
    assert ("line", "tools", 2) in lines
    assert lines[-1] == ("line", "", 5)
    texts = [step.text for step in trace.steps if step.kind in ("call", "log")]
    assert texts == ['kv::set("a", 8)', "8"]
    changes = [(step.line, change.name, change.new) for step in trace.steps for change in step.changes if not step.part]
    assert changes == [(2, "n", "8")]
    assert trace.sources == {"": source, "tools": TOOLS}


def test_the_last_steps_of_a_long_run_are_shown(node: LivingNode) -> None:
    invocation = node.run(node.deploy("long", "let n = 0;\nwhile n < 30000 {\n  n += 1;\n}\nthrow n;"))
    trace = node.inspect(invocation, Wanted(trace=TraceWanted(limit=3))).trace
    assert trace is not None
    assert (trace.count, trace.skipped) == (60_003, 60_000)
    assert [step.line for step in trace.steps if step.kind == "line"] == [3, 2, 5]
    first = node.inspect(invocation, Wanted(trace=TraceWanted(limit=3, skip=0))).trace
    assert first is not None
    assert [step.line for step in first.steps] == [1, 2, 3]


@settings(max_examples=25)
@given(SCRIPTS)
def test_a_traced_run_ends_as_the_plain_one(node: LivingNode, source: str) -> None:
    invocation = node.run(node.deploy("traced", source))
    found = node.inspect(invocation, Wanted(trace=TraceWanted(limit=200)))
    assert found.exact
    assert not [note for note in found.notes if "ended otherwise" in note], source
    assert found.trace is not None
    assert found.trace.steps


# ------------------------------------------------------------------------------------------ what isn't recorded


def test_what_succeeded_is_inspected_on_the_log(node: LivingNode) -> None:
    node.run(node.deploy("before", 'kv::set("n", 41); kv::set("a", "old");'))
    script = node.deploy("counting", 'let n = kv::get("n") + 1; kv::set("n", n); kv::delete("a"); [n, kv::list("a")]')
    invocation = node.run(script)
    overwrite(node)
    found = node.inspect(invocation)
    assert found.record.reply == found.result.reply
    assert (
        found.result.effects == found.record.effects == [Effect("kv", "set", ["n", 42]), Effect("kv", "delete", ["a"])]
    )
    assert found.calls is None
    assert not found.exact
    assert "no journal" in found.why_not
    assert found.notes[0].startswith("the run succeeded, and of those no journal was kept")


def test_a_record_that_was_cut_says_so(narrow_node: LivingNode) -> None:
    script = narrow_node.deploy("many", 'for i in 0..50 { kv::set(`k${i}`, i); } throw kv::get("k7");')
    found = narrow_node.inspect(narrow_node.run(script))
    assert not found.exact
    assert found.calls == 51
    assert found.record.effects is None
    assert "the first" in found.notes[0]
    assert "of 51 calls" in found.notes[0]
    assert found.result.error is not None
    assert found.result.error.message.endswith("7")


def test_an_attempt_whose_executor_died_keeps_its_record(node: LivingNode) -> None:
    source = 'kv::set("a", 1); print("begun"); if ctx.invocation.attempt == 1 { sleep(2); } throw "second";'
    invocation = node.begin(node.deploy("dying", source))
    with gevent.Timeout(10):
        while not answered(node, invocation):
            gevent.sleep(0.01)
    os.kill(node.node.pool.pids()[0], signal.SIGKILL)
    node.node.invoker.wait(invocation, timeout=30)
    found = node.inspect(invocation, Wanted(attempt=1))
    assert found.record.error is not None
    assert found.record.error.kind == "ExecutorDied"
    assert found.record.effects == [Effect("kv", "set", ["a", 1])]
    assert "the executor died" in found.notes[0]
    assert found.result.error is not None
    assert found.result.error.kind == "ErrorRuntime"
    assert node.inspect(invocation).attempt == 2


def test_an_attempt_that_was_lost_with_its_node_is_run_on_its_input(node: LivingNode) -> None:
    node.run(node.deploy("before", 'kv::set("a", "then");'))
    invocation = node.run(node.deploy("lost", 'throw kv::get("a") + ctx.request.json.word;'), '{"word": "!"}')
    requested, started = node.stream(invocation)[:2]
    event = started.event
    assert isinstance(event, Started)
    lost = AttemptFailed(
        originator_id=event.originator_id,
        originator_version=3,
        attempt=1,
        error=RunError("NodeLost", "the node is gone"),
        lost=True,
    )
    overwrite(node)
    kind, state = MAPPER.encode(lost)
    ended = replace(node.stream(invocation)[2], type=kind, state=state)
    found = node.node.inspector.inspect([requested, started, ended], Wanted())
    assert "lost with its node" in found.notes[0]
    assert found.result.error is not None
    assert found.result.error.message == "Runtime error: then!"
    assert found.record.effects is None


def test_messages_that_came_together_come_together_again(node: LivingNode) -> None:
    source = (
        'let ids = ctx.event.messages.map(|m| m.id);\nkv::set("count", ids.len);\n'
        'if ctx.event.messages[0].data == "bad" { throw ids; }\n#{failed: [#{id: ids[1], error: "no"}]}'
    )
    for first, kind in (("bad", "ErrorRuntime"), ("good", "MessageFailed")):
        script = node.deploy("batched", source)
        both = node.run_batch(script, [first, "other"])
        for invocation in both:
            found = node.inspect(invocation)
            if found.record.succeeded:
                continue
            assert found.record.error is not None
            assert found.record.error.kind == kind
            assert found.exact, found.why_not
            assert found.notes == ["the run got 2 messages together, and gets them again."]
            assert found.result.effects == [Effect("kv", "set", ["count", 2])]


def test_an_invocation_that_has_not_ended_can_not_be_inspected(node: LivingNode) -> None:
    invocation = node.run(node.deploy("once", "throw 1;"))
    stream = node.stream(invocation)
    with pytest.raises(Conflict, match="no attempt of the invocation has ended yet"):
        node.node.inspector.inspect(stream[:2], Wanted())
    with pytest.raises(Conflict, match="attempt 1 has not ended"):
        node.node.inspector.inspect(stream[:2], Wanted(attempt=1))
    with pytest.raises(NotFound, match="there is no attempt 7 that has ended; there are: 1"):
        node.node.inspector.inspect(stream, Wanted(attempt=7))


def test_each_attempt_has_its_own_record(node: LivingNode) -> None:
    script = node.deploy(
        "again", 'let n = kv::get("tried") ?? 0; throw [ctx.invocation.attempt, random::int(0, 99999)];'
    )
    invocation = node.run(script, attempts=2)
    first, second = (node.inspect(invocation, Wanted(attempt=number)) for number in (1, 2))
    assert first.exact
    assert second.exact
    assert first.result.error != second.result.error
    assert node.inspect(invocation).attempt == 2


def test_few_are_inspected_at_a_time(node: LivingNode) -> None:
    invocation = node.run(node.deploy("slow", 'sleep(0.5); throw "slow";'))
    stream = node.stream(invocation)
    running = [gevent.spawn(node.node.inspector.inspect, stream, Wanted()) for _ in range(MOST_AT_A_TIME)]
    with gevent.Timeout(10):
        while node.node.slots.taken < MOST_AT_A_TIME:
            gevent.sleep(0.01)
    with pytest.raises(TooBusy):
        node.node.inspector.inspect(stream, Wanted())
    gevent.joinall(running, raise_error=True)
    assert node.node.slots.taken == 0
    assert node.inspect(invocation).exact


def test_others_have_their_turn_while_steps_are_taken_down(node: LivingNode) -> None:
    """Large values are looked at again and again, and a short run is through in the meantime."""
    large = "let a = []; a.pad(400, #{n: 1}); let b = a; let c = a; let d = a;"
    slow = node.run(node.deploy("large", f"{large} for i in 0..900 {{ a[i % 400].n = i; }} throw a.len;"))
    quick = node.deploy("quick", "1")
    tracing = gevent.spawn(node.node.inspector.inspect, node.stream(slow), Wanted(trace=TraceWanted(limit=2_000)))
    waits = []
    while not tracing.ready():
        began = time.monotonic()
        node.run(quick)
        waits.append(time.monotonic() - began)
    assert tracing.get().exact
    assert max(waits) < 1.0, waits
