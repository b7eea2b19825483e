"""``http::`` in scripts, on a whole node: what is sent and told, what is recorded, and what a repeated run asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from picloud.domain.invocation import AttemptFailed, Succeeded
from picloud.log.contents import unpack
from picloud.orchestrator.inspection import Wanted
from picloud.orchestrator.journal import unpacked
from tests.integration.services.upstream import NameServer, Upstream, name_server, redirect, reply, upstream

from .living_node import APP, LivingNode, living_node

PUBLIC, FORBIDDEN = "127.0.0.2", "127.0.0.1"


@dataclass
class World:
    """A node, a server that its scripts may call (127.0.0.2), one that they may not (127.0.0.1), and their names."""

    node: LivingNode
    server: Upstream
    forbidden: Upstream
    dns: NameServer

    @property
    def url(self) -> str:
        return f"http://api.example:{self.server.port}"

    def run(self, source: str, *, attempts: int = 1) -> UUID:
        """Run a script in which URL stands for the server's."""
        self.server.received.clear()
        return self.node.run(self.node.deploy("calling", source.replace("URL", self.url)), attempts=attempts)

    def value(self, source: str) -> Any:
        """What a script answers that succeeds."""
        events = [each.event for each in self.node.stream(self.run(source))]
        last = events[-1]
        assert isinstance(last, Succeeded), events
        return json.loads(unpack(last.reply.body, self.node.node.sessions))

    def failure(self, source: str) -> AttemptFailed:
        """How a script fails."""
        return self.failed(self.run(source))

    def failed(self, invocation: UUID) -> AttemptFailed:
        return next(e.event for e in reversed(self.node.stream(invocation)) if isinstance(e.event, AttemptFailed))


@pytest.fixture(scope="module")
def world(dsn: str) -> Iterator[World]:
    with (
        upstream(PUBLIC) as server,
        upstream(FORBIDDEN, server.port) as forbidden,
        name_server(lambda _name, _count: [PUBLIC]) as dns,
        TemporaryDirectory(prefix="picloud-test-") as folder,
        living_node(dsn, Path(folder), egress_dns=dns.address) as node,
    ):
        node.deploy("first", "0")
        node.let_out(PUBLIC)
        yield World(node, server, forbidden, dns)
        assert forbidden.connections == 0


# ------------------------------------------------------------------------------------------------ answers


def test_an_answer_is_a_map(world: World) -> None:
    world.server.on("/json", reply(b'{"n": [1, 2.5]}', headers="Content-Type: application/json\nX-A: 1\nX-A: 2"))
    answer = world.value('let a = http::get("URL/json"); a.n = a.json.n[1]; a')
    assert answer == {
        "status": 200,
        "headers": {"content-length": "15", "content-type": "application/json", "x-a": "1, 2"},
        "body": '{"n": [1, 2.5]}',
        "json": {"n": [1, 2.5]},
        "url": f"{world.url}/json",
        "redirects": [],
        "n": 2.5,
    }


@pytest.mark.parametrize(
    ("content_type", "body", "expression", "value"),
    [
        ("text/plain; charset=latin-1", b"caf\xe9", "a.body", "café"),
        ("text/plain; charset=nonsense", b"x", "type_of(a.body)", "blob"),
        ("text/html", b"\xff", "a.body", "\ufffd"),
        ("application/octet-stream", b"\x00\x01\x02", "type_of(a.body) + a.body.len()", "blob3"),
        ("image/png", b"x", "a.json == ()", True),
        ("application/json", b"{broken", "[a.json == (), a.body]", [True, "{broken"]),
        ("application/problem+json", b'{"a":1}', "a.json.a", 1),
        ("application/json", b'"\\ud83d\\ude00"', "a.json", "😀"),
        ("application/json", b"[" * 5_000, "a.json == ()", True),
        ("", b"", "a.body", ""),
        ("", "ü".encode(), "a.body", "ü"),
        ("", b"\xff", "type_of(a.body)", "blob"),
    ],
)
def test_a_body_is_a_text_a_value_or_a_blob(
    world: World, content_type: str, body: bytes, expression: str, value: Any
) -> None:
    world.server.on("/typed", reply(body, headers=f"Content-Type: {content_type}" if content_type else ""))
    assert world.value(f'let a = http::get("URL/typed"); [{expression}]') == [value]


