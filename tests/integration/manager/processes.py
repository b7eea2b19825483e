"""Manager processes under test, and waiting for what they bring about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent


@contextmanager
def manager(dsn: str) -> Iterator[subprocess.Popen[bytes]]:
    """A manager on the database, killed at the end unless it has ended."""
    environment = {**os.environ, "PICLOUD_DATABASE": dsn}
    process = subprocess.Popen([sys.executable, "-m", "picloud.manager"], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def end(process: subprocess.Popen[bytes]) -> int:
    """Ask the process to end; return its exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(10)


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Look again and again until ``holds``, and fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        gevent.sleep(0.02)


def wakes_within(pid: int, seconds: float) -> int:
    """How often the process gave up the processor of its own will in that time."""
    before = _voluntary_switches(pid)
    gevent.sleep(seconds)
    return _voluntary_switches(pid) - before


def _voluntary_switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("voluntary")).split()[1])
