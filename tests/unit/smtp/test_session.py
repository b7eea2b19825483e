"""The dialogue on a real socket: what is said to whom, what ends it, what a client can't do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import socket

from picloud.smtp import session as dialogue
from picloud.smtp.command import Path
from picloud.smtp.reply import Reply
from picloud.smtp.session import MOST_ERRORS, MOST_RECIPIENTS, Envelope, Session, Terms

MOST = 10_000


class Box:
    """Takes what is for anybody at example.org, and keeps it."""

    def __init__(self) -> None:
        self.mails: list[tuple[Envelope, bytes]] = []

    def check(self, recipient: Path, *, sender: str, size: int | None) -> Reply:
        known = recipient.domain == "example.org"
        return Reply(250, "2.1.5", "ok") if known else Reply(550, "5.1.1", "nobody")

    def deliver(self, envelope: Envelope, content: bytes) -> Reply:
        self.mails.append((envelope, content))
        return Reply(250, "2.0.0", "kept")


class Client:
    """Sends bytes, reads replies: their codes, and the lines of the last."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(20.0)
        self.file = connection.makefile("rb")
        self.lines: list[bytes] = []

    def says(self, data: bytes) -> int:
        """Send, and return the code of the next reply; 0 if the connection has ended."""
        if data:
            self.connection.sendall(data)
        self.lines = []
        while line := self.file.readline():
            self.lines.append(line.rstrip())
            if line[3:4] != b"-":
                return int(line[:3])
        return 0


@contextmanager
def talking(box: Box) -> Iterator[tuple[Client, Session]]:
    ours, theirs = socket.socketpair()
    session = Session(theirs, "192.0.2.1", terms=Terms(name="mx.example.org", most=MOST), postmaster=box)
    greenlet = gevent.spawn(session.run)
    client = Client(ours)
    try:
        assert client.says(b"") == 220
        yield client, session
    finally:
        client.file.close()
        ours.close()
        greenlet.join(5.0)
        assert greenlet.ready(), "the session goes on without its client"


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def client(box: Box) -> Iterator[Client]:
    with talking(box) as (client, _):
        yield client


def test_it_says_what_it_can(client: Client) -> None:
    assert client.says(b"EHLO me\r\n") == 250
    assert [line[4:] for line in client.lines] == [
        b"mx.example.org", b"PIPELINING", b"SIZE 10000", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES", b"HELP"
    ]  # fmt: skip
    assert client.says(b"HELO me\r\n") == 250
    assert client.lines == [b"250 mx.example.org"]


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        ([b"MAIL FROM:<a@b.c>"], 503),
        ([b"EHLO x", b"RCPT TO:<a@example.org>"], 503),
        ([b"EHLO x", b"DATA"], 503),
        ([b"EHLO x", b"MAIL FROM:<a@b.c>", b"MAIL FROM:<a@b.c>"], 503),
        ([b"EHLO x", b"MAIL FROM:<a@b.c>", b"DATA"], 554),
        ([b"EHLO x", b"MAIL FROM:<a@b.c>", b"RCPT TO:<x@elsewhere>", b"DATA"], 554),
        ([b"EHLO x", b"MAIL FROM:<a@b.c> SIZE=10001"], 552),
        ([b"EHLO x", b"MAIL FROM:<a@b.c> SIZE=" + b"9" * 400], 552),
        ([b"EHLO x", b"MAIL FROM:<a@b.c> SIZE=much"], 555),
        ([b"EHLO x", b"MAIL FROM:<a@b.c> RET=FULL"], 555),
        ([b"EHLO x", b"MAIL FROM:<a@b.c> BODY=BINARYMIME"], 555),
        ([b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<>"], 501),
        ([b"EHLO x", b"MAIL FROM:<a@b.c>", b"RCPT TO:<a@example.org> NOTIFY=NEVER"], 555),
        ([b"EHLO x", b"MAIL FROM:<a@b.c>", b"RCPT TO:<a@example.org>", b"RSET", b"DATA"], 503),
        ([b"EHLO x", b"MAIL FROM:<a@b.c>", b"EHLO x", b"RCPT TO:<a@example.org>"], 503),
        ([b"EHLO"], 501),
        ([b"EHLO x", b"STARTTLS"], 502),
        ([b"EHLO x", b"AUTH PLAIN x"], 502),
        ([b"GET / HTTP/1.1"], 500),
        ([b"\xff\xfe"], 500),
        ([b"VRFY ada"], 252),
        ([b"HELP"], 214),
    ],
)
def test_what_is_said_to_a_client_out_of_step(client: Client, commands: list[bytes], code: int) -> None:
    codes = [client.says(command + b"\r\n") for command in commands]
    assert codes[-1] == code
    assert client.says(b"NOOP\r\n") == 250


