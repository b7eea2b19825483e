"""Triggers by CLI and API; schedules whose ticks are all there, once each, whoever is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.acceptance.platform import Platform

TOLD = "#{event: ctx.event, request: ctx.request, trigger: ctx.invocation.trigger}"
SECONDLY = {"cron": "* * * * * *", "overlap": "allow"}


def wait_until(seen: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """What ``seen`` gives once that is something; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)
    return found


def set_trigger(platform: Platform, app: str, name: str, **content: Any) -> Any:
    answer = platform.api("PUT", f"/apps/{app}/triggers/{name}", content)
    assert answer.status == 200, answer.text
    return answer.json


def invocations(platform: Platform, app: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = platform.api("GET", f"/apps/{app}/invocations?limit=1000").json["items"]
    return items


def ticks(platform: Platform, app: str) -> Iterator[tuple[datetime, str]]:
    """Each tick of an app's schedules that the log knows: when it was due, and whether it was fired or skipped."""
    with psycopg.connect(platform.dsn) as connection:
        rows = connection.execute(
            "SELECT topic, state FROM log.events WHERE app = %s AND topic IN ('Requested', 'TickSkipped')", (app,)
        ).fetchall()
    for topic, state in rows:
        content = json.loads(bytes(state))
        due = content["due"] if topic == "TickSkipped" else content["event"]["attributes"]["due"]
        yield datetime.fromisoformat(due), topic


def test_a_schedule_runs_a_script_and_says_when(platform: Platform) -> None:
    platform.deploy("clock", "told", TOLD)
    shown = set_trigger(platform, "clock", "each-second", kind="cron", script="told", config=SECONDLY)
    assert shown["retry"]["attempts"] == 3
    assert shown["next_due"] is not None
    ended = wait_until(
        lambda: [item for item in invocations(platform, "clock") if item["state"] == "succeeded"], "a run"
    )
    platform.api("DELETE", "/apps/clock/triggers/each-second")
    whole = platform.api("GET", f"/invocations/{ended[-1]['id']}").json
    told = json.loads(whole["reply"]["body"]["text"])
    assert told["request"] is None
    assert told["trigger"] == "cron"
    assert told["event"]["trigger"] == "each-second"
    assert told["event"]["data"] is None
    due = datetime.fromisoformat(told["event"]["due"])
    assert timedelta(0) <= datetime.fromisoformat(whole["requested_at"]) - due < timedelta(seconds=5)
    assert whole["actor"] == "cron:each-second"


def test_the_commands_of_a_session(platform: Platform) -> None:
    platform.deploy("shop", "nightly", TOLD)
    run = platform.run
    said = run("triggers", "set", "shop/nightly", "cron", "nightly", "cron=0 3 * * *", "zone=Europe/Berlin").stdout
    assert "cron=0 3 * * * zone=Europe/Berlin overlap=skip" in said
    assert "nightly\tcron\tnightly" in run("triggers", "shop").stdout
    assert run("triggers", "next", "shop/nightly", "-n", "2", "--after", "2026-03-28T12:00:00Z").stdout == (
        "Sun 2026-03-29 03:00:00 +0200\nMon 2026-03-30 03:00:00 +0200\n"
    )
    assert run("triggers", "preview", "*/20 0 0 1 1 *", "-n", "1", "--after", "2026-06-01T00:00:00Z").stdout == (
        "Fri 2027-01-01 00:00:00 +0000\n"
    )
    run("triggers", "pause", "shop/nightly", "--note", "moving house")
    assert "paused: moving house" in run("triggers", "list", "shop").stdout
    fired = run("triggers", "fire", "shop/nightly", "-d", '{"n": 1}').stdout
    assert '"data":{"n":1}' in fired
    assert '"fired_by":"token:owner"' in fired
    run("triggers", "resume", "shop/nightly")
    run("triggers", "set", "shop/nightly", "cron", "nightly", "cron=0 4 * * *", "--attempts", "5", "--delay", "10s")
    item = json.loads(run("triggers", "show", "shop/nightly", "--json").stdout)
    assert (item["config"]["cron"], item["retry"]["attempts"], item["retry"]["delays"]) == ("0 4 * * *", 5, ["10s"])
    run("triggers", "remove", "shop/nightly")
    assert "no trigger 'nightly'" in run("triggers", "show", "shop/nightly", expect=1).stderr


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        ({"kind": "cron", "script": "told", "config": {"cron": "61 * * * *"}}, 422, "config.cron"),
        ({"kind": "cron", "script": "none", "config": {"cron": "@daily"}}, 404, "script"),
        ({"kind": "pigeon", "script": "told"}, 422, "kind"),
        ({"kind": "cron", "script": "told", "config": {"cron": "@daily"}, "timeout": "soon"}, 422, "timeout"),
        ({"kind": "cron", "script": "told", "config": {"cron": "@daily"}, "retry": {"max": "x"}}, 422, "retry.max"),
    ],
)
def test_bad_settings_are_refused_by_name(platform: Platform, content: Any, status: int, field: str) -> None:
    platform.deploy("bad", "told", TOLD)
    answer = platform.api("PUT", "/apps/bad/triggers/x", content)
    assert (answer.status, answer.json["field"]) == (status, field), answer.text
    assert platform.api("GET", "/apps/bad/triggers").json["items"] == []


