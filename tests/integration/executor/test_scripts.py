"""Rhai scripts in real children: what they are told, what they answer, which limits end them, and how that is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from msgspec import structs

from picloud.executor.pool import ExecutorPool, ServiceError
from picloud.executor.protocol import Limits, Reply, Result, RunError, RunRequest
from picloud.orchestrator.programs import Programs

REQUEST: dict[str, Any] = {
    "method": "POST",
    "path": "/todos/7",
    "params": {"id": "7"},
    "query": {"verbose": "yes"},
    "headers": {"content-type": "application/json", "x-trace": "abc"},
    "body": b'{"title": "buy milk", "tags": ["a", "b"]}',
}
CONTEXT: dict[str, Any] = {
    "invocation": {"id": "0192", "attempt": 1, "trigger": "http", "replay_of": None, "deadline_ms": 10_000},
    "app": "demo",
    "script": {"name": "todos", "version": 3},
}


def door(request: RunRequest, service: str, function: str, args: list[Any]) -> Any:
    """A kv of its own for each script, enough to see values go through."""
    if function == "get":
        if args == ["missing"]:
            return None
        if args == ["refused"]:
            raise ServiceError("kv::get: the key is refused")
        return {"key": args[0], "bytes": b"\x00\xff", "big": 2**64 - 1}
    if function == "set":
        _WRITTEN.append(args)
        return None
    return ["a", "b"]


_WRITTEN: list[list[Any]] = []


@pytest.fixture(scope="module")
def pool() -> Iterator[ExecutorPool]:
    pool = ExecutorPool(door)
    pool.start()
    yield pool
    pool.stop(0)


@pytest.fixture
def kept(tmp_path: Path) -> Programs:
    """A folder of compiled programs."""
    return Programs(tmp_path / "programs", Limits())


def no_source() -> str:
    raise AssertionError("the child asked for the source")


def test_a_child_runs_what_was_compiled_at_upload(pool: ExecutorPool, kept: Programs) -> None:
    source = "let doubled = [1, 2].map(|x| x * 2); #{ body: doubled.len() + doubled[1] }"
    kept.compile(source)
    asked = request(source)
    asked = structs.replace(asked, source=no_source, program=lambda: kept.kept(asked.sha256))
    assert [pool.run(asked).error, pool.run(asked).error] == [None, None]


def test_a_child_compiles_what_is_not_kept_here(pool: ExecutorPool, kept: Programs) -> None:
    asked = request("#{ body: 6 * 7 }")
    asked = structs.replace(asked, program=lambda: kept.kept(asked.sha256))
    assert pool.run(asked).error is None


def request(source: str, *, seed: int = 1, now_ms: int = 0, **limits: int) -> RunRequest:
    return RunRequest(
        invocation=hashlib.sha256(source.encode()).hexdigest()[:12],
        sha256=hashlib.sha256(source.encode()).hexdigest(),
        source=lambda: source,
        name="demo/todos",
        ctx={"request": REQUEST, **CONTEXT},
        seed=seed,
        now_ms=now_ms,
        limits=Limits(**limits),
    )


@pytest.fixture
def run(pool: ExecutorPool) -> Callable[..., Result]:
    def run(source: str, **settings: Any) -> Result:
        return pool.run(request(source, **settings))

    return run


Run = Callable[..., Result]


def reply_of(result: Result) -> Reply:
    assert result.reply is not None, f"the run failed: {result.error}"
    return result.reply


def error_of(result: Result) -> RunError:
    assert result.error is not None, f"the run answered: {result.reply}"
    return result.error


def value_of(result: Result) -> Any:
    return json.loads(reply_of(result).body)


# ------------------------------------------------------------------------------------------------ answers


@pytest.mark.parametrize(
    ("source", "status", "content_type", "body"),
    [
        ("()", 204, None, b""),
        ("let x = 1;", 204, None, b""),
        ('"grüß"', 200, "text/plain; charset=utf-8", "grüß".encode()),
        ("blob(3, 255)", 200, "application/octet-stream", b"\xff\xff\xff"),
        ("42", 200, "application/json", b"42"),
        ("2.0", 200, "application/json", b"2.0"),
        ("true", 200, "application/json", b"true"),
        ("'x'", 200, "application/json", b'"x"'),
        ("[1, (), [2.5]]", 200, "application/json", b"[1,null,[2.5]]"),
        ('#{b: 1, a: #{"x y": "ä"}}', 200, "application/json", '{"a":{"x y":"ä"},"b":1}'.encode()),
        ('reply::json(#{id: 7}, 201)', 201, "application/json", b'{"id":7}'),
        ('reply::text("no", 404)', 404, "text/plain; charset=utf-8", b"no"),
        ('reply::html("<p>hi</p>")', 200, "text/html; charset=utf-8", b"<p>hi</p>"),
        ('reply::bytes("x".to_blob(), "image/png")', 200, "image/png", b"x"),
        ("reply::status(204)", 204, None, b""),
        ('reply::status(202, #{queued: true})', 202, "application/json", b'{"queued":true}'),
        ('reply::status(404, reply::text("gone"))', 404, "text/plain; charset=utf-8", b"gone"),
        ('reply::text("a,b").content_type("text/csv")', 200, "text/csv", b"a,b"),
    ],
)  # fmt: skip
def test_the_value_decides_the_answer(
    run: Run, source: str, status: int, content_type: str | None, body: bytes
) -> None:
    reply = reply_of(run(source))
    assert (reply.status, dict(reply.headers).get("content-type"), reply.body) == (status, content_type, body)


def test_replies_carry_headers_and_cookies(run: Run) -> None:
    reply = reply_of(
        run("""
            let made = reply::redirect("/elsewhere").header("X-One", "1").headers(#{"x-many": ["a", "b"], "x-n": 3});
            made.header("x-one", "2");
            made.add_header("vary", "accept").cookie("theme", "dark")
                .cookie("session", "s3cr3t", #{max_age: 60, secure: true, same_site: "strict", path: "/app"})
        """)
    )
    assert reply.status == 302
    assert reply.headers == [
        ("location", "/elsewhere"),
        ("x-many", "a"),
        ("x-many", "b"),
        ("x-n", "3"),
        ("x-one", "2"),
        ("vary", "accept"),
        ("set-cookie", "theme=dark; Path=/; HttpOnly; SameSite=Lax"),
        ("set-cookie", "session=s3cr3t; Path=/app; Max-Age=60; Secure; HttpOnly; SameSite=Strict"),
    ]


def test_a_status_thrown_on_purpose_is_an_answer(run: Run) -> None:
    result = run('fn check(x) { throw #{status: 422, field: "title", error: `bad ${x}`} }  check("y")')
    assert result.thrown
    assert reply_of(result).status == 422
    assert value_of(result) == {"status": 422, "field": "title", "error": "bad y"}
    result = run('throw #{status: 401, body: "who are you?", headers: #{"www-authenticate": "Basic"}}')
    assert reply_of(result) == Reply(
        401,
        [("content-type", "text/plain; charset=utf-8"), ("www-authenticate", "Basic")],
        b"who are you?",
    )
    result = run('throw reply::text("gone", 410)')
    assert (result.thrown, reply_of(result).status) == (True, 410)
    assert not run("200").thrown


@pytest.mark.parametrize("thrown", ['"boom"', "#{status: 99}", '#{status: "422"}', "[422]", "422"])
def test_anything_else_thrown_is_an_error_with_its_place(run: Run, thrown: str) -> None:
    error = error_of(run(f"fn f() {{\n    throw {thrown};\n}}\nf()"))
    assert (error.kind, error.line, error.column) == ("ErrorRuntime", 2, 5)
    assert error.call_stack == ["f (called at line 4, position 1)"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("#{items: [1, 0.0/0.0]}", "items[1] is NaN"),
        ("[1.0/0.0]", "[0] is infinity"),
        ("#{f: || 1}", "f is a function"),
        ("Fn(`foo`)", "the value is a function"),
        ("#{at: timestamp()}", "at is a timestamp"),
        ("[0..3]", "[0] is a range"),
        ("#{raw: blob(1)}", "raw is a blob"),
        ('[reply::text("x")]', "[0] is a Reply"),
        ("let a = 1; for i in 0..300 { a = [a] } a", "nested deeper than 200 levels"),
    ],
)  # fmt: skip
def test_what_json_cannot_hold_is_an_error_that_names_the_place(run: Run, source: str, told: str) -> None:
    error = error_of(run(source))
    assert error.kind == "InvalidAnswer"
    assert told in error.message


@pytest.mark.parametrize(
    "call",
    [
        'header("x-a", "b\\r\\nset-cookie: c=d")',
        'header("x-a\\r\\nx-b", "c")',
        'add_header("x-a", "b\\nc")',
        'headers(#{"x-a": "b\\rc"})',
        'headers(#{"x-a": ["b", "c\\u0000"]})',
        'content_type("text/html\\r\\n\\r\\n<script>")',
        'cookie("a", "b; Domain=evil")',
        'cookie("a", "b", #{path: "/; Domain=evil"})',
        'cookie("a", "b", #{domain: "x\\r\\ny"})',
        'header("content-length", "1")',
        'header("Transfer-Encoding", "chunked")',
        'header("x-a", "→")',
    ],
)
def test_header_injection_is_refused_where_it_is_tried(run: Run, call: str) -> None:
    error = error_of(run(f'let made = reply::text("x");\nmade.{call}'))
    assert error.kind == "ErrorRuntime"
    assert error.line == 2
    assert "header" in error.message or "can't hold" in error.message


def test_header_injection_by_a_thrown_map_is_refused(run: Run) -> None:
    error = error_of(run('throw #{status: 400, body: "x", headers: #{"x-a": "b\\r\\nc: d"}}'))
    assert error.kind == "InvalidAnswer"
    assert "x-a" in error.message


def test_a_redirect_cannot_inject_headers(run: Run) -> None:
    assert "location" in error_of(run('reply::redirect("/x\\r\\nset-cookie: a=b")')).message


@pytest.mark.parametrize("source", ["reply::status(99)", "reply::status(600)", 'reply::text("x", 1000)'])
def test_a_status_that_is_none_is_refused(run: Run, source: str) -> None:
    assert "200 to 599" in error_of(run(source)).message


# ------------------------------------------------------------------------------------------------ ctx


def test_the_script_is_told_about_the_call(run: Run) -> None:
    assert value_of(run("ctx")) == {
        "request": {**REQUEST, "body": REQUEST["body"].decode(), "json": {"title": "buy milk", "tags": ["a", "b"]}},
        **CONTEXT,
    }
    assert value_of(run("[ctx.request.params.id, ctx.request.json.tags[1], ctx.request.headers[`x-trace`]]")) == [
        "7",
        "b",
        "abc",
    ]


def test_ctx_is_a_constant(run: Run) -> None:
    assert error_of(run("ctx.app = 1")).kind == "ErrorAssignmentToConstant"
    assert error_of(run("ctx = 1")).kind == "ErrorAssignmentToConstant"
    assert value_of(run('let mine = ctx.request.params; mine.id = "8"; [mine.id, ctx.request.params.id]')) == ["8", "7"]


def test_runs_know_nothing_of_each_other(run: Run) -> None:
    run("let leaked = 1; fn leak() { 1 }  leaked")
    assert error_of(run("leaked")).kind == "ErrorVariableNotFound"
    assert error_of(run("leak()")).kind == "ErrorFunctionNotFound"


# ------------------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("source", "limits", "kind", "told"),
    [
        ("loop {}", {"operations": 100_000}, "ErrorTooManyOperations", "Too many operations"),
        ("let n = 0; while true { n += 1 }", {"operations": 100_000}, "ErrorTooManyOperations", "Too many operations"),
        ("loop {}", {"operations": 2**40, "wall_ms": 100}, "WallTimeLimit", "100 ms"),
        ("fn f(n) { f(n + 1) }  f(0)", {}, "ErrorStackOverflow", "Stack overflow"),
        ("let f = |g, n| g.call(g, n + 1); f.call(f, 0)", {}, "ErrorStackOverflow", "Stack overflow"),
        ('let s = "x"; loop { s += s }', {"string_bytes": 1_000}, "ErrorDataTooLarge", "string"),
        ('let s = ""; s.pad(1_000_000_000, "x"); s', {}, "ErrorDataTooLarge", "string"),
        ("let a = []; loop { a.push(1) }", {"array_items": 1_000}, "ErrorDataTooLarge", "array"),
        ("let m = #{}; let n = 0; loop { m[`k${n}`] = n; n += 1 }", {"map_items": 100}, "ErrorDataTooLarge", "map"),
        ("let a = [1]; for i in 0..16 { a = [a, a] } a", {"output_bytes": 1_000}, "OutputLimit", "1000 bytes"),
        ('"x" + "y".to_upper() + `${1}`', {"output_bytes": 2}, "OutputLimit", "2 bytes"),
        ("loop { print(1) }", {"log_lines": 20}, "LogLinesLimit", "20 lines"),
    ],
)
def test_each_limit_ends_the_run_with_an_error_that_names_it(
    run: Run, source: str, limits: dict[str, int], kind: str, told: str
) -> None:
    result = run(source, **limits)
    error = error_of(result)
    assert error.kind == kind
    assert told.lower() in error.message.lower()
    assert reply_of(run("42")).body == b"42", "the child isn't well afterwards"


def test_memory_ends_the_run_and_the_child_goes_on(pool: ExecutorPool, run: Run) -> None:
    pids = pool.pids()
    hoard = 'let kept = []; let n = 0; loop { kept.push(`${n}` + "x".repeat(100_000)); n += 1; }'
    hoard = 'let kept = []; let n = 0; loop { let s = `${n}`; s.pad(1_000_000, "x"); kept.push(s); n += 1; }'
    error = error_of(run(hoard, operations=2**40, array_items=0, string_bytes=0))
    assert error.kind == "MemoryLimit"
    assert "256 MB" in error.message
    assert error.line == 1
    assert pool.pids() == pids
    assert reply_of(run("42")).body == b"42"


def test_a_run_that_is_ended_says_where_it_was(run: Run) -> None:
    error = error_of(run("let n = 0;\nloop {\n    n += 1;\n}", operations=2**40, wall_ms=50))
    assert error.kind == "WallTimeLimit"
    assert error.line in {2, 3}


def test_no_script_catches_the_end_of_its_run(run: Run) -> None:
    source = "loop { try { loop {} } catch (e) { } }"
    assert error_of(run(source, operations=2**40, wall_ms=50)).kind == "WallTimeLimit"
    assert error_of(run(source, operations=50_000)).kind == "ErrorTooManyOperations"


def test_looping_scripts_do_not_starve_others(pool: ExecutorPool, run: Run) -> None:
    run("42")
    loops = [gevent.spawn(pool.run, request("loop {}", operations=2**40, wall_ms=1_500)) for _ in range(10)]
    gevent.sleep(0.05)
    assert pool.room() == 6
    waits = []
    for _ in range(20):
        result = run("42")
        assert reply_of(result).body == b"42"
        waits.append(result.wall_us)
    assert sorted(waits)[10] < 100_000, waits
    results = [loop.get(timeout=10) for loop in loops]
    assert {error_of(result).kind for result in results} == {"WallTimeLimit"}
    shares = sorted(result.cpu_us for result in results)
    assert shares[0] > shares[-1] / 2, shares


# ------------------------------------------------------------------------------------------------ costs and lines


def test_what_is_printed_and_logged_comes_in_order(run: Run) -> None:
    result = run(
        """
        print("one");
        debug(#{a: 1});
        log::info("two", #{user: 7, tags: ["x"]});
        log::error(`three`);
        log::warn([1, 2]);
        """
    )
    assert [(line.level, line.message, line.fields) for line in result.logs] == [
        ("print", "one", None),
        ("debug", '#{"a": 1}', None),
        ("info", "two", {"user": 7, "tags": ["x"]}),
        ("error", "three", None),
        ("warn", "[1, 2]", None),
    ]
    assert [line.seq for line in result.logs] == [0, 1, 2, 3, 4]
    assert result.logs[1].line == 3


def test_a_failed_run_keeps_its_lines_and_its_costs(run: Run) -> None:
    result = run('print("before"); let n = 0; for i in 0..1000 { n += i } throw "boom"')
    assert error_of(result).kind == "ErrorRuntime"
    assert [line.message for line in result.logs] == ["before"]
    assert result.operations >= 1000
    assert 0 < result.cpu_us <= result.wall_us


def test_operations_are_counted_per_run(run: Run) -> None:
    small, large = (run(f"let n = 0; for i in 0..{turns} {{ n += i }}").operations for turns in (100, 10_000))
    assert 100 <= small < 300
    assert 10_000 <= large < 30_000


def test_a_script_is_asked_for_once(pool: ExecutorPool) -> None:
    asked: list[int] = []
    source = "40 + 2 // asked for once"

    def give() -> str:
        asked.append(1)
        gevent.sleep(0.001)
        return source

    counted = structs.replace(request(source), source=give)
    for _ in range(5):
        assert reply_of(pool.run(counted)).body == b"42"
    assert len(asked) == 1


def test_a_script_that_cannot_be_compiled_says_so(run: Run) -> None:
    error = error_of(run("let a = ;"))
    assert (error.line, error.column) == (1, 9)
    assert error.message


# ------------------------------------------------------------------------------------------------ modules


def test_the_clock_and_chance_are_those_of_the_record(run: Run) -> None:
    source = """
        [time::now(), time::iso(), random::float(), random::int(1, 6), random::int(-1_000_000_000, 1_000_000_000),
         random::bool(), random::pick(["a", "b", "c"]), random::shuffle([1, 2, 3, 4, 5]), random::string(12),
         random::uuid()]
    """
    first = value_of(run(source, seed=7, now_ms=1_777_000_000_123))
    again = value_of(run(source, seed=7, now_ms=1_777_000_000_123))
    other = value_of(run(source, seed=8, now_ms=1_777_000_000_124))
    assert first == again
    assert first[2:] != other[2:]
    assert first[:2] == [1_777_000_000_123, "2026-04-24T03:06:40.123Z"]
    assert 0 <= first[2] < 1
    assert 1 <= first[3] <= 6
    assert sorted(first[7]) == [1, 2, 3, 4, 5]
    assert len(first[8]) == 12
    assert first[9][14] == "4"
    assert first[9][19] in "89ab"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ('crypto::sha256("abc")', "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ('crypto::sha256("abc".to_blob())', "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ('crypto::sha1("abc")', "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ('crypto::md5("")', "d41d8cd98f00b204e9800998ecf8427e"),
        ('crypto::hmac_sha256("key", "The quick brown fox jumps over the lazy dog")',
         "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"),
        ('crypto::to_base64(crypto::hmac_sha1_bytes("key", "x"))', "KgDo6DQ9+GxMGIsmPuyjMa+jFUg="),
        ('crypto::equal("abc", "abc".to_blob())', True),
        ('crypto::equal("abc", "abd")', False),
        ('crypto::to_hex("hé")', "68c3a9"),
        ('crypto::from_hex("68C3a9").as_string()', "hé"),
        ('crypto::to_base64("\\xff".to_blob())', "w78="),
        ('crypto::to_base64url(crypto::from_hex("fbff"))', "-_8"),
        ('crypto::to_hex(crypto::from_base64("+/8="))', "fbff"),
        ('crypto::to_hex(crypto::from_base64url("-_8"))', "fbff"),
        ('json::parse(`{"a":[1,2.5,null,true,"x"]}`)', {"a": [1, 2.5, None, True, "x"]}),
        ('json::stringify(#{b: [1, \'c\'], a: ()})', '{"a":null,"b":[1,"c"]}'),
        ("json::pretty([1])", "[\n  1\n]"),
        ('html::escape(`<a href="x">&\'</a>`)', "&lt;a href=&quot;x&quot;&gt;&amp;&#x27;&lt;/a&gt;"),
        ("time::iso(0)", "1970-01-01T00:00:00.000Z"),
        ('time::parse("2026-05-01T14:00:00.5+02:00")', 1_777_636_800_500),
        ('time::parse(time::iso(1234567890123))', 1_234_567_890_123),
    ],
)  # fmt: skip
def test_modules_without_a_door(run: Run, source: str, value: Any) -> None:
    reply = reply_of(run(source))
    body = reply.body.decode()
    assert (json.loads(body) if "json" in dict(reply.headers)["content-type"] else body) == value


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ('crypto::from_hex("xyz")', "crypto::from_hex: the text isn't hex"),
        ('crypto::from_base64("*")', "crypto::from_base64: the text isn't base64"),
        ('json::parse("{")', "json::parse: the text isn't JSON"),
        ("json::stringify([0.0/0.0])", "[0] is NaN"),
        ("random::int(2, 1)", "no number from 2 to 1"),
        ("random::pick([])", "the array is empty"),
        ("random::string(-1)", "-1 characters"),
        ("time::iso(9223372036854775807)", "no year from 1 to 9999"),
        ('time::parse("yesterday")', "isn't like"),
        ('time::parse("2026-05-01T14:00:00")', "neither Z nor an offset"),
        ('kv::get("refused")', "kv::get: the key is refused"),
        ("kv::set(\"f\", || 1)", "kv::set: an argument can't be sent: the value is a function"),
        ("kv::set(\"b\", blob(2))", "kv::set: the value can't be stored as JSON"),
        ("kv::set(\"\", 1)", "kv::set: a key has 1 to 512 bytes and no zero byte, this one has 0"),
        ("kv::delete(7)", "kv::delete: a key is a string"),
        ("kv::incr(\"n\", 1.5)", "kv::incr: an integer is added, not 1.5"),
    ],
)  # fmt: skip
def test_refusals_are_errors_that_a_script_can_catch(run: Run, source: str, told: str) -> None:
    error = error_of(run(f"\n {source}"))
    assert error.kind == "ErrorRuntime"
    assert told in error.message
    assert error.line == 2
    caught = run(f"let told = (); try {{ {source}; }} catch (e) {{ told = e; }} [`${{told}}`]")
    assert told in value_of(caught)[0]


def test_services_answer_through_the_door(run: Run) -> None:
    assert value_of(run('let v = kv::get("k"); [v.key, v.bytes.len(), v.big, kv::get("missing"), kv::list("")]')) == [
        "k",
        2,
        float(2**64),
        None,
        ["a", "b"],
    ]
    _WRITTEN.clear()
    assert reply_of(run("kv::set(\"k\", #{when: 'c', n: [1, 2.5, ()]})")).status == 204
    assert _WRITTEN == [["k", {"when": "c", "n": [1, 2.5, None]}]]


def test_an_unknown_service_function_is_not_found(run: Run) -> None:
    assert error_of(run('kv::steal("k")')).kind == "ErrorFunctionNotFound"
    assert error_of(run('kv::get("a", "b", "c")')).kind == "ErrorFunctionNotFound"


def test_sleeping_scripts_let_others_run(pool: ExecutorPool, run: Run) -> None:
    sleeper = gevent.spawn(pool.run, request("sleep(0.2); 1"))
    assert reply_of(run("42")).body == b"42"
    assert not sleeper.ready()
    assert reply_of(sleeper.get(timeout=5)).body == b"1"
