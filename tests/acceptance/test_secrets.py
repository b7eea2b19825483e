"""Secrets of a whole platform: set by API and command line, read by scripts, and found nowhere in clear."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import select
import time
import zlib
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest

from picloud.domain.secret import MAX_SECRET_BYTES
from picloud.postgres.sessions import connect
from tests.acceptance.platform import PICLOUD, Platform

VALUE: Final = "xq7-Tr0ub4dor&3-zebra"
OLD: Final = "an-older-Tr0ub4dor&2-yak"
SCRIPTS: Final = {
    "read": 'secrets::get("KEY").len',
    "print": 'let s = secrets::get("KEY"); print(s); debug([s]); log::warn(`<${s}>`, #{ s: s }); s.len',
    "live": 'for s in secrets::live("KEY") { print(s); } 1',
    "throw": 'throw secrets::get("KEY")',
    "fail": 'let s = secrets::get("KEY"); kv::set("k", s); s.nothing(kv::get("k"))',
    "crash": 'print(secrets::get("KEY")); let a = [secrets::get("KEY")]; loop { a += a; }',
    "deep": 'fn deep(s) { deep(s) } deep(secrets::get("KEY"))',
    "refused": 'queue::send(secrets::get("KEY"), 1)',
    "called": 'invoke::run("throw", ())',
}


@pytest.fixture(scope="module")
def used(platform: Platform) -> Platform:
    """A platform on which everything was done with a secret that may go wrong."""
    for name, source in SCRIPTS.items():
        platform.deploy("demo", name, source, f"POST /{name}")
    put(platform, "KEY", OLD)
    put(platform, "KEY", VALUE, grace="1h")
    for name in SCRIPTS:
        answer = platform.call("POST", f"/apps/demo/{name}", "{}")
        assert answer.status in (200, 500), answer.text
        assert VALUE not in answer.text, "an error's text is no answer of the script"
    dead = listed(platform, 7)
    for letter in dead:
        told = platform.api("POST", f"/invocations/{letter['id']}/inspection", {"trace": {"limit": 100}})
        assert told.status == 200
        assert told.json["exact"], told.json["why_not"]
        assert VALUE not in told.text
    assert VALUE not in platform.run("replay", "--inspect", dead[0]["id"], "--trace", expect=None).stdout
    platform.run("vault", "rotate")
    for name in ("catalog", "secret_reads"):
        assert "every row was the same" in platform.run("projections", "rebuild", name, "--verify").stdout
    return platform


def listed(platform: Platform, count: int) -> list[Any]:
    """The dead letters, once there are so many: the list follows the log."""
    end = time.monotonic() + 20
    while True:
        items: list[Any] = platform.api("GET", "/apps/demo/dead-letters").json["items"]
        if len(items) == count:
            return items
        assert time.monotonic() < end, [item["script"] for item in items]
        time.sleep(0.05)


def put(platform: Platform, name: str, value: str, **more: Any) -> None:
    answer = platform.api("PUT", f"/apps/demo/secrets/{name}", {"value": value, **more})
    assert answer.status == 201, answer.text


def rows(connection: psycopg.Connection) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every row of every table that the platform has."""
    tables = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'"
    ).fetchall()
    assert len(tables) > 20
    for schema, table in tables:
        for row in connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall():
            yield f"{schema}.{table}", row


def inside(value: Any) -> Iterator[bytes]:
    """A stored value as bytes, and what is packed within it."""
    data = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
    yield data
    with contextlib.suppress(zlib.error):
        yield zlib.decompress(data)
    if data.startswith(b'{"attempt"'):
        journal = json.loads(data).get("journal") or {}
        if journal.get("base64"):
            yield from inside(base64.b64decode(journal["base64"]))


def test_nothing_that_is_stored_or_printed_holds_the_value(used: Platform) -> None:
    needles = [form for value in (VALUE, OLD) for form in (value.encode(), base64.b64encode(value.encode()))]
    packed, redacted = 0, 0
    with connect(used.dsn, purpose="test") as connection:
        for table, row in rows(connection):
            for column in row:
                for number, data in enumerate(inside(column)):
                    packed += number > 0
                    redacted += b"[secret KEY]" in data
                    assert not any(needle in data for needle in needles), f"{table} holds it: {data[:200]!r}"
        connection.execute("CHECKPOINT")
    assert packed >= 6, "journals were looked into"
    assert redacted >= 10, "and there was something to be taken out"
    output = "".join(used.output)
    assert VALUE not in output
    assert OLD not in output
    for path in used.data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(needle in content for needle in needles), f"{path} holds it"
    for path in ("/events?limit=1000", "/events?limit=1000&app=demo&type=SecretSet", "/apps/demo/logs?limit=1000"):
        told = used.api("GET", path)
        assert told.status == 200
        assert VALUE not in told.text
    assert '"sealed"' not in used.api("GET", "/events?limit=1000&app=demo&type=SecretSet").text
    assert '"sealed"' not in used.api("GET", "/events?limit=1000&app=demo&type=SecretResealed").text