def test_cookies_are_not_joined(world: World) -> None:
    world.server.on("/cookies", reply(headers="Set-Cookie: a=1; Expires=Wed, 21 Oct 2030\nSet-Cookie: b=2"))
    assert world.value('http::get("URL/cookies").headers["set-cookie"]') == ["a=1; Expires=Wed, 21 Oct 2030", "b=2"]


def test_an_answer_of_any_status_is_an_answer(world: World) -> None:
    world.server.on("/gone", reply(b"no", status="410 Gone"))
    world.server.on("/moved", redirect("/gone"))
    answer = world.value('http::get("URL/moved")')
    assert (answer["status"], answer["url"], answer["redirects"]) == (410, f"{world.url}/gone", [f"{world.url}/moved"])


def test_every_function_sends_its_method_and_body(world: World) -> None:
    world.value(
        """
        http::get("URL/"); http::get("URL/", #{query: #{a: "1 2"}}); http::delete("URL/"); http::delete("URL/", #{});
        http::post("URL/"); http::post("URL/", "text"); http::post("URL/", #{a: 1}, #{headers: #{"X-A": 1}});
        http::put("URL/", blob(2, 7)); http::patch("URL/", [1], #{timeout: "1s"});
        http::request("HEAD", "URL/"); http::request("options", "URL/");
        http::request("POST", "URL/", #{form: #{a: 1}});
        0
        """
    )
    sent = [(each.method, each.target, each.body) for each in world.server.received]
    assert sent == [
        ("GET", "/", b""), ("GET", "/?a=1+2", b""), ("DELETE", "/", b""), ("DELETE", "/", b""),
        ("POST", "/", b""), ("POST", "/", b"text"), ("POST", "/", b'{"a":1}'),
        ("PUT", "/", b"\x07\x07"), ("PATCH", "/", b"[1]"),
        ("HEAD", "/", b""), ("OPTIONS", "/", b""), ("POST", "/", b"a=1"),
    ]  # fmt: skip
    for each in world.server.received:
        assert re.fullmatch(r"PiCloud/[0-9.]+", each.headers["user-agent"])
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", each.headers["traceparent"])
        assert ("idempotency-key" in each.headers) == (each.method not in ("GET", "HEAD", "OPTIONS"))
    assert len({each.headers["traceparent"] for each in world.server.received}) == 12, "each call is a span of its own"
    assert len({each.headers["traceparent"][3:35] for each in world.server.received}) == 1, "of one trace"


def test_the_trace_is_that_of_the_causes(world: World) -> None:
    invocation = world.run('http::get("URL/")')
    (request,) = world.server.received
    assert UUID(request.headers["traceparent"].split("-")[1]) == world.node.stream(invocation)[0].correlation_id


def test_a_script_has_its_own_headers_or_none(world: World) -> None:
    world.value(
        """
        http::post("URL/", "x", #{headers: #{"User-Agent": "me", "idempotency-key": "mine", Traceparent: ()}});
        http::post("URL/", "x", #{headers: #{"User-Agent": (), "Idempotency-Key": ()}});
        0
        """
    )
    own, none = (each.headers for each in world.server.received)
    assert (own["user-agent"], own["idempotency-key"], "traceparent" in own) == ("me", "mine", False)
    assert not {"user-agent", "idempotency-key"} & set(none)


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("call", "kind", "host", "message"),
    [
        ('http::get("http://10.0.0.1/")', "refused", "10.0.0.1", "http::get: 10.0.0.1 is a private address. An owner"),
        ('http::put("http://[::1]/", 1)', "refused", "::1", "http::put: ::1 is a loopback address"),
        ('http::get("http://api.example:1/")', "refused", "api.example", "http::get: 1 is no port of the web"),
        ('http::get("URL/stall", #{timeout: "50ms"})', "timeout", "api.example", "didn't answer within 0.05 s"),
        ('http::get("URL/large", #{max_bytes: 10})', "too_large", "api.example", "more than 10 bytes"),
        ('http::get("URL/loop")', "redirects", "api.example", "redirects further than 5 times"),
        ('http::get("https" + "URL/".sub_string(4))', "tls", "api.example", "can't be spoken to by TLS"),
    ],
)
def test_a_call_without_an_answer_throws_its_kind_and_host(
    world: World, call: str, kind: str, host: str, message: str
) -> None:
    world.server.answers["/stall"] = lambda _request, connection: connection.recv(1)
    world.server.on("/large", reply(b"x" * 11))
    world.server.on("/loop", redirect("/loop"))
    error = world.value(f"let e = (); try {{ {call}; }} catch (problem) {{ e = problem; }} e")
    assert (error["error"], error["kind"], error["host"]) == ("HttpError", kind, host)
    assert message in error["message"]


