"""Mails go to a real server, whatever it answers and whoever is killed: none is lost, and the log says what became."""

from __future__ import annotations

import signal
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import gevent
import psycopg
import pytest
from gevent.event import Event as Signal

from picloud.config import MailServer as Target
from picloud.domain import mail as mails
from picloud.domain.mail import MailAttemptFailed, MailFailed, MailKept, MailQueued, MailSent
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry
from picloud.log.contents import put_content
from picloud.log.reader import read_stream
from picloud.manager.mail_route import MailRoute
from picloud.manager.mail_sender import MailSender
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS
from picloud.projections.mails import MailFilter, Mails
from picloud.projections.mails import mails as listed
from tests.mail_server import MailServer

from .processes import manager, wait_until, wakes_within

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    yield appender
    appender.stop()


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


class Clock:
    """The time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@contextmanager
def at_work(dsn: str, appender: Appender, route: MailRoute | None, clock: Clock | None = None) -> Iterator[MailSender]:
    """One that sends, with the list that it goes by."""
    sessions = Sessions(dsn, purpose="test", size=2)
    found = MailSender(appender=appender, sessions=sessions, route=route, clock=clock or Clock())
    follower = Follower(
        dsn,
        [kind() for kind in PROJECTIONS.values()],
        on_changed=lambda name: found.look() if name == Mails.name else None,
    )
    follower.start()
    greenlet = found.start()
    try:
        yield found
        assert not greenlet.dead
    finally:
        found.stop()
        follower.stop()
        sessions.close()


def route_to(server: MailServer, *, timeout: float = 5, authorities: Path | None = None, **target: Any) -> MailRoute:
    found = Target(**{"scheme": "smtp+plain", "host": "127.0.0.1", "port": server.port, **target})
    return MailRoute(found, timeout=timeout, authorities=authorities)


def queue(appender: Appender, session: psycopg.Connection, *recipients: str, app: str = "demo", **fields: Any) -> UUID:
    mail = uuid4()
    content = f"Message-ID: <{mail}@example.org>\r\nSubject: Hello\r\n\r\nHi\r\n.dots\r\n".encode()
    put_content(session, content)
    event = MailQueued(
        originator_id=mail,
        originator_version=1,
        invocation=uuid4(),
        script="shop",
        sender="shop@example.org",
        recipients=list(recipients or (ADA,)),
        subject="Hello",
        content=sha256(content).hexdigest(),
        size=len(content),
        **fields,
    )
    appender.append([Entry(event, Metadata(app, "http:POST /", uuid4(), event.invocation))])
    return mail


def events(session: psycopg.Connection, mail: UUID) -> list[Any]:
    return [recorded.event for recorded in read_stream(session, mail)]


def ended(session: psycopg.Connection, mail: UUID, count: int = 2) -> list[Any]:
    """The events behind the first, once there are that many in all."""
    wait_until(lambda: len(events(session, mail)) >= count, f"{count} events")
    found = events(session, mail)[1:]
    assert len(found) == count - 1
    return found


def row_of(session: psycopg.Connection, mail: UUID, app: str = "demo") -> dict[str, Any]:
    """The mail as the list has it; no fields if it hasn't come there."""
    return next((row for row in listed(session, MailFilter(app=app, limit=1000)) if row["id"] == mail), {})


