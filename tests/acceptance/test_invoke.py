"""``invoke::``: scripts that start or call other scripts, however many at a time and however deep."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.platform import Platform

TOLD = "#{event: ctx.event, request: ctx.request}"
WAITING = "while true { sleep(0.05); }"


@pytest.fixture(scope="module")
def narrow(new_folder: Callable[[], Path]) -> Iterator[Platform]:
    """A platform of one worker with four slots, and room for two runs in its one executor."""
    folder = new_folder()
    with Platform(folder, workers="1", executors="1", runs="2") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def wait_until(seen: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)
    return found


def invocations(platform: Platform, app: str, script: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = platform.api("GET", f"/apps/{app}/invocations?limit=1000&script={script}").json[
        "items"
    ]
    return items


def run(platform: Platform, app: str, source: str, *, deploy: str = "caller") -> dict[str, Any]:
    """What came of a script that is deployed and run once."""
    platform.deploy(app, deploy, source)
    started = platform.api("POST", f"/apps/{app}/scripts/{deploy}/invocations", {}, Prefer="wait=30").json["invocation"]
    whole: dict[str, Any] = platform.api("GET", f"/invocations/{started}").json
    return whole


def text(whole: dict[str, Any]) -> str:
    assert whole["state"] == "succeeded", whole
    found: str = whole["reply"]["body"]["text"]
    return found


def error_of(whole: dict[str, Any]) -> str:
    found: str = whole["attempts"][-1]["error"]["message"]
    return found


def test_an_answer_comes_as_the_value_that_it_is(platform: Platform) -> None:
    platform.deploy("values", "price", "let item = ctx.event.data.item; #{ item: item, cents: 1250 }")
    platform.deploy("values", "words", '"hello " + ctx.event.data')
    platform.deploy("values", "bytes", "let found = blob(2, 255); found")
    platform.deploy("values", "nothing", "()")
    source = """
        let price = invoke::run("price", #{ item: "tea" });
        [price.item, price.cents, invoke::run("words", "you"), invoke::run("bytes", ()).len(),
         invoke::run("nothing", 1)]
    """
    assert json.loads(text(run(platform, "values", source))) == ["tea", 1250, "hello you", 2, None]


def test_the_callee_sees_who_called_it(platform: Platform) -> None:
    platform.deploy("told", "told", TOLD)
    whole = run(platform, "told", 'invoke::run("told", [1, 2])')
    event = json.loads(text(whole))["event"]
    assert (event["type"], event["trigger"], event["caller"], event["data"]) == (
        "invoke", "told/caller", "told/caller", [1, 2],
    )  # fmt: skip
    assert event["caller_invocation"] == whole["id"]
    (child,) = wait_until(lambda: invocations(platform, "told", "told"), "the callee")
    assert (child["trigger"], child["correlation_id"]) == ("invoke", whole["correlation_id"])
    assert platform.api("GET", f"/invocations/{child['id']}").json["actor"] == "script:told/caller"


def test_what_is_started_runs_when_the_caller_has_succeeded(platform: Platform) -> None:
    platform.deploy("started", "told", TOLD)
    source = 'let id = invoke::start("told", #{ n: 1 }, #{ priority: 3, attempts: 2, ordering_key: "k" }); id'
    whole = run(platform, "started", source)
    invocation = text(whole)
    told = wait_until(
        lambda: (found := platform.api("GET", f"/invocations/{invocation}?wait=10").json)["ended_at"] and found, "it"
    )
    assert json.loads(text(told))["event"]["data"] == {"n": 1}
    asked = json.loads(platform.api("GET", f"/events?stream={invocation}&type=Requested").text)["items"][0]["content"]
    assert (asked["callers"], asked["depth"], asked["retry"]["attempts"]) == (["started/caller"], 1, 2)
    assert (asked["ordering_key"], asked["flow"]["priority"]) == ("k", 3)


@pytest.mark.parametrize("end", ['throw "no"', "throw #{ status: 409 }"])
def test_who_fails_has_started_nothing(platform: Platform, end: str) -> None:
    platform.deploy("unstarted", "told", TOLD)
    run(platform, "unstarted", f'invoke::start("told", 1); {end}')
    assert invocations(platform, "unstarted", "told") == []


def test_a_start_with_a_delay_is_due_then(platform: Platform) -> None:
    platform.deploy("delayed", "told", TOLD)
    invocation = text(run(platform, "delayed", 'invoke::start("told", 1, #{ delay: "1h" })'))
    assert platform.api("GET", f"/invocations/{invocation}").json["state"] == "pending"


@pytest.mark.parametrize(
    ("callee", "said"),
    [
        ('throw "no stock"', "fails/callee failed: no stock, line 1 ("),
        ('throw #{ status: 422, field: "item" }', 'fails/callee answered 422: {"field":"item","status":422}'),
        ('reply::text("gone").status(410)', "fails/callee answered 410: gone"),
        (WAITING, "fails/callee gave no answer within 300 ms, and was cancelled"),
    ],
)
def test_the_error_of_a_callee_is_caught_and_says_which_and_why(platform: Platform, callee: str, said: str) -> None:
    platform.deploy("fails", "callee", callee)
    source = (
        'let said = ""; try { invoke::run("callee", 1, #{ timeout: "300ms" }) } catch (error) { said = error } said'
    )
    found = text(run(platform, "fails", source))
    assert found.startswith(said)
    child = found.removesuffix(")").rpartition("(invocation ")[2]
    assert platform.api("GET", f"/invocations/{child}").json["script"] == "callee"


def test_who_is_not_there_or_disabled_is_told_with_what_was_meant(platform: Platform) -> None:
    platform.deploy("unknown", "orders", "1")
    missing = run(platform, "unknown", 'invoke::run("order", 1)')
    assert "there is no script 'order' in unknown: did you mean 'orders'?" in error_of(missing)
    platform.api("POST", "/apps/unknown/scripts/orders/disable", {"reason": "holidays"})
    disabled = run(platform, "unknown", 'invoke::start("orders", 1)')
    assert "unknown/orders is disabled: holidays" in error_of(disabled)


def test_a_circle_of_calls_ends_and_shows_itself(platform: Platform) -> None:
    platform.deploy("circle", "b", 'invoke::run("a", ctx.event.data + 1)')
    whole = run(platform, "circle", 'invoke::run("b", 0)', deploy="a")
    assert whole["state"] == "dead"
    wait_until(lambda: len([each for name in "ab" for each in invocations(platform, "circle", name)]) == 17, "17 calls")
    messages = wait_until(
        lambda: [each["error_message"] for each in invocations(platform, "circle", "a") if each["ended_at"]], "the end"
    )
    assert any("18th script in a row" in each and "circle/a → circle/b → circle/a → " in each for each in messages)


def test_a_caller_that_is_cancelled_or_out_of_time_takes_its_callee_with_it(platform: Platform) -> None:
    platform.deploy("left", "callee", WAITING)
    platform.deploy("left", "caller", 'invoke::run("callee", 1)')
    started = platform.api("POST", "/apps/left/scripts/caller/invocations", {}).json["invocation"]
    wait_until(lambda: [each for each in invocations(platform, "left", "callee") if each["started_at"]], "the callee")
    platform.api("POST", f"/invocations/{started}/cancel", {"reason": "enough"})
    wait_until(lambda: [each for each in invocations(platform, "left", "callee") if each["state"] == "cancelled"], "it")
    (child,) = invocations(platform, "left", "callee")
    whole = platform.api("GET", f"/invocations/{child['id']}").json
    assert "its caller doesn't wait" in json.dumps(whole)


def test_callers_and_callees_whose_executors_are_killed_come_to_an_end(own_platform: Platform) -> None:
    """The callers are run again and call again; of the calls before, nobody waits for any, and none is left."""
    platform = own_platform
    platform.deploy("killed", "callee", "sleep(1.0); ctx.event.data")
    platform.deploy("killed", "caller", 'invoke::run("callee", 7)', "GET /")
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(platform.call, "GET", "/apps/killed/") for _ in range(8)]
        wait_until(lambda: len(invocations(platform, "killed", "callee")) == 8, "eight calls")
        for process in platform.some("executor"):
            process.kill()
        assert [answer.result().text for answer in answers] == ["7"] * 8
    wait_until(lambda: all(each["ended_at"] for each in invocations(platform, "killed", "callee")), "the end of all")
    states = [each["state"] for each in invocations(platform, "killed", "callee")]
    assert states.count("succeeded") >= 8
    assert set(states) <= {"succeeded", "cancelled"}


def test_a_run_that_is_repeated_meets_the_calls_that_it_made(platform: Platform) -> None:
    """All add to one key, so that most runs are repeated; none of them calls twice."""
    source = """
        let n = kv::get("n"); if n == () { n = 0; }
        let answer = invoke::run("callee", #{ by: ctx.request.params.by });
        kv::set("n", n + 1);
        answer
    """
    platform.deploy("repeated", "callee", "sleep(0.05); ctx.event.data.by")
    platform.deploy("repeated", "caller", source, "POST /{by}")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda by: platform.call("POST", f"/apps/repeated/{by}").text, range(48)))
    assert answers == [str(by) for by in range(48)]
    platform.deploy("repeated", "total", 'kv::get("n")', "GET /total")
    assert platform.call("GET", "/apps/repeated/total").text == "48"
    wait_until(lambda: len(invocations(platform, "repeated", "callee")) == 48, "48 calls")


def test_a_hundred_callers_three_deep_need_no_more_than_four_slots(narrow: Platform) -> None:
    narrow.deploy("deep", "c", "sleep(0.01); ctx.event.data + 1")
    narrow.deploy("deep", "b", 'invoke::run("c", ctx.event.data + 1)')
    narrow.deploy("deep", "a", 'invoke::run("b", parse_int(ctx.request.query.n))', "GET /a")
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda n: narrow.call("GET", f"/apps/deep/a?n={n}"), range(100)))
    assert [answer.text for answer in answers] == [str(n + 2) for n in range(100)]

    def states() -> list[str]:
        return [each["state"] for name in "abc" for each in invocations(narrow, "deep", name)]

    wait_until(lambda: states() == ["succeeded"] * 300, "all of the history")