def test_an_error_that_nobody_catches_is_a_sentence_with_a_place(world: World) -> None:
    error = world.failure('let x = 1;\nhttp::get("http://10.0.0.1/")').error
    assert error.message.startswith("Runtime error: http::get: 10.0.0.1 is a private address. An owner can allow it:")
    assert (error.kind, error.line) == ("ErrorRuntime", 2)


def test_a_wrong_argument_is_an_error_of_the_script(world: World) -> None:
    error = world.failure('http::get("URL/", #{timeuot: "1s"})').error
    assert "http::get has no option 'timeuot': did you mean 'timeout'?" in error.message


def test_a_run_makes_so_many_calls_and_no_more(world: World) -> None:
    error = world.failure('for n in 0..200 { http::get("URL/"); }').error
    assert "http::get: a run may make 100 calls at most" in error.message
    assert len(world.server.received) == 100


def test_a_run_gets_so_much_and_no_more(world: World) -> None:
    """What it got is kept until it ends, and a node has many runs."""
    world.server.on("/large", reply(b"x" * 3_000_000))
    error = world.failure('for n in 0..9 { http::get("URL/large", #{max_bytes: 3_000_000}); }').error
    assert "api.example answered with more than 1,777,216 bytes" in error.message
    assert len(world.server.received) == 6
    error = world.failure('let b = blob(900_000, 1); for n in 0..30 { http::put("URL/", b); }').error
    assert "http::put: a run may send and get 16,777,216 bytes at most" in error.message


def test_a_call_ends_before_the_run_does(world: World) -> None:
    """So that the script can still say what happened."""
    world.server.answers["/stall"] = lambda _request, connection: connection.recv(1)
    source = """
        let kind = ();
        try { http::get("URL/stall", #{timeout: "1m"}); } catch (problem) { kind = problem.kind; }
        kind
    """
    script = world.node.deploy("stalled", source.replace("URL", world.url))
    invocation = world.node.run(script, wall_ms=1_000)
    last = world.node.stream(invocation)[-1].event
    assert isinstance(last, Succeeded)
    assert unpack(last.reply.body, world.node.node.sessions) == b"timeout"


# ------------------------------------------------------------------------------------------------ the guard


def test_a_name_that_leads_elsewhere_in_the_midst_of_a_run_is_refused(world: World) -> None:
    world.dns.answer = lambda name, count: [FORBIDDEN] if name == "rebind.example" and count > 1 else [PUBLIC]
    url = f"http://rebind.example:{world.server.port}/"
    error = world.failure(f'http::get("{url}"); http::get("{url}");').error
    assert "rebind.example leads to 127.0.0.1, which is a loopback address" in error.message
    assert len(world.server.received) == 1


def test_what_is_allowed_holds_for_its_app_alone(world: World) -> None:
    egress = world.node.node.catalog.egress
    assert [str(each) for each in egress(APP).allowed] == [PUBLIC]
    assert egress("another").allowed == ()


# ------------------------------------------------------------------------------------------------ runs made again


