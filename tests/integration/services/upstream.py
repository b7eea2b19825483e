"""Servers that scripts call in tests, on loopback: HTTP that answers as it is told, and DNS that changes its mind."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

import gevent
from gevent.server import DatagramServer, StreamServer

Answering = Callable[["Received", socket.socket], None]
"""Answers a request on its connection."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came, over the ``connection``-th connection."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Upstream:
    """An HTTP server; ``answers`` are by path, and what has none is answered with the path."""

    server: StreamServer
    answers: dict[str, Answering] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def port(self) -> int:
        return int(self.server.server_port)

    def on(self, path: str, content: bytes) -> None:
        """Answer a path with these bytes."""
        self.answers[path] = lambda _request, connection: connection.sendall(content)

    def serve(self, connection: socket.socket, _peer: object) -> None:
        self.connections += 1
        number = self.connections
        stream = connection.makefile("rb")
        try:
            while (request := _read(stream, number)) is not None:
                self.received.append(request)
                answer = self.answers.get(request.target.partition("?")[0])
                if answer is None:
                    connection.sendall(reply(request.target.encode()))
                else:
                    answer(request, connection)
        except OSError:
            pass
        finally:
            stream.close()
            connection.close()


def _read(stream: object, number: int) -> Received | None:
    line = stream.readline()  # type: ignore[attr-defined]
    if not line:
        return None
    method, target, _ = line.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline().strip()) != b"":  # type: ignore[attr-defined]
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))  # type: ignore[attr-defined]
    return Received(method, target, headers, body, number)


def reply(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> bytes:
    """An answer; ``headers`` are lines with LF between them."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers.splitlines()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return reply(status=status, headers=f"Location: {location}")


@contextmanager
def upstream(address: str = "127.0.0.1", port: int = 0, tls: SSLContext | None = None) -> Iterator[Upstream]:
    """A running HTTP server."""
    options = {} if tls is None else {"ssl_context": tls}
    server = StreamServer((address, port), lambda *connection: found.serve(*connection), **options)
    found = Upstream(server)
    server.start()
    try:
        yield found
    finally:
        server.stop(timeout=0.2)


@dataclass
class NameServer:
    """A DNS server: ``answer(name, count)`` gives the addresses, for the count-th time that the name is asked for."""

    server: DatagramServer
    answer: Callable[[str, int], list[str]]
    asked: dict[str, int] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    def serve(self, query: bytes, peer: tuple[str, int]) -> None:
        self.times.append(time.monotonic())
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, (kind,) = ".".join(labels).lower(), struct.unpack(">H", query[at + 1 : at + 3])
        if kind == 1:
            self.asked[name] = self.asked.get(name, 0) + 1
        found = b""
        count = 0
        for text in self.answer(name, max(1, self.asked.get(name, 1))):
            packed = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
            if (len(packed) == 4) == (kind == 1) and kind in (1, 28):
                found += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(packed)) + packed
                count += 1
        question = query[12 : at + 5]
        self.server.sendto(query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, count, 0, 0) + question + found, peer)


@contextmanager
def name_server(answer: Callable[[str, int], list[str]]) -> Iterator[NameServer]:
    """A running DNS server."""
    server = DatagramServer("127.0.0.1:0", handle=lambda *query: found.serve(*query))
    found = NameServer(server, answer)
    server.start()
    try:
        yield found
    finally:
        server.stop()


def drip(content: bytes, pause: float) -> Answering:
    """Answer with one byte at a time."""

    def answer(_request: Received, connection: socket.socket) -> None:
        for byte in content:
            connection.sendall(bytes([byte]))
            gevent.sleep(pause)

    return answer
