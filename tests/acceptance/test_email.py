"""Mail in, on a whole platform: a 250 is in the log, once for each recipient, whoever is killed."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.acceptance.platform import PICLOUD, Platform, free_port
from tests.acceptance.test_triggers import invocations, set_trigger, wait_until

TOLD = "#{event: ctx.event, kind: ctx.invocation.trigger}"
SIZE = 1024 * 1024
FROM = "ada@example.org"


class MailPlatform(Platform):
    """A platform that takes mail."""

    def __init__(self, data: Path, *, smtp_port: int | None = None, **settings: str) -> None:
        self.smtp_port = smtp_port or free_port()
        super().__init__(data, smtp_listen=f"127.0.0.1:{self.smtp_port}", **settings)

    def client(self, **options: Any) -> smtplib.SMTP:
        """A new connection."""
        return smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=60, **options)

    def send(self, to: str | list[str], message: EmailMessage | bytes, sender: str = FROM) -> dict[str, Any]:
        """Send a mail on a connection of its own; return the recipients that were refused."""
        content = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
        with self.client() as client:
            return client.sendmail(sender, to, content)

    def requested(self, app: str) -> list[dict[str, Any]]:
        """All requests of an app that the log has, in order."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT state FROM log.events WHERE app = %s AND topic = 'Requested' ORDER BY notification_id", (app,)
            ).fetchall()
        return [json.loads(bytes(state)) for (state,) in rows]

    def told(self, app: str) -> dict[str, Any]:
        """What the script of the one invocation of ``app`` was told, once it has run."""
        ended = wait_until(
            lambda: [item for item in invocations(self, app) if item["state"] in ("succeeded", "dead")], "a run"
        )
        assert [item["state"] for item in ended] == ["succeeded"]
        whole = self.api("GET", f"/invocations/{ended[0]['id']}").json
        told: dict[str, Any] = json.loads(whole["reply"]["body"]["text"]) | {"whole": whole}
        return told


