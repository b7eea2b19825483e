"""A run's effects are there with its outcome, once, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.load import COUNTER, ROUTE
from tests.acceptance.platform import Platform

FAILING = 'kv::set("left", 1); let own = kv::get("left"); if own != 1 { throw "own writes are seen"; } throw "late"'
ANSWERING = 'kv::set("left", 1); throw #{ status: 409 }'
READING = 'let left = kv::get("left"); if left == () { "nothing" } else { "something" }'


def test_sixty_four_that_add_one_at_a_time_end_at_exactly_sixty_four(platform: Platform) -> None:
    platform.deploy("effects", "counter", COUNTER, ROUTE)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: platform.call("POST", "/apps/effects/count/one"), range(63)))
    assert {answer.status for answer in answers} == {200}
    assert platform.call("POST", "/apps/effects/count/one").json == {"count": 64}
    assert sorted(answer.json["count"] for answer in answers) == list(range(1, 64))


def test_a_run_that_failed_or_threw_an_answer_has_done_nothing(platform: Platform) -> None:
    platform.deploy("effects", "failing", FAILING, "POST /failing")
    platform.deploy("effects", "answering", ANSWERING, "POST /answering")
    platform.deploy("effects", "reading", READING, "GET /reading")
    assert platform.call("POST", "/apps/effects/failing").status == 500
    assert platform.call("POST", "/apps/effects/answering").status == 409
    assert platform.call("GET", "/apps/effects/reading").text == "nothing"


def test_an_asynchronous_call_is_accepted_with_the_place_of_its_outcome(platform: Platform) -> None:
    platform.deploy("effects", "later", '"done"', "POST /later")
    accepted = platform.call("POST", "/apps/effects/later", None, {"Prefer": "respond-async"})
    assert accepted.status == 202
    assert accepted.headers["preference-applied"] == "respond-async"
    where = accepted.headers["location"].removeprefix("/api/v1")
    for _ in range(200):
        whole = platform.api("GET", where).json
        if whole["ended_at"]:
            break
    assert (whole["state"], whole["reply"]["body"]["text"]) == ("succeeded", "done")


def test_the_root_cause_of_a_callers_trace_is_kept(platform: Platform) -> None:
    platform.deploy("effects", "traced", "1", "GET /traced")
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = platform.call("GET", "/apps/effects/traced", None, {"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    whole = platform.api("GET", f"/invocations/{answer.headers['picloud-invocation']}").json
    assert whole["correlation_id"].replace("-", "") == trace


def test_a_run_is_cancelled_while_it_runs(platform: Platform) -> None:
    platform.deploy("effects", "endless", "let i = 0; while i < 10_000_000 { i += 1; } i", "POST /endless")
    accepted = platform.call("POST", "/apps/effects/endless", None, {"Prefer": "respond-async"})
    invocation = accepted.json["invocation"]
    assert platform.api("POST", f"/invocations/{invocation}/cancel", {}).status == 204
    assert platform.api("GET", f"/invocations/{invocation}").json["state"] == "cancelled"
    assert platform.api("POST", f"/invocations/{invocation}/cancel", {}).status == 409
