"""The main job, by the commands that the README shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.platform import Platform

ROUTE = ("--route", "GET /greet/{name}")


def deploy(platform: Platform, folder: Path, source: str, *options: str, expect: int = 0) -> Any:
    file = folder / "greet.rhai"
    file.write_text(source)
    return platform.run("deploy", str(file), *options, expect=expect)


def lines(platform: Platform, *arguments: str) -> list[Any]:
    return [json.loads(line) for line in platform.run(*arguments, "--json").stdout.splitlines()]


def test_deploy_call_look_and_go_back(platform: Platform, tmp_path: Path) -> None:
    app = ("--app", "session")
    done = deploy(platform, tmp_path, 'print("one"); "one"', *app, *ROUTE)
    assert done.stdout == f"{platform.url}/apps/session/greet/{{name}}\n"
    assert platform.call("GET", "/apps/session/greet/ada").text == "one"
    deploy(platform, tmp_path, '"two"', *app)
    assert platform.call("GET", "/apps/session/greet/ada").text == "two", "a write is seen by the next call"
    assert "unchanged" in deploy(platform, tmp_path, '"two"', *app).stderr
    versions = json.loads(platform.run("versions", "session/greet", "--json").stdout)
    assert [(version["number"], version["current"]) for version in versions] == [(2, True), (1, False)]
    platform.run("rollback", "session/greet", "1")
    answer = platform.call("GET", "/apps/session/greet/ada")
    assert answer.text == "one"
    assert platform.run("pull", "session/greet").stdout == 'print("one"); "one"'

    invocation = answer.headers["picloud-invocation"]
    history = {item["id"]: item for item in _until(lambda: lines(platform, "invocations", "session"), invocation)}
    assert (history[invocation]["state"], history[invocation]["version"]) == ("succeeded", 1)
    logged = _until(lambda: lines(platform, "logs", "session"), invocation, key="invocation")
    assert [line["message"] for line in logged if line["invocation"] == invocation] == ["one"]
    shown = platform.run("invocation", invocation).stdout
    assert "session/greet version 1" in shown
    assert "Succeeded" in shown


def test_the_audit_trail_tells_who_when_and_why_page_by_page(platform: Platform, tmp_path: Path) -> None:
    deploy(platform, tmp_path, '"x"', "--app", "audit", *ROUTE)
    invocation = platform.call("GET", "/apps/audit/greet/ada").headers["picloud-invocation"]
    events = lines(platform, "events", "--app", "audit", "--oldest-first", "-n", "100")
    kinds = [event["type"] for event in events]
    assert kinds[:4] == ["AppCreated", "ScriptCreated", "ScriptDeployed", "RouteAdded"]
    assert kinds[-3:] == ["Requested", "Started", "Succeeded"]
    assert {event["actor"] for event in events[:4]} == {"token:owner"}
    assert len({event["correlation_id"] for event in events[:4]}) == 1, "one request, one root cause"
    assert events[-1]["causation_id"] == invocation
    first = platform.api("GET", "/events?app=audit&limit=3").json
    second = platform.api("GET", f"/events?app=audit&limit=3&cursor={first['next']}").json
    positions = [event["position"] for event in first["items"] + second["items"]]
    assert positions == sorted(positions, reverse=True)
    assert len(set(positions)) == 6


def test_a_failed_call_is_replayed_on_the_mended_script_as_a_new_invocation(platform: Platform, tmp_path: Path) -> None:
    app = ("--app", "mend")
    deploy(platform, tmp_path, "let n = 0;\nlet answer = 10 / n;\nanswer", *app, *ROUTE)
    failed = platform.call("GET", "/apps/mend/greet/ada")
    assert failed.status == 500
    assert failed.json["kind"] == "ErrorArithmetic"
    assert "Division by zero" not in failed.text, "what went wrong inside is told to the owner, not to callers"
    invocation = failed.json["invocation"]
    whole = platform.api("GET", f"/invocations/{invocation}").json
    error = whole["attempts"][0]["error"]
    assert error["message"].startswith("Division by zero: 10 / 0")
    deploy(platform, tmp_path, "`mended ${ctx.request.params.name}`", *app)
    again = platform.run("replay", invocation)
    assert "mended ada" in again.stdout
    replayed = platform.api("GET", f"/invocations/{again.stdout.split()[0]}").json
    assert (replayed["replay_of"], replayed["version"]) == (invocation, 2)
    assert replayed["correlation_id"] == whole["correlation_id"]
    assert platform.api("GET", f"/invocations/{invocation}").json["state"] == "dead", "the old one stays as it was"
    platform.run("replay", invocation, "--version", "original", expect=1)


def test_a_syntax_error_is_told_with_its_place_and_nothing_is_deployed(platform: Platform, tmp_path: Path) -> None:
    refused = deploy(platform, tmp_path, "let a = 1;\nlet b = ;\n", "--app", "broken", *ROUTE, expect=1)
    assert "greet.rhai:2:9:" in refused.stderr
    assert "2 | let b = ;\n    |         ^" in refused.stderr
    answer = platform.api("PUT", "/apps/broken/scripts/greet", {"source": "let a = 1;\nlet b = ;\n"})
    assert (answer.status, answer.json["line"], answer.json["column"]) == (422, 2, 9)
    assert platform.api("GET", "/apps/broken").status == 404
    answer = platform.api("PUT", "/apps/broken/scripts/greet", {"source": "let a = null;"})
    assert answer.json["detail"] == "'null' is a reserved keyword"
    assert answer.json["advice"] == ["the value that means nothing is `()`"]


def test_a_failed_call_shows_the_line_and_what_was_meant(platform: Platform, tmp_path: Path) -> None:
    source = "fn price(item) {\n    item.cost * factr\n}\nlet factor = 2;\nprice(#{ cost: 3 })"
    deploy(platform, tmp_path, source, "--app", "meant", *ROUTE)
    invocation = platform.call("GET", "/apps/meant/greet/ada").json["invocation"]
    shown = platform.run("invocation", invocation).stdout
    assert "ErrorVariableNotFound: Variable not found: factr" in shown
    assert "  2 |     item.cost * factr\n      |                 ^\n" in shown
    assert "  5 | price(#{ cost: 3 })\n      | ^ `price` is called here" in shown


def test_two_editors_do_not_overwrite_each_other_unknowingly(platform: Platform, tmp_path: Path) -> None:
    app = ("--app", "editors")
    deploy(platform, tmp_path, '"mine"', *app)
    other = platform.api("PUT", "/apps/editors/scripts/greet", {"source": '"theirs"'}, If_Match='"1"')
    assert (other.status, other.headers["etag"]) == (201, '"2"')
    stale = platform.api("PUT", "/apps/editors/scripts/greet", {"source": '"stale"'}, If_Match='"1"')
    assert stale.status == 412
    assert "someone else deployed" in stale.json["detail"]
    assert stale.json["remedy"]
    refused = deploy(platform, tmp_path, '"mine again"', *app, expect=1)
    assert "is at version 2" in refused.stderr
    assert "--force" in refused.stderr
    deploy(platform, tmp_path, '"mine again"', *app, "--force")


def test_every_projection_is_rebuilt_equal(platform: Platform) -> None:
    names = [item["name"] for item in json.loads(platform.run("projections", "--json").stdout)]
    assert {"catalog", "invocations", "logs", "outbox", "kv"} <= set(names)
    for name in names:
        assert "every row was the same" in platform.run("projections", "rebuild", name, "--verify").stdout


def test_a_disabled_script_says_why_and_takes_calls_again(platform: Platform, tmp_path: Path) -> None:
    deploy(platform, tmp_path, '"on"', "--app", "switch", *ROUTE)
    platform.run("disable", "switch/greet", "--reason", "being mended")
    refused = platform.call("GET", "/apps/switch/greet/ada")
    assert (refused.status, refused.json["detail"]) == (503, "switch/greet is disabled: being mended")
    platform.run("enable", "switch/greet")
    assert platform.call("GET", "/apps/switch/greet/ada").text == "on"


def test_a_script_is_run_without_a_route_on_the_body_that_is_given(platform: Platform, tmp_path: Path) -> None:
    deploy(platform, tmp_path, "`${ctx.request.method} ${ctx.request.body}`", "--app", "called")
    done = platform.run("invoke", "called/greet", "--body", "some text")
    assert "POST some text" in done.stdout
    file = tmp_path / "body.json"
    file.write_text('{"a": 1}')
    whole = json.loads(platform.run("invoke", "called/greet", "-d", f"@{file}", "--method", "PUT", "--json").stdout)
    assert (whole["state"], whole["reply"]["body"]["text"]) == ("succeeded", 'PUT {"a": 1}')
    again = json.loads(platform.run("replay", whole["id"], "--no-wait", "--json").stdout)
    assert platform.api("GET", f"/invocations/{again['invocation']}").json["replay_of"] == whole["id"]


def test_a_token_is_issued_and_revoked_by_what_the_commands_print(platform: Platform) -> None:
    issued = json.loads(platform.run("tokens", "issue", "ci", "--role", "viewer", "--json").stdout)
    assert platform.run("apps", "--token", issued["token"])
    revoked = json.loads(platform.run("tokens", "revoke", issued["id"], "--json").stdout)
    assert revoked == {"id": issued["id"], "revoked": True}
    platform.run("apps", "--token", issued["token"], expect=1)


def _until(read: Any, wanted: str, *, key: str = "id") -> list[Any]:
    """What ``read`` gives once the projection shows ``wanted``."""
    import time

    end = time.monotonic() + 10
    while True:
        found: list[Any] = read()
        if any(item[key] == wanted for item in found):
            return found
        assert time.monotonic() < end, f"{wanted} does not show"


def test_invocations_are_found_by_their_trigger(platform: Platform, tmp_path: Path) -> None:
    deploy(platform, tmp_path, "1", "--app", "triggers", *ROUTE)
    called = platform.call("GET", "/apps/triggers/greet/ada").headers["picloud-invocation"]
    asked = json.loads(platform.run("invoke", "triggers/greet", "--json").stdout)["id"]
    _until(lambda: lines(platform, "invocations", "triggers"), asked)
    for trigger, found in (("http", called), ("api", asked), ("GET /greet/{name}", called)):
        assert [item["id"] for item in lines(platform, "invocations", "triggers", "--trigger", trigger)] == [found]


def test_nodes_are_listed(platform: Platform) -> None:
    nodes = lines(platform, "nodes")
    assert {node["state"] for node in nodes} >= {"live"}
    assert all(node["pid"] > 0 and node["capacity"] > 0 for node in nodes)
