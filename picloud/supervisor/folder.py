"""The data folder: private, and in the hands of one supervisor at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path
from typing import Final

from picloud.config import SUPERVISED

URL_FILE: Final = "url"
TOKEN_FILE: Final = "owner.token"
_LOCK_FILE: Final = "lock"
_STEP: Final = 0.05
_LOCK_TRIES: Final = 5


class FolderError(RuntimeError):
    """The data folder can't be used; the message says why and what to do."""


class DataFolder:
    """The data folder at ``path``, made if need be, readable by its user alone.

    Raises :class:`FolderError` if it can't be made, or belongs to another user.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise FolderError(
                f"the data folder {path} can't be made: {error.strerror}; choose another (--data)"
            ) from error
        status = path.stat()
        if status.st_uid != os.geteuid():
            raise FolderError(
                f"the data folder {path} belongs to user {status.st_uid}, and this is user {os.geteuid()}; "
                "start PiCloud as that user, or choose another folder (--data)"
            )
        # For root, the group of the database's account may pass through (0710); nobody else may do anything.
        path.chmod(status.st_mode & 0o710 | 0o700)

    def lock(self) -> None:
        """Take the folder; the kernel gives it back when this process ends, however it does.

        Raises :class:`FolderError` if another supervisor has it.
        """
        self._lock = os.open(self.path / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # More than once, for `holder` below takes it for a moment as well.
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_STEP)
        else:
            pid = os.pread(self._lock, 32, 0).decode(errors="replace").strip() or "unknown"
            raise FolderError(
                f"PiCloud is already running on {self.path} (process {pid}); "
                "stop that one, or choose another data folder and port (--data, --listen)"
            )
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def marker(self) -> dict[str, str]:
        """What to add to the environment of the processes that belong to this folder."""
        return {SUPERVISED: str(self.path)}

    def end_leftovers(self, patience: float) -> int:
        """End what a killed supervisor of this folder left running, after ``patience`` seconds the hard way.

        Return how many processes there were. To be called with the lock held.
        """
        left = self._marked()
        found = len(left)
        for pid in left:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            time.sleep(_STEP)
            left = self._marked()
        while left:
            for pid in left:
                _signal(pid, signal.SIGKILL)
            time.sleep(_STEP)
            left = self._marked()
        return found

    def _marked(self) -> list[int]:
        entry = f"{SUPERVISED}={self.path}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if entry in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                    found.append(int(process.name))
            except OSError:
                continue
        return found

    def token(self) -> str:
        """The owner token."""
        return (self.path / TOKEN_FILE).read_text(encoding="utf-8").strip()

    def write_url(self, url: str) -> None:
        """Leave the platform's address where the command line finds it."""
        (self.path / URL_FILE).write_text(url + "\n", encoding="utf-8")


def holder(path: Path) -> int | None:
    """The process that runs PiCloud on the data folder ``path`` now; 0 if that isn't known, None if there is none."""
    try:
        lock = os.open(path / _LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(lock, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(lock)
    return None


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
