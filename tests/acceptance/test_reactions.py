"""dead_letter and log triggers, invoke and schedules that queue, as docs/triggers.md shows them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.platform import Platform

PAGE = (Path(__file__).parents[2] / "docs" / "triggers.md").read_text()


def example(heading: str) -> str:
    """The first script that the page shows under a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"```rhai\n(.*?)```", section, re.DOTALL)
    assert found is not None, heading
    return found[1]


def wait_until(seen: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)
    return found


def invocations(platform: Platform, app: str, **wanted: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in wanted.items())
    items: list[dict[str, Any]] = platform.api("GET", f"/apps/{app}/invocations?limit=1000&{query}").json["items"]
    return items


def ended(platform: Platform, app: str, trigger: str, count: int = 1) -> list[dict[str, Any]]:
    """The first ``count`` ended invocations of a trigger, whole, oldest first."""
    found = wait_until(
        lambda: (
            items := [each for each in invocations(platform, app, trigger=trigger) if each["ended_at"]]
        ) and len(items) >= count and items,
        f"{count} runs of {trigger}",
    )  # fmt: skip
    return [platform.api("GET", f"/invocations/{each['id']}").json for each in reversed(found)]


def answer(whole: dict[str, Any]) -> Any:
    assert whole["state"] == "succeeded", whole
    return json.loads(whole["reply"]["body"]["text"])


def test_the_example_of_invoke(platform: Platform) -> None:
    platform.deploy("shown", "send-receipt", "1")
    platform.deploy("shown", "price", '#{ cents: if ctx.event.data.item == "tea" { 250 } else { 0 } }')
    platform.deploy("shown", "caller", example("invoke") + "#{ id: id, price: price }", "GET /caller")
    told = platform.call("GET", "/apps/shown/caller").json
    assert told["price"] == {"cents": 250}
    assert platform.api("GET", f"/invocations/{told['id']}").json["state"] == "pending"


def test_a_death_runs_the_script_of_a_dead_letter_trigger(platform: Platform) -> None:
    platform.deploy("deaths", "notify", example("dead_letter"))
    platform.deploy("deaths", "orders", 'let n = 1;\nthrow "no stock"', "POST /orders/{id}")
    platform.deploy("deaths", "other", 'throw "not asked for"', "POST /other")
    said = platform.run("triggers", "set", "deaths/alert", "dead_letter", "notify", "script=orders").stdout
    assert "script=orders" in said
    died = platform.call("POST", "/apps/deaths/orders/7", "body").headers["picloud-invocation"]
    platform.call("POST", "/apps/deaths/other")
    (whole,) = ended(platform, "deaths", "dead_letter")
    assert answer(whole) == {"invocation": died, "attempts": 1, "path": "/orders/7"}
    assert (whole["actor"], whole["correlation_id"]) == (
        "dead_letter:alert", platform.api("GET", f"/invocations/{died}").json["correlation_id"],
    )  # fmt: skip
    lines = platform.api("GET", "/apps/deaths/logs?script=notify").json["items"]
    assert lines[0]["message"].startswith("orders version 1 died: ")
    assert lines[0]["message"].endswith("no stock, line 2")


def test_a_dead_letter_run_that_dies_is_a_dead_letter_and_the_end_of_it(platform: Platform) -> None:
    platform.deploy("stop", "notify", 'throw "the pager is broken"')
    platform.deploy("stop", "orders", 'throw "no"', "POST /orders")
    platform.run("triggers", "set", "stop/alert", "dead_letter", "notify", "--attempts", "1")
    platform.call("POST", "/apps/stop/orders")
    (whole,) = ended(platform, "stop", "dead_letter")
    assert whole["state"] == "dead"
    again = platform.api("POST", f"/invocations/{whole['id']}/replay", {}).json["invocation"]
    platform.api("GET", f"/invocations/{again}?wait=20")
    # One more death, of which the trigger is told, shows that nothing came of the others before it.
    platform.call("POST", "/apps/stop/orders")
    assert len(ended(platform, "stop", "dead_letter", 3)) == 3
    letters = platform.api("GET", "/apps/stop/dead-letters").json["items"]
    assert sorted(each["script"] for each in letters) == ["notify", "notify", "orders", "orders"]