def test_a_tick_is_skipped_while_the_one_before_goes_on_and_the_log_says_so(platform: Platform) -> None:
    config = {"cron": "* * * * * *", "overlap": "skip"}
    platform.deploy("slow", "fails", 'throw "no"')
    retry = {"attempts": 2, "delays": ["20s"]}
    set_trigger(platform, "slow", "busy", kind="cron", script="fails", config=config, retry=retry)
    skipped = wait_until(lambda: [due for due, topic in ticks(platform, "slow") if topic == "TickSkipped"], "a skip")
    platform.api("DELETE", "/apps/slow/triggers/busy")
    assert len([1 for _, topic in ticks(platform, "slow") if topic == "Requested"]) == 1
    events = platform.api("GET", "/events?app=slow&type=TickSkipped").json["items"]
    assert "the tick before goes on" in events[0]["content"]["reason"]
    assert skipped[0] > min(due for due, _ in ticks(platform, "slow"))


def test_a_backfill_makes_up_for_what_has_no_run_and_only_once(platform: Platform) -> None:
    platform.deploy("past", "told", TOLD)
    set_trigger(platform, "past", "hourly", kind="cron", script="told", config={"cron": "@hourly"})
    now = datetime.now(UTC).replace(microsecond=0)
    span = {"since": (now - timedelta(hours=10)).isoformat(), "until": now.isoformat()}
    where = "/apps/past/triggers/hourly/backfill"
    assert platform.api("POST", where, span | {"dry_run": True}).json == {"due": 10, "fired": 10}
    assert platform.api("POST", where, span).json == {"due": 10, "fired": 10}
    assert platform.api("POST", where, span).json == {"due": 10, "fired": 0}
    assert len(set(ticks(platform, "past"))) == 10
    future = span | {"until": (now + timedelta(hours=1)).isoformat()}
    assert platform.api("POST", where, future).json["field"] == "until"


def test_a_missing_or_disabled_script_skips_the_tick_with_the_reason(platform: Platform) -> None:
    platform.deploy("gone", "told", TOLD)
    set_trigger(platform, "gone", "tick", kind="cron", script="told", config=SECONDLY)
    platform.api("POST", "/apps/gone/scripts/told/disable", {"reason": "holidays"})
    wait_until(lambda: [1 for _, topic in ticks(platform, "gone") if topic == "TickSkipped"], "a skip")
    platform.api("DELETE", "/apps/gone")
    reasons = [
        event["content"]["reason"] for event in platform.api("GET", "/events?type=TickSkipped&app=gone").json["items"]
    ]
    assert reasons
    assert all("holidays" in reason or "there is no script" in reason for reason in reasons)


def test_no_tick_is_lost_or_doubled_when_managers_are_killed(own_platform: Platform) -> None:
    platform = own_platform
    platform.deploy("kept", "one", "1")
    set_trigger(platform, "kept", "tick", kind="cron", script="one", config=SECONDLY)
    wait_until(lambda: list(ticks(platform, "kept")), "the first tick")
    for _ in range(4):
        seen = len(list(ticks(platform, "kept")))
        for process in platform.some("manager"):
            process.kill()
        wait_until(lambda seen=seen: len(list(ticks(platform, "kept"))) > seen + 1, "a tick behind the kill")
    platform.api("DELETE", "/apps/kept/triggers/tick")
    found = sorted(ticks(platform, "kept"))
    dues = [due for due, _ in found]
    assert {topic for _, topic in found} == {"Requested"}
    assert dues == [dues[0] + timedelta(seconds=n) for n in range(len(dues))]
