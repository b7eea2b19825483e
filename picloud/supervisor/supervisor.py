"""Starts a node's processes in order, keeps them alive, stops them in order."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

from picloud.config import Config, split_address
from picloud.postgres.server import Server, ServerFailed
from picloud.process import Child
from picloud.supervisor.folder import DataFolder
from picloud.supervisor.port import check_port
from picloud.supervisor.readiness import notify, wait_listening, wait_ready
from picloud.supervisor.service import LONGEST_PAUSE, Service, ending
from picloud.supervisor.voice import Voice

UNREACHABLE: Final = 3
"""The exit code of ``picloud.supervisor.prepare`` that asks for another try."""

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCHED: Final = (*_ENDING, signal.SIGCHLD)
_READY_TIMEOUT: Final = 60.0
_MANAGER_PATIENCE: Final = 8.0


class StartFailed(RuntimeError):
    """The platform can't be started; the message says why and what to do."""


class _Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP came while starting."""


class Supervisor:
    """One node of ``config``. ``environment`` goes to the children, with the settings on top."""

    def __init__(self, config: Config, environment: Mapping[str, str], *, voice: Voice) -> None:
        self._config = config
        self._voice = voice
        self._folder = DataFolder(config.data)
        self._environment = {**environment, **config.to_environment(), **self._folder.marker()}
        self._server = Server(config.postgres_folder) if config.embedded else None
        self._postgres = Service("postgres", self._start_postgres)
        self._http = Service("http", lambda: self._python("gunicorn", "-c", "python:picloud.http.server"))
        self._manager = Service("manager", lambda: self._python("picloud.manager"))
        self._smtp = Service("smtp", lambda: self._python("picloud.smtp")) if config.smtp_listen else None
        self._hurry = False

    def run(self, ready: Callable[[], None]) -> None:
        """Start everything, call ``ready``, and go on until a signal asks for the end.

        Raises :class:`StartFailed`, or what else keeps the start from going on; whatever was started has ended then.
        """
        for number in _ENDING:
            signal.signal(number, _interrupt)
        try:
            self._start()
            ready()
            self._watch()
        except _Interrupted:
            pass
        finally:
            self._stop()

    # ------------------------------------------------------------------------------------------------------- start

    def _start(self) -> None:
        self._folder.lock()
        if found := self._folder.end_leftovers(self._config.grace + _MANAGER_PATIENCE):
            self._voice.say(
                "supervisor.leftovers", f"ended {found} processes of an earlier start that was killed", processes=found
            )
        check_port(self._config.host, self._config.port)
        if self._smtp is not None:
            check_port(*split_address(self._config.smtp_listen), setting="PICLOUD_SMTP_LISTEN=", other=2525)
        if self._server is not None:
            self._make_postgres(self._server)
        self._prepare()
        self._manager.start()
        self._http.start()
        if self._smtp is not None:
            self._smtp.start()
        self._await_ready()
        self._folder.write_url(self._config.url)
        notify("READY=1")

    def _make_postgres(self, server: Server) -> None:
        if not server.folder.exists():
            self._voice.say("supervisor.first_start", f"first start: making a database in {server.folder}")
        self._postgres.start()
        server.wait_ready(timeout=600.0)

    def _start_postgres(self) -> Child:
        assert self._server is not None
        self._server.prepare()
        return self._server.start()

    def _prepare(self) -> None:
        pause = 0.5
        while (status := self._run_prepare()) != 0:
            if status != UNREACHABLE or self._config.embedded:
                raise StartFailed("the database is not as it must be; see above, and `picloud doctor`")
            # After a power cut this machine may be up before the one with the database.
            self._voice.say(
                "supervisor.waiting", f"waiting for the database; next try in {pause:g} s", level="warning", pause=pause
            )
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _run_prepare(self) -> int:
        child = self._python("picloud.supervisor.prepare")
        try:
            while not child.wait(1.0):
                continue
        finally:
            child.kill()
        assert child.status is not None
        return child.status

    def _await_ready(self) -> None:
        said = wait_ready(
            self._config.host,
            self._config.port,
            token=self._folder.token(),
            timeout=_READY_TIMEOUT,
            going_on=self._check_start,
        )
        if said is not None:
            raise StartFailed(f"not ready after {_READY_TIMEOUT:g} s; /readyz says: {said}")
        if self._smtp is not None:
            host, port = split_address(self._config.smtp_listen)
            if not wait_listening(host, port, timeout=_READY_TIMEOUT, going_on=self._check_start):
                raise StartFailed(f"nothing takes mail on {self._config.smtp_listen} after {_READY_TIMEOUT:g} s")

    def _check_start(self) -> None:
        for service in (self._http, self._manager, *([self._smtp] if self._smtp else [])):
            if (status := service.died()) is not None:
                raise StartFailed(f"{service.name} {ending(status)} while starting; see above, and `picloud doctor`")

    def _python(self, module: str, *arguments: str) -> Child:
        # -P: the folder we are started in is no place to import from.
        return Child([sys.executable, "-P", "-m", module, *arguments], environment=self._environment)

    # ------------------------------------------------------------------------------------------------------- watch

    @property
    def _services(self) -> list[Service]:
        postgres = [self._postgres] if self._server else []
        smtp = [self._smtp] if self._smtp is not None else []
        return [*postgres, self._manager, self._http, *smtp]

    def _watch(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        while True:
            for service in self._services:
                if (status := service.died()) is not None:
                    self._voice.say(
                        "supervisor.died",
                        f"{service.name} {ending(status)}; starting it again in {service.pause():.1f} s",
                        level="error",
                        service=service.name,
                        status=status,
                    )
                if service.is_due():
                    self._restart(service)
            if _wait_signal(self._next_due()) in _ENDING:
                return

    def _next_due(self) -> float | None:
        pauses = [service.pause() for service in self._services if service.due is not None]
        return min(pauses) if pauses else None

    def _restart(self, service: Service) -> None:
        try:
            service.start()
        except (ServerFailed, OSError) as error:
            self._voice.say(
                "supervisor.restart_failed",
                f"{service.name} can't be started: {error}; next try in {service.pause():.1f} s",
                level="error",
                service=service.name,
            )
            return
        self._voice.say("supervisor.restarted", f"{service.name} is started again", service=service.name)

    # -------------------------------------------------------------------------------------------------------- stop

    def _stop(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        notify("STOPPING=1")
        if self._http.child is not None:
            self._voice.say(
                "supervisor.stopping",
                f"stopping; running requests may take up to {self._config.grace} s more (Ctrl-C again: at once)",
            )
        if self._smtp is not None and self._smtp.child is not None:
            # Told at once, and waited for below: it records its last mails while HTTP answers its last requests.
            self._smtp.child.send(signal.SIGTERM)
        self._end(self._http, self._config.grace + _MANAGER_PATIENCE)
        if self._smtp is not None:
            self._end(self._smtp, _MANAGER_PATIENCE)
        self._end(self._manager, _MANAGER_PATIENCE)
        if self._server is not None:
            self._server.stop()
        self._voice.say("supervisor.stopped", "stopped")

    def _end(self, service: Service, patience: float) -> None:
        child = service.child
        if child is None:
            return
        child.send(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while not self._hurry and child.poll() is None and (left := deadline - time.monotonic()) > 0:
            if _wait_signal(left) in _ENDING:
                self._hurry = True
        child.send_group(signal.SIGKILL)
        child.wait(5.0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _Interrupted


def _wait_signal(timeout: float | None) -> int | None:
    """The next of the watched signals, which are blocked; None after ``timeout`` seconds."""
    if timeout is None:
        return signal.sigwaitinfo(_WATCHED).si_signo
    found = signal.sigtimedwait(_WATCHED, timeout)
    return None if found is None else found.si_signo
