"""A load generator lean enough not to be what is measured: one process, one epoll loop, keep-alive connections."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What one stretch of load gave. Times are in milliseconds."""

    per_second: float
    p50: float
    p99: float
    failed: int


def request_bytes(method: str, path: str, *, headers: str = "", body: bytes = b"") -> bytes:
    """A request of HTTP/1.1 as it goes over the wire; ``headers`` are whole lines, each ended by CRLF."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def drive(port: int, request: bytes, *, connections: int, seconds: float) -> Measured:
    """Send ``request`` on each connection, again as soon as its answer is whole, for ``seconds``."""
    poller = select.epoll()
    sockets: dict[int, socket.socket] = {}
    sent: dict[int, float] = {}
    got: dict[int, bytes] = {}
    for _ in range(connections):
        opened = socket.create_connection(("127.0.0.1", port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[opened.fileno()] = opened
        poller.register(opened.fileno(), select.EPOLLIN)
    clock = time.perf_counter
    latencies: list[float] = []
    failed = 0
    began = clock()
    end = began + seconds
    for number, opened in sockets.items():
        sent[number] = clock()
        got[number] = b""
        opened.sendall(request)
    open_requests = connections
    while open_requests:
        for number, _ in poller.poll(30):
            received = got[number] + sockets[number].recv(65536)
            if not _whole(received):
                got[number] = received
                continue
            now = clock()
            latencies.append(now - sent[number])
            failed += not received.startswith(b"HTTP/1.1 2")
            got[number] = b""
            if now < end:
                sent[number] = now
                sockets[number].sendall(request)
            else:
                open_requests -= 1
    elapsed = clock() - began
    for opened in sockets.values():
        opened.close()
    poller.close()
    latencies.sort()
    return Measured(
        len(latencies) / elapsed,
        1000 * latencies[len(latencies) // 2],
        1000 * latencies[int(len(latencies) * 0.99)],
        failed,
    )


def _whole(received: bytes) -> bool:
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return False
    mark = received.lower().find(b"content-length: ", 0, head)
    if mark < 0:
        return received.startswith(b"HTTP/1.1 204")
    length = int(received[mark + 16 : received.index(b"\r", mark)])
    return len(received) >= head + 4 + length
