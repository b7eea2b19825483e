"""Durable steps on a whole platform: killed at every step, each is done once; who waits is told so and goes on."""

from __future__ import annotations

import contextlib
import http.client
import random
import time
from collections import Counter
from typing import Any
from uuid import UUID

import psycopg

from tests.acceptance.platform import Platform

STEPS = 40
WORKFLOW = f"""
let receipts = [];
for i in 0..{STEPS} {{
    receipts.push(step(`charge ${{i}}`, || invoke::run("bank", i)));
    kv::incr("between");
}}
#{{receipts: receipts, luck: random::int(0, 1000000)}}
"""
BANK = """
let i = ctx.event.data;
kv::incr(`charged/${i}`);
sleep(0.02);
`receipt ${i}`
"""
CAST = ["executor"] * 18 + ["worker"] * 2
"""Who is killed: an executor most of the time, for that takes the least time to mend."""


def test_a_workflow_of_forty_steps_survives_a_kill_at_each(own_platform: Platform) -> None:
    """At one of them everything is killed at once, the database too."""
    own_platform.deploy("shop", "bank", BANK)
    own_platform.deploy("shop", "workflow", WORKFLOW)
    dice = random.Random(40)
    asked = own_platform.api("POST", "/apps/shop/scripts/workflow/invocations", {})
    workflow = UUID(asked.json["invocation"])
    killed: Counter[str] = Counter()
    for number in range(STEPS):
        wait_for_checkpoints(own_platform.dsn, workflow, number)
        # Anywhere between a commit and the next one.
        time.sleep(dice.random() * 0.06)
        role = "everything" if number == STEPS // 2 else dice.choice(CAST)
        killed[role] += 1
        if role == "everything":
            own_platform.kill()
            own_platform.start()
        else:
            dice.choice(own_platform.some(role)).kill()
    whole = ended(own_platform, workflow)
    assert whole["state"] == "succeeded", whole["reason"]
    assert [step["name"] for step in whole["steps"]] == [f"charge {i}" for i in range(STEPS)]
    receipts = ",".join(f'"receipt {i}"' for i in range(STEPS))
    assert f"[{receipts}]" in whole["reply"]["body"]["text"]
    with psycopg.connect(own_platform.dsn) as connection:
        values = dict(connection.execute("SELECT key, value FROM kv.entries WHERE app = 'shop'").fetchall())
        done = connection.execute(
            "SELECT count(*) FROM log.events WHERE app = 'shop' AND topic = 'KeyIncremented'"
        ).fetchone()
    assert values == {"between": str(STEPS)} | {f"charged/{i}": "1" for i in range(STEPS)}
    assert done == (2 * STEPS,), "nothing was done twice"
    assert sum(bool(attempt.get("lost")) for attempt in whole["attempts"]) >= STEPS // 4, killed


def test_who_calls_a_workflow_that_waits_is_told_where_it_goes_on(platform: Platform) -> None:
    for durability in ("outbox", "outcome"):
        app = f"waiting-{durability}"
        source = 'step("a", || 1); let came = wait_for("go", "1h"); `went ${came.data}`'
        platform.deploy(app, "workflow", source, "POST /go", durability=durability)
        headers = {"Idempotency-Key": "one"}
        answer = platform.call("POST", f"/apps/{app}/go", headers=headers)
        invocation = answer.headers["picloud-invocation"]
        assert (answer.status, answer.json) == (202, {"invocation": invocation})
        assert answer.headers["location"] == f"/api/v1/invocations/{invocation}"
        assert "preference-applied" not in answer.headers
        again = platform.call("POST", f"/apps/{app}/go", headers=headers)
        assert (again.status, again.headers["picloud-invocation"]) == (202, invocation)
        assert again.headers["idempotent-replayed"] == "true"
        wait_for_state(platform, app, invocation, "suspended")
        (listed,) = platform.api("GET", f"/apps/{app}/invocations?state=suspended").json["items"]
        assert (listed["id"], listed["waits_for"]) == (invocation, "go")
        platform.run("publish", app, "go", "-d", "7")
        whole = ended(platform, UUID(invocation))
        assert whole["reply"]["body"]["text"] == "went 7"
        done = platform.call("POST", f"/apps/{app}/go", headers=headers)
        assert (done.status, done.text) == (200, "went 7")