def test_every_read_was_counted(used: Platform) -> None:
    end = time.monotonic() + 10
    while True:
        shown = used.api("GET", "/apps/demo/secrets/KEY").json
        readers = {reader["script"]: reader["runs"] for reader in shown["readers"]}
        if readers.get("throw") == 2 or time.monotonic() > end:
            break
        time.sleep(0.05)
    assert readers == {name: 2 if name == "throw" else 1 for name in SCRIPTS if name != "called"}
    assert shown["reads"] == sum(reader["reads"] for reader in shown["readers"])
    assert shown["version"] == 2
    assert [older["version"] for older in shown["older"]] == [1]
    assert "value" not in shown


def test_roles(platform: Platform) -> None:
    platform.deploy("roles", "x", "1")
    tokens = {
        role: platform.run("tokens", "issue", role, "--role", role, "--app", "roles").stdout.strip()
        for role in ("viewer", "editor")
    }

    def ask(role: str, method: str, path: str, content: Any = None) -> int:
        headers = {"Authorization": f"Bearer {tokens[role]}", "Content-Type": "application/json"}
        return platform.call(method, f"/api/v1/apps/{path}", json.dumps(content), headers).status

    assert ask("viewer", "PUT", "roles/secrets/A", {"value": "abcdefgh"}) == 403
    assert ask("editor", "PUT", "roles/secrets/A", {"value": "abcdefgh"}) == 201
    assert ask("viewer", "PUT", "roles/config/A", {"value": 1}) == 403
    assert ask("editor", "PUT", "roles/config/A", {"value": 1}) == 201
    for noun in ("secrets", "config"):
        assert ask("viewer", "GET", f"roles/{noun}") == 200
        assert ask("viewer", "GET", f"roles/{noun}/A") == 200
        assert ask("viewer", "DELETE", f"roles/{noun}/A") == 403
        assert ask("editor", "GET", f"other/{noun}") == 403
        assert ask("editor", "PUT", f"other/{noun}/A", {"value": "abcdefgh"}) == 403
        assert ask("editor", "DELETE", f"roles/{noun}/A") == 204


@pytest.mark.parametrize(
    ("path", "content", "status", "field"),
    [
        ("secrets/A", {}, 422, "value"),
        ("secrets/A", {"value": "x", "generate": True}, 422, "value"),
        ("secrets/A", {"value": ""}, 422, "value"),
        ("secrets/A", {"value": 7}, 422, "value"),
        ("secrets/A", {"value": ["hush"]}, 422, "value"),
        ("secrets/A", {"value": "x" * (MAX_SECRET_BYTES + 1)}, 422, "value"),
        ("secrets/A", {"value": "ü" * MAX_SECRET_BYTES}, 422, "value"),
        ("secrets/A", {"generate": "yes"}, 422, "generate"),
        ("secrets/A", {"value": "hush", "grace": "soon"}, 422, "grace"),
        ("secrets/A", {"value": "hush", "grace": "31d"}, 422, "grace"),
        ("secrets/A", {"value": "hush", "grace": 7}, 422, "grace"),
        ("secrets/A", {"value": "hush", "colour": "red"}, 422, "colour"),
        ("secrets/1st", {"value": "hush"}, 422, "name"),
        ("secrets/a%00b", {"value": "hush"}, 422, "name"),
        ("config/A", {}, 422, "value"),
        ("config/A", {"value": None}, 422, "value"),
        ("config/A", {"value": 2**63}, 422, "value"),
        ("config/A", {"value": "x", "type": "number"}, 422, "type"),
        ("config/A", {"value": "x", "type": "int"}, 422, "value"),
        ("config/A", {"value": "x" * 70_000}, 422, "value"),
        ("config/a b", {"value": 1}, 422, "name"),
    ],
)
def test_bad_input_is_refused_by_field_and_not_told_again(
    platform: Platform, path: str, content: Any, status: int, field: str
) -> None:
    platform.deploy("bad", "x", "1")
    answer = platform.api("PUT", f"/apps/bad/{path.replace(' ', '%20')}", content)
    assert (answer.status, answer.json["field"]) == (status, field)
    assert "hush" not in answer.text
    assert platform.api("GET", "/apps/bad/secrets").json == {"items": []}
    assert platform.api("GET", "/apps/bad/config").json == {"items": []}


