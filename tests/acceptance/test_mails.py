"""Mails of scripts, on a whole platform: sent by runs that succeed, by no others, once; and looked into by whom may."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.platform import Platform
from tests.acceptance.test_triggers import invocations, set_trigger, wait_until
from tests.mail_server import MailServer

SEND = 'email::send(#{to: ctx.request.query.to, subject: "Hello", text: "Hi!", html: "<b>Hi!</b>"})'
PASSWORD = "open-sesame-4711"


def mails(platform: Platform, app: str, **query: str) -> list[dict[str, Any]]:
    asked = "&".join(["limit=1000", *(f"{name}={value}" for name, value in query.items())])
    answer = platform.api("GET", f"/apps/{app}/mails?{asked}")
    assert answer.status == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def reached(platform: Platform, app: str, mail: str, state: str, seconds: float = 20.0) -> dict[str, Any]:
    """The mail once it is in that state."""

    def seen() -> dict[str, Any] | None:
        whole: dict[str, Any] = platform.api("GET", f"/apps/{app}/mails/{mail}").json
        return whole if whole.get("state") == state else None

    found: dict[str, Any] = wait_until(seen, f"{state} of {mail}", seconds)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    """Takes all mail, but that to nobody@ and later@; logs in whoever knows how."""

    def answer(verb: str, rest: str) -> str | None:
        if verb == "RCPT" and rest.startswith("nobody"):
            return "550 5.1.1 nobody is here"
        return "451 4.3.0 later" if verb == "RCPT" and rest.startswith("later") else None

    with MailServer(answer, offers=("SIZE 20000000", "AUTH PLAIN")) as running:
        yield running


@pytest.fixture(scope="module")
def sending(server: MailServer, new_folder: Callable[[], Path]) -> Iterator[Platform]:
    """A platform that sends."""
    folder = new_folder()
    settings = {
        "mail_server": f"smtp+plain://shop:{PASSWORD}@127.0.0.1:{server.port}",
        "mail_from": "Shop <shop@example.org>",
    }
    with Platform(folder, **settings) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def test_a_run_that_gives_its_work_up_has_sent_nothing(platform: Platform) -> None:
    platform.deploy("none", "fails", f'{SEND}; throw "no"', "GET /fails")
    platform.deploy("none", "answers", f"{SEND}; throw #{{status: 422}}", "GET /answers")
    platform.deploy(
        "none", "caught", f'try {{ email::send(#{{to: "x"}}) }} catch (e) {{ return e; }} {SEND}', "GET /caught"
    )
    assert platform.call("GET", "/apps/none/fails?to=ada@example.org").status == 500
    assert platform.call("GET", "/apps/none/answers?to=ada@example.org").status == 422
    assert "email::send" in platform.call("GET", "/apps/none/caught?to=ada@example.org").text
    assert mails(platform, "none") == []
    failed = wait_until(
        lambda: [item["id"] for item in invocations(platform, "none") if item["state"] == "dead"], "the death"
    )[0]
    repeated = platform.run("replay", "--inspect", failed).stdout
    assert "email::send" in repeated
    assert mails(platform, "none") == [], "an inspection sends nothing"


def test_runs_that_get_in_each_others_way_send_once_each(platform: Platform) -> None:
    source = """
        let n = kv::get("n");
        if n == () { n = 0; }
        kv::set("n", n + 1);
        email::send(#{to: "ada@example.org", subject: `Number ${n + 1}`, text: "Hi!"})
    """
    platform.deploy("race", "count", source, "POST /count")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: platform.call("POST", "/apps/race/count"), range(24)))
    assert {answer.status for answer in answers} == {200}
    sent = mails(platform, "race")
    assert {mail["id"] for mail in sent} == {answer.text for answer in answers}
    assert sorted(int(mail["subject"].split()[1]) for mail in sent) == list(range(1, 25))


def test_a_replay_sends_mails_of_its_own_and_a_key_sends_once(platform: Platform) -> None:
    keyed = 'email::send(#{to: "ada@example.org", text: "Hi!", idempotency_key: "once"})'
    platform.deploy("again", "send", f"[{SEND}, {keyed}]", "GET /send")
    first = platform.call("GET", "/apps/again/send?to=ada@example.org").json
    run = wait_until(lambda: invocations(platform, "again"), "the run")[0]["id"]
    replayed = platform.api("POST", f"/invocations/{run}/replay", {}).json["invocation"]
    wait_until(lambda: platform.api("GET", f"/invocations/{replayed}").json["state"] == "succeeded", "the replay")
    assert len(mails(platform, "again")) == 3
    assert [mail["id"] for mail in mails(platform, "again", invocation=replayed)] != [first[0]]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: platform.call("GET", "/apps/again/send?to=ada@example.org").json, range(16)))
    assert {answer[1] for answer in answers} == {first[1]}
    assert len(mails(platform, "again")) == 19


def test_nobody_sees_or_touches_mails_of_another_app(platform: Platform) -> None:
    for app in ("mine", "yours"):
        platform.deploy(app, "send", SEND, "GET /send")
    mine = platform.call("GET", "/apps/mine/send?to=ada@example.org").text
    reached(platform, "mine", mine, "kept")
    for verb, path in (("GET", ""), ("GET", "/raw"), ("POST", "/retry"), ("POST", "/cancel")):
        answer = platform.api(verb, f"/apps/yours/mails/{mine}{path}")
        assert (answer.status, answer.json["field"]) == (404, "mail")
    for name in ("x", "0" * 32, "%00", platform.api("GET", f"/apps/mine/mails/{mine}").json["invocation"]):
        assert platform.api("GET", f"/apps/mine/mails/{name}").status == 404
    tokens = {
        role: platform.api("POST", "/tokens", {"name": role, "role": role, "apps": [app]}).json["token"]
        for role, app in (("viewer", "mine"), ("editor", "yours"))
    }
    viewer, stranger = ({"Authorization": f"Bearer {token}"} for token in tokens.values())
    assert platform.call("GET", f"/api/v1/apps/mine/mails/{mine}", None, viewer).status == 200
    assert platform.call("POST", f"/api/v1/apps/mine/mails/{mine}/retry", None, viewer).status == 403
    assert platform.call("GET", "/api/v1/apps/mine/mails", None, stranger).status == 403
    assert platform.call("GET", f"/api/v1/apps/mine/mails/{mine}/raw", None, stranger).status == 403


def test_mails_are_listed_page_by_page(platform: Platform) -> None:
    platform.deploy("pages", "send", SEND, "GET /send")
    sent = [platform.call("GET", f"/apps/pages/send?to=a{number}@example.org").text for number in range(5)]
    first = platform.api("GET", "/apps/pages/mails?limit=3").json
    second = platform.api("GET", f"/apps/pages/mails?limit=3&cursor={first['next']}").json
    assert [mail["id"] for mail in [*first["items"], *second["items"]]] == sent[::-1]
    assert second["next"] is None
    assert [mail["id"] for mail in mails(platform, "pages", recipient="A3@example.org")] == [sent[3]]
    assert mails(platform, "pages", state="failed") == []
    assert platform.api("GET", "/apps/pages/mails?state=lost").status == 400


def test_a_mail_reaches_its_server_and_can_be_looked_at_as_it_went(sending: Platform, server: MailServer) -> None:
    sending.deploy("out", "send", SEND, "GET /send")
    mail = sending.call("GET", "/apps/out/send?to=ada@example.org").text
    whole = reached(sending, "out", mail, "sent")
    assert (whole["attempts"], whole["answer"]) == (1, "250 2.0.0 taken as 4711")
    assert (whole["text"], whole["html"]) == ("Hi!\n", "<b>Hi!</b>\n")
    assert [event["type"] for event in whole["events"]] == ["MailQueued", "MailSent"]
    taken = next(each for each in server.taken if each.message["Message-ID"] == f"<{mail}@example.org>")
    assert (taken.sender, taken.recipients) == ("shop@example.org", ["ada@example.org"])
    raw = sending.api("GET", f"/apps/out/mails/{mail}/raw")
    assert (raw.headers["content-type"], raw.body) == ("message/rfc822", taken.content)
    refused = sending.run("mails", "retry", f"out/{mail}", expect=1).stderr
    assert "is sent: the server took it for everybody" in refused


def test_a_mail_that_fails_runs_a_script_and_is_sent_again_by_hand(sending: Platform, server: MailServer) -> None:
    sending.deploy("undone", "send", SEND, "GET /send")
    sending.deploy("undone", "mourn", "kv::set(`mourned:${ctx.event.data.stream}`, ctx.event.data.content.text)")
    sending.deploy("undone", "look", "kv::get(`mourned:${ctx.request.query.mail}`)", "GET /look")
    set_trigger(sending, "undone", "mourner", kind="log", script="mourn", config={"events": "MailFailed"})
    mail = sending.call("GET", "/apps/undone/send?to=nobody@example.org").text
    whole = reached(sending, "undone", mail, "failed")
    assert whole["recipients"] == [
        {"address": "nobody@example.org", "state": "refused", "answer": "550 5.1.1 nobody is here"}
    ]
    wait_until(
        lambda: sending.call("GET", f"/apps/undone/look?mail={mail}").text == "5.1.1 nobody is here", "the script's run"
    )
    usual, server.answer = server.answer, lambda verb, rest: None
    try:
        assert sending.run("mails", "retry", f"undone/{mail}").stdout == f"undone/{mail} is queued\n"
        whole = reached(sending, "undone", mail, "sent")
    finally:
        server.answer = usual
    assert [event["type"] for event in whole["events"]] == ["MailQueued", "MailFailed", "MailRequeued", "MailSent"]
    assert whole["attempts"] == 2


def test_a_mail_that_waits_is_cancelled(sending: Platform) -> None:
    sending.deploy("off", "send", SEND, "GET /send")
    mail = sending.call("GET", "/apps/off/send?to=later@example.org").text
    wait_until(lambda: mails(sending, "off")[0]["attempts"] == 1, "an attempt")
    assert mails(sending, "off")[0]["answer"] == "451 4.3.0 later"
    assert sending.api("POST", f"/apps/off/mails/{mail}/retry").status == 409
    shown = sending.run("mails", "cancel", "off/last", "--reason", "a mistake").stdout
    assert shown == f"off/{mail} is cancelled\n"
    (row,) = mails(sending, "off", state="cancelled")
    assert (row["answer"], row["due"]) == ("a mistake", None)
    assert sending.api("POST", f"/apps/off/mails/{mail}/cancel").status == 409


def test_the_password_is_shown_nowhere(sending: Platform, server: MailServer) -> None:
    assert any(line.startswith("AUTH PLAIN") for line in server.said), "it is used"
    config = sending.run("config", "--json").stdout
    (shown,) = (each for each in json.loads(config)["settings"] if each["variable"] == "PICLOUD_MAIL_SERVER")
    assert shown["value"] == "(set; not shown, for it may hold a password)"
    doctor = sending.run("doctor", expect=None).stdout
    assert f"smtp+plain://127.0.0.1:{server.port} takes it as shop" in doctor
    events = sending.api("GET", "/events?limit=1000").text
    for text in (config, doctor, events, "".join(sending.output)):
        assert PASSWORD not in text


def test_no_mail_is_lost_whoever_is_killed(sending: Platform, server: MailServer) -> None:
    sending.deploy("kills", "send", SEND, "GET /send")
    accepted: set[str] = set()

    def send(number: int) -> None:
        with contextlib.suppress(OSError):
            answer = sending.call("GET", f"/apps/kills/send?to=a{number}@example.org")
            if answer.status == 200:
                accepted.add(answer.text)

    with ThreadPoolExecutor(4) as pool:
        for number in range(120):
            pool.submit(send, number)
        for role in ("manager", "worker", "manager"):
            before = len(server.taken)
            wait_until(lambda before=before: len(server.taken) > before + 5, "mails")
            for process in sending.some(role):
                process.kill()
    assert len(accepted) > 20
    wait_until(lambda: {mail["state"] for mail in mails(sending, "kills")} == {"sent"}, "all to be sent", 60.0)
    arrived = {each.message["Message-ID"].strip("<>").partition("@")[0] for each in server.taken}
    listed = {mail["id"] for mail in mails(sending, "kills")}
    assert accepted <= listed <= arrived
