"""How often and how many at a time a route may be called, over all workers; pages of other origins; preferences."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.platform import Platform, Response

SLOW = "let n = 0; while true { n += 1; }"
"""Runs until its time is over."""
HELD = """
    SELECT count(*)
    FROM pg_locks l
    JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND a.application_name = 'picloud places'
"""


@pytest.fixture(scope="module")
def platform(new_folder: Callable[[], Path]) -> Iterator[Platform]:
    """One on which time is what ends a run, and not the number of its operations."""
    folder = new_folder()
    with Platform(folder, operations="1000000000000") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def get(platform: Platform, path: str, **headers: str) -> Response:
    return platform.call("GET", path, None, {name.replace("_", "-"): value for name, value in headers.items()})


def workers_seen(platform: Platform, path: str, wanted: int) -> list[Response]:
    """Answers of one request on each of many connections that are open at a time, so that every worker has some."""
    with ThreadPoolExecutor(wanted) as pool:
        return list(pool.map(lambda _: get(platform, path), range(wanted)))


def test_a_rate_holds_over_all_workers_and_says_how_much_is_left(platform: Platform) -> None:
    platform.deploy("rated", "hi", '"hi"', "GET /hi")
    platform.run("routes", "set", "rated", "GET /hi", "--rate", "20/1h")
    answers = workers_seen(platform, "/apps/rated/hi", 48)
    good = [answer for answer in answers if answer.status == 200]
    late = [answer for answer in answers if answer.status == 429]
    assert (len(good), len(late)) == (20, 28)
    assert sorted(int(answer.headers["ratelimit"].split(";")[1][2:]) for answer in good) == list(range(20))
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"caller";q=20;w=3600'}
    refused = late[0]
    assert (refused.json["type"], refused.json["violated-policies"]) == ("/problems/too-many-requests", ["caller"])
    assert 1 <= int(refused.headers["retry-after"]) <= 180
    assert refused.headers["ratelimit"] == f'"caller";r=0;t={refused.headers["retry-after"]}'


def test_a_bucket_fills_again(platform: Platform) -> None:
    platform.deploy("filling", "hi", '"hi"', "GET /hi")
    platform.run("routes", "set", "filling", "GET /hi", "--rate", "2/1s", "--rate-by", "route")
    assert [get(platform, "/apps/filling/hi").status for _ in range(3)] == [200, 200, 429]
    end = time.monotonic() + 5
    while get(platform, "/apps/filling/hi").status == 429:
        assert time.monotonic() < end, "half a second is enough for one more"
    platform.run("routes", "set", "filling", "GET /hi", "--rate", "none")
    assert {get(platform, "/apps/filling/hi").status for _ in range(6)} == {200}


@pytest.mark.parametrize("by", ["address", "header:X-Tenant"])
def test_buckets_are_apart(platform: Platform, by: str) -> None:
    app = by.partition(":")[0]
    platform.deploy(app, "hi", '"hi"', "GET /hi")
    platform.run("routes", "set", app, "GET /hi", "--rate", "1/1h", "--rate-by", by)
    header = "x_tenant" if app == "header" else "x_forwarded_for"
    for who in ("203.0.113.7", "203.0.113.8", "2001:db8::1"):
        assert [get(platform, f"/apps/{app}/hi", **{header: who}).status for _ in range(2)] == [200, 429]
    if app == "address":
        same = ["2001:db8::2", "198.51.100.1, 203.0.113.7", "198.51.100.1, 203.0.113.7, 127.0.0.1"]
        assert {get(platform, "/apps/address/hi", x_forwarded_for=who).status for who in same} == {429}


def test_callers_are_counted_by_who_they_are(platform: Platform) -> None:
    platform.deploy("known", "hi", '"hi"', "GET /hi")
    platform.run("routes", "set", "known", "GET /hi", "--auth", "key", "--rate", "1/1h")
    keys = [platform.run("routes", "issue", "known", "GET /hi", name).stdout.strip() for name in ("ada", "bob")]
    assert [get(platform, "/apps/known/hi", x_api_key=key).status for key in (*keys, *keys)] == [200, 200, 429, 429]
    assert get(platform, "/apps/known/hi").status == 401, "who isn't known takes from nobody"


def test_only_so_many_calls_run_at_a_time(platform: Platform) -> None:
    platform.deploy("few", "slow", SLOW, "GET /slow")
    platform.run("routes", "set", "few", "GET /slow", "--concurrency", "3", "--timeout", "1s")
    answers = workers_seen(platform, "/apps/few/slow", 24)
    assert sorted({answer.status for answer in answers}) == [429, 504]
    ran = [answer for answer in answers if answer.status == 504]
    refused = next(answer for answer in answers if answer.status == 429)
    assert len(ran) == 3, "each runs for a second, and all came at once"
    assert (refused.headers["retry-after"], refused.json["type"]) == ("1", "/problems/too-many-at-a-time")
    assert [answer.status for answer in workers_seen(platform, "/apps/few/slow", 3)] == [504] * 3, "all places are free"


def test_who_is_sent_away_leaves_the_place_to_the_run(platform: Platform) -> None:
    platform.deploy("left", "slow", SLOW, "GET /slow")
    platform.run("routes", "set", "left", "GET /slow", "--concurrency", "1", "--timeout", "4s")
    gone = get(platform, "/apps/left/slow", prefer="wait=1")
    assert (gone.status, gone.json["type"]) == (504, "/problems/no-answer-yet")
    assert get(platform, "/apps/left/slow").status == 429
    platform.api("GET", f"/invocations/{gone.json['invocation']}?wait=10")
    end = time.monotonic() + 5
    while get(platform, "/apps/left/slow", prefer="wait=1").status == 429:
        assert time.monotonic() < end, "the run has ended, and its place is free"


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_no_place_taken(own_platform: Platform) -> None:
    own_platform.deploy("killed", "slow", SLOW, "GET /slow")
    own_platform.run("routes", "set", "killed", "GET /slow", "--concurrency", "2", "--timeout", "5s")
    sockets = []
    for _ in range(2):
        connection = socket.create_connection(("127.0.0.1", own_platform.port))
        connection.sendall(b"GET /apps/killed/slow HTTP/1.1\r\nHost: x\r\n\r\n")
        sockets.append(connection)
    with psycopg.connect(own_platform.dsn, autocommit=True) as database:
        end = time.monotonic() + 10
        while database.execute(HELD).fetchone() != (2,):
            assert time.monotonic() < end, "both calls run"
        for worker in own_platform.some("worker"):
            worker.kill()
        while database.execute(HELD).fetchone() != (0,):
            assert time.monotonic() < end + 10, "PostgreSQL frees what the dead held"
    for connection in sockets:
        connection.close()


def preflight(platform: Platform, path: str, origin: str, method: str = "POST") -> Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type",
    }
    return platform.call("OPTIONS", path, None, headers)


def test_pages_of_allowed_origins_may_call(platform: Platform) -> None:
    platform.deploy("pages", "hi", '"hi"', "POST /hi", "GET /hi", "DELETE /hi")
    page, evil = "https://www.example.com", "https://evil.example"
    for method in ("POST", "GET"):
        platform.run("routes", "set", "pages", f"{method} /hi", "--cors", page, "--cors", "http://localhost:3000",
                     "--cors-header", "Content-Type", "--cors-expose", "PiCloud-Invocation", "--cors-credentials",
                     "--auth", "key")  # fmt: skip
    allowed = preflight(platform, "/apps/pages/hi", page)
    assert (allowed.status, allowed.body) == (204, b"")
    assert {name: value for name, value in allowed.headers.items() if name.startswith("access-control-")} == {
        "access-control-allow-origin": page,
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": "Content-Type",
        "access-control-allow-credentials": "true",
        "access-control-max-age": "600",
    }
    assert "Origin" in allowed.headers["vary"]
    for refused in (preflight(platform, "/apps/pages/hi", evil), preflight(platform, "/apps/pages/hi", page, "DELETE")):
        assert refused.status == 204
        assert not [name for name in refused.headers if name.startswith("access-control-")]
    error = platform.call("POST", "/apps/pages/hi", b"", {"Origin": page})
    assert (error.status, error.headers["access-control-allow-origin"], error.headers["vary"]) == (401, page, "Origin")
    key = platform.run("routes", "issue", "pages", "POST /hi", "ada").stdout.strip()
    answer = platform.call("POST", "/apps/pages/hi", b"", {"Origin": page, "X-Api-Key": key})
    assert answer.headers["access-control-expose-headers"] == "PiCloud-Invocation"
    other = platform.call("POST", "/apps/pages/hi", b"", {"Origin": evil, "X-Api-Key": key})
    assert (other.status, other.headers["vary"]) == (200, "Origin")
    assert "access-control-allow-origin" not in other.headers
    end = time.monotonic() + 10
    while len(ran := platform.api("GET", "/apps/pages/invocations").json["items"]) < 2:
        assert time.monotonic() < end, "the history has both calls"
    assert len(ran) == 2, "a preflight runs nothing"


def test_every_page_may_call_and_the_script_says_nothing_else(platform: Platform) -> None:
    script = 'reply::text("hi").header("Access-Control-Allow-Origin", "https://other.example")'
    platform.deploy("every", "hi", script, "GET /hi")
    own = platform.call("GET", "/apps/every/hi", None, {"Origin": "https://www.example.com"})
    assert own.headers["access-control-allow-origin"] == "https://other.example"
    platform.run("routes", "set", "every", "GET /hi", "--cors", "*")
    answer = platform.call("GET", "/apps/every/hi", None, {"Origin": "https://www.example.com"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "vary" not in answer.headers


def test_an_asynchronous_call_is_tried_again_by_the_routes_policy(platform: Platform) -> None:
    platform.deploy("later", "fails", 'throw "no"', "POST /")
    platform.run("routes", "set", "later", "POST /", "--attempts", "3", "--delay", "1ms", "--operations", "5000")
    accepted = platform.call("POST", "/apps/later/", b"", {"Prefer": "respond-async"})
    assert (accepted.status, accepted.headers["preference-applied"]) == (202, "respond-async")
    path = accepted.headers["location"].removeprefix("/api/v1")
    whole = platform.api("GET", f"{path}?wait=20").json
    assert (whole["state"], len(whole["attempts"])) == ("dead", 3)
    once = platform.call("POST", "/apps/later/", b"")
    whole = platform.api("GET", f"/invocations/{once.headers['picloud-invocation']}").json
    assert (once.status, whole["state"], len(whole["attempts"])) == (500, "dead", 1)


def test_a_routes_limits_are_those_of_each_run(platform: Platform) -> None:
    platform.deploy("bounded", "slow", SLOW, "GET /")
    platform.run("routes", "set", "bounded", "GET /", "--operations", "5000")
    assert get(platform, "/apps/bounded/").json["kind"] == "ErrorTooManyOperations"
    platform.run("routes", "set", "bounded", "GET /", "--operations", "none", "--timeout", "50ms")
    assert get(platform, "/apps/bounded/").json["kind"] == "WallTimeLimit"


def test_a_client_may_prefer_to_wait_for_a_while(platform: Platform) -> None:
    platform.deploy("patient", "hi", '"hi"', "GET /hi")
    platform.deploy("patient", "slow", SLOW, "GET /slow")
    quick = get(platform, "/apps/patient/hi", prefer="respond-async, wait=10")
    assert (quick.status, quick.text, quick.headers["preference-applied"]) == (200, "hi", "wait=10")
    late = get(platform, "/apps/patient/slow", prefer="respond-async, wait=1")
    assert (late.status, late.headers["preference-applied"]) == (202, "respond-async, wait=1")
    assert late.headers["location"] == f"/api/v1/invocations/{late.json['invocation']}"


def test_asynchronous_calls_over_the_limit_wait_for_room(platform: Platform) -> None:
    platform.deploy("waits", "work", "let n = 0; while n < 20000 { n += 1; } n", "POST /work")
    platform.run("routes", "set", "waits", "POST /work", "--concurrency", "2")
    calls = [platform.call("POST", "/apps/waits/work", headers={"Prefer": "respond-async"}) for _ in range(12)]
    assert {call.status for call in calls} == {202}
    for call in calls:
        ended = platform.api("GET", f"{call.headers['location'].removeprefix('/api/v1')}?wait=30")
        assert ended.json["state"] == "succeeded"
    with psycopg.connect(platform.dsn) as connection:
        rows = connection.execute(
            "SELECT topic FROM log.events WHERE app = 'waits' AND topic IN ('Started', 'Succeeded')"
            " ORDER BY notification_id"
        ).fetchall()
    running = most = 0
    for (topic,) in rows:
        running += 1 if topic == "Started" else -1
        most = max(most, running)
    assert (most, running) == (2, 0)
