"""Settings, data folder, disk and memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from picloud.config import MIB, Config, settings, unknown_variables
from picloud.doctor.finding import Finding, good, note, warning, wrong

LITTLE_DISK: Final = 1024 * MIB
NO_DISK: Final = 100 * MIB
LITTLE_MEMORY: Final = 150 * MIB


def variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Misspelt variables."""
    unknown = unknown_variables(environment)
    known = [setting.variable for setting in settings()]
    for variable in unknown:
        near = get_close_matches(variable, known, n=1)
        remedy = f"did you mean {near[0]}?" if near else "`picloud config` lists them all"
        yield warning("settings", f"{variable} is set and is no setting", remedy)
    if not unknown:
        yield good("settings", "every value can be, and no variable is misspelt")


def folder(config: Config) -> Iterator[Finding]:
    """The data folder's owner and rights."""
    path = config.data
    if not path.exists():
        yield note("data folder", f"{path} doesn't exist yet", "`picloud up` makes it")
        return
    status = path.stat()
    if status.st_uid != os.geteuid():
        yield wrong(
            "data folder",
            f"{path} belongs to user {status.st_uid}, and this is user {os.geteuid()}",
            f"run as that user, give it away (chown -R), or choose another (--data); only the owner may use {path}",
        )
    elif status.st_mode & 0o067:
        yield warning("data folder", f"{path} is open to others ({status.st_mode & 0o777:04o})", f"chmod 0700 {path}")
    elif not os.access(path, os.W_OK | os.X_OK):
        yield wrong("data folder", f"{path} can't be written", f"chmod 0700 {path}; is the file system read-only?")
    else:
        yield good("data folder", f"{path}, for its user alone")


def disk(config: Config) -> Iterator[Finding]:
    """Room where the data is."""
    place = _existing(config.data)
    usage = shutil.disk_usage(place)
    free = f"{usage.free // MIB} MiB free of {usage.total // MIB} on {place}"
    inodes = os.statvfs(place)
    if usage.free < NO_DISK or (inodes.f_files and inodes.f_favail < 1000):
        yield wrong(
            "disk",
            f"full: {free}, {inodes.f_favail} files left",
            "make room; PostgreSQL stops accepting writes when it is full, and nothing that was accepted is lost",
        )
    elif usage.free < LITTLE_DISK:
        yield warning("disk", free, "make room soon; the log only grows")
    else:
        yield good("disk", free)


def memory() -> Iterator[Finding]:
    """What programs may still take."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    available = int(lines["MemAvailable"].split()[0]) * 1024
    found = f"{available // MIB} MiB available"
    if available < LITTLE_MEMORY:
        yield warning("memory", found, "PiCloud takes about 180 MiB; stop something, or set PICLOUD_WORKERS=1")
    else:
        yield good("memory", found)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