@pytest.mark.parametrize("noun", ["secrets", "config"])
def test_versions_are_expected_and_told(platform: Platform, noun: str) -> None:
    app = f"etag-{noun}"
    platform.deploy(app, "x", "1")
    path = f"/apps/{app}/{noun}/A"
    assert platform.api("GET", path).status == 404
    assert platform.api("DELETE", path).status == 404
    first = platform.api("PUT", path, {"value": "first value"}, If_None_Match="*")
    assert (first.status, first.headers["etag"]) == (201, '"1"')
    assert platform.api("PUT", path, {"value": "other value"}, If_None_Match="*").status == 412
    same = platform.api("PUT", path, {"value": "first value"})
    assert (same.status, same.headers["etag"]) == (200, '"1"')
    second = platform.api("PUT", path, {"value": "second value"}, If_Match='"1"')
    assert (second.status, second.headers["etag"]) == (201, '"2"')
    refused = platform.api("PUT", path, {"value": "third value"}, If_Match='"1"')
    assert refused.status == 412
    assert "someone else" in refused.json["detail"]
    assert platform.api("PUT", path, {"value": "third value"}, If_Match="one").status == 400
    assert platform.api("DELETE", path, If_Match='"1"').status == 412
    assert platform.api("DELETE", path, If_Match='"2"').status == 204
    assert platform.api("PUT", path, {"value": "back again"}).headers["etag"] == '"3"'
    for unknown in (f"/apps/nothing/{noun}", f"/apps/nothing/{noun}/A", f"/apps/{app}/{noun}/B"):
        assert platform.api("GET", unknown).status == 404


def test_a_removed_app_takes_its_secrets_and_settings_with_it(platform: Platform) -> None:
    source = 'let s = ""; try { s = secrets::get("A"); } catch (e) { s = e; } s + " " + config::get("A", "none")'
    platform.deploy("gone", "x", source, "GET /x")
    for noun in ("secrets", "config"):
        platform.api("PUT", f"/apps/gone/{noun}/A", {"value": "a value"})
    assert platform.call("GET", "/apps/gone/x").text == "a value a value"
    assert platform.api("DELETE", "/apps/gone").status == 204
    platform.deploy("gone", "x", source, "GET /x")
    assert platform.api("GET", "/apps/gone/secrets").json == {"items": []}
    assert 'the app gone has no secret "A"' in platform.call("GET", "/apps/gone/x").text
    assert platform.call("GET", "/apps/gone/x").text.endswith(" none")


def test_a_change_is_there_for_the_next_request(platform: Platform) -> None:
    platform.deploy("fresh", "x", 'secrets::get("A") + " " + config::get("N")', "GET /x")
    for number in range(20):
        platform.api("PUT", "/apps/fresh/config/N", {"value": number})
        platform.api("PUT", "/apps/fresh/secrets/A", {"value": f"value {number}"})
        assert platform.call("GET", "/apps/fresh/x").text == f"value {number} {number}"


def test_no_argument_reaches_another_app(platform: Platform) -> None:
    platform.deploy("mine", "x", "secrets::get(ctx.request.body)", "POST /x")
    platform.deploy("mine", "y", 'config::get(ctx.request.body, "nothing")', "POST /y")
    platform.deploy("theirs", "x", "1")
    for noun in ("secrets", "config"):
        platform.api("PUT", f"/apps/theirs/{noun}/THEIRS", {"value": "not for others"})
    for name in ("THEIRS", "theirs/THEIRS", "../theirs/THEIRS", "theirs.THEIRS", "%", "THEIRS\x00", "' OR 1=1 --", ""):
        assert "not for others" not in platform.call("POST", "/apps/mine/x", name).text
        assert platform.call("POST", "/apps/mine/y", name).text == "nothing"


def test_a_prompt_echoes_nothing(platform: Platform) -> None:
    platform.deploy("asked", "x", "1")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(str(PICLOUD), [str(PICLOUD), "secrets", "set", "asked", "TYPED"], platform.environment)
    shown = b""
    for prompt in (b"Value: ", b"The same again: "):
        while not shown.endswith(prompt):
            shown += heard(terminal)
        os.write(terminal, VALUE.encode() + b"\n")
    while chunk := heard(terminal):
        shown += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    assert b"set TYPED of asked: version 1" in shown
    assert VALUE.encode() not in shown


def heard(terminal: int) -> bytes:
    """What comes next from a terminal; nothing when whoever wrote to it is gone."""
    assert select.select([terminal], [], [], 30)[0], "nothing comes"
    try:
        return os.read(terminal, 1_000)
    except OSError:
        return b""
