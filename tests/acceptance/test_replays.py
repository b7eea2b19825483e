"""Many dead letters are replayed by a job, and many invocations called off, on a whole platform by its commands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.acceptance.platform import Platform

BROKEN = "let order = ctx.request.json; if order.amount > 9 { throw `timeout of ${order.number}`; } order.number"
MENDED = """
let order = ctx.request.json;
kv::set(`order-${order.number}`, order.amount);
order.number
"""

JSON = {"content-type": "application/json"}


def soon(look: Callable[[], Any], holds: Callable[[Any], bool], *, seconds: float = 30) -> Any:
    """What is found when it is as it should be."""
    deadline = time.monotonic() + seconds
    while not holds(found := look()):
        assert time.monotonic() < deadline, f"found {found}"
        time.sleep(0.05)
    return found


def letters(platform: Platform, app: str, *options: str) -> list[dict[str, Any]]:
    lines = platform.run("dead-letters", app, "--json", "-n", "1000", *options).stdout.splitlines()
    return [json.loads(line) for line in lines]


def die(platform: Platform, app: str, count: int, *, amount: int = 10) -> list[str]:
    """So many orders that no attempt could take, in the order of their requests."""
    found = []
    for number in range(count):
        body = json.dumps({"number": number, "amount": amount})
        headers = JSON | {"prefer": "respond-async"}
        answer = platform.call("POST", f"/apps/{app}/orders", body, headers)
        assert answer.status == 202, answer.text
        found.append(answer.headers["picloud-invocation"])
    soon(lambda: letters(platform, app), lambda listed: len(listed) == count)
    return found


def job_of(platform: Platform, title: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads(platform.run("replays", "show", title, "--json", expect=None).stdout)
    return job


def test_a_mended_script_saves_two_hundred_letters(platform: Platform) -> None:
    platform.deploy("shop", "orders", BROKEN, "POST /orders")
    found = die(platform, "shop", 200)
    platform.deploy("shop", "orders", MENDED)
    command = ("replays", "start", "shop", "--name", "mend-orders", "--script", "orders", "--text", "TIMEOUT")

    seen = platform.run(*command, "--dry-run").stdout
    assert "timeout of 199" in seen
    assert "and 195 more" in seen
    assert platform.run("replays", "shop", "--json").stdout == "", "a dry run begins nothing"

    started = platform.run(*command, "--rate", "500/s").stdout
    assert started == "started shop/mend-orders: 200 to replay; see picloud replays show shop/mend-orders -f\n"
    shown = platform.run("replays", "show", "shop/mend-orders", "-f").stdout
    assert "200 saved" in shown
    assert "state        finished" in shown
    job = job_of(platform, "shop/mend-orders")
    assert (job["state"], job["asked"], job["succeeded"], job["dead"], job["skipped"]) == ("finished", 200, 200, 0, 0)
    assert (job["rate"], job["version"], job["started_by"]) == ("500/s", "current", "token:owner")
    saved = letters(platform, "shop", "--state", "saved")
    assert len(saved) == 200
    assert letters(platform, "shop") == []
    (line,) = platform.run("replays", "shop", "--json").stdout.splitlines()
    assert json.loads(line)["name"] == "mend-orders"

    replayed = platform.api("GET", "/apps/shop/invocations?limit=200&state=succeeded").json["items"]
    assert [item["replay_of"] for item in reversed(replayed)] == found, "in the order of the original requests"

    again = platform.run(*command, expect=1)
    assert "there was a replay job 'mend-orders' in shop already" in again.stderr
    nothing = platform.run("replays", "start", "shop", "--name", "more", expect=1)
    assert "nothing is there to replay" in nothing.stderr


def test_a_letter_is_shown_with_its_replays_and_the_chain_of_its_causes(platform: Platform) -> None:
    platform.deploy("causes", "orders", BROKEN, "POST /orders")
    (first,) = die(platform, "causes", 1)
    platform.run("replays", "start", "causes", "--name", "try", "-f")
    again = json.loads(platform.run("replay", first, "--patch", '{"amount": 11}', "--json", expect=1).stdout)
    assert json.loads(again["input"]["body"]["text"]) == {"number": 0, "amount": 11}
    whole = soon(
        lambda: json.loads(platform.run("dead-letters", "show", first, "--json").stdout),
        lambda found: found["letter"]["died_as"] == again["id"],
    )
    assert (whole["letter"]["state"], whole["letter"]["replays"]) == ("open", 2)
    by_job, by_hand = sorted(whole["replays"], key=lambda replay: replay["job"] is None)
    assert (by_job["job"], by_job["state"]) == ("try", "dead")
    assert (by_hand["id"], by_hand["cause"]) == (again["id"], first)
    assert whole["invocation"]["id"] == first
    assert whole["invocation"]["causes"] == [], "nothing led to it but a request"
    assert [cause["id"] for cause in whole["latest"]["causes"]] == [first]
    causes = platform.api("GET", f"/invocations/{by_job['id']}").json["causes"]
    assert [(cause["kind"], cause["name"]) for cause in causes] == [("replay job", "try"), ("invocation", "orders")]
    assert causes[0]["actor"] == "token:owner"
    text = platform.run("dead-letters", "show", again["id"]).stdout
    assert f"dead letter  {first}" in text
    assert f"{by_job['id']} dead, by the job try" in text
    assert f"caused by    invocation causes/orders {first}, by http" in text
    fine = platform.call("POST", "/apps/causes/orders", '{"number": 1, "amount": 1}', JSON).headers
    other = platform.run("dead-letters", "show", fine["picloud-invocation"], expect=1)
    assert "is no dead letter of causes, or was purged" in other.stderr


def test_a_job_is_paused_survives_a_restart_is_resumed_and_finishes(own_platform: Platform) -> None:
    platform = own_platform
    platform.deploy("shop", "orders", BROKEN, "POST /orders")
    die(platform, "shop", 60)
    platform.deploy("shop", "orders", MENDED)
    platform.run("replays", "start", "shop", "--name", "slow", "--rate", "10/s")
    soon(lambda: job_of(platform, "shop/slow"), lambda job: job["asked"] >= 5)
    said = platform.run("replays", "pause", "shop/slow", "--note", "moving house").stdout
    assert said.startswith("shop/slow is paused: ")
    asked = job_of(platform, "shop/slow")["asked"]
    assert asked < 60
    platform.kill()
    platform.start()
    job = soon(lambda: job_of(platform, "shop/slow"), lambda job: job["going_on"] == 0)
    assert (job["state"], job["note"], job["asked"]) == ("paused", "moving house", asked)
    platform.run("replays", "resume", "shop/slow")
    soon(lambda: job_of(platform, "shop/slow"), lambda job: job["asked"] >= asked + 5)
    platform.kill()
    platform.start()
    job = soon(lambda: job_of(platform, "shop/slow"), lambda job: job["state"] == "finished")
    assert (job["asked"], job["succeeded"]) == (60, 60)
    replayed = platform.api("GET", "/apps/shop/invocations?limit=1000&state=succeeded").json["items"]
    assert len({item["replay_of"] for item in replayed}) == len(replayed) == 60
    late = platform.run("replays", "abort", "shop/slow", expect=1)
    assert "can't be aborted: it is finished" in late.stderr


def test_an_aborted_job_tells_so(platform: Platform) -> None:
    platform.deploy("stop", "orders", BROKEN, "POST /orders")
    die(platform, "stop", 10)
    platform.run("replays", "start", "stop", "--name", "slow", "--rate", "1/h")
    soon(lambda: job_of(platform, "stop/slow"), lambda job: job["asked"] == 1)
    platform.run("replays", "abort", "stop/slow", "--reason", "wrong ones")
    shown = platform.run("replays", "show", "stop/slow", "-f", expect=1).stdout
    assert "aborted: wrong ones" in shown


def test_what_can_not_be_asked_of_a_job_is_refused_by_its_field(platform: Platform) -> None:
    platform.deploy("asked", "orders", MENDED, "POST /orders")

    def refused(**content: Any) -> tuple[int, str | None]:
        answer = platform.api("POST", "/apps/asked/replays", {"name": "x", "dry_run": True} | content)
        return answer.status, answer.json.get("field")

    assert refused(rate="fast") == (422, "rate")
    assert refused(version="9", filter={"script": "orders"}) == (404, "version")
    assert refused(version="9") == (422, "version")
    assert refused(filter={"script": "nobody"}) == (404, "filter.script")
    assert refused(filter={"state": "succeeded"}) == (422, "filter.state")
    assert refused(source="invocations", filter={"text": "x"}) == (422, "filter.text")
    assert refused(patch=[1]) == (422, "patch")
    assert refused(name="No Name") == (422, "name")
    assert refused(filter={"sript": "orders"})[0] == 422
    assert platform.api("GET", "/apps/asked/replays/none").status == 404
    assert platform.api("POST", "/apps/nothing/replays", {"name": "x"}).status == 404


def test_ended_invocations_of_any_kind_are_replayed(platform: Platform) -> None:
    platform.deploy("again", "orders", MENDED, "POST /orders")
    for number in range(3):
        body = json.dumps({"number": number, "amount": 1})
        assert platform.call("POST", "/apps/again/orders", body, JSON).status == 200
    platform.run("replays", "start", "again", "--invocations", "--state", "succeeded", "--patch", '{"amount": 2}', "-f")
    (job,) = platform.api("GET", "/apps/again/replays").json["items"]
    assert (job["state"], job["succeeded"], job["source"], job["edited"]) == ("finished", 3, "invocations", "patch")


def test_many_are_called_off_by_a_filter(platform: Platform) -> None:
    platform.deploy("busy", "spin", "sleep(9); 1", "POST /spin")
    platform.deploy("busy", "later", 'throw "no"', "POST /later")
    later = {
        "kind": "cron",
        "script": "later",
        "config": {"cron": "0 3 1 1 *"},
        "retry": {"attempts": 5, "delays": ["1h"]},
    }
    assert platform.api("PUT", "/apps/busy/triggers/later", later).status == 200
    for _ in range(25):
        assert platform.api("POST", "/apps/busy/triggers/later/fire").status == 202
    for _ in range(2):
        platform.call("POST", "/apps/busy/spin", headers={"prefer": "respond-async"})

    def count(*options: str) -> int:
        found = platform.run("cancel", "--app", "busy", *options, "--dry-run", "--json").stdout
        return int(json.loads(found)["matching"])

    soon(lambda: count("--state", "retrying"), lambda found: found == 25)
    soon(lambda: count("--state", "running"), lambda found: found == 2)
    assert count("--script", "later", "--trigger", "cron") == 25
    assert count("--until", "2020-01-01T00:00:00Z") == 0
    shown = platform.run("cancel", "--app", "busy", "--state", "retrying", "--dry-run").stdout
    assert "and 20 more" in shown
    assert platform.run("cancel", "--app", "busy", "--script", "later").stdout == "cancelled 25\n"
    assert platform.run("cancel", "--app", "busy", "--reason", "enough").stdout == "cancelled 2\n"
    assert count() == 0
    items = platform.api("GET", "/apps/busy/invocations?script=spin").json["items"]
    assert {item["state"] for item in items} == {"cancelled"}
    whole = platform.api("GET", f"/invocations/{items[0]['id']}").json
    assert (whole["state"], whole["reason"]) == ("cancelled", "enough")
    assert "--app" in platform.run("cancel", expect=2).stderr
