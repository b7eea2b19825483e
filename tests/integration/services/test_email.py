"""``email::send`` behind the door: what a script may hand over, how much, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from picloud.domain.mail import MailQueued
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.folding import Folder
from picloud.projections.mails import Mails
from picloud.services import email
from picloud.services.email import Email
from picloud.services.work import Caller, ServiceError, Work

PLAIN: dict[str, Any] = {"to": "ada@example.org", "subject": "Hello", "text": "Hi!"}


@pytest.fixture
def sessions(fresh_dsn: str) -> Iterator[Sessions]:
    sessions = Sessions(fresh_dsn, purpose="test", size=1)
    yield sessions
    sessions.close()


@pytest.fixture
def service(sessions: Sessions) -> Email:
    return Email(sessions, sender="Shop <shop@example.org>", local=False, per_day=1_000)


def work(app: str = "demo", invocation: UUID | None = None, attempt: int = 1) -> Work:
    caller = Caller(
        invocation=invocation or uuid4(),
        attempt=attempt,
        title=f"{app}/orders",
        callers=(),
        correlation_id=UUID(int=6),
        clock_ms=1_774_747_800_123,
        deadline_ms=0,
    )
    return Work(app, caller)


def append(dsn: str, run: Work) -> None:
    """Let the run succeed, and have the list know it."""
    appender = Appender(dsn)
    appender.start()
    appender.append([Entry(event, Metadata(run.app, "test", uuid4(), uuid4())) for event in run.effects()])
    appender.stop()
    with connect(dsn, purpose="test") as connection:
        folder = Folder([Mails()])
        while folder.step(connection):
            pass


def read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_mail_is_an_effect_of_its_run(service: Email) -> None:
    run = work()
    mail = service.send(
        run,
        {
            "to": ["Ada Lovelace <ada@example.org>", {"name": "Bob", "address": "bob@example.org"}],
            "cc": "carol@example.org",
            "bcc": ["eve@example.org", "ada@example.org"],
            "subject": "Your order",
            "text": "It is on its way.",
            "html": "<p>It is on its way.</p>",
            "reply_to": "help@example.org",
            "attachments": [
                {"name": "order.json", "data": "{}"},
                {"name": "größe.pdf", "data": b"\x00\xff"},
                {"name": "table", "content_type": "text/csv; charset=utf-8", "data": "ä;b"},
            ],
            "headers": {"X-Order": "7", "in-reply-to": "<4711@example.org>"},
        },
    )
    (event,), (content,) = run.effects(), run.contents
    assert event == MailQueued(
        originator_id=UUID(mail),
        originator_version=1,
        invocation=run.caller.invocation,
        script="orders",
        sender="shop@example.org",
        recipients=["ada@example.org", "bob@example.org", "carol@example.org", "eve@example.org"],
        subject="Your order",
        content=sha256(content).hexdigest(),
        size=len(content),
    )
    message = read(content)
    assert message["From"] == "Shop <shop@example.org>"
    assert message["To"] == "Ada Lovelace <ada@example.org>, Bob <bob@example.org>"
    assert message["Message-ID"] == f"<{mail}@example.org>"
    assert message["Date"].datetime.timestamp() == 1_774_747_800
    assert (message["X-Order"], message["In-Reply-To"]) == ("7", "<4711@example.org>")
    assert b"eve" not in content, "nobody sees who gets it unseen"
    files = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in message.iter_attachments()]
    assert files == [
        ("order.json", "application/json", b"{}"),
        ("größe.pdf", "application/pdf", b"\x00\xff"),
        ("table", "text/csv", "ä;b"),
    ]


def test_ids_follow_from_the_attempt(service: Email) -> None:
    invocation = uuid4()
    first, again, other = (
        work(invocation=invocation),
        work(invocation=invocation),
        work(invocation=invocation, attempt=2),
    )
    sent = [service.send(first, PLAIN), service.send(first, PLAIN)]
    assert sent[0] != sent[1]
    assert [service.send(again, PLAIN), service.send(again, PLAIN)] == sent, "a run that is repeated sends the same"
    assert service.send(other, PLAIN) not in sent


def test_under_one_key_an_app_sends_once(service: Email, fresh_dsn: str) -> None:
    run = work()
    keyed = PLAIN | {"idempotency_key": "welcome-7"}
    mail = service.send(run, keyed)
    assert service.send(run, keyed) == mail
    assert len(run.effects()) == 1
    append(fresh_dsn, run)
    later = work()
    assert service.send(later, keyed | {"text": "Other words."}) == mail
    assert later.effects() == []
    elsewhere = work(app="other")
    assert service.send(elsewhere, keyed) != mail, "another app's key is another key"
    assert len(elsewhere.effects()) == 1


def test_without_a_server_there_is_a_sender(sessions: Sessions) -> None:
    local = Email(sessions, sender="", local=True, per_day=10)
    run = work()
    local.send(run, PLAIN)
    assert run.effects()[0].sender == "demo@localhost"
    remote = Email(sessions, sender="", local=False, per_day=10)
    with pytest.raises(ServiceError, match=r"no sender.*PICLOUD_MAIL_FROM"):
        remote.send(work(), PLAIN)
    run = work()
    remote.send(run, PLAIN | {"from": {"name": "Möbel & Co, Berlin", "address": "info@möbel.example"}})
    assert run.effects()[0].sender == "info@xn--mbel-5qa.example"
    assert read(run.contents[0])["From"].addresses[0].display_name == "Möbel & Co, Berlin"


INJECTED = "x\r\nBcc: eve@example.org"


@pytest.mark.parametrize(
    ("mail", "said"),
    [
        ("hello", "takes the mail as a map.*not string"),
        ({"txt": "Hi"}, "a mail has no 'txt': did you mean 'text'"),
        ({"body": 1}, "a mail has no 'body'.*it has to, cc"),
        ({"to": 7}, "to is a string, a map or an array of these, not i64"),
        ({"to": []}, "no recipient"),
        ({"to": None}, "no recipient"),
        ({"to": ["ada@example.org", 7]}, r"to\[1\] is i64"),
        ({"to": "ada@example.org, eve@example.org"}, "Several addresses are an array"),
        ({"to": [["ada@example.org"]]}, r"to\[0\] is array"),
        ({"to": INJECTED + "@x.org"}, "to holds a line end"),
        ({"cc": "ada@"}, "cc is 'ada@'"),
        ({"bcc": ["ada"]}, r"bcc\[0\] is 'ada'"),
        ({"from": ["a@b.org"]}, "from is a string or a map, not array"),
        ({"from": f"{INJECTED} <a@b.org>"}, "from holds a line end"),
        ({"reply_to": "nobody"}, "reply_to is 'nobody'"),
        ({"subject": 7}, "subject is a string, not i64"),
        ({"subject": INJECTED}, "subject holds a line end"),
        ({"subject": "x" * 901}, "subject has 901 characters"),
        ({"text": b"x"}, "text is a string, not blob"),
        ({"text": "a\x00b"}, "text holds a zero character"),
        ({"html": 1.5}, "html is a string, not f64"),
        ({"text": None}, "has a text, or an html"),
        ({"attachments": {}}, "attachments is an array"),
        ({"attachments": ["x"]}, r"attachments\[0\] is a map with a name and data"),
        ({"attachments": [{"name": "x"}]}, r"attachments\[0\] is a map with a name and data"),
        ({"attachments": [{"name": "x", "data": "", "typ": ""}]}, r"attachments\[0\] has no 'typ'"),
        ({"attachments": [{"name": 7, "data": ""}]}, r"attachments\[0\].name is a string"),
        ({"attachments": [{"name": "../x", "data": ""}]}, "without a folder"),
        ({"attachments": [{"name": INJECTED, "data": ""}]}, r"attachments\[0\].name holds a line end"),
        ({"attachments": [{"name": "x", "data": 7}]}, r"attachments\[0\].data is a blob or a string, not i64"),
        ({"attachments": [{"name": "x", "data": "", "content_type": "x"}]}, "expected type/subtype"),
        ({"attachments": [{"name": "x", "data": "", "content_type": 7}]}, "content_type is a string"),
        ({"attachments": [{"name": "x", "data": ""}] * 101}, "100 attachments at most"),
        ({"headers": []}, "headers is a map"),
        ({"headers": {"Bcc": "eve@example.org"}}, r"headers\['Bcc'\] can't be set"),
        ({"headers": {"X-A": INJECTED}}, "holds a line end"),
        ({"headers": {"X-A\r\nBcc": "x"}}, "can't be set"),
        ({"headers": {f"X-{number}": "x" for number in range(21)}}, "20 headers"),
        ({"idempotency_key": ""}, "1 to 200 characters"),
        ({"idempotency_key": "k" * 201}, "1 to 200 characters"),
        ({"to": [f"a{number}@example.org" for number in range(101)]}, "100 recipients at most, found 101"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_by_its_place(service: Email, mail: Any, said: str) -> None:
    run = work()
    with pytest.raises(ServiceError, match=f"^email::send.*{said}"):
        service.send(run, PLAIN | mail if isinstance(mail, dict) else mail)
    assert run.effects() == []
    assert run.contents == []


def test_a_mail_and_a_run_have_room_for_so_much(service: Email, monkeypatch: pytest.MonkeyPatch) -> None:
    def attached(size: int) -> dict[str, Any]:
        return PLAIN | {"attachments": [{"name": "x", "data": b"x" * size}]}

    most = email.MOST_BYTES
    with pytest.raises(ServiceError, match="10,485,760 bytes at most"):
        service.send(work(), attached(most + 1))
    with pytest.raises(ServiceError, match=r"encoded; this one has 1.,...,..."):
        service.send(work(), attached(most * 3 // 4))
    run = work()
    for _ in range(2):
        service.send(run, attached(most // 3 * 2))
    with pytest.raises(ServiceError, match="of one run have 20,971,520 bytes together"):
        service.send(run, attached(most // 2))
    run = work()
    for _ in range(100):
        service.send(run, PLAIN)
    with pytest.raises(ServiceError, match="a run may send 100 mails"):
        service.send(run, PLAIN)
    assert len(run.effects()) == 100


def test_an_app_has_so_many_mails_a_day_and_others_are_not_counted(sessions: Sessions, fresh_dsn: str) -> None:
    service = Email(sessions, sender="shop@example.org", local=False, per_day=5)
    before = work()
    for _ in range(3):
        service.send(before, PLAIN)
    append(fresh_dsn, before)
    run = work()
    for _ in range(2):
        service.send(run, PLAIN)
    with pytest.raises(ServiceError, match="demo may send 5 mails within 24 hours, and has; PICLOUD_MAIL_PER_DAY"):
        service.send(run, PLAIN)
    service.send(work(app="other"), PLAIN)
    with psycopg.connect(fresh_dsn) as connection:
        connection.execute("UPDATE mails.mails SET queued_at = queued_at - interval '25 hours'")
    service.send(work(), PLAIN)