def test_a_log_trigger_runs_for_the_events_that_it_names(platform: Platform) -> None:
    platform.deploy("audited", "audit", example("log"))
    platform.deploy("audited", "hello", "1")
    said = platform.run("triggers", "set", "audited/audit", "log", "audit", "events=Script*").stdout
    assert "events=Script*" in said
    platform.deploy("audited", "hello", "2", "GET /hello")
    (whole,) = ended(platform, "audited", "log")
    assert answer(whole) == {"version": 2}
    (line,) = platform.api("GET", "/apps/audited/logs?script=audit").json["items"]
    assert line["message"].endswith(" token:owner: ScriptDeployed")


def test_a_reaction_that_can_not_run_is_in_the_audit_trail(platform: Platform) -> None:
    platform.deploy("unable", "audit", "1")
    platform.run("triggers", "set", "unable/audit", "log", "audit", "events=*")
    platform.api("POST", "/apps/unable/scripts/audit/disable", {"reason": "holidays"})
    events = wait_until(
        lambda: platform.api("GET", "/events?app=unable&type=ReactionSkipped").json["items"], "the reason"
    )
    assert "unable/audit is disabled: holidays" in events[0]["content"]["reason"]


@pytest.mark.parametrize(
    ("kind", "config", "field", "said"),
    [
        ("log", {"events": "Scirpt*"}, "config.events", "Did you mean 'Script*'?"),
        ("log", {"events": "Requested"}, "config.events", "There are ScriptCreated"),
        ("log", {"events": "a b"}, "config.events", "For example"),
        ("log", {}, "config.events", "needs 'events'"),
        ("dead_letter", {"script": "Orders!"}, "config.script", "can't name a script"),
        ("dead_letter", {"scripts": "orders"}, "config.scripts", "Did you mean 'script'?"),
    ],
)
def test_bad_settings_are_refused_by_name(platform: Platform, kind: str, config: Any, field: str, said: str) -> None:
    platform.deploy("refused", "notify", "1")
    reply = platform.api("PUT", "/apps/refused/triggers/x", {"kind": kind, "script": "notify", "config": config})
    assert (reply.status, reply.json["field"]) == (422, field), reply.text
    assert said in reply.text


def test_ticks_that_queue_run_one_after_the_other(platform: Platform) -> None:
    platform.deploy("queued", "slow", "sleep(1.5); ctx.event.due")
    config = {"cron": "* * * * * *", "overlap": "queue"}
    reply = platform.api("PUT", "/apps/queued/triggers/tick", {"kind": "cron", "script": "slow", "config": config})
    assert reply.status == 200, reply.text
    wait_until(lambda: len(order_of_runs(platform, "queued")) >= 6, "three runs")
    platform.api("DELETE", "/apps/queued/triggers/tick")
    runs = order_of_runs(platform, "queued")
    whole = runs[: len(runs) // 2 * 2]
    assert [topic for topic, _ in whole] == ["Started", "Succeeded"] * (len(whole) // 2)
    dues = [due for topic, due in runs if topic == "Started"]
    assert dues == sorted(dues)
    assert len(set(dues)) == len(dues)


def order_of_runs(platform: Platform, app: str) -> list[tuple[str, datetime]]:
    """Starts and ends of an app's runs in the order of the log, each with when its tick was due."""
    with psycopg.connect(platform.dsn) as connection:
        rows = connection.execute(
            "SELECT e.topic, convert_from(r.state, 'UTF8')::jsonb #>> '{event,attributes,due}' FROM log.events e"
            " JOIN log.events r ON r.originator_id = e.originator_id AND r.originator_version = 1"
            " WHERE e.app = %s AND e.topic IN ('Started', 'Succeeded', 'AttemptFailed') AND r.topic = 'Requested'"
            " ORDER BY e.notification_id",
            (app,),
        ).fetchall()
    return [(topic, datetime.fromisoformat(due)) for topic, due in rows]
