"""The dialogue of one connection (RFC 5321), with PIPELINING, SIZE, 8BITMIME, SMTPUTF8 and STARTTLS."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import gevent
import structlog
from gevent import socket

from picloud.smtp import reply
from picloud.smtp.command import BadArguments, Command, Path
from picloud.smtp.lines import Content, Lines, LineTooLong
from picloud.smtp.reply import Reply

MOST_RECIPIENTS: Final = 100
"""Of one mail; RFC 5321, section 4.5.3.1.8, asks for as many."""
MOST_ERRORS: Final = 50
COMMAND_SECONDS: Final = 300.0
"""How long a command may take to come (section 4.5.3.2.7)."""
SILENT_SECONDS: Final = 180.0
"""How long nothing may come in the middle of a mail."""
MAIL_SECONDS: Final = 1_800.0
SESSION_SECONDS: Final = 3_600.0
SEND_SECONDS: Final = 60.0

_CHUNK: Final = 16_384
_LONGEST_HELLO: Final = 255

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """From where to whom a mail goes, whatever its headers say. ``client`` is the address of who sends it."""

    sender: str
    recipients: tuple[Path, ...]
    client: str


class Postmaster(Protocol):
    """Who knows the recipients."""

    def check(self, recipient: Path, *, sender: str, size: int | None) -> Reply:
        """Whether mail to ``recipient`` is taken; ``size`` is how large the client says that it is."""

    def deliver(self, envelope: Envelope, content: bytes) -> Reply:
        """Take the mail for all recipients, or for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all connections are told: the server's ``name``, the size of mails; ``tls`` gives the context, if any."""

    name: str
    most: int
    tls: Callable[[], ssl.SSLContext] | None = None


class _Stopping(BaseException):
    """Raised in a session that is to end, where it waits."""


class _End(Exception):
    """The session is over, after this last reply."""

    def __init__(self, last: Reply) -> None:
        super().__init__(last.text)
        self.last = last


class _Gone(Exception):
    """The client went away."""


