"""The embedded PostgreSQL: made, started, watched and stopped.

One process owns the life of one server, and makes sure of that before it calls anything here (the supervisor holds a
lock on the data folder). The server listens on a Unix socket alone, in a folder that only its user may enter.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from picloud.postgres.account import Account, account_for
from picloud.postgres.folder import SOCKET_NAME, socket_dsn, socket_folder
from picloud.postgres.installation import programs
from picloud.process import Child

_START_STEP: Final = 0.02
_LOG_LIMIT: Final = 10 * 1024 * 1024

SETTINGS: Final[Mapping[str, str]] = {
    # Safety first: a committed event is on the disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Reached by a socket in the data folder alone.
    "listen_addresses": "",
    "max_connections": "100",
    "superuser_reserved_connections": "3",
    # A small machine: few processes, little memory.
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "wal_buffers": "2MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_method": "sync",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_worker_slots": "4",
    "autovacuum_max_workers": "2",
    # Backups by pg_basebackup work.
    "wal_level": "replica",
    "max_wal_senders": "4",
    "max_replication_slots": "4",
    # Few wake-ups when nothing happens, and checkpoints that don't come in bursts.
    "bgwriter_delay": "1s",
    "autovacuum_naptime": "60s",
    "checkpoint_timeout": "15min",
    "max_wal_size": "512MB",
    "min_wal_size": "64MB",
    # A client that died must not hold locks.
    "idle_in_transaction_session_timeout": "60s",
    "client_connection_check_interval": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %a ",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}
"""What differs from PostgreSQL's defaults, or must not. A file ``postgres.conf`` in the data folder goes over it."""


class ServerFailed(RuntimeError):
    """PostgreSQL can't be made or started; the message has its last words and where to read more."""


