"""One executor child as its parent sees it: started without anything inherited, frames over a socketpair, reaped.

Everything happens in callbacks of the gevent loop; nothing here blocks, and nothing wakes while the child is idle.
The child is started by posix_spawn, so no Python code runs between fork and exec, and the memory of a large parent
isn't copied.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import gevent
import greenlet
import msgspec

import picloud
from picloud.executor.protocol import FrameReader, FromChild, ProtocolError, ToChild, frame

SOCKET_FD: Final = 3
READ_BYTES: Final = 65_536

# hashlib's own implementations do what scripts need; loading OpenSSL's would cost each child 4 MB. msgspec does without
# typing_extensions, which would cost 0.4 MB.
_BOOT: Final = """\
import sys
sys.path[:0] = sys.argv[2].split(':')
sys.modules['_hashlib'] = sys.modules['typing_extensions'] = None
from picloud.executor.child import main
main(int(sys.argv[1]))
"""


def command(memory_mb: int) -> list[str]:
    """The command line of a child: an isolated interpreter that finds three packages and no others' settings."""
    packages = (picloud, greenlet, msgspec)
    places = dict.fromkeys(str(Path(package.__path__[0]).parent) for package in packages)
    return [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, str(memory_mb), ":".join(places)]


def spawn(arguments: list[str]) -> tuple[int, int]:
    """Start a child with one end of a socketpair as descriptor 3, /dev/null as 0 to 2, and an empty environment.

    Returns its process id and our end, which doesn't block. The child leads a process group of its own, so that a
    Ctrl-C on the terminal leaves it to its parent to end it. Raises OSError.
    """
    ours, theirs = (end.detach() for end in socket.socketpair())
    # Out of the way of the numbers that the child gets.
    high = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(theirs)
    os.set_blocking(high, True)
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
    try:
        pid = os.posix_spawn(
            arguments[0],
            arguments,
            {},
            file_actions=[*null, (os.POSIX_SPAWN_DUP2, high, SOCKET_FD)],
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGCHLD, signal.SIGHUP],
        )
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(high)
    os.set_blocking(ours, False)
    return pid, ours


class ExecutorProcess:
    """A running child. ``on_message`` gets each of its frames, ``on_exit`` once what ended it; both in the hub."""

    def __init__(self, memory_mb: int, *, on_message: Callable[[Any], None], on_exit: Callable[[str], None]) -> None:
        """Start a child. Raises OSError."""
        self._on_message = on_message
        self._on_exit = on_exit
        self._reader = FrameReader(FromChild)
        self._loop = gevent.get_hub().loop
        self.pid, self._fd = spawn(command(memory_mb))
        self._readable = self._loop.io(self._fd, 1)
        self._readable.start(self.receive)
        self._writable = self._loop.io(self._fd, 2)
        self._unsent: list[bytes] = []
        self._flushing = False
        self._closed = False
        self._why = ""
        self._watch_exit()

    def send(self, message: ToChild) -> None:
        """Send a message, together with what else is sent in this turn of the loop."""
        self._unsent.append(frame(message))
        if not self._flushing:
            self._flushing = True
            self._loop.run_callback(self._flush)

    def receive(self) -> None:
        """Take in what the child has sent."""
        while not self._closed:
            try:
                received = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                # It died with frames of ours unread.
                received = b""
            if not received:
                self.kill("")
                return
            try:
                messages = self._reader.feed(received)
            except ProtocolError as error:
                self.kill(f"it sent {error}")
                return
            for message in messages:
                self._on_message(message)
            if len(received) < READ_BYTES:
                return

    def kill(self, why: str) -> None:
        """End the child now. ``on_exit`` follows, with ``why``, or with how it exited if ``why`` is empty."""
        if self._closed:
            return
        self._closed = True
        self._why = why
        for watcher in (self._readable, self._writable):
            watcher.stop()
            watcher.close()
        os.close(self._fd)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        if self._pidfd < 0:
            self._loop.run_callback(self._exited)

    def _flush(self) -> None:
        self._flushing = False
        if self._closed:
            return
        unsent, self._unsent = b"".join(self._unsent), []
        try:
            sent = os.write(self._fd, unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The child is gone; reading tells so too, after what it had sent before.
            return
        if sent < len(unsent):
            self._unsent = [unsent[sent:]]
            self._flushing = True
            self._writable.start(self._flush_rest)

    def _flush_rest(self) -> None:
        self._writable.stop()
        self._flush()

    def _watch_exit(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            # Before Linux 5.3: the end of the socket tells, and the child is waited for after a SIGKILL.
            self._pidfd = -1
            return
        self._ended = self._loop.io(self._pidfd, 1)
        self._ended.start(self._exited)

    def _exited(self) -> None:
        self.receive()
        self.kill("")
        if self._pidfd >= 0:
            self._ended.stop()
            self._ended.close()
            os.close(self._pidfd)
        status = self._status()
        self._on_exit(self._why or status)

    def _status(self) -> str:
        try:
            status = os.waitid(os.P_PID, self.pid, os.WEXITED)
        except ChildProcessError:
            return "it ended (another part of the process took its exit status)"
        if status is None or status.si_code == os.CLD_EXITED:
            return f"it exited with status {status.si_status if status else 'unknown'}"
        return f"it was killed by {signal.Signals(status.si_status).name}"
