"""Compiled programs on disk, so that what one process has compiled another needn't compile again.

    Engine(limits, cache=ProgramCache(user_folder())).compile(source)

An entry is a file named by a hash of everything that the code depends on: the source, the limits, the host's functions,
the compiler (by its files' sizes and times, as Python does for its own cache) and the version of Python. So nothing is
ever out of date; what isn't asked for any more is the first to go when the folder is full.

Compiled code is code: who can write into the folder can make a script do anything. Therefore it has to be a folder of
ours that nobody else can write to, and so has each entry; otherwise there is no cache, and :attr:`ProgramCache.trouble`
tells why. An entry that is damaged or of unknown make counts as missing. Nothing here raises.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Final

_MAGIC: Final = b"rhai code 1\n"
_DIGEST: Final = 32
_ABANDONED_SECONDS: Final = 3600
"""A file that was begun so long ago will not be finished."""


def user_folder() -> Path | None:
    """Return the folder for the programs of this user; None if the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "picloud" / "rhai"
    except RuntimeError:
        return None


class ProgramCache:
    """See the module. One object serves any number of engines and threads."""

    def __init__(self, folder: Path | None, *, most_bytes: int = 32 * 1024 * 1024) -> None:
        """``folder`` is made if it is missing. The entries take ``most_bytes`` together, for a while a little more."""
        self.most_bytes = most_bytes
        self.trouble = ""
        """Why nothing is kept; empty if all is well."""
        self._room = 0
        """So many bytes may be stored before we look again at what is there."""
        self._folder = folder
        if folder is None:
            self.trouble = "there is no folder for it"
        elif not hasattr(os, "geteuid"):
            self.trouble = "this system doesn't tell whose a file is"
        elif compiler_version() is None:
            self.trouble = "the compiler's files can't be looked at"
        else:
            with suppress(OSError):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._opened():
                pass

    def load(self, key: str) -> bytes | None:
        """Return what was stored under a key; None if there is nothing, or nothing that can be trusted."""
        with self._opened() as folder:
            if folder is None:
                return None
            try:
                file = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            except OSError:
                return None
            with os.fdopen(file, "rb") as opened:
                if not _is_ours(os.fstat(file), stat.S_ISREG):
                    return None
                found = opened.read(self.most_bytes)
                data = found[len(_MAGIC) + _DIGEST :]
                if found != _sealed(key, data):
                    return None
                os.utime(file)  # it was used just now
                return data
        return None

    def store(self, key: str, data: bytes) -> None:
        """Keep data under a key, if that is possible."""
        if len(data) * 4 > self.most_bytes:
            return
        with self._opened() as folder:
            if folder is None:
                return
            started = f".{key}.{os.getpid()}.{time.monotonic_ns()}"
            try:
                file = os.open(started, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
                with os.fdopen(file, "wb") as opened:
                    opened.write(_sealed(key, data))
                # Nothing is forced to disk: what a crash leaves unfinished isn't what its digest says.
                os.replace(started, key, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(started, dir_fd=folder)
                return
            self._room -= len(data)
            if self._room < 0:
                self._tidy(folder)

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Hand out a descriptor of the folder; None if it isn't to be trusted, or something goes wrong with it."""
        descriptor: int | None = None
        if self._folder is not None and not self.trouble:
            try:
                descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                if not _is_ours(os.fstat(descriptor), stat.S_ISDIR):
                    self.trouble = f"{self._folder} is another user's, or others can write to it"
            except OSError as error:
                self.trouble = f"{self._folder}: {error.strerror}"
        try:
            yield None if self.trouble else descriptor
        except OSError as error:
            self.trouble = f"{self._folder}: {error.strerror}"
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _tidy(self, folder: int) -> None:
        """Remove what was unused for longest until there is room again, and what was begun and never finished."""
        now = time.time()
        entries = []
        with os.scandir(folder) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    about = entry.stat(follow_symlinks=False)
                    entries.append((about.st_mtime, about.st_size, entry.name))
        left = 0
        for used, size, name in sorted(entries, reverse=True):
            unfinished = name.startswith(".")
            if (unfinished and now - used > _ABANDONED_SECONDS) or (left + size) * 4 > self.most_bytes * 3:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
            else:
                left += size
        self._room = (self.most_bytes - left) // 4  # others store too


def key_of(*circumstances: str) -> str:
    """Return the name of the entry for what this compiler makes in these circumstances."""
    digest = sha256(compiler_version() or b"")
    for each in circumstances:
        text = each.encode()
        digest.update(b"%d:" % len(text))
        digest.update(text)
    return digest.hexdigest()


@lru_cache(1)
def compiler_version() -> bytes | None:
    """Return what tells this compiler in this Python apart from others; None if that can't be told."""
    digest = sha256(f"{sys.implementation.cache_tag} {sys.version} {sys.flags.optimize}".encode() + MAGIC_NUMBER)
    try:
        for path, size, changed in sorted(_sources(os.path.dirname(__file__))):  # noqa: PTH120 - a tenth of the time
            digest.update(f"{path} {size} {changed}\n".encode())
    except OSError:
        return None
    return digest.digest()


def _sources(folder: str) -> Iterator[tuple[str, int, int]]:
    """Find the compiler's files, with their sizes and times of change."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith(".py"):
                about = entry.stat()
                yield entry.path, about.st_size, about.st_mtime_ns
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _sources(entry.path)


def _sealed(key: str, data: bytes) -> bytes:
    """Return an entry's bytes. The key is in the digest, so that no entry can stand for another."""
    return _MAGIC + sha256(key.encode() + data).digest() + data


def _is_ours(about: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Whether a file is of the kind, belongs to us, and nobody else may write to it."""
    return is_kind(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o022
