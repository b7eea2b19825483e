"""Runs that read secrets and settings: what is recorded of it, and what a repeated run gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.domain.errors import Conflict
from picloud.domain.invocation import AttemptFailed, SecretRead, Succeeded
from picloud.log.contents import unpack
from picloud.orchestrator.inspection import TraceWanted, Wanted
from picloud.orchestrator.journal import unpacked
from picloud.orchestrator.repetition import Effect
from picloud.projections.secrets import readers_of

from .living_node import APP, LivingNode, living_node

VALUE = "correct horse battery"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def node(dsn: str) -> Iterator[LivingNode]:
    with TemporaryDirectory(prefix="picloud-test-") as folder, living_node(dsn, Path(folder)) as living:
        living.deploy("first", "1")
        yield living


def ended(node: LivingNode, source: str, body: str = "") -> tuple[Any, Any]:
    """Run a script; its invocation and the event that ends the attempt."""
    invocation = node.run(node.deploy("script", source), body)
    events: list[Any] = [recorded.event for recorded in node.stream(invocation)]
    return invocation, next(event for event in events if isinstance(event, Succeeded | AttemptFailed))


def test_reads_are_told_by_the_end_of_the_run(node: LivingNode) -> None:
    node.set_secret("TOLD", VALUE)
    source = 'for i in 0..3 { secrets::get("TOLD"); } secrets::live("TOLD").len'
    _, succeeded = ended(node, source)
    assert succeeded.secrets == [SecretRead("TOLD", 1, 4)]
    assert succeeded.effects == 0
    _, failed = ended(node, f"{source}; throw 1")
    assert failed.secrets == [SecretRead("TOLD", 1, 4)]
    _, thrown = ended(node, f"{source}; throw #{{ status: 418 }}")
    assert thrown.secrets == [SecretRead("TOLD", 1, 4)]
    _, other = ended(node, "1")
    assert other.secrets == []
    head = node.head()
    with node.node.sessions.session() as connection, gevent.Timeout(10):
        while not (readers := readers_of(connection, APP, "TOLD")) or readers[0]["runs"] < 3:
            gevent.sleep(0.01)
    assert [(each["script"], each["reads"], each["last_version"]) for each in readers] == [("script", 12, 1)]
    assert node.head() == head, "counting costs no event"


def test_a_run_that_is_made_again_counts_all_its_reads(node: LivingNode) -> None:
    node.set_secret("TWICE", VALUE)
    script = node.deploy(
        "racing", 'let n = kv::get("n") ?? 0; secrets::get("TWICE"); kv::set("n", n + 1); if n == 0 { sleep(0.2); }'
    )
    invocations = [node.begin(script) for _ in range(2)]
    reads = 0
    for invocation in invocations:
        node.node.invoker.wait(invocation, timeout=30)
        last: Any = node.stream(invocation)[-1].event
        reads += sum(read.reads for read in last.secrets)
    assert reads >= 2
    with node.node.sessions.session() as connection:
        row = connection.execute("SELECT value FROM kv.entries WHERE key = 'n'").fetchone()
    assert row is not None
    assert row[0] == "2", "both counted, so one of them was made again"
    assert reads == 3


MISTAKES = {
    "thrown": 'throw `it is ${secrets::get("LEAK")}`',
    "thrown whole": 'throw secrets::get("LEAK")',
    "in a map": 'throw #{ key: secrets::get("LEAK") }',
    "no function": 'secrets::get("LEAK").no_such_thing()',
    "parsed": 'parse_int(secrets::get("LEAK"))',
    "a name": 'let m = #{}; m[secrets::get("LEAK")] = 1; print(m); m.x.y.z',
    "a closure": 'fn f(x) { throw x } f(secrets::get("LEAK") + "!")',
    "another service": 'kv::get(secrets::get("LEAK") + "\\x00")',
    "written": 'kv::set("a", secrets::get("LEAK")); kv::get("a") + kv::nothing',
    "posted": 'kv::append("list", secrets::get("LEAK")); throw 1',
    "no invocation": 'invoke::run(secrets::get("LEAK"), ())',
    "answered badly": '#{ a: [secrets::get("LEAK"), 0.0 / 0.0] }',
    "evaluated": 'eval(secrets::get("LEAK"))',
    "imported": 'import secrets::get("LEAK") as x;',
}


@pytest.mark.parametrize("source", MISTAKES.values(), ids=MISTAKES.keys())
def test_no_mistake_puts_a_secret_into_a_record_and_it_is_repeated_exactly(node: LivingNode, source: str) -> None:
    node.set_secret("LEAK", VALUE)
    said = f'let s = secrets::get("LEAK"); print(s); debug(s); log::info(s, #{{ s: s, deep: [#{{ s: s }}] }}); {source}'
    invocation, failed = ended(node, said)
    assert isinstance(failed, AttemptFailed), failed
    for recorded in node.stream(invocation):
        assert VALUE.encode() not in recorded.state
    assert failed.journal is not None
    journal = unpacked(unpack(failed.journal, node.node.sessions))
    assert VALUE not in repr(journal)
    assert journal.calls[0].withheld
    assert "[secret LEAK]" in failed.logs[0].message
    assert failed.logs[2].fields == {"s": "[secret LEAK]", "deep": [{"s": "[secret LEAK]"}]}

    found = node.inspect(invocation, Wanted(trace=TraceWanted(limit=100)))
    assert found.exact, found.why_not
    assert not found.notes
    assert VALUE not in repr(found), "not in the report either"


def test_a_long_secret_that_is_cut_off_in_a_line_is_not_kept(node: LivingNode) -> None:
    value = "".join(f"{number:05}" for number in range(12_000))
    node.set_secret("LONG", value)
    _, done = ended(node, 'print("x" + secrets::get("LONG") + "y"); print("  " + secrets::get("LONG"));')
    assert [line.message for line in done.logs] == ["x[secret LONG]y", "  [secret LONG]"]


def test_a_repeated_run_gets_the_version_that_it_read(node: LivingNode) -> None:
    node.set_secret("TURNS", "the first value")
    source = 'let s = secrets::get("TURNS"); kv::set("seen", s); if s.starts_with("the first") { throw "old" } 1'
    invocation, _ = ended(node, source)
    node.set_secret("TURNS", "the second value", grace=DAY)
    found = node.inspect(invocation)
    assert found.exact, found.why_not
    assert found.result.effects == [Effect("kv", "set", ["seen", "[secret TURNS]"])]

    node.set_secret("TURNS", "the third value")
    found = node.inspect(invocation)
    assert not found.exact
    assert found.result.succeeded, "the present one stands for it"
    assert found.notes == ['version 1 of the secret "TURNS" is gone: version 3 stands for it']

    node.remove_secret("TURNS")
    found = node.inspect(invocation)
    assert not found.result.succeeded
    assert 'the app demo has no secret "TURNS"' in found.notes[0]


def test_a_corrected_script_may_read_another_secret(node: LivingNode) -> None:
    node.set_secret("WRONG", "the wrong secret")
    node.set_secret("RIGHT", "the right secret")
    invocation, _ = ended(node, 'throw secrets::get("WRONG")')
    found = node.inspect(invocation, Wanted(source='secrets::live("RIGHT")[0].len'))
    assert found.result.succeeded
    assert 'the version of the secret "RIGHT" was not recorded: the present one stands for it' in found.notes


def test_a_run_that_succeeded_is_inspected_with_what_it_read(node: LivingNode) -> None:
    node.set_secret("GOOD", "a good secret")
    node.set_setting("RATE", 5)
    invocation, _ = ended(node, 'kv::set("x", secrets::get("GOOD")); print(config::get("RATE")); config::all().RATE')
    node.set_secret("GOOD", "another good secret", grace=DAY)
    node.set_setting("RATE", 6)
    found = node.inspect(invocation)
    assert found.result.reply is not None
    assert found.result.reply.body == b"5"
    assert found.record.logs[0].message == found.result.logs[0].message == "5"
    assert found.effects is not None
    assert not found.effects.added
    assert not found.effects.missing
    assert "a good secret" not in repr(found)


def test_a_run_sees_one_state_of_its_settings_and_its_journal_tells_it(node: LivingNode) -> None:
    node.set_setting("SEEN", {"a": [1, None, "x"]})
    invocation, failed = ended(
        node, 'let all = config::all(); config::get("SEEN").a[1] == (); throw config::get("SEEN")'
    )
    node.set_setting("SEEN", {"b": True})
    journal = unpacked(unpack(failed.journal, node.node.sessions))
    assert journal.calls[-1].value == {"a": [1, None, "x"]}
    assert node.inspect(invocation).exact
    found = node.inspect(invocation, Wanted(source='config::get("SEEN", 7).a[0] + config::get("NEVER", 4)'))
    assert found.result.reply is not None
    assert found.result.reply.body == b"5"


def test_messages_that_came_together_count_once(node: LivingNode) -> None:
    node.set_secret("BATCH", VALUE)
    script = node.deploy("batch", 'secrets::get("BATCH"); #{ failed: [ctx.event.messages[0].id] }')
    ends: list[Any] = []
    for invocation in node.run_batch(script, ["a", "b"]):
        events: list[Any] = [recorded.event for recorded in node.stream(invocation)]
        ends.append(next(event for event in events if isinstance(event, Succeeded | AttemptFailed)))
    assert [end.secrets for end in ends] == [[SecretRead("BATCH", 1, 1)], []]


def test_a_node_that_lacks_the_key_says_which(node: LivingNode) -> None:
    node.set_secret("LOCKED", VALUE)
    path = node.node.config.vault_file
    was = path.read_text()
    path.write_text("b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q=")
    try:
        node.set_secret("OPEN", VALUE)
        _, failed = ended(node, 'secrets::get("LOCKED")')
    finally:
        path.write_text(was)
    assert 'secrets::get: "LOCKED" can\'t be opened on this node: the secret was sealed with the key ' in (
        failed.error.message
    )
    _, done = ended(node, 'secrets::get("LOCKED").len')
    assert isinstance(done, Succeeded), "the file is read again when a key isn't known"


def test_an_app_has_only_so_many_secrets_and_settings(node: LivingNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node.set_secret("MANY", VALUE)
    node.set_setting("MANY", 1)
    monkeypatch.setattr("picloud.orchestrator.control.secrets.MAX_SECRETS", 1)
    monkeypatch.setattr("picloud.orchestrator.control.settings.MAX_SETTINGS", 1)
    node.set_secret("MANY", "another value")
    node.set_setting("MANY", 2)
    with pytest.raises(Conflict, match=r"secrets, and 1 at most"):
        node.set_secret("MORE", VALUE)
    with pytest.raises(Conflict, match=r"settings, and 1 at most"):
        node.set_setting("MORE", 1)


def test_the_secrets_and_settings_of_an_app_have_only_so_many_bytes(node: LivingNode) -> None:
    for number in range(15):
        node.set_secret(f"LARGE{number}", "x" * 65_536)
        node.set_setting(f"LARGE{number}", "x" * 65_000)
    filling = [f"LARGE{number}" for number in range(15, 40)]
    with pytest.raises(Conflict, match=r"more than 2,097,152 bytes together"):
        [node.set_secret(name, "x" * 65_536) for name in filling]
    with pytest.raises(Conflict, match=r"more than 1,048,576 bytes together"):
        [node.set_setting(name, "x" * 65_000) for name in filling]


def test_two_who_set_at_once_both_count(node: LivingNode) -> None:
    node.set_setting("BOTH", 0)
    jobs = [gevent.spawn(node.set_setting, "BOTH", number) for number in range(1, 4)]
    gevent.joinall(jobs, raise_error=True)
    _, done = ended(node, 'config::get("BOTH")')
    assert done.reply.body.text in "123"


VALUES = st.recursive(
    st.text(max_size=10)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans(),
    lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_script_gets_a_setting_as_it_was_set(node: LivingNode, value: Any) -> None:
    setting = f"OF-{type(value).__name__}"
    node.set_setting(setting, value)
    _, done = ended(node, f'#{{ v: config::get("{setting}"), all: config::all()["{setting}"] }}')
    answer = json.loads(done.reply.body.text)
    assert same(answer["v"], value)
    assert same(answer["all"], value)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through; the members of maps have no order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)