def mail(subject: str = "Hello", text: str = "Hi there\n", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ada Lovelace <ada@example.org>"
    message["To"] = "somebody@example.org"
    message["Subject"] = subject
    message["Date"] = "Sat, 28 Mar 2026 12:00:00 +0100"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def known(error: pytest.ExceptionInfo[smtplib.SMTPRecipientsRefused]) -> tuple[int, str]:
    ((code, text),) = error.value.recipients.values()
    return code, text.decode()


@pytest.fixture(scope="module")
def post(new_folder: Callable[[], Path]) -> Iterator[MailPlatform]:
    folder = new_folder()
    with MailPlatform(folder, smtp_size="1MiB", smtp_domains="example.org,other.example") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_post(new_folder: Callable[[], Path]) -> Iterator[MailPlatform]:
    folder = new_folder()
    with MailPlatform(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def made(post: MailPlatform, app: str, name: str = "inbox", **config: str) -> None:
    post.deploy(app, "told", TOLD)
    set_trigger(post, app, name, kind="email", script="told", config=config)


def test_a_plain_mail_runs_the_script_of_its_address(post: MailPlatform) -> None:
    made(post, "plain")
    assert post.send("plain+inbox@example.org", mail(Message_ID="<plain@example.org>")) == {}
    told = post.told("plain")
    event = told["event"]
    assert told["kind"] == "email"
    assert (event["type"], event["trigger"], event["detail"]) == ("email", "inbox", "")
    assert (event["from"], event["to"], event["client"]) == (FROM, "plain+inbox@example.org", "127.0.0.1")
    data = event["data"]
    assert data["from"] == {"name": "Ada Lovelace", "address": "ada@example.org"}
    assert data["to"] == [{"name": "", "address": "somebody@example.org"}]
    assert (data["subject"], data["text"], data["html"]) == ("Hello", "Hi there\n", None)
    assert (data["date"], data["message_id"]) == ("2026-03-28T11:00:00Z", "<plain@example.org>")
    assert data["headers"]["subject"] == ["Hello"]
    assert told["whole"]["actor"] == "email:ada@example.org"
    assert told["whole"]["correlation_id"] == told["whole"]["id"]


def test_the_mail_can_be_looked_at_as_it_came(post: MailPlatform) -> None:
    made(post, "raw")
    raw = b"Subject: caf\xe9\r\n\r\n..dots\r\n.\xff\r\n"
    post.send("raw+inbox@example.org", raw)
    invocation = post.told("raw")["whole"]["id"]
    answer = post.api("GET", f"/invocations/{invocation}/mail")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "message/rfc822", raw)
    shown = subprocess.run(
        [str(PICLOUD), "invocation", invocation, "--mail"], env=post.environment, capture_output=True, check=True
    )
    assert shown.stdout == raw
    other = post.api("POST", "/apps/raw/scripts/told/invocations", {}).json["invocation"]
    assert post.api("GET", f"/invocations/{other}/mail").status == 404


def test_it_is_fired_by_hand_as_if_a_mail_had_come(post: MailPlatform) -> None:
    made(post, "byhand", address="in")
    post.run("triggers", "fire", "byhand/inbox", "--sample")
    told = post.told("byhand")
    assert told["event"]["to"] == "byhand+in@example.org"
    assert post.api("GET", f"/invocations/{told['whole']['id']}/mail").status == 404


def test_attachments_come_as_base64(post: MailPlatform) -> None:
    made(post, "parts")
    message = mail("Two files", "See below.\n")
    message.add_alternative("<p>See <b>below</b>.</p>", subtype="html")
    blob = bytes(range(256)) * 100
    message.add_attachment(blob, maintype="application", subtype="octet-stream", filename="größe.bin")
    message.add_attachment("a;b\n", subtype="csv", filename="table.csv")
    post.send("parts+inbox@example.org", message)
    data = post.told("parts")["event"]["data"]
    assert (data["text"], data["html"]) == ("See below.\n", "<p>See <b>below</b>.</p>\n")
    first, second = data["attachments"]
    assert (first["name"], first["content_type"], first["size"]) == ("größe.bin", "application/octet-stream", len(blob))
    assert base64.b64decode(first["content"]) == blob
    assert (second["name"], second["content_type"], second["inline"]) == ("table.csv", "text/csv", False)


def test_tickets_of_the_example(post: MailPlatform) -> None:
    source = (Path(__file__).parents[2] / "examples" / "mail.rhai").read_text()
    post.deploy("desk", "mail", source, "GET /tickets")
    set_trigger(post, "desk", "tickets", kind="email", script="mail")
    post.send("desk+tickets@example.org", mail("Printer", "It burns.\n", Message_ID="<ticket@example.org>"))
    wait_until(lambda: post.call("GET", "/apps/desk/tickets").json, "the ticket")
    reply = mail("Re: Printer", "> It burns.\nStill.\n", In_Reply_To="<ticket@example.org>")
    post.send("desk+tickets@example.org", reply)
    wait_until(lambda: len(post.call("GET", "/apps/desk/tickets").json[0]["messages"]) == 2, "the answer")
    (ticket,) = post.call("GET", "/apps/desk/tickets").json
    assert [message["text"] for message in ticket["messages"]] == ["It burns.", "Still."]


def test_a_mail_as_large_as_may_be_reaches_its_script(own_post: MailPlatform) -> None:
    own_post.deploy("heavy", "told", "#{n: ctx.event.data.attachments[0].content.len, s: ctx.event.data.size}")
    set_trigger(own_post, "heavy", "inbox", kind="email", script="told")
    message = mail()
    message.add_attachment(b"x" * (7 * SIZE), maintype="application", subtype="octet-stream", filename="x")
    own_post.send("heavy+inbox@example.org", message)
    told = own_post.told("heavy")
    assert told["n"] == len(base64.b64encode(b"x" * (7 * SIZE)))
    assert 9 * SIZE < told["s"] < 10 * SIZE


def test_who_is_nobody_is_refused_at_once(post: MailPlatform) -> None:
    made(post, "strict", senders="*@example.org")
    for address, said in {
        "strict+nobody@example.org": "no trigger of kind email has this address",
        "nowhere+inbox@example.org": "no trigger of kind email has this address",
        "strict@example.org": "APP+ADDRESS@DOMAIN",
        "strict+inbox@elsewhere.example": "mail for elsewhere.example is not taken here",
    }.items():
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            post.send(address, mail())
        code, text = known(refused)
        assert code == 550
        assert said in text
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        post.send("strict+inbox@example.org", mail(), sender="eve@example.com")
    assert known(refused) == (550, "5.7.1 <strict+inbox@example.org> takes no mail from this sender")
    assert post.requested("strict") == []


def test_a_trigger_that_was_just_made_takes_mail(post: MailPlatform) -> None:
    post.deploy("fresh", "told", TOLD)
    with post.client() as client:
        client.ehlo()
        for number in range(5):
            client.mail(FROM)
            assert client.rcpt(f"fresh+n{number}@example.org")[0] == 550
            set_trigger(post, "fresh", f"n{number}", kind="email", script="told")
            assert client.rcpt(f"fresh+n{number}@example.org")[0] == 250
            client.rset()


def test_a_mail_that_is_too_large_is_refused_before_it_comes_and_behind_it(post: MailPlatform) -> None:
    made(post, "large", max_size="2KiB")
    large = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n"
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        post.send("large+inbox@example.org", large + b"y" * SIZE)
    assert refused.value.smtp_code == 552
    with pytest.raises(smtplib.SMTPRecipientsRefused) as of_trigger:
        post.send("large+inbox@example.org", large + b"y" * 3000)
    assert known(of_trigger)[0] == 552
    with post.client() as client:
        client.ehlo()
        for size in (SIZE, 3000):
            client.mail(FROM)
            client.rcpt("large+inbox@example.org")
            assert client.data(large + b"y" * size)[0] == 552
        client.mail(FROM)
        client.rcpt("large+inbox@example.org")
        assert client.data(large)[0] == 250, "the connection goes on"
    assert len(post.requested("large")) == 1


def test_paused_disabled_and_gone_ask_to_try_again(post: MailPlatform) -> None:
    made(post, "asleep")
    to = "asleep+inbox@example.org"
    post.api("POST", "/apps/asleep/triggers/inbox/pause", {"note": "a secret of ours"})
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        post.send(to, mail())
    assert known(refused) == (450, f"4.2.1 <{to}> takes no mail now: it is paused; try again later")
    post.api("POST", "/apps/asleep/triggers/inbox/resume")
    post.api("POST", "/apps/asleep/scripts/told/disable", {"reason": "holidays"})
    wait_until(lambda: _code(post, to) == 450, "the refusal")
    post.api("POST", "/apps/asleep/scripts/told/enable")
    wait_until(lambda: _code(post, to) == 250, "the acceptance")
    post.api("DELETE", "/apps/asleep/triggers/inbox")
    wait_until(lambda: _code(post, to) == 550, "the refusal")


def _code(post: MailPlatform, to: str) -> int:
    with post.client() as client:
        client.ehlo()
        client.mail(FROM)
        return client.rcpt(to)[0]


def test_a_mail_to_two_apps_is_one_commit_and_a_stranger_beside_them_is_told(post: MailPlatform) -> None:
    made(post, "first", "left", address="in.box")
    made(post, "second", "right")
    to = ["FIRST+In.Box@example.org", "second+right+4711@other.example", "second+wrong@example.org"]
    refused = post.send(to, mail())
    assert set(refused) == {"second+wrong@example.org"}
    with psycopg.connect(post.dsn) as connection:
        rows = connection.execute(
            "SELECT app, recorded_at, correlation_id FROM log.events"
            " WHERE app IN ('first', 'second') AND topic = 'Requested'"
        ).fetchall()
    assert {row[0] for row in rows} == {"first", "second"}
    assert len({row[1:] for row in rows}) == 1, "one transaction, one root cause"
    assert post.told("second")["event"]["detail"] == "4711"


def test_the_same_mail_that_comes_again_is_accepted_and_runs_once(post: MailPlatform) -> None:
    made(post, "twice")
    made(post, "later")
    to = "twice+inbox@example.org"
    message = mail(Message_ID="<twice@example.org>")
    post.send(to, message)
    post.send(to, b"Received: from elsewhere\r\n" + message.as_bytes(policy=SMTP))
    assert post.send([to, "later+inbox@example.org"], message) == {}
    assert (len(post.requested("twice")), len(post.requested("later"))) == (1, 1)
    post.send(to, mail(text="Other words\n", Message_ID="<twice@example.org>"))
    post.send(to, mail())
    post.send(to, mail())
    assert len(post.requested("twice")) == 4, "another content, and mails without an id, are mails of their own"


def test_the_same_mail_on_many_connections_at_once_runs_once(post: MailPlatform) -> None:
    made(post, "race")
    made(post, "pace")
    message = mail(Message_ID="<race@example.org>")
    both = ["race+inbox@example.org", "pace+inbox@example.org"]
    answers: list[Any] = []
    senders = [
        threading.Thread(target=lambda to=to: answers.append(post.send(to, message)))
        for to in [both, both[::-1], both[:1], both[1:]] * 3
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert answers == [{}] * 12
    assert (len(post.requested("race")), len(post.requested("pace"))) == (1, 1)


def test_commands_may_come_all_at_once(post: MailPlatform) -> None:
    made(post, "piped")
    with socket.create_connection(("127.0.0.1", post.smtp_port), timeout=20) as connection:
        connection.sendall(
            b"EHLO me\r\nMAIL FROM:<> SIZE=20 BODY=8BITMIME\r\nRCPT TO:<piped+inbox@example.org>\r\nRCPT TO:<x@y>\r\n"
            b"DATA\r\nSubject: a\r\n\r\nb\n.\nMAIL FROM:<c@d>\r\n.\r\nMAIL FROM:<x@y>\r\nRSET\r\nNOOP\r\nQUIT\r\n"
        )
        with connection.makefile("rb") as answers:
            codes = [line[:3] for line in answers if line[3:4] != b"-"]
    assert codes == [b"220", b"250", b"250", b"250", b"550", b"354", b"250", b"250", b"250", b"250", b"221"]
    assert post.told("piped")["event"]["data"]["text"] == "b\n.\nMAIL FROM:<c@d>\n"


def test_a_mail_waits_for_the_database_or_is_refused_for_now_and_none_is_lost_or_doubled(
    own_post: MailPlatform,
) -> None:
    post = own_post
    made(post, "kept")
    accepted: set[str] = set()
    sent: list[str] = []
    stop = threading.Event()

    def send_on() -> None:
        while not stop.is_set():
            name = f"<{len(sent)}@example.org>"
            sent.append(name)
            while name not in accepted and not stop.is_set():
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    post.send("kept+inbox@example.org", mail(Message_ID=name))
                    accepted.add(name)

    sender = threading.Thread(target=send_on)
    sender.start()
    wait_until(lambda: len(accepted) >= 20, "mails")
    for role in ("postgres", "smtp", "postgres", "smtp"):
        before = len(accepted)
        for process in post.some(role):
            for child in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        wait_until(lambda before=before: len(accepted) > before + 10, f"mails behind the end of {role}", 60.0)
    stop.set()
    sender.join()
    found = [json.loads(request["event"]["data"]["text"])["message_id"] for request in post.requested("kept")]
    assert len(found) == len(set(found)), "doubled"
    assert accepted <= set(found), "a 250 for what is not in the log"


def test_the_server_for_mail_comes_back(own_post: MailPlatform) -> None:
    made(own_post, "back")
    (process,) = own_post.some("smtp")
    process.kill()
    wait_until(lambda: [each for each in own_post.processes("smtp") if each.pid != process.pid], "another process")

    def sent() -> bool:
        with contextlib.suppress(OSError):
            return own_post.send("back+inbox@example.org", mail()) == {}
        return False

    wait_until(sent, "the mail")
    assert own_post.told("back")["event"]["data"]["subject"] == "Hello"


def test_a_stop_says_so_to_clients_that_wait(own_post: MailPlatform) -> None:
    made(own_post, "stop")
    client = own_post.client()
    client.ehlo()
    own_post.stop()
    assert client.getreply()[0] == 421


def test_it_is_encrypted_when_there_is_a_certificate(data: Path, tmp_path: Path) -> None:
    certificate, key = tmp_path / "mail.pem", tmp_path / "key.pem"
    _self_signed(certificate, key)
    with MailPlatform(data, smtp_certificate=str(certificate), smtp_key=str(key)) as post:
        made(post, "safe")
        context = ssl.create_default_context(cafile=str(certificate))
        for _ in range(2):
            with post.client() as client:
                client.ehlo()
                client.starttls(context=context)
                assert not client.has_extn("starttls")
                client.sendmail(FROM, "safe+inbox@example.org", mail().as_bytes(policy=SMTP))
            # A renewed one is taken up without a restart.
            _self_signed(certificate, key)
            context = ssl.create_default_context(cafile=str(certificate))
        assert len(post.requested("safe")) == 2
        said = post.run("doctor", expect=None).stdout
        assert "STARTTLS with" in said


def _self_signed(certificate: Path, key: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
         str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip


def test_the_doctor_and_the_start_say_what_is_wrong_with_the_port(post: MailPlatform, data: Path) -> None:
    said = post.run("doctor", expect=None).stdout
    assert f"taken on 127.0.0.1:{post.smtp_port}" in said
    refused = MailPlatform(data, smtp_port=post.smtp_port).run("up", expect=1).stderr
    assert f"PICLOUD_SMTP_LISTEN=127.0.0.1:{post.smtp_port + 1}" in refused
