"""The system account that the embedded PostgreSQL runs as when PiCloud runs as root, which PostgreSQL refuses to."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ACCOUNT: Final = "picloud-postgres"


class NoAccount(RuntimeError):
    """There is no system account for the database, and none could be made; the message says how to go on."""


@dataclass(frozen=True, slots=True)
class Account:
    """A system account by its numbers."""

    uid: int
    gid: int

    def may_enter(self, folder: Path) -> bool:
        """Whether mode bits let the account go through ``folder`` and everything above it."""
        return all(self._may_enter_one(part) for part in (folder, *folder.parents))

    def first_closed(self, folder: Path) -> Path | None:
        """The topmost folder on the way to ``folder`` that the account may not enter."""
        return next((part for part in (*reversed(folder.parents), folder) if not self._may_enter_one(part)), None)

    def _may_enter_one(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def account_for(folder: Path) -> Account | None:
    """The account that owns, or is to own, the data ``folder`` of the database; None where that is our own.

    Makes the account at the first start as root. Raises :class:`NoAccount`.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists():
        status = folder.stat()
        if status.st_uid != 0:
            return Account(status.st_uid, status.st_gid)
    return _find() or _make()


def _find() -> Account | None:
    import pwd

    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _make() -> Account:
    import subprocess

    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/", ACCOUNT]
        command += ["--shell", "/bin/false"]
    elif adduser := shutil.which("adduser", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        command = [adduser, "-S", "-D", "-H", "-h", "/", "-s", "/bin/false", ACCOUNT]
    else:
        raise NoAccount(
            f"PostgreSQL doesn't run as root, and there is no program here to make the system account {ACCOUNT!r}; "
            "make it by hand, or start PiCloud as an ordinary user"
        )
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    # Two first starts at a time: the other one may have made it.
    if account := _find():
        return account
    raise NoAccount(f"the system account {ACCOUNT!r} for PostgreSQL can't be made: {outcome.stderr.strip()}")