def test_a_workflow_that_sleeps_goes_on_after_a_restart_and_is_replayed_anew(own_platform: Platform) -> None:
    source = 'let n = step("a", || { kv::incr("runs"); 1 }); sleep("2s"); kv::get("runs", 0) + n'
    own_platform.deploy("sleepy", "workflow", source)
    asked = own_platform.api("POST", "/apps/sleepy/scripts/workflow/invocations", {}).json["invocation"]
    wait_for_checkpoints(own_platform.dsn, UUID(asked), 2)
    own_platform.kill()
    own_platform.start()
    assert ended(own_platform, UUID(asked))["reply"]["body"]["text"] == "2"
    again = own_platform.api("POST", f"/invocations/{asked}/replay", {}).json["invocation"]
    assert ended(own_platform, UUID(again))["reply"]["body"]["text"] == "3", "the step is done again"


def test_a_suspended_workflow_is_cancelled_by_command(platform: Platform) -> None:
    platform.deploy("cancelled", "workflow", 'sleep("1h")')
    asked = platform.api("POST", "/apps/cancelled/scripts/workflow/invocations", {}).json["invocation"]
    wait_for_state(platform, "cancelled", asked, "suspended")
    assert asked in platform.run("invocations", "cancelled", "--state", "suspended").stdout
    platform.run("cancel", "--app", "cancelled", "--state", "suspended", "--yes")
    assert ended(platform, UUID(asked))["state"] == "cancelled"


def test_a_node_that_was_cut_off_is_fenced_at_its_next_step(own_platform: Platform, tmp_path: Any) -> None:
    """Its session is ended by the database: the others take its run over while it goes on with it."""
    source = """
    for i in 0..30 { step(`s${i}`, || { kv::incr(`done/${i}`); sleep(0.03); i }); }
    "done"
    """
    own_platform.deploy("cut", "workflow", source)
    with psycopg.connect(own_platform.dsn, autocommit=True) as connection:
        asked = own_platform.api("POST", "/apps/cut/scripts/workflow/invocations", {}).json["invocation"]
        for number in (3, 9, 15):
            wait_for_checkpoints(own_platform.dsn, UUID(asked), number)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%identity%'"
                " OR application_name LIKE '%node'"
            )
        whole = ended(own_platform, UUID(asked))
        values = dict(connection.execute("SELECT key, value FROM kv.entries WHERE app = 'cut'").fetchall())
    assert whole["state"] == "succeeded", whole["reason"]
    assert [step["name"] for step in whole["steps"]] == [f"s{i}" for i in range(30)]
    assert values == {f"done/{i}": "1" for i in range(30)}


def ended(platform: Platform, invocation: UUID) -> dict[str, Any]:
    """The invocation, when it has ended."""
    end = time.monotonic() + 90.0
    while True:
        whole: dict[str, Any] = {}
        # Whoever was killed last may have had the connection.
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = platform.api("GET", f"/invocations/{invocation}?wait=20")
            whole = answer.json if answer.status == 200 else {}
        if whole.get("ended_at") is not None:
            return whole
        assert time.monotonic() < end, whole
        time.sleep(0.05)


def wait_for_state(platform: Platform, app: str, invocation: str, state: str) -> None:
    """Wait until the history of invocations says so."""
    end = time.monotonic() + 20.0
    while True:
        items = platform.api("GET", f"/apps/{app}/invocations?state={state}").json["items"]
        if invocation in [item["id"] for item in items]:
            return
        assert time.monotonic() < end, f"{invocation} isn't {state}"
        time.sleep(0.05)


def wait_for_checkpoints(dsn: str, invocation: UUID, count: int) -> None:
    """Wait until the invocation has passed so many."""
    end = time.monotonic() + 60.0
    with psycopg.connect(dsn, autocommit=True) as connection:
        query = "SELECT count(*) FROM log.events WHERE originator_id = %s AND topic IN ('StepCompleted', 'Suspended')"
        while True:
            row = connection.execute(query, (invocation,)).fetchone()
            assert row is not None
            if row[0] >= count:
                return
            assert time.monotonic() < end, f"only {row[0]} checkpoints of {count}"
            time.sleep(0.005)
