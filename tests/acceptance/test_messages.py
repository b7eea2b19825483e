"""Topics and queues on a real platform, by scripts, API and command line."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.platform import Platform

TOLD = "#{event: ctx.event, request: ctx.request}"
PAGE = Path(__file__).parents[2] / "docs" / "triggers.md"


def wait_until(seen: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """What ``seen`` gives once that is something; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)
    return found


def set_trigger(platform: Platform, app: str, name: str, kind: str, script: str = "told", **content: Any) -> Any:
    answer = platform.api("PUT", f"/apps/{app}/triggers/{name}", {"kind": kind, "script": script, **content})
    assert answer.status == 200, answer.text
    return answer.json


def ended(platform: Platform, invocation: str) -> dict[str, Any]:
    whole: dict[str, Any] = platform.api("GET", f"/invocations/{invocation}?wait=20").json
    assert whole["ended_at"], whole
    return whole


def told(platform: Platform, invocation: str) -> dict[str, Any]:
    """What the script of an invocation found in ``ctx.event``."""
    event: dict[str, Any] = json.loads(ended(platform, invocation)["reply"]["body"]["text"])["event"]
    return event


def asked(platform: Platform, app: str, trigger: str) -> list[str]:
    """The invocations that a trigger asked for, as the log has them."""
    events = platform.api("GET", f"/events?app={app}&type=Requested&limit=1000&order=asc").json["items"]
    return [event["stream"] for event in events if event["content"]["trigger"]["name"] == trigger]


def depth(platform: Platform, app: str, queue: str) -> dict[str, Any]:
    shown: dict[str, Any] = platform.api("GET", f"/apps/{app}/queues/{queue}").json
    return shown


def send(platform: Platform, app: str, queue: str, content: Any, **headers: str) -> list[str]:
    answer = platform.api("POST", f"/apps/{app}/queues/{queue}/messages", content, **headers)
    assert answer.status == 202, answer.text
    messages: list[str] = answer.json["messages"]
    return messages


def test_everyone_who_subscribes_gets_a_message_once(platform: Platform) -> None:
    platform.deploy("news", "told", TOLD)
    for name, pattern in {"one": "orders.*", "all": "orders.>", "other": "invoices.*"}.items():
        set_trigger(platform, "news", name, "topic", config={"topic": pattern})
    answer = platform.api("POST", "/apps/news/topics/orders.created?ordering_key=7", {"id": 7})
    assert answer.status == 202
    assert set(answer.json["invocations"]) == {"one", "all"}
    for name, invocation in answer.json["invocations"].items():
        event = told(platform, invocation)
        assert (event["type"], event["trigger"], event["data"]) == ("topic", name, {"id": 7})
        assert (event["topic"], event["id"], event["ordering_key"]) == ("orders.created", answer.json["message"], "7")
        assert datetime.now(UTC) - datetime.fromisoformat(event["sent_at"]) < timedelta(minutes=1)
        requested = ended(platform, invocation)["events"][0]
        assert requested["causation_id"] == answer.json["message"]


def test_a_message_may_be_anything(platform: Platform) -> None:
    platform.deploy("any", "told", "ctx.event.data")
    set_trigger(platform, "any", "all", "topic", config={"topic": ">"})
    for content_type, body in {"text/plain": b"gr\xc3\xbc\xc3\x9f", "application/octet-stream": b"\xff\x00"}.items():
        headers = {"Authorization": f"Bearer {platform.token}", "Content-Type": content_type}
        answer = platform.call("POST", "/api/v1/apps/any/topics/a", body, headers)
        reply = ended(platform, answer.json["invocations"]["all"])["reply"]
        assert reply["body"]["text"] == "grüß" if content_type == "text/plain" else reply["body"]["base64"] == "/wA="
    assert platform.api("POST", "/apps/any/topics/a").status == 202


def test_a_message_is_published_once_under_its_key(platform: Platform) -> None:
    platform.deploy("once", "told", TOLD)
    set_trigger(platform, "once", "all", "topic", config={"topic": ">"})
    where = "/apps/once/topics/a.b"
    first = platform.api("POST", where, {"n": 1}, Idempotency_Key="k")
    again = platform.api("POST", where, {"n": 1}, Idempotency_Key="k")
    assert (first.json, again.headers["idempotent-replayed"]) == (again.json, "true")
    other = platform.api("POST", where, {"n": 2}, Idempotency_Key="k")
    assert (other.status, other.json["field"]) == (422, "Idempotency-Key")
    ended(platform, first.json["invocations"]["all"])
    assert len(asked(platform, "once", "all")) == 1


