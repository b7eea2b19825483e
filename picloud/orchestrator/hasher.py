"""Passwords of apps' users are hashed with Argon2id, in a process of its own that is there while it is needed.

A hash takes tens of milliseconds and 19 MiB, on purpose. In the node's process nobody else would be answered meanwhile,
and in an executor no other script would run. So there is one child for it, started by the first password, and ended
when nobody signed in for a minute: an idle node has none, and its memory is given back. One password at a time is
hashed; only so many wait ([why so](../../docs/decisions/0015-passwords-in-a-process-of-their-own.md)).
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import cryptography
import gevent
import structlog
from gevent import socket
from gevent.lock import BoundedSemaphore

import picloud
from picloud.executor.process import spawn
from picloud.services.users.hashing import Busy

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1
"""OWASP's first choice for Argon2id: https://cheatsheetseries.owasp.org (Password Storage)."""
WAITING: Final = 32
PATIENCE_SECONDS: Final = 10.0
"""So long one password may take before its child is given up."""
IDLE_SECONDS: Final = 60.0

_BOOT: Final = """\
import sys
sys.path[:0] = sys.argv[1].split(':')
from picloud.orchestrator.hashing_child import main
main()
"""
_PARAMETERS: Final = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"

_log = structlog.get_logger(__name__)


class Hasher:
    """See the module, and :class:`picloud.services.users.hashing.Hashing`. Make it anywhere; it starts by itself."""

    def __init__(self) -> None:
        self.nobodys = _PARAMETERS + "$".join(_unpadded(secrets.token_bytes(size)) for size in (16, 32))
        self._turn = BoundedSemaphore(1)
        self._waiting = 0
        self._child: tuple[int, socket.socket] | None = None
        self._timer: Any = None

    def hashed(self, password: bytes) -> str:
        """See :meth:`Hashing.hashed`."""
        return str(self._ask(password, None))

    def matches(self, password: bytes, kept: str) -> bool:
        """See :meth:`Hashing.matches`."""
        return self._ask(password, kept) is True

    def outdated(self, kept: str) -> bool:
        """See :meth:`Hashing.outdated`."""
        return not kept.startswith(_PARAMETERS)

    @property
    def pid(self) -> int | None:
        """The child's process id, if there is one."""
        return self._child[0] if self._child is not None else None

    def stop(self) -> None:
        """End the child."""
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        if self._child is None:
            return
        (pid, line), self._child = self._child, None
        line.close()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            # Not waitpid, which gevent makes a wait for the loop: this may be the loop.
            os.waitid(os.P_PID, pid, os.WEXITED)

    def _ask(self, password: bytes, kept: str | None) -> str | bool:
        question = {"password": password.hex(), "kept": kept, "cost": [MEMORY_KIB, PASSES, LANES]}
        with self._one_at_a_time():
            try:
                return self._answer(question)
            except (OSError, EOFError) as error:
                _log.warning("hasher.lost", reason=str(error))
                self.stop()
            try:
                return self._answer(question)
            except (OSError, EOFError) as error:
                self.stop()
                raise Busy("passwords can't be checked now") from error

    def _answer(self, question: dict[str, Any]) -> str | bool:
        whole = False
        try:
            with gevent.Timeout(PATIENCE_SECONDS, TimeoutError("it took too long")):
                line = self._line()
                line.sendall(json.dumps(question).encode() + b"\n")
                received = b""
                while not received.endswith(b"\n"):
                    more = line.recv(4_096)
                    if not more:
                        raise EOFError("the process that hashes passwords is gone")
                    received += more
            whole = True
        finally:
            if not whole:
                # Whoever asks next must not get this answer: the run may have been killed while it waited.
                self.stop()
        self._rest_later()
        said: str | bool = json.loads(received)
        return said

    def _line(self) -> socket.socket:
        if self._child is None:
            places = dict.fromkeys(str(Path(package.__path__[0]).parent) for package in (picloud, cryptography))
            arguments = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, ":".join(places)]
            pid, fd = spawn(arguments)
            self._child = pid, socket.socket(fileno=fd)
        return self._child[1]

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if self._waiting >= WAITING:
            raise Busy("too many passwords are being checked")
        self._waiting += 1
        try:
            with self._turn:
                yield
        finally:
            self._waiting -= 1

    def _rest_later(self) -> None:
        """End the child when nobody has asked for a while; one timer, armed anew by each answer."""
        if self._timer is not None:
            self._timer.close()
        self._timer = gevent.get_hub().loop.timer(IDLE_SECONDS, ref=False)
        self._timer.start(self._rest)

    def _rest(self) -> None:
        if self._waiting == 0:
            self.stop()


def _unpadded(content: bytes) -> str:
    return b64encode(content).decode().rstrip("=")
