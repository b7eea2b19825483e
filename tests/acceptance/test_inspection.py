"""A run that failed, inspected by the command line as its page shows it; and nothing has changed afterwards."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.platform import PICLOUD, Platform

PAGE = Path(__file__).parents[2] / "docs" / "inspection.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^`([a-z]+\.[a-z]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COST = re.compile(r"[0-9.]+ (µs|ms|s)\b")
AT = re.compile(r"^ +[0-9]+ ms", re.MULTILINE)


def run(platform: Platform, folder: Path, command: str) -> str:
    words = re.findall(r"'[^']*'|\S+", command)[1:]
    done = subprocess.run(
        [str(PICLOUD), *(word.strip("'") for word in words)],
        cwd=folder,
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def comparable(text: str) -> str:
    lines = COST.sub("T", ID.sub("ID", AT.sub(" T", text))).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


def commands(page: str) -> list[tuple[str, str]]:
    """The page's commands with their outputs."""
    found = []
    for language, text in BLOCK.findall(page):
        if language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                found.append((command, output))
    return found


def head(platform: Platform) -> int:
    return int(platform.api("GET", "/events?limit=1").json["items"][0]["position"])


def dead(platform: Platform, app: str, source: str, body: Any = None) -> str:
    """The invocation of a script that fails."""
    platform.deploy(app, "broken", source, "POST /")
    sent = json.dumps(body).encode()
    answer = platform.call("POST", f"/apps/{app}/", sent, {"content-type": "application/json"})
    assert answer.status == 500, answer.text
    return str(answer.headers["picloud-invocation"])


def inspected(platform: Platform, invocation: str, **wanted: Any) -> dict[str, Any]:
    answer = platform.api("POST", f"/invocations/{invocation}/inspection", wanted)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_the_page_shows_what_the_commands_do(platform: Platform, tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, content in NAMED.findall(page):
        (tmp_path / name).write_text(content, encoding="utf-8")
    invocation = ""
    for command, expected in commands(page):
        before = head(platform) if invocation else 0
        output = run(platform, tmp_path, command.replace(" ID", f" {invocation}"))
        if " invoke " in command:
            invocation = output.strip()
            platform.api("GET", f"/invocations/{invocation}?wait=20")
        elif invocation:
            assert head(platform) == before, f"{command} changed the log"
        if "deploy" not in command:
            assert comparable(output) == comparable(expected), f"$ {command}\n{output}"


def test_nothing_is_changed_and_a_replay_still_is_one(platform: Platform, tmp_path: Path) -> None:
    invocation = dead(platform, "unchanged", 'kv::set("n", (kv::get("n") ?? 0) + 1); throw "no";')
    fixed = tmp_path / "fixed.rhai"
    fixed.write_text('kv::set("n", (kv::get("n") ?? 0) + 1); kv::get("n")')
    before = head(platform)
    assert "would have succeeded" in platform.run("replay", "--inspect", invocation, "--script", str(fixed)).stdout
    worse = tmp_path / "worse.rhai"
    worse.write_text("let a = [];\na[1]")
    told = platform.run("replay", "--inspect", invocation, "--script", str(worse), expect=1).stdout
    assert "would have failed too" in told
    assert "2 | a[1]" in told
    assert head(platform) == before
    platform.deploy("unchanged", "broken", fixed.read_text())
    told = platform.run("replay", "--inspect", invocation, "--version", "current").stdout
    assert "with version current it would have succeeded" in told
    platform.run("replay", "--inspect", invocation, "--version", "1", expect=1)
    assert "recorded input" in platform.run("replay", "--inspect", invocation, "-d", "x", expect=2).stderr
    again = json.loads(platform.run("replay", invocation, "--json").stdout)
    assert again["reply"]["body"]["text"] == "1", "no inspection has written anything"


def test_the_invocation_tells_how_to_inspect_it(platform: Platform) -> None:
    invocation = dead(platform, "hinted", "throw 1;")
    assert f"picloud replay --inspect {invocation}" in platform.run("invocation", invocation).stdout


def test_stepping_asks_after_each_step(platform: Platform) -> None:
    invocation = dead(platform, "stepped", "let a = 1;\na = 2;\nthrow a;")
    done = subprocess.run(
        [str(PICLOUD), "replay", "--inspect", invocation, "--step"],
        env=platform.environment,
        input="\nv\nq\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert shown[:3] == ["1 let a = 1; a = 1", "2 a = 2; a: 1 → 2", "a = 2"]
    assert "3 throw a;" not in shown


def test_options_of_inspections_are_refused_without_one(platform: Platform) -> None:
    told = platform.run("replay", "0190", "--trace", expect=2).stderr
    assert "--trace is for --inspect" in told


def test_an_attempt_that_was_lost_with_its_node_is_run_on_its_input(own_platform: Platform) -> None:
    source = "if ctx.invocation.attempt == 1 { sleep(2); } throw `attempt ${ctx.invocation.attempt}`;"
    own_platform.deploy("lost", "slow", source)
    invocation = own_platform.run("invoke", "lost/slow", "--no-wait").stdout.strip()
    deadline = time.monotonic() + 20
    while own_platform.api("GET", f"/invocations/{invocation}").json["state"] != "running":
        assert time.monotonic() < deadline
    for worker in own_platform.processes("worker"):
        worker.kill()
    while True:
        try:
            whole = own_platform.api("GET", f"/invocations/{invocation}?wait=20").json
            if whole["state"] == "dead":
                break
        except OSError:
            pass
        assert time.monotonic() < deadline + 20, own_platform.output[-30:]
    assert [attempt["lost"] for attempt in whole["attempts"]] == [True, False]
    first = inspected(own_platform, invocation, attempt=1)
    assert "lost with its node" in first["notes"][0]
    assert first["result"]["error"]["message"] == "Runtime error: attempt 1"
    assert (first["exact"], first["calls"]) == (False, None)
    second = inspected(own_platform, invocation)
    assert (second["attempt"], second["exact"]) == (2, True)


@pytest.mark.parametrize(
    ("wanted", "status", "field"),
    [
        ({"attempt": 7}, 404, "attempt"),
        ({"attempt": 0}, 422, "attempt"),
        ({"source": ""}, 422, "source"),
        ({"trace": {"limit": 10**6}}, 422, "trace.limit"),
    ],
)
def test_what_can_not_be_inspected_is_refused(
    platform: Platform, wanted: dict[str, Any], status: int, field: str
) -> None:
    invocation = dead(platform, "refused", "throw 1;")
    answer = platform.api("POST", f"/invocations/{invocation}/inspection", wanted)
    assert (answer.status, answer.json["field"]) == (status, field)


def test_inspections_are_for_editors(platform: Platform) -> None:
    invocation = dead(platform, "guarded", "throw 1;")
    issued = json.loads(platform.run("tokens", "issue", "look", "--role", "viewer", "--json").stdout)
    sent = {"Authorization": f"Bearer {issued['token']}"}
    answer = platform.call("POST", f"/api/v1/invocations/{invocation}/inspection", None, sent)
    assert answer.status == 403