def test_whoever_is_left_out_is_named(platform: Platform) -> None:
    platform.deploy("left", "told", TOLD)
    platform.deploy("left", "off", TOLD)
    set_trigger(platform, "left", "paused", "topic", config={"topic": "a"})
    set_trigger(platform, "left", "off", "topic", "off", config={"topic": "a"})
    platform.api("POST", "/apps/left/triggers/paused/pause", {"note": "moving house"})
    platform.api("POST", "/apps/left/scripts/off/disable", {"reason": "holidays"})
    answer = platform.api("POST", "/apps/left/topics/a", 1).json
    assert answer["invocations"] == {}
    assert answer["left_out"] == {"paused": "it is paused: moving house", "off": "left/off is disabled: holidays"}
    events = platform.api("GET", "/events?app=left&type=MessagePublished").json["items"]
    assert events[0]["content"]["left_out"] == answer["left_out"]


PUBLISHES = """
kv::set("state", ctx.request.path);
let id = topic::publish("orders.created", #{from: ctx.request.path}, #{ordering_key: "k"});
queue::send("work", #{from: ctx.request.path});
if ctx.request.path == "/fails" { throw "late"; }
if ctx.request.path == "/answers" { throw #{status: 409}; }
id
"""


def test_messages_of_a_run_go_out_with_its_success_or_not_at_all(platform: Platform) -> None:
    platform.deploy("whole", "told", TOLD)
    set_trigger(platform, "whole", "listens", "topic", config={"topic": "orders.*"})
    set_trigger(platform, "whole", "listens-too", "topic", config={"topic": "orders.created"})
    set_trigger(platform, "whole", "work", "queue")
    platform.deploy("whole", "publishes", PUBLISHES, "POST /{any}", durability="outcome")
    assert platform.call("POST", "/apps/whole/fails").status == 500
    assert platform.call("POST", "/apps/whole/answers").status == 409
    answer = platform.call("POST", "/apps/whole/works")
    assert answer.status == 200
    for name in ("listens", "listens-too", "work"):
        (invocation,) = asked(platform, "whole", name)
        event = told(platform, invocation)
        assert event["data"] == {"from": "/works"}
        whole = ended(platform, invocation)
        cause = answer.text if name != "work" else answer.headers["picloud-invocation"]
        assert whole["events"][0]["causation_id"] == cause
        assert (
            whole["correlation_id"]
            == platform.api("GET", f"/events?stream={answer.text}").json["items"][0]["correlation_id"]
        )
    assert len(platform.api("GET", "/events?app=whole&type=MessagePublished").json["items"]) == 1


def test_a_message_is_run_when_it_is_due(platform: Platform) -> None:
    platform.deploy("later", "told", TOLD)
    set_trigger(platform, "later", "work", "queue")
    (message,) = send(platform, "later", "work", {"data": 1, "delay": "1s"})
    (far,) = send(platform, "later", "work", {"data": 2, "due": (datetime.now(UTC) + timedelta(days=1)).isoformat()})
    whole = ended(platform, message)
    began = datetime.fromisoformat(whole["attempts"][0]["started_at"])
    sent = datetime.fromisoformat(told(platform, message)["sent_at"])
    assert timedelta(seconds=1) <= began - sent < timedelta(seconds=6)
    assert depth(platform, "later", "work")["delayed"] == 1
    assert platform.api("GET", f"/invocations/{far}").json["state"] == "pending"


def test_a_paused_queue_holds_what_is_sent_until_it_is_resumed(platform: Platform) -> None:
    platform.deploy("held", "told", TOLD)
    set_trigger(platform, "held", "work", "queue")
    platform.run("triggers", "pause", "held/work", "--note", "moving house")
    messages = send(platform, "held", "work", [{"data": n, "ordering_key": "k"} for n in range(3)])
    messages += send(platform, "held", "work", {"data": 3})
    found = depth(platform, "held", "work")
    assert (found["ready"], found["behind"], found["running"], found["paused"]) == (2, 2, 0, "moving house")
    assert found["oldest_seconds"] > 0
    metrics = platform.call("GET", "/metrics", headers={"Authorization": f"Bearer {platform.token}"}).text
    assert 'picloud_queue_messages{app="held",queue="work",state="behind"} 2.0' in metrics
    refused = platform.api("DELETE", "/apps/held/triggers/work")
    assert (refused.status, "holds 4 messages" in refused.json["detail"]) == (409, True)
    assert "purge" in refused.json["remedy"]
    platform.run("triggers", "resume", "held/work")
    assert [told(platform, message)["data"] for message in messages] == [0, 1, 2, 3]
    starts = [ended(platform, message)["attempts"][0]["started_at"] for message in messages[:3]]
    assert starts == sorted(starts), "one ordering key, one after the other"
    empty = wait_until(
        lambda: depth(platform, "held", "work") if not _held(platform, "held") else None, "an empty queue"
    )
    assert empty["oldest_seconds"] == 0
    assert platform.api("DELETE", "/apps/held/triggers/work").status == 204


