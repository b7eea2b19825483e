"""Bad input gets a clear answer, and nothing half-done stays."""

from __future__ import annotations

import http.client
import socket
import time

import pytest

from tests.acceptance.platform import Platform

SCRIPTS = {
    "loop": "loop { }",
    "recurse": "fn deep(n) { deep(n + 1) } deep(0)",
    "huge": 'let text = "x"; loop { text += text; }',
    "pad": 'let text = ""; text.pad(1000000000, "x"); text',
    "throw": 'throw "no"',
    "answer": "throw #{ status: 418, why: `tea` }",
    "nan": "#{ a: [1.0, 0.0 / 0.0] }",
    "closure": "|x| x",
    "header": 'reply::text("x").header("X-Evil", "a\\r\\nSet-Cookie: b=c")',
    "status": 'reply::text("x").status(999)',
    "echo": "ctx.request.body",
    "unit": "()",
    "lines": "for i in 0..100000 { print(i); }",
}
LIMITS = {
    "loop": "ErrorTooManyOperations",
    "recurse": "ErrorStackOverflow",
    "huge": "ErrorDataTooLarge",
    "pad": "ErrorDataTooLarge",
    "throw": "ErrorRuntime",
    "nan": "InvalidAnswer",
    "closure": "InvalidAnswer",
}


@pytest.fixture(scope="module")
def bad(platform: Platform) -> Platform:
    for name, source in SCRIPTS.items():
        platform.deploy("bad", name, source, f"ANY /{name}")
    return platform


@pytest.mark.parametrize(("name", "kind"), LIMITS.items())
def test_a_script_that_misbehaves_ends_with_an_error_that_says_how(bad: Platform, name: str, kind: str) -> None:
    answer = bad.call("GET", f"/apps/bad/{name}")
    assert (answer.status, answer.json["kind"]) == (500, kind)
    assert bad.call("GET", "/apps/bad/echo").status in (200, 204), "others go on"


def test_a_thrown_answer_is_an_answer(bad: Platform) -> None:
    assert bad.call("GET", "/apps/bad/answer").status == 418
    assert bad.call("GET", "/apps/bad/unit").status == 204


@pytest.mark.parametrize("name", ["header", "status"])
def test_an_answer_that_http_cannot_carry_is_refused(bad: Platform, name: str) -> None:
    answer = bad.call("GET", f"/apps/bad/{name}")
    assert answer.status == 500
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/apps/nosuch/x", 404, "no-such-app"),
        ("GET", "/apps/bad/nosuch", 404, "no-such-route"),
        ("GET", "/apps/bad/%ff", 400, "bad-path"),
        ("GET", "/apps/bad/echo?a=%ff", 400, "bad-query"),
        ("GET", "/nosuch", 404, "not-found"),
    ],
)
def test_what_is_not_there_is_named(bad: Platform, method: str, path: str, status: int, slug: str) -> None:
    answer = bad.call(method, path)
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{slug}")
    assert answer.headers["content-type"] == "application/problem+json"


def test_ten_megabytes_are_too_large(bad: Platform) -> None:
    answer = bad.call("POST", "/apps/bad/echo", b"x" * 10_000_000)
    assert (answer.status, answer.json["type"]) == (413, "/problems/body-too-large")


