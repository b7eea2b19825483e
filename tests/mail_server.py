"""A server that takes mails and answers as a test says: in whatever order, slowly, or not at all."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import gevent
from gevent import socket

Answer = Callable[[str, str], str | None]
"""What is said to a command (verb and rest), ``CONNECT`` and ``BODY`` among them; None is the usual, ``drop`` hangs up.
"""


@dataclass
class Taken:
    """A mail that was taken."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail taken apart."""
        found = message_from_bytes(self.content, policy=default)
        assert isinstance(found, EmailMessage)
        return found


@dataclass
class MailServer:
    """See the module. ``said`` are all commands that came, ``taken`` the mails that got a 250."""

    answer: Answer = lambda verb, rest: None
    offers: tuple[str, ...] = ("SIZE 10485760", "8BITMIME", "SMTPUTF8")
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    said: list[str] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> MailServer:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._greenlets = [gevent.spawn(self._accept)]
        return self

    def __exit__(self, *_: object) -> None:
        gevent.killall(self._greenlets)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            self.connections += 1
            self._greenlets.append(gevent.spawn(self._talk, connection))

    def _talk(self, connection: socket.socket) -> None:
        try:
            if self.implicit:
                assert self.tls is not None
                connection = self.tls.wrap_socket(connection, server_side=True)
            _Dialogue(self, connection).run()
        except OSError:
            pass
        finally:
            connection.close()


class _Dialogue:
    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self._server = server
        self._connection = connection
        self._file = connection.makefile("rb")
        self._sender = ""
        self._recipients: list[str] = []

    def run(self) -> None:
        if not self._reply("CONNECT", "", "220 here"):
            return
        while line := self._file.readline().decode().rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            self._server.said.append(f"{verb} {rest}".rstrip())
            if not self._obey(verb, rest):
                return

    def _obey(self, verb: str, rest: str) -> bool:
        match verb:
            case "EHLO":
                offers = [*self._server.offers, *(["STARTTLS"] if self._offers_tls else [])]
                lines = ["here", *offers]
                marks = ["-"] * (len(lines) - 1) + [" "]
                return self._reply(
                    verb, rest, "\r\n".join(f"250{m}{each}" for m, each in zip(marks, lines, strict=True))
                )
            case "STARTTLS":
                assert self._server.tls is not None
                self._connection.sendall(b"220 go on\r\n")
                self._connection = self._server.tls.wrap_socket(self._connection, server_side=True)
                self._file = self._connection.makefile("rb")
                return True
            case "MAIL":
                self._sender, self._recipients = rest.partition("<")[2].partition(">")[0], []
                return self._reply(verb, rest, "250 ok")
            case "RCPT":
                address = rest.partition("<")[2].partition(">")[0]
                answer = self._server.answer(verb, address) or "250 ok"
                if answer.startswith("25"):
                    self._recipients.append(address)
                return self._send(answer)
            case "DATA":
                answer = self._server.answer(verb, rest) or "354 go on"
                return self._send(answer) and (not answer.startswith("354") or self._content())
            case "AUTH":
                return self._reply(verb, rest, "235 welcome")
            case "QUIT":
                self._send("221 bye")
                return False
        return self._reply(verb, rest, "250 ok")

    @property
    def _offers_tls(self) -> bool:
        server = self._server
        return server.tls is not None and not server.implicit and not isinstance(self._connection, ssl.SSLSocket)

    def _content(self) -> bool:
        lines = []
        while (line := self._file.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        taken = Taken(self._sender, self._recipients, b"".join(lines))
        answer = self._server.answer("BODY", self._sender) or "250 2.0.0 taken as 4711"
        if answer.startswith("250"):
            self._server.taken.append(taken)
        return self._send(answer)

    def _reply(self, verb: str, rest: str, usual: str) -> bool:
        return self._send(self._server.answer(verb, rest) or usual)

    def _send(self, answer: str) -> bool:
        if answer == "drop":
            return False
        self._connection.sendall(f"{answer}\r\n".encode())
        return True