def test_a_mail_reaches_the_box_with_its_envelope_and_further_ones_follow(client: Client, box: Box) -> None:
    client.says(b"EHLO x\r\n")
    for number in range(3):
        assert client.says(b"MAIL FROM:<a@b.c>\r\n") == 250
        assert client.says(b"RCPT TO:<one@example.org>\r\n") == 250
        assert client.says(b"RCPT TO:<two@elsewhere>\r\n") == 550
        assert client.says(b"DATA\r\n") == 354
        assert client.says(b"Subject: %d\r\n\r\n..\r\n.\r\n" % number) == 250
    assert [content for _, content in box.mails] == [b"Subject: %d\r\n\r\n.\r\n" % number for number in range(3)]
    assert box.mails[0][0] == Envelope(sender="a@b.c", recipients=(Path("one@example.org"),), client="192.0.2.1")


def test_a_mail_that_is_too_large_is_read_to_its_end_and_refused(client: Client, box: Box) -> None:
    client.says(b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<one@example.org>\r\n")
    client.says(b"")
    client.says(b"")
    assert client.says(b"DATA\r\n") == 354
    assert client.says(b"x" * (MOST + 1) + b"\r\n.\r\n") == 552
    assert client.says(b"NOOP\r\n") == 250
    assert box.mails == []


def test_a_mail_without_end_ends_the_connection(client: Client) -> None:
    client.says(b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<one@example.org>\r\n")
    client.says(b"")
    client.says(b"")
    assert client.says(b"DATA\r\n") == 354
    assert client.says(b"x" * (3 * MOST)) == 552
    assert client.says(b"") == 0


def test_a_command_without_end_is_refused_and_the_next_one_heard(client: Client) -> None:
    assert client.says(b"x" * 50_000) == 500
    assert client.says(b"y" * 50_000 + b"\r\nNOOP\r\n") == 250


def test_recipients_are_counted(client: Client) -> None:
    client.says(b"EHLO x\r\n")
    client.says(b"MAIL FROM:<a@b.c>\r\n")
    codes = [client.says(b"RCPT TO:<r%d@example.org>\r\n" % number) for number in range(MOST_RECIPIENTS + 1)]
    assert codes == [250] * MOST_RECIPIENTS + [452]


def test_who_only_errs_is_sent_away(client: Client) -> None:
    codes = [client.says(b"XYZZY\r\n") for _ in range(MOST_ERRORS)]
    assert set(codes) == {500}
    client.connection.sendall(b"XYZZY\r\n")
    assert [client.says(b""), client.says(b""), client.says(b"")] == [500, 421, 0]


def test_who_is_silent_is_sent_away(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "COMMAND_SECONDS", 0.05)
    with talking(box) as (client, _):
        assert client.says(b"") == 421
        assert client.says(b"") == 0


def test_who_drips_is_sent_away(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "MAIL_SECONDS", 0.2)
    with talking(box) as (client, _):
        client.says(b"EHLO x\r\n")
        client.says(b"MAIL FROM:<a@b.c>\r\n")
        client.says(b"RCPT TO:<one@example.org>\r\n")
        assert client.says(b"DATA\r\n") == 354
        dripping = gevent.spawn(_drip, client.connection)
        assert client.says(b"") == 421
        dripping.kill()
    assert box.mails == []


def _drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x")
        gevent.sleep(0.01)


def test_a_client_that_goes_in_the_middle_leaves_nothing(client: Client, box: Box) -> None:
    client.says(b"EHLO x\r\n")
    client.says(b"MAIL FROM:<a@b.c>\r\n")
    client.says(b"RCPT TO:<one@example.org>\r\n")
    assert client.says(b"DATA\r\n") == 354
    client.connection.sendall(b"Subject: half\r\n")
    client.connection.shutdown(socket.SHUT_RDWR)
    assert box.mails == []


def test_an_end_is_told(box: Box) -> None:
    with talking(box) as (client, session):
        client.says(b"EHLO x\r\n")
        session.end()
        assert client.says(b"") == 421
        assert client.says(b"") == 0