def _held(platform: Platform, app: str) -> int:
    found = depth(platform, app, "work")
    return int(found["ready"] + found["delayed"] + found["behind"] + found["running"])


def test_a_purge_calls_off_what_waits_and_says_why(platform: Platform) -> None:
    platform.deploy("purged", "told", TOLD)
    set_trigger(platform, "purged", "work", "queue")
    platform.run("triggers", "pause", "purged/work")
    lines = "\n".join(json.dumps({"n": n}) for n in range(1_200))
    sent = platform.run("send", "purged/work", "--lines", "-d", lines, "--key", "k").stdout.split()
    assert len(set(sent)) == 1_200
    assert platform.run("queues", "purged").stdout.splitlines()[1].startswith("work\ttold\t1\t0\t1199\t0")
    said = platform.run("queues", "purge", "purged/work", "--yes", "--reason", "a mistake").stdout
    assert said == "called off 1,200 messages of purged/work\n"
    for message in (sent[0], sent[-1]):
        whole = platform.api("GET", f"/invocations/{message}").json
        assert (whole["state"], whole["reason"], whole["attempts"]) == ("cancelled", "a mistake", [])
    assert _held(platform, "purged") == 0
    platform.run("triggers", "resume", "purged/work")
    (after,) = send(platform, "purged", "work", {"data": "after", "ordering_key": "k"})
    assert told(platform, after)["data"] == "after"


def test_a_batch_fails_those_that_the_script_names(platform: Platform) -> None:
    text = PAGE.read_text().partition("**Batches.**")[2]
    example = text.partition("```rhai\n")[2].partition("```")[0]
    platform.deploy("batch", "checks", f"print(ctx.event.messages.len());\n{example}")
    config, retry = {"batch": 10, "batch_wait": "1s"}, {"attempts": 1}
    set_trigger(platform, "batch", "work", "queue", "checks", config=config, retry=retry)
    totals = [5, -1, 7]
    messages = send(platform, "batch", "work", [{"data": {"total": total}} for total in totals])
    for total, message in zip(totals, messages, strict=True):
        whole = ended(platform, message)
        assert whole["state"] == ("dead" if total < 0 else "succeeded")
        if total < 0:
            error = whole["attempts"][0]["error"]
            assert (error["kind"], error["message"]) == ("MessageFailed", "a negative total")
            assert whole["logs"][0]["message"] == "3", "all were in one run"
    wait_until(lambda: depth(platform, "batch", "work")["dead_letters"] == 1, "the dead letter")


FORWARDS = """
for message in ctx.event.messages {
    topic::publish("forwarded", message.data);
}
#{failed: if ctx.event.messages[0].attempt == 1 { [ctx.event.messages[0].id] } else { [] }}
"""


def test_what_a_batch_sends_is_sent_also_if_its_first_message_fails_and_is_tried_again(platform: Platform) -> None:
    platform.deploy("partly", "forwards", FORWARDS)
    platform.deploy("partly", "told", TOLD)
    retry = {"attempts": 2, "delays": ["0s"]}
    set_trigger(platform, "partly", "work", "queue", "forwards", config={"batch": 2, "batch_wait": "5s"}, retry=retry)
    set_trigger(platform, "partly", "listens", "topic", config={"topic": "forwarded"})
    messages = send(platform, "partly", "work", [{"data": n, "ordering_key": str(n)} for n in range(2)])
    assert [len(ended(platform, message)["attempts"]) for message in messages] == [2, 1]
    heard = asked(platform, "partly", "listens")
    assert sorted(told(platform, each)["data"] for each in heard) == [0, 0, 1]
    assert {ended(platform, each)["events"][0]["causation_id"] for each in heard}.isdisjoint(messages)


def test_many_are_sent_once_under_their_key(platform: Platform) -> None:
    platform.deploy("many", "told", TOLD)
    set_trigger(platform, "many", "work", "queue")
    messages = [{"data": n} for n in range(5)]
    first = send(platform, "many", "work", messages, Idempotency_Key="k")
    assert send(platform, "many", "work", messages, Idempotency_Key="k") == first
    where = "/apps/many/queues/work/messages"
    assert platform.api("POST", where, [*messages, {"data": 5}], Idempotency_Key="k").status == 422
    assert {told(platform, message)["data"] for message in first} == set(range(5))
    assert len(asked(platform, "many", "work")) == 5