def test_mails_go_over_one_connection_and_the_log_has_the_answer(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    sent = [queue(appender, session, ADA, BOB) for _ in range(3)]
    with MailServer() as server, at_work(fresh_dsn, appender, route_to(server)):
        for mail in sent:
            (event,) = ended(session, mail)
            assert event == MailSent(
                originator_id=mail,
                originator_version=2,
                attempt=1,
                code=250,
                text="2.0.0 taken as 4711",
                delivered=[ADA, BOB],
            )
        wait_until(lambda: server.said[-1] == "QUIT", "the good-bye")
        assert server.connections == 1
        assert [each.message["Message-ID"] for each in server.taken] == [f"<{mail}@example.org>" for mail in sent]
        first = server.taken[0]
        assert (first.sender, first.recipients) == ("shop@example.org", [ADA, BOB])
        assert first.content.endswith(b"Hi\r\n.dots\r\n")
        wait_until(lambda: row_of(session, sent[0]).get("state") == "sent", "the list")
        later = queue(appender, session)
        ended(session, later)
        assert server.connections == 2


def test_without_a_server_mails_are_kept(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    with at_work(fresh_dsn, appender, None):
        kept = [queue(appender, session) for _ in range(5)]
        for mail in kept:
            assert ended(session, mail) == [MailKept(originator_id=mail, originator_version=2)]
        wait_until(lambda: {row["state"] for row in listed(session, MailFilter(app="demo"))} == {"kept"}, "the list")


def test_a_refusal_is_final_a_rejection_for_now_is_not(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    answers = {ADA: ["450 4.2.0 greylisted", None], BOB: ["550 5.1.1 no such user"], EVE: [None]}

    def answer(verb: str, rest: str) -> str | None:
        return answers[rest].pop(0) if verb == "RCPT" else None

    clock = Clock()
    mail = queue(appender, session, ADA, BOB, EVE)
    with MailServer(answer) as server, at_work(fresh_dsn, appender, route_to(server), clock) as sender:
        (first,) = ended(session, mail)
        assert isinstance(first, MailAttemptFailed)
        assert (first.code, first.text) == (450, "4.2.0 greylisted")
        assert (first.delivered, first.refused) == ([EVE], {BOB: "550 5.1.1 no such user"})
        assert timedelta(seconds=7) < first.due - datetime.now(UTC) < timedelta(seconds=15)
        wait_until(lambda: row_of(session, mail).get("attempts") == 1, "the list")
        row = row_of(session, mail)
        assert (row["state"], row["answer"]) == ("queued", "450 4.2.0 greylisted")
        assert [each["state"] for each in row["recipients"]] == ["waiting", "refused", "delivered"]
        clock.ahead = timedelta(seconds=16)
        sender.look()
        last = ended(session, mail, 3)[-1]
        assert isinstance(last, MailSent)
        assert (last.attempt, last.delivered, last.refused) == (2, [ADA], {})
        assert [each.recipients for each in server.taken] == [[EVE], [ADA]], "nobody gets it twice"


@pytest.mark.parametrize(
    ("verb", "said", "kind"),
    [
        ("MAIL", "550 5.7.1 not from you", MailFailed),
        ("RCPT", "550 5.1.1 no such user", MailFailed),
        ("DATA", "554 5.6.0 no", MailFailed),
        ("BODY", "554 5.7.1 spam", MailFailed),
        ("MAIL", "530 5.7.0 log in first", MailAttemptFailed),
        ("MAIL", "451 4.3.0 later", MailAttemptFailed),
        ("RCPT", "421 4.7.0 too many", MailAttemptFailed),
        ("BODY", "452 4.3.1 full", MailAttemptFailed),
        ("CONNECT", "554 5.3.2 no service", MailAttemptFailed),
        ("CONNECT", "421 busy", MailAttemptFailed),
        ("CONNECT", "drop", MailAttemptFailed),
        ("RCPT", "drop", MailAttemptFailed),
        ("BODY", "drop", MailAttemptFailed),
        ("MAIL", "what is no answer", MailAttemptFailed),
    ],
)
def test_each_answer_at_each_place_means_what_it_says(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, verb: str, said: str, kind: type
) -> None:
    mail = queue(appender, session)
    with (
        MailServer(lambda now, _: said if now == verb else None) as server,
        at_work(fresh_dsn, appender, route_to(server)),
    ):
        (event,) = ended(session, mail)
        assert isinstance(event, kind)
        code = said.partition(" ")[0]
        assert event.code == (int(code) if code.isdigit() else 0)
        if isinstance(event, MailFailed):
            assert event.refused == {ADA: said}
        assert server.taken == []


def test_a_server_that_cannot_be_reached_is_asked_once_for_all_that_wait(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    waiting = [queue(appender, session) for _ in range(30)]
    with MailServer(lambda verb, _: "421 busy" if verb == "CONNECT" else None) as server:
        with at_work(fresh_dsn, appender, route_to(server)):
            for mail in waiting:
                assert isinstance(ended(session, mail)[0], MailAttemptFailed)
        assert server.connections < 5, "each connection is for all that are known to wait"


def test_after_two_days_a_mail_has_failed(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    clock = Clock()
    mail = queue(appender, session, ADA, BOB)
    server = MailServer(lambda verb, rest: "450 later" if verb == "RCPT" and rest == ADA else None)
    other = queue(appender, session, ADA)
    with server, at_work(fresh_dsn, appender, route_to(server), clock) as sender:
        ended(session, other)
        ended(session, mail)
        clock.ahead = timedelta(days=2)
        sender.look()
        last = ended(session, other, 3)[-1]
        assert isinstance(last, MailFailed)
        assert last.text == "it was not taken within two days: later"
        partly = ended(session, mail, 3)[-1]
        assert isinstance(partly, MailSent), "one has got it"
        assert partly.refused == {ADA: "it was not taken within two days: later"}


def test_a_connection_that_was_closed_in_between_costs_no_attempt(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    sent = [queue(appender, session) for _ in range(3)]
    with MailServer(lambda verb, _: "drop" if verb == "RSET" else None) as server:
        with at_work(fresh_dsn, appender, route_to(server)):
            assert [type(ended(session, mail)[0]) for mail in sent] == [MailSent] * 3
        assert server.connections == 3


def test_a_server_that_takes_two_mails_over_a_connection_costs_no_attempt_either(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    taken = [0]

    def answer(verb: str, _: str) -> str | None:
        taken[0] = 0 if verb == "CONNECT" else taken[0] + (verb == "MAIL")
        return "421 4.7.0 enough over this connection" if verb == "MAIL" and taken[0] > 2 else None

    sent = [queue(appender, session) for _ in range(5)]
    with MailServer(answer) as server:
        with at_work(fresh_dsn, appender, route_to(server)):
            assert [type(ended(session, mail)[0]) for mail in sent] == [MailSent] * 5
        assert server.connections == 3


def test_a_slow_server_is_not_waited_for_without_end(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    def answer(verb: str, _: str) -> None:
        if verb == "DATA":
            gevent.sleep(30)

    mail = queue(appender, session)
    with MailServer(answer) as server, at_work(fresh_dsn, appender, route_to(server, timeout=0.3)):
        (event,) = ended(session, mail)
        assert isinstance(event, MailAttemptFailed)
        assert event.code == 0
        assert "timed out" in event.text


def test_what_the_server_cannot_take_is_told_before_it_is_sent(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    large = queue(appender, session)
    with MailServer(offers=("SIZE 10",)) as server, at_work(fresh_dsn, appender, route_to(server)):
        assert "takes 10 bytes at most" in ended(session, large)[0].text
    foreign = queue(appender, session, "jürgen@example.org", international=True)
    with MailServer(offers=()) as server, at_work(fresh_dsn, appender, route_to(server)):
        assert "SMTPUTF8" in ended(session, foreign)[0].text
        assert server.taken == []


def test_an_international_address_goes_to_a_server_that_knows_them(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    mail = queue(appender, session, "jürgen@example.org", international=True)
    with MailServer() as server, at_work(fresh_dsn, appender, route_to(server)):
        assert isinstance(ended(session, mail)[0], MailSent)
        assert server.taken[0].recipients == ["jürgen@example.org"]


def test_a_mail_that_is_cancelled_is_not_sent(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    mail = queue(appender, session)
    state = mails.evolve(None, events(session, mail)[0], datetime.now(UTC))
    appender.append([Entry(mails.cancel(state, "a mistake"), Metadata("demo", "token:ada", uuid4(), uuid4()))])
    with MailServer() as server, at_work(fresh_dsn, appender, route_to(server)):
        ended(session, queue(appender, session))
        assert len(server.taken) == 1
        wait_until(lambda: row_of(session, mail).get("state") == "cancelled", "the list")


def test_two_leaders_record_one_outcome_and_a_cancellation_that_came_too_late_is_told(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    inside, go_on = Signal(), Signal()

    def answer(verb: str, _: str) -> None:
        if verb == "BODY":
            inside.set()
            go_on.wait(20)

    mail = queue(appender, session)
    with MailServer(answer) as server, at_work(fresh_dsn, appender, route_to(server, timeout=20)):
        assert inside.wait(20)
        state = mails.evolve(None, events(session, mail)[0], datetime.now(UTC))
        appender.append([Entry(mails.cancel(state, "a mistake"), Metadata("demo", "token:ada", uuid4(), uuid4()))])
        go_on.set()
        assert isinstance(ended(session, mail, 3)[-1], MailSent)
    inside.clear()
    go_on.clear()
    mail = queue(appender, session)
    with MailServer(answer) as server:
        with at_work(fresh_dsn, appender, route_to(server, timeout=20)):
            assert inside.wait(20)
            with at_work(fresh_dsn, appender, route_to(server, timeout=20)):
                wait_until(lambda: server.connections == 2 and server.said.count("DATA") == 2, "both to send")
                go_on.set()
                assert isinstance(ended(session, mail)[0], MailSent)
        assert len(server.taken) == 2, "at least once, under one Message-ID"
        assert len(events(session, mail)) == 2


def test_a_manager_that_is_killed_in_the_middle_loses_no_mail(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = Signal()
    held = [True]

    def answer(verb: str, _: str) -> None:
        if verb == "BODY" and held[0]:
            inside.set()
            gevent.sleep(60)

    with MailServer(answer) as server:
        monkeypatch.setenv("PICLOUD_MAIL_SERVER", f"smtp+plain://127.0.0.1:{server.port}")
        mail = queue(appender, session)
        with manager(fresh_dsn) as first:
            assert inside.wait(20), "the mail to be sent"
            first.send_signal(signal.SIGKILL)
            first.wait(10)
        assert events(session, mail)[1:] == []
        held[0] = False
        with manager(fresh_dsn) as second:
            assert isinstance(ended(session, mail)[0], MailSent)
            assert [each.message["Message-ID"] for each in server.taken] == [f"<{mail}@example.org>"]
            gevent.sleep(1.0)
            assert wakes_within(second.pid, 2.0) <= 6, "asleep when there is nothing to send"


def test_it_is_encrypted_to_a_server_that_is_trusted_and_to_no_other(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "mail.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
         str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for scheme in ("smtp", "smtps"):
        server = MailServer(tls=context, implicit=scheme == "smtps", offers=("AUTH PLAIN LOGIN",))
        logged_in: dict[str, Any] = {"scheme": scheme, "user": "shop", "password": "open sesame"}
        with server, at_work(fresh_dsn, appender, route_to(server, authorities=certificate, **logged_in)):
            mail = queue(appender, session)
            assert isinstance(ended(session, mail)[0], MailSent)
            assert any(line.startswith("AUTH PLAIN") for line in server.said)
        with server, at_work(fresh_dsn, appender, route_to(server, **logged_in)):
            mail = queue(appender, session)
            (event,) = ended(session, mail)
            assert isinstance(event, MailAttemptFailed)
            assert "certificate" in event.text
    with MailServer() as plain, at_work(fresh_dsn, appender, route_to(plain, scheme="smtp")):
        mail = queue(appender, session)
        assert "STARTTLS" in ended(session, mail)[0].text
        assert plain.taken == []


def test_a_password_that_is_wrong_can_be_mended(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    mail = queue(appender, session)
    answer: Callable[[str, str], str | None] = lambda verb, _: "535 5.7.8 wrong" if verb == "AUTH" else None  # noqa: E731
    with (
        MailServer(answer, offers=("AUTH PLAIN",)) as server,
        at_work(fresh_dsn, appender, route_to(server, user="shop", password="secret-4711")),
    ):
        (event,) = ended(session, mail)
        assert isinstance(event, MailAttemptFailed)
        assert event.code == 535
        assert "secret-4711" not in event.text


def test_apps_take_turns(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    many = [queue(appender, session, app="loud") for _ in range(20)]
    one = queue(appender, session, app="quiet")
    with at_work(fresh_dsn, appender, None):
        for mail, app in (*((each, "loud") for each in many), (one, "quiet")):
            wait_until(lambda mail=mail, app=app: row_of(session, mail, app).get("state") == "kept", "the list")
    resumed = [mails.requeue(mails.evolve(mails.evolve(None, found[0], at), found[1], at)) for found, at in
               ((events(session, mail), datetime.now(UTC)) for mail in [*many, one])]  # fmt: skip
    appender.append([Entry(event, Metadata("loud", "test", uuid4(), uuid4())) for event in resumed])
    with MailServer() as server, at_work(fresh_dsn, appender, route_to(server)):
        ended(session, many[-1], 4)
        ids = [each.message["Message-ID"] for each in server.taken]
        assert ids.index(f"<{one}@example.org>") < 3