def test_every_attempt_sends_the_same_key_for_the_same_call(world: World) -> None:
    world.run(
        """
        for n in 0..2 { http::post("URL/pay", ctx.invocation.attempt); }
        http::put("URL/pay", 1);
        throw "again";
        """,
        attempts=3,
    )
    keys = [(each.method, each.headers["idempotency-key"]) for each in world.server.received]
    assert len(keys) == 9
    assert keys[:3] == keys[3:6] == keys[6:]
    assert len(set(keys)) == 3, "different calls have different keys"
    world.run('http::post("URL/pay", 1)')
    assert world.server.received[0].headers["idempotency-key"] not in {key for _, key in keys}


def test_a_run_that_is_repeated_for_a_conflict_calls_nobody_twice(world: World) -> None:
    """The server changes the key that the run has read, before the run can commit."""
    changing = world.node.deploy("changing", 'kv::set("n", kv::get("n") + 10)')
    world.node.run(world.node.deploy("beginning", 'kv::set("n", 0)'))

    def answer(_request: object, connection: Any) -> None:
        if not world.server.received[1:]:
            world.node.run(changing)
        connection.sendall(reply(b"5", headers="Content-Type: application/json"))

    world.server.answers["/five"] = answer
    value = world.value('let n = kv::get("n"); n += http::post("URL/five", "x").json; kv::set("n", n); n')
    assert (value, len(world.server.received)) == (15, 1)


SCRIPT = """
    let seen = [];
    seen.push(http::get("URL/json", #{headers: #{Authorization: "Bearer sesame", Accept: "text/csv"}}).json);
    seen.push(http::post("URL/echo", #{seen: seen}, #{headers: #{"X-Api-Key": "sesame"}}).body);
    try { http::get("http://10.0.0.1/"); } catch (problem) { seen.push(problem.kind); }
    kv::set("seen", seen);
    throw `after ${seen.len()}`;
"""


def test_a_run_that_failed_is_repeated_exactly_and_calls_nobody(world: World) -> None:
    world.server.on("/json", reply(b'{"n": 1}', headers="Content-Type: application/json"))
    invocation = world.run(SCRIPT)
    assert [each.headers.get("authorization") for each in world.server.received] == ["Bearer sesame", None]
    world.server.received.clear()
    asked = dict(world.dns.asked)
    world.server.on("/json", reply(b'{"n": 2}', headers="Content-Type: application/json"))
    found = world.node.inspect(invocation)
    assert (found.exact, found.why_not, found.calls) == (True, "", 4)
    assert (world.server.received, world.dns.asked) == ([], asked)


def test_no_record_holds_what_opens_something(world: World) -> None:
    world.server.on("/json", reply(b'{"n": 1}', headers="Content-Type: application/json"))
    invocation = world.run(SCRIPT)
    journal = world.failed(invocation).journal
    assert journal is not None
    calls = unpacked(unpack(journal, world.node.node.sessions)).calls
    assert calls[0].args[1] == {"headers": {"Authorization": "(not recorded)", "Accept": "text/csv"}}
    assert "sesame" not in repr(calls)


def test_a_corrected_script_is_answered_what_was_recorded_and_no_more(world: World) -> None:
    world.server.on("/json", reply(b'{"n": 2}', headers="Content-Type: application/json"))
    invocation = world.run(SCRIPT)
    world.server.received.clear()
    fixed = f'http::post("{world.url}/echo", #{{seen: [#{{n: 2}}]}}, #{{headers: #{{"X-Api-Key": "other"}}}}).body'
    found = world.node.inspect(invocation, Wanted(source=fixed))
    assert found.result.succeeded
    other = world.node.inspect(invocation, Wanted(source=f'http::get("{world.url}/never")'))
    assert not other.result.succeeded
    assert "was not recorded" in other.notes[0]
    assert world.server.received == []


def test_calls_are_counted(world: World) -> None:
    def count(outcome: str) -> float:
        family = world.node.node.http.metrics.of("node")
        return sum(
            each.value for each in family.samples if each.name.endswith("_count") and each.labels["outcome"] == outcome
        )

    before = count("2xx"), count("refused")
    world.value('http::get("URL/"); try { http::get("http://10.0.0.1/"); } catch { } 0')
    assert (count("2xx"), count("refused")) == (before[0] + 1, before[1] + 1)
