"""Waiting until HTTP and mail are served, and telling whoever started us."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Final

_STEP: Final = 0.05


def wait_ready(host: str, port: int, *, token: str, timeout: float, going_on: Callable[[], None]) -> str | None:
    """Wait until ``/readyz`` says 200; return None, or after ``timeout`` seconds what it said last.

    A request waits in the kernel's queue until a worker takes it, so this is told rather than asked again and again;
    only until there is a queue, and while a part is not up yet, it asks every 50 ms. ``going_on`` may raise.
    """
    host = _ours(host)
    deadline = time.monotonic() + timeout
    said = "nothing"
    while (left := deadline - time.monotonic()) > 0:
        going_on()
        try:
            status, body = ask(host, port, token=token, timeout=min(left, 5.0))
            if status == 200:
                return None
            said = f"{status} {body.strip()}"
        except OSError as error:
            said = error.strerror or str(error)
        time.sleep(_STEP)
    return said


def wait_listening(host: str, port: int, *, timeout: float, going_on: Callable[[], None]) -> bool:
    """Whether something listens there within ``timeout`` seconds. ``going_on`` may raise."""
    host = _ours(host)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        going_on()
        try:
            socket.create_connection((host, port), timeout=5.0).close()
        except OSError:
            time.sleep(_STEP)
        else:
            return True
    return False


def _ours(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def ask(host: str, port: int, *, timeout: float, token: str = "", path: str = "/readyz") -> tuple[int, str]:
    """Status and body of ``path``. Raises :class:`OSError` if there is no answer within ``timeout`` seconds."""
    with socket.create_connection((host, port), timeout=timeout) as connection:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 3 or not words[1].isdigit():
        raise OSError("the answer is not HTTP")
    return int(words[1]), body.decode(errors="replace")


def notify(state: str) -> None:
    """Tell systemd, if it started us (sd_notify(3)): ``READY=1``, ``STOPPING=1``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.sendall(state.encode())