class Server:
    """The embedded PostgreSQL with its files in ``folder``; its log and its programs' copy lie beside them.

    ``settings`` go over :data:`SETTINGS`.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.log = folder.with_name(folder.name + ".log")
        self.child: Child | None = None
        self._settings = {**SETTINGS, **(settings or {})}
        self._account: Account | None = None
        self._programs = Path()

    @property
    def dsn(self) -> str:
        """How to reach it, as a libpq connection string."""
        return socket_dsn(self.folder)

    def prepare(self) -> bool:
        """Make the database if there is none, end what an earlier owner left running; return whether it is new.

        Raises :class:`ServerFailed`, :class:`NoAccount` or :class:`NoInstallation`.
        """
        data = self.folder.parent
        self._account = account_for(self.folder)
        if self._account is not None:
            # Only root and the database's group may go through; what else lies there is readable by root alone.
            os.chown(data, 0, self._account.gid)
            data.chmod(0o710)
            if closed := self._account.first_closed(data):
                raise ServerFailed(
                    f"PostgreSQL runs as user {self._account.uid}, which may not enter {closed}; "
                    f"choose another data folder, or run: chmod o+x {closed}"
                )
        self._programs = programs(data, self._account)
        self._rotate_log()
        new = not (self.folder / "PG_VERSION").exists()
        if new:
            self._initialise()
        else:
            self._check_version()
            self._end_leftovers()
        self._make_socket_folder()
        return new

    def start(self) -> Child:
        """Start the prepared server, without waiting until it is ready."""
        self._write_settings()
        with self.log.open("ab") as log:
            self.child = Child(
                [str(self._programs / "postgres"), "-D", str(self.folder), "-c", f"config_file={self._settings_file}"],
                environment=_environment(),
                # Smart: it ends when the last client, each of which ends with us as well, has gone.
                death_signal=signal.SIGTERM,
                user=self._user,
                output=log.fileno(),
            )
        return self.child

    def ready(self) -> bool:
        """Whether the server that was started here takes connections by now.

        Raises :class:`ServerFailed` if it has ended instead.
        """
        if self.child is None or self.child.poll() is not None:
            raise ServerFailed(f"PostgreSQL ended while starting{self._last_words()}")
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.child.pid) and lines[7].strip() == "ready"

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until it takes connections. Raises :class:`ServerFailed` if it ended, or after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not self.ready():
            if time.monotonic() > deadline:
                raise ServerFailed(f"PostgreSQL is not ready after {timeout:g} s{self._last_words()}")
            time.sleep(_START_STEP)

    def stop(self, timeout: float = 30.0) -> None:
        """End it: sessions are cut, everything committed is on the disk. After ``timeout`` seconds less politely."""
        if self.child is None:
            return
        self.child.send(signal.SIGINT)
        if not self.child.wait(timeout):
            self.child.send(signal.SIGQUIT)
            if not self.child.wait(5.0):
                self.child.kill()

    # ------------------------------------------------------------------------------------------------- preparation

    @property
    def _user(self) -> tuple[int, int] | None:
        return None if self._account is None else (self._account.uid, self._account.gid)

    def _initialise(self) -> None:
        # Beside its place, and renamed when whole: a start that is cut off leaves nothing half made.
        new = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._give(new)
        with self.log.open("ab") as log:
            child = Child(
                [
                    str(self._programs / "initdb"),
                    f"--pgdata={new}",
                    "--username=postgres",
                    "--auth-local=trust",
                    "--auth-host=reject",
                    "--encoding=UTF8",
                    # The same order of strings on every machine, for ever, whatever its C library says.
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--data-checksums",
                    "--no-instructions",
                ],
                environment=_environment(),
                death_signal=signal.SIGKILL,
                user=self._user,
                output=log.fileno(),
            )
        try:
            child.wait(300.0)
        finally:
            child.kill()
        if child.status != 0:
            raise ServerFailed(f"PostgreSQL's initdb failed{self._last_words()}")
        if self.folder.exists():
            if any(self.folder.iterdir()):
                raise ServerFailed(f"{self.folder} is no folder of PostgreSQL; move it away")
            self.folder.rmdir()
        new.rename(self.folder)

    def _check_version(self) -> None:
        found = (self.folder / "PG_VERSION").read_text().strip()
        control = (self._programs.parent / "share").rglob("postgres.bki")
        first_line = next(control).open(encoding="ascii", errors="replace").readline()
        expected = first_line.removeprefix("# PostgreSQL").strip()
        if found != expected:
            raise ServerFailed(
                f"the data in {self.folder} was written by PostgreSQL {found}, and this is {expected}; "
                "dump it with the old version (pg_dump), and restore it into a new data folder"
            )

    def _end_leftovers(self) -> None:
        """End a server that a killed owner left; drop a lock file whose process id is now another program's."""
        pid_file = self.folder / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            pid = 0
        inside = self._processes_inside()
        if pid in inside:
            os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 30.0
        while inside:
            if time.monotonic() > deadline:
                for left in inside:
                    os.kill(left, signal.SIGQUIT)
                deadline += 5.0
            time.sleep(_START_STEP)
            inside = self._processes_inside()
        # PostgreSQL refuses to start over a lock file whose process is there, be it another program by now, or dead and
        # not yet reaped by its parent; nothing lives in this folder.
        pid_file.unlink(missing_ok=True)
        (socket_folder(self.folder) / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _processes_inside(self) -> set[int]:
        """The processes whose working folder is the database's: every process of PostgreSQL stands there."""
        here = self.folder.resolve()
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                # By name as well: a person's shell may stand there.
                if (process / "comm").read_text() == "postgres\n" and (process / "cwd").readlink() == here:
                    found.add(int(process.name))
            except OSError:
                continue
        return found

    def _make_socket_folder(self) -> None:
        folder = socket_folder(self.folder)
        if folder == self.folder:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        owners = {os.geteuid()} | ({self._account.uid} if self._account else set())
        if folder.is_symlink() or status.st_uid not in owners:
            raise ServerFailed(f"{folder}, which the database's socket needs, belongs to someone else; remove it")
        folder.chmod(0o700)
        self._give(folder)
        (folder / SOCKET_NAME).unlink(missing_ok=True)

    @property
    def _settings_file(self) -> Path:
        return self.folder / "picloud.conf"

    def _write_settings(self) -> None:
        settings = {**self._settings, "unix_socket_directories": str(socket_folder(self.folder))}
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        own = self.folder.with_name("postgres.conf")
        if own.exists():
            lines.append(f"include = '{own}'")
        text = "# Written at every start. Your own settings belong into postgres.conf beside this folder.\n"
        self._settings_file.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
        self._settings_file.chmod(0o600)
        self._give(self._settings_file)

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.rename(self.log.with_name(self.log.name + ".1"))
        self.log.touch(mode=0o600)

    def _last_words(self) -> str:
        words = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
        return "".join(f"\n  {line}" for line in words) + f"\n(from {self.log})"


def _environment() -> dict[str, str]:
    # Nothing of ours is PostgreSQL's business; messages in English keep its log readable for those who help.
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