def test_bytes_that_are_no_text_come_back_as_they_were(bad: Platform) -> None:
    answer = bad.call("POST", "/apps/bad/echo", b"\xff\x00\xfe")
    assert (answer.status, answer.body) == (200, b"\xff\x00\xfe")
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("body", "kind", "status", "field"),
    [
        ('{"name": ', "application/json", 400, None),
        ('{"name": 7}', "application/json", 422, "name"),
        ('{"name": "ok", "more": 1}', "application/json", 422, "more"),
        ('{"name": "No Good"}', "application/json", 422, "app"),
        ('{"name": "' + "a" * 100 + '"}', "application/json", 422, "app"),
        ('["name"]', "application/json", 422, None),
        (b"\xff\xfe", "application/json", 400, None),
        ('{"name": "\\ud800"}', "application/json", 400, None),
        ('{"name": "x"}', "text/html", 415, None),
        ("[" * 100_000, "application/json", 400, None),
    ],
)
def test_the_control_plane_says_what_is_wrong_with_a_body(
    platform: Platform, body: str | bytes, kind: str, status: int, field: str | None
) -> None:
    headers = {"Authorization": f"Bearer {platform.token}", "Content-Type": kind}
    answer = platform.call("POST", "/api/v1/apps", body, headers)
    assert answer.status == status, answer.text
    assert answer.json["detail"]
    if field is not None:
        assert answer.json["field"] == field


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/apps/half/scripts/a", '{"source": "// \\ud800"}'),
        ("POST", "/tokens", '{"name": "\\udfff", "role": "viewer"}'),
        ("POST", "/apps/bad/scripts/echo/disable", '{"reason": "\\uDC00\\uD83D"}'),
        ("POST", "/apps/bad/scripts/echo/invocations", '{"query": {"a": "\\ud800"}}'),
        ("GET", "/events?actor=%00", None),
        ("GET", "/apps/bad/logs?level=a%00", None),
        ("GET", "/apps/bad/invocations?script=x&script=%00", None),
    ],
)
def test_text_that_cannot_be_stored_is_a_bad_request(bad: Platform, method: str, path: str, body: str | None) -> None:
    headers = {"Authorization": f"Bearer {bad.token}", "Content-Type": "application/json"}
    answer = bad.call(method, f"/api/v1{path}", body, headers)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json"), answer.text


def test_a_character_outside_the_basic_plane_may_be_escaped(bad: Platform) -> None:
    headers = {"Authorization": f"Bearer {bad.token}", "Content-Type": "application/json"}
    body = '{"source": "\\"\\ud83d\\ude00\\"", "routes": ["GET /face"]}'
    assert bad.call("PUT", "/api/v1/apps/bad/scripts/face", body, headers).status == 201
    assert bad.call("GET", "/apps/bad/face").text == "\U0001f600"


def test_wrong_and_missing_tokens_take_the_same_time_and_roles_are_kept(platform: Platform) -> None:
    def timed(headers: dict[str, str]) -> tuple[int, float]:
        began = time.monotonic()
        status = platform.call("GET", "/api/v1/tokens", None, headers).status
        return status, time.monotonic() - began

    viewer = platform.api("POST", "/tokens", {"name": "looker", "role": "viewer", "apps": ["bad"]}).json["token"]
    assert timed({})[0] == 401
    assert timed({"Authorization": "Bearer pic_wrong"})[0] == 401
    assert timed({"Authorization": f"Bearer {viewer}"})[0] == 403
    slow = [min(timed(h)[1] for _ in range(5)) for h in ({}, {"Authorization": f"Bearer {viewer}"})]
    assert abs(slow[0] - slow[1]) < 0.015, f"a refusal tells by its time what it is: {slow}"
    looking = {"Authorization": f"Bearer {viewer}", "Content-Type": "application/json"}
    assert platform.call("GET", "/api/v1/apps/bad/scripts", None, looking).status == 200
    assert platform.call("GET", "/api/v1/apps/other/scripts", None, looking).status == 403
    assert platform.call("PUT", "/api/v1/apps/bad/scripts/x", '{"source": "1"}', looking).status == 403


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing_half_done(bad: Platform) -> None:
    before = len(bad.api("GET", "/apps/bad/invocations?script=echo&limit=1000").json["items"])
    with socket.create_connection(("127.0.0.1", bad.port)) as connection:
        connection.sendall(b"POST /apps/bad/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    answer = bad.call("POST", "/apps/bad/echo", "whole")
    assert answer.text == "whole"
    after = bad.api("GET", "/apps/bad/invocations?script=echo&limit=1000").json["items"]
    assert len(after) <= before + 1, "half a body is no request"


def test_a_request_that_is_no_http_is_refused(platform: Platform) -> None:
    with socket.create_connection(("127.0.0.1", platform.port)) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400


def test_too_many_log_lines_are_cut_and_the_run_goes_on(bad: Platform) -> None:
    answer = bad.call("GET", "/apps/bad/lines")
    whole = bad.api("GET", f"/invocations/{answer.headers['picloud-invocation']}").json
    assert len(whole["logs"]) <= 1001
