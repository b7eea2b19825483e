"""What used up its attempts waits for somebody: to be listed, replayed, or given up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.acceptance.platform import Platform

PICKY = "let given = ctx.request.json; if given.amount < 0 { throw `no amount: ${given.amount}`; } given.amount"


def letters(platform: Platform, app: str, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in platform.run("dead-letters", app, "--json", *options).stdout.splitlines()]


def soon(look: Callable[[], list[dict[str, Any]]], *, count: int) -> list[dict[str, Any]]:
    """What is found when there are so many; the projection is a moment behind."""
    deadline = time.monotonic() + 10
    while len(found := look()) != count:
        assert time.monotonic() < deadline, f"expected {count}, found {found}"
    return found


def dead(platform: Platform, app: str, body: str) -> str:
    answer = platform.call("POST", f"/apps/{app}/pay", body.encode(), {"content-type": "application/json"})
    assert answer.status == 500, answer.text
    return str(answer.headers["picloud-invocation"])


def test_a_dead_letter_is_saved_by_a_replay_with_a_mended_body(platform: Platform) -> None:
    platform.deploy("letters", "pay", PICKY, "POST /pay")
    first = dead(platform, "letters", '{"amount": -5}')
    (letter,) = soon(lambda: letters(platform, "letters"), count=1)
    assert (letter["id"], letter["state"], letter["attempts"], letter["replays"]) == (first, "open", 1, 0)
    assert (letter["error_kind"], letter["error_message"]) == ("ErrorRuntime", "Runtime error: no amount: -5")
    assert (letter["script"], letter["route"], letter["error_line"]) == ("pay", "POST /pay", 1)

    platform.run("replay", first, expect=1)
    (letter,) = soon(lambda: [each for each in letters(platform, "letters") if each["replays"]], count=1)
    assert (letter["id"], letter["state"]) == (first, "open"), "a replay that dies saves nothing"
    again = json.loads(platform.run("replay", first, "-d", '{"amount": 5}', "--json").stdout)
    assert again["reply"]["body"]["text"] == "5"
    (letter,) = soon(lambda: letters(platform, "letters", "--state", "saved"), count=1)
    assert (letter["id"], letter["saved_by"], letter["replays"]) == (first, again["id"], 2)


def test_a_replay_of_a_replay_saves_the_first(platform: Platform) -> None:
    platform.deploy("chain", "pay", PICKY, "POST /pay")
    first = dead(platform, "chain", '{"amount": -1}')
    second = json.loads(platform.run("replay", first, "--json", expect=1).stdout)["id"]
    third = json.loads(platform.run("replay", second, "-d", '{"amount": 1}', "--json").stdout)["id"]
    (letter,) = soon(lambda: letters(platform, "chain", "--state", "saved"), count=1)
    assert (letter["id"], letter["saved_by"]) == (first, third)


def test_dead_letters_are_found_by_what_they_died_of(platform: Platform) -> None:
    platform.deploy("found", "pay", PICKY, "POST /pay")
    platform.deploy("found", "other", "let a = []; a[7]", "POST /other")
    for amount in (-1, -2, -22):
        dead(platform, "found", json.dumps({"amount": amount}))
    assert platform.call("POST", "/apps/found/other").status == 500
    soon(lambda: letters(platform, "found"), count=4)
    assert len(letters(platform, "found", "--text", "AMOUNT: -2")) == 2
    assert len(letters(platform, "found", "--kind", "ErrorArrayBounds")) == 1
    assert len(letters(platform, "found", "--script", "pay", "-n", "2")) == 2
    assert letters(platform, "found", "--until", "2020-01-01T00:00:00Z") == []


def test_a_dead_letter_is_given_up_once_with_a_reason(platform: Platform) -> None:
    platform.deploy("given-up", "pay", PICKY, "POST /pay")
    invocation = dead(platform, "given-up", '{"amount": -1}')
    platform.run("discard", invocation, "--reason", "sent by mistake")
    (letter,) = soon(lambda: letters(platform, "given-up", "--state", "discarded"), count=1)
    assert (letter["discard_reason"], letter["discarded_by"]) == ("sent by mistake", "token:owner")
    assert letters(platform, "given-up") == []
    whole = platform.api("GET", f"/invocations/{invocation}").json
    assert (whole["state"], whole["discard_reason"]) == ("dead", "sent by mistake")
    again = platform.api("POST", f"/invocations/{invocation}/discard", {"reason": "again"})
    assert again.status == 409
    assert "discarded already" in again.json["detail"]


def test_what_is_not_dead_can_not_be_given_up(platform: Platform) -> None:
    platform.deploy("alive", "fine", "1", "GET /")
    invocation = platform.call("GET", "/apps/alive/").headers["picloud-invocation"]
    answer = platform.api("POST", f"/invocations/{invocation}/discard", {"reason": "why not"})
    assert (answer.status, answer.json["detail"]) == (
        409,
        f"invocation {invocation} is no dead letter: it is succeeded",
    )


def test_there_is_one_letter_however_often_its_replays_die(platform: Platform) -> None:
    platform.deploy("once", "pay", PICKY, "POST /pay")
    first = dead(platform, "once", '{"amount": -1}')
    second = json.loads(platform.run("replay", first, "-d", '{"amount": -2}', "--json", expect=1).stdout)["id"]
    (letter,) = soon(lambda: [each for each in letters(platform, "once") if each["replays"]], count=1)
    assert (letter["id"], letter["died_as"], letter["state"]) == (first, second, "open")
    assert letter["error_message"] == "Runtime error: no amount: -2", "it tells of the latest death"
    assert len(letters(platform, "once", "--state", "all")) == 1
    assert len(letters(platform, "once", "--trigger", "POST /pay")) == 1

    platform.run("replay", second, "-d", '{"amount": 2}')
    (letter,) = soon(lambda: letters(platform, "once", "--state", "saved"), count=1)
    for invocation in (first, second):
        told = platform.api("GET", f"/invocations/{invocation}").json["dead_letter"]
        assert (told["id"], told["state"], told["saved_by"]) == (first, "saved", letter["saved_by"])
        assert letter["saved_by"] in platform.run("invocation", invocation).stdout