class Session:
    """See the module. ``run`` it in a greenlet of its own; it closes the connection."""

    def __init__(self, connection: socket.socket, client: str, *, terms: Terms, postmaster: Postmaster) -> None:
        self._socket = connection
        self._client = client
        self._terms = terms
        self._postmaster = postmaster
        self._lines = Lines()
        self._unsent = bytearray()
        self._ends = time.monotonic() + SESSION_SECONDS
        self._errors = 0
        self._encrypted = False
        self._hello: str | None = None
        self._sender: Path | None = None
        self._recipients: list[Path] = []
        self._greenlet: Any = None
        self._recording = False
        self._ending = False

    def end(self) -> None:
        """Send the client away: now, or once its mail is recorded."""
        self._ending = True
        if self._greenlet is not None and not self._recording:
            self._greenlet.kill(_Stopping, block=False)

    def run(self) -> None:
        """Talk until the client goes, or has to."""
        self._greenlet = gevent.getcurrent()
        self._greenlet.name = f"smtp {self._client}"
        try:
            self._answer(Reply(220, "", f"{self._terms.name} ESMTP PiCloud"))
            while True:
                self._step()
                if self._ending:
                    raise _End(reply.STOPPING)
        except _End as end:
            self._say_last(end.last)
        except _Stopping:
            self._say_last(reply.STOPPING)
        except _Gone:
            pass
        finally:
            self._socket.close()

    def _step(self) -> None:
        try:
            line = self._line()
        except LineTooLong:
            self._answer(reply.TOO_LONG)
            return
        command = Command.parse(line)
        if command is None:
            self._answer(reply.UNKNOWN)
            return
        try:
            self._obey(command)
        except BadArguments as bad:
            self._answer(reply.syntax(str(bad)))

    def _obey(self, command: Command) -> None:
        match command.verb:
            case "EHLO" | "HELO":
                self._answer(self._greet(command))
            case "MAIL":
                self._answer(self._mail(command.rest))
            case "RCPT":
                self._answer(self._recipient(command.rest))
            case "DATA":
                self._data(command.rest)
            case "STARTTLS":
                self._start_tls(command.rest)
            case "RSET":
                self._begin_anew()
                self._answer(reply.OK)
            case "NOOP":
                self._answer(reply.OK)
            case "QUIT":
                raise _End(reply.BYE)
            case "HELP":
                self._answer(reply.HELP)
            case "VRFY":
                self._answer(reply.NOT_VERIFIED)
            case "EXPN" | "AUTH" | "BDAT" | "ETRN" | "TURN":
                self._answer(reply.NOT_DONE)
            case _:
                self._answer(reply.UNKNOWN)

    # ------------------------------------------------------------------------------------------------------ commands

    def _greet(self, command: Command) -> Reply:
        if not command.rest:
            return reply.syntax(f"{command.verb} and your name")
        self._begin_anew()
        self._hello = command.rest[:_LONGEST_HELLO].decode("ascii", "replace")
        if command.verb == "HELO":
            return Reply(250, "", self._terms.name)
        offers = ["PIPELINING", f"SIZE {self._terms.most}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "HELP"]
        if self._terms.tls is not None and not self._encrypted:
            offers.insert(0, "STARTTLS")
        return Reply(250, "", self._terms.name, tuple(offers))

    def _mail(self, rest: bytes) -> Reply:
        if self._hello is None:
            return reply.HELLO_FIRST
        if self._sender is not None:
            return reply.NESTED
        path = Path.parse(rest, "FROM")
        for name, value in path.parameters.items():
            if name == "SIZE" and value.isascii() and value.isdigit():
                if len(value) > 20 or int(value) > self._terms.most:
                    return reply.too_large(self._terms.most)
            elif name == "BODY" and value.upper() in ("7BIT", "8BITMIME"):
                continue
            elif name != "SMTPUTF8" or value:
                return Reply(555, "5.5.4", f"the parameter {name} is unknown here, or has no such value")
        self._sender = path
        return Reply(250, "2.1.0", "ok")

    def _recipient(self, rest: bytes) -> Reply:
        if self._sender is None:
            return reply.MAIL_FIRST if self._hello is not None else reply.HELLO_FIRST
        path = Path.parse(rest, "TO")
        if not path.address:
            raise BadArguments("RCPT TO:<address>")
        if path.parameters:
            return Reply(555, "5.5.4", "recipients have no parameters here")
        if len(self._recipients) >= MOST_RECIPIENTS:
            return reply.TOO_MANY_RECIPIENTS
        size = self._sender.parameters.get("SIZE")
        answer = self._postmaster.check(path, sender=self._sender.address, size=int(size) if size else None)
        if answer.accepted:
            self._recipients.append(path)
        else:
            _log.info("smtp.refused", recipient=path.address, client=self._client, code=answer.code, why=answer.text)
        return answer

    def _data(self, rest: bytes) -> None:
        if rest:
            self._answer(reply.syntax("DATA alone"))
            return
        if not self._recipients:
            self._answer(reply.RECIPIENT_FIRST if self._sender is not None else reply.MAIL_FIRST)
            return
        assert self._sender is not None
        self._answer(reply.GO_ON)
        content = self._content()
        envelope = Envelope(
            sender=self._sender.address, recipients=tuple(self._recipients), client=self._client
        )  # fmt: skip
        self._begin_anew()
        if content is None:
            self._answer(reply.too_large(self._terms.most))
            return
        self._recording = True
        try:
            self._answer(self._postmaster.deliver(envelope, content))
        finally:
            self._recording = False

    def _content(self) -> bytes | None:
        """The mail; None if it was too large."""
        content = Content(self._terms.most)
        until = time.monotonic() + MAIL_SECONDS
        rest = content.feed(self._lines.rest())
        while rest is None:
            if content.size > 2 * self._terms.most:
                # Whoever doesn't stop by then won't hear of it otherwise.
                raise _End(reply.too_large(self._terms.most))
            rest = content.feed(self._receive(until, SILENT_SECONDS))
        self._lines.feed(rest)
        return None if content.too_large else content.whole()

    def _start_tls(self, rest: bytes) -> None:
        if rest:
            self._answer(reply.syntax("STARTTLS alone"))
        elif self._encrypted:
            self._answer(reply.TLS_ALREADY)
        elif self._terms.tls is None:
            self._answer(reply.NO_TLS)
        elif self._lines.waiting:
            # Somebody on the way may have put it there, to be read as if it had come encrypted.
            raise _End(reply.BEHIND_TLS)
        else:
            self._answer(reply.READY_FOR_TLS)
            self._flush()
            self._socket.settimeout(SEND_SECONDS)
            try:
                self._socket = self._terms.tls().wrap_socket(self._socket, server_side=True)
            except OSError as error:
                _log.info("smtp.tls_failed", client=self._client, error=str(error))
                raise _Gone from None
            self._encrypted = True
            # Nothing of what was said before counts (RFC 3207, section 4.2).
            self._hello = None
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._sender = None
        self._recipients = []

    # --------------------------------------------------------------------------------------------------- connection

    def _line(self) -> bytes:
        until = time.monotonic() + COMMAND_SECONDS
        while (line := self._lines.next()) is None:
            self._lines.feed(self._receive(until, COMMAND_SECONDS))
        return line

    def _receive(self, until: float, silence: float) -> bytes:
        """What comes next, once all answers are sent: a client that pipelines gets many in one packet."""
        self._flush()
        left = min(until, self._ends) - time.monotonic()
        if left <= 0:
            raise _End(reply.TIMED_OUT)
        self._socket.settimeout(min(left, silence))
        try:
            data = self._socket.recv(_CHUNK)
        except TimeoutError:
            raise _End(reply.TIMED_OUT) from None
        except OSError:
            raise _Gone from None
        if not data:
            raise _Gone
        return bytes(data)

    def _answer(self, answer: Reply) -> None:
        self._unsent += answer.encode()
        self._errors += answer.code >= 500
        if self._errors > MOST_ERRORS:
            raise _End(reply.TOO_MANY_ERRORS)

    def _flush(self) -> None:
        if not self._unsent:
            return
        unsent, self._unsent = bytes(self._unsent), bytearray()
        self._socket.settimeout(SEND_SECONDS)
        try:
            self._socket.sendall(unsent)
        except OSError:
            raise _Gone from None

    def _say_last(self, last: Reply) -> None:
        try:
            self._unsent += last.encode()
            self._flush()
        except _Gone:
            return