@pytest.mark.parametrize(
    ("where", "content", "status", "field"),
    [
        ("queues/wrk/messages", {"data": 1}, 404, "queue"),
        ("queues/listens/messages", {"data": 1}, 404, "queue"),
        ("queues/work/messages", {"data": 1, "delay": "soon"}, 422, "delay"),
        ("queues/work/messages", [{"data": 1}, {"data": 1, "delay": "soon"}], 422, "1.delay"),
        ("queues/work/messages", {"data": 1, "due": "2030-01-01T00:00:00"}, 422, "due"),
        ("queues/work/messages", {"data": 1, "priority": 10}, 422, "priority"),
        ("queues/work/messages", {"data": 1, "ordering_key": "k" * 256}, 422, "ordering_key"),
        ("queues/work/messages", {"data": 1, "dely": "5m"}, 422, "dely"),
        ("queues/work/messages", {"data": "x" * 300_000}, 422, "data"),
        ("queues/work/messages", [], 422, None),
        ("queues/work/messages", [{"data": 1}] * 1_001, 422, None),
        ("topics/a..b", {"data": 1}, 422, "topic"),
        ("topics/a.*", {"data": 1}, 422, "topic"),
        ("topics/a", "x" * 300_000, 422, "data"),
        ("topics/a?priority=10", 1, 400, "priority"),
        ("topics/a?delay=soon", 1, 422, "delay"),
        ("topics/a?key=soon", 1, 400, "key"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name_and_nothing_is(
    platform: Platform, where: str, content: Any, status: int, field: str | None
) -> None:
    platform.deploy("refused", "told", TOLD)
    set_trigger(platform, "refused", "work", "queue")
    set_trigger(platform, "refused", "listens", "topic", config={"topic": ">"})
    answer = platform.api("POST", f"/apps/refused/{where}", content)
    assert (answer.status, answer.json.get("field")) == (status, field), answer.text
    assert asked(platform, "refused", "work") == asked(platform, "refused", "listens") == []


def test_the_commands_of_a_session(platform: Platform) -> None:
    run = platform.run
    platform.deploy("shop", "told", TOLD)
    run("triggers", "set", "shop/mail", "topic", "told", "topic=orders.*")
    run("triggers", "set", "shop/orders", "queue", "told", "--concurrency", "3", "--ordering-key", "data.id")
    said = run("publish", "shop", "orders.created", "-d", '{"id": 7}', "--key", "7").stdout
    assert re.search(r"^  mail: [0-9a-f-]{36}$", said, re.MULTILINE)
    assert "nobody subscribes to other" in run("publish", "shop", "other").stderr
    shown = run("topics", "shop").stdout
    assert "orders.*\tmail\ttold\ton" in shown
    assert "\torders.created\t7\tmail\t" in shown
    assert json.loads(run("topics", "shop", "--topic", "a.b", "--json").stdout)["subscriptions"] == []
    message = run("send", "shop/orders", "-d", '{"id": 8}', "--priority", "5").stdout.strip()
    event = told(platform, message)
    assert (event["data"], event["id"]) == ({"id": 8}, message)
    assert "did you mean" in run("send", "shop/ordrs", "-d", "1", expect=1).stderr.lower()
    assert "no JSON" in run("send", "shop/orders", "-d", "{", expect=2).stderr
    sample = json.loads(run("triggers", "sample", "shop/mail").stdout)
    assert (sample["type"], sample["topic"]) == ("topic", "orders.sample")
    fired = run("triggers", "fire", "shop/mail", "--sample").stdout
    assert '"topic":"orders.sample"' in fired
    item = json.loads(run("triggers", "show", "shop/orders", "--json").stdout)["flow"]
    assert (item["concurrency"], item["ordering_key"]) == (3, "data.id")
    assert "did you mean" in run("triggers", "set", "shop/x", "queue", "told", "bach=3", expect=1).stderr.lower()


def test_the_examples_of_the_page_run(platform: Platform) -> None:
    text = PAGE.read_text().partition("## Messages")[2].partition("\n## ")[0]
    platform.deploy("page", "told", TOLD)
    for queue in ("invoices", "reminders"):
        set_trigger(platform, "page", queue, "queue")
    found = re.findall(r"```rhai\n(.*?)```", text, re.DOTALL)
    assert len(found) == 2
    for number, source in enumerate(found):
        platform.deploy("page", f"example-{number}", source, f"POST /{number}")
        answer = platform.call("POST", f"/apps/page/{number}")
        assert answer.status in (200, 204), answer.text
    assert len(platform.api("GET", "/events?app=page&type=MessagePublished").json["items"]) == 2
    assert len(asked(platform, "page", "reminders")) == 2
