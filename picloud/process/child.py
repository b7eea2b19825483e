"""One child process: started, watched, signalled, waited for."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
_WAIT_STEP: Final = 0.02


class Child:
    """A running program in a session (and so a process group) of its own, ended by ``death_signal`` if we die.

    ``output`` is a file descriptor that takes its standard output and error; without it they stay ours. ``user`` is
    the (uid, gid) to become, for root only. Standard input is empty; no other descriptor is passed on.

    A program that can't be run shows as an exit status of 127.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        death_signal: signal.Signals = signal.SIGTERM,
        user: tuple[int, int] | None = None,
        output: int | None = None,
    ) -> None:
        uid, gid = user or (-1, -1)
        launcher = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), str(int(death_signal)), str(uid), str(gid)]
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        ]
        if output is not None:
            actions += [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
        self.started = time.monotonic()
        self.status: int | None = None
        """The exit code, or minus the signal that ended it; None while it runs."""
        self.pid: Final = os.posix_spawn(
            sys.executable,
            [*launcher, *argv],
            dict(environment),
            file_actions=actions,
            setsid=True,
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
        )

    def poll(self) -> int | None:
        """The exit status if it has ended, else None. Never waits."""
        if self.status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.status = 0
            else:
                if pid:
                    self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def send(self, number: signal.Signals) -> None:
        """Signal the process, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def send_group(self, number: signal.Signals) -> None:
        """Signal the process and all that it started, except what made a session of its own."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def kill(self) -> None:
        """End it and its group at once, if it has not ended, and collect it."""
        if self.poll() is None:
            self.send_group(signal.SIGKILL)
            os.kill(self.pid, signal.SIGKILL)
            self.wait(5.0)

    def wait(self, timeout: float) -> bool:
        """Whether it has ended within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_WAIT_STEP)
        return True
