"""A whole platform under test: the installed ``picloud up`` on a free port, in a data folder of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

PICLOUD: Final = Path(sys.executable).parent / "picloud"
READY_SECONDS: Final = 60.0

ROLES: Final = {
    "manager": "picloud.manager",
    "smtp": "picloud.smtp",
    "executor": "picloud.executor",
    "gunicorn": "gunicorn",
    "postgres": "postgres",
}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Platform:
    """See the module. A context manager: started on entry, stopped on exit."""

    def __init__(self, data: Path, *, database: str | None = None, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.output: list[str] = []
        self._settings = settings
        self._database = database
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()
        self._ended = threading.Event()

    def __enter__(self) -> Platform:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The platform's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The owner token."""
        return (self.data / "owner.token").read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        """What a command of this platform's user runs with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PICLOUD_")}
        own = {
            "PICLOUD_DATA": str(self.data),
            "PICLOUD_LISTEN": f"127.0.0.1:{self.port}",
            "PICLOUD_WORKERS": "2",
            "PICLOUD_LOG_FORMAT": "console",
            # Where nobody is: no test asks a name server outside of it.
            "PICLOUD_EGRESS_DNS": "127.0.0.1:9",
            "HOME": str(self.data),
        }
        if self._database is not None:
            own["PICLOUD_DATABASE"] = self._database
        return kept | own | {f"PICLOUD_{name.upper()}": value for name, value in self._settings.items()}

    @property
    def dsn(self) -> str:
        """How to reach the platform's database."""
        from picloud.config import Config

        return Config.from_environment(self.environment).dsn

    def start(self) -> float:
        """Start it and return the seconds until it said that it is ready."""
        began = time.monotonic()
        self._ready, self._ended = threading.Event(), threading.Event()
        self._process = subprocess.Popen(
            [str(PICLOUD), "up"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process, self._ready, self._ended), daemon=True).start()
        if not self._ready.wait(READY_SECONDS):
            self.kill()
            raise AssertionError("picloud up did not get ready:\n" + "".join(self.output[-60:]))
        return time.monotonic() - began

    def _read(self, process: subprocess.Popen[str], ready: threading.Event, ended: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)
            if " is ready:" in line:
                ready.set()
        ended.set()

    def stop(self, timeout: float = 40.0) -> int:
        """Ctrl-C, and return the exit code."""
        process = self._process
        if process is None:
            return 0
        self._process = None
        process.send_signal(signal.SIGINT)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill_tree(process.pid)
            raise AssertionError("picloud up did not stop:\n" + "".join(self.output[-60:])) from None

    def kill(self) -> None:
        """``kill -9`` of every process of the platform, the database's too."""
        process = self._process
        if process is not None:
            self._process = None
            self._kill_tree(process.pid)
            process.wait()

    @staticmethod
    def _kill_tree(pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._process is not None
        return self._process.pid

    def processes(self, role: str) -> list[psutil.Process]:
        """The platform's processes of a role: manager, executor, worker, gunicorn (the master) or postgres."""
        found = psutil.Process(self.pid).children(recursive=True)
        if role == "worker":
            masters = {process.pid for process in self.processes("gunicorn")}
            return [p for p in found if "gunicorn" in _command(p) and getattr(_parent(p), "pid", None) in masters]
        if role == "gunicorn":
            return [p for p in found if "gunicorn" in _command(p) and "gunicorn" not in _command(_parent(p))]
        if role == "postgres":
            return [p for p in found if "postgres" in _name(p) and "postgres" not in _name(_parent(p))]
        return [process for process in found if ROLES[role] in _command(process)]

    def some(self, role: str, timeout: float = 20.0) -> list[psutil.Process]:
        """The processes of a role, at least one: one that was killed may not be back yet."""
        end = time.monotonic() + timeout
        while not (found := self.processes(role)):
            assert time.monotonic() < end, f"no {role} runs"
            time.sleep(0.02)
        return found

    def run(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a ``picloud`` command as this platform's user."""
        done = subprocess.run(
            [str(PICLOUD), *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        if expect is not None:
            assert done.returncode == expect, f"picloud {arguments} → {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def call(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        *,
        timeout: float = 60.0,
    ) -> Response:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def api(self, method: str, path: str, content: Any = None, **headers: str) -> Response:
        """One request to the control plane with the owner's token."""
        body = None if content is None else json.dumps(content)
        sent = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if body is not None:
            sent["Content-Type"] = "application/json"
        return self.call(method, f"/api/v1{path}", body, sent)

    def deploy(self, app: str, name: str, source: str, *routes: str, durability: str = "outbox") -> None:
        """Deploy a script with routes."""
        content = {"source": source, "routes": list(routes), "durability": durability}
        answer = self.api("PUT", f"/apps/{app}/scripts/{name}", content)
        assert answer.status in (200, 201), answer.text


def _command(process: psutil.Process | None) -> str:
    try:
        return " ".join(process.cmdline()) if process is not None else ""
    except psutil.Error:
        return ""


def _parent(process: psutil.Process) -> psutil.Process | None:
    try:
        return process.parent()
    except psutil.Error:
        return None


def _name(process: psutil.Process | None) -> str:
    try:
        return process.name() if process is not None else ""
    except psutil.Error:
        return ""
