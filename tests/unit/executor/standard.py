"""Scripts that use the platform's modules, run here in the test's own process: no child, no cage, no parent."""

from __future__ import annotations

import hashlib
from typing import Any

from picloud.executor.dates.rules import rules_of
from picloud.executor.host import ScriptHost
from picloud.executor.language import platform_engine
from picloud.executor.protocol import Limits, Run
from picloud.executor.scheduler import CallRefused
from picloud.executor.script import language_limits
from picloud.rhai import Constant, RhaiError
from picloud.services.crypto import Crypto
from picloud.services.work import ServiceError

NOW: int = 1_777_636_800_000
"""2026-05-01T12:00:00Z, the clock of every script here."""

_ENGINES: dict[Limits, Any] = {}


class Active:
    """A run as the scheduler has it, as far as modules ask."""

    def __init__(self, limits: Limits, *, seed: int, now_ms: int) -> None:
        self.message = Run(1, "", None, "demo/test", {}, limits, seed, now_ms)
        self.lines: list[tuple[str, str, Any]] = []
        self.pauses = 0

    def pause(self) -> None:
        self.pauses += 1

    def zone(self, name: str) -> Any:
        return rules_of(name)

    def log(self, level: str, message: str, *, line: int = 0, fields: Any = None) -> None:
        self.lines.append((level, message, fields))

    def call(self, service: str, function: str, args: list[Any]) -> Any:
        assert service == "crypto", f"there is no {service} here"
        try:
            return Crypto().functions[function](None, *args)
        except ServiceError as error:
            raise CallRefused(str(error)) from None


def evaluate(source: str, *, seed: int = 1, now_ms: int = NOW, limits: Limits | None = None, **given: Any) -> Any:
    """The value of a script, in whose scope are what is ``given``. Raises RhaiError."""
    return run(source, Active(limits or Limits(), seed=seed, now_ms=now_ms), **given)


def run(source: str, active: Active, **given: Any) -> Any:
    """The value of a script that runs as ``active``."""
    engine = _ENGINES.setdefault(active.message.limits, platform_engine(language_limits(active.message.limits)))
    program = _PROGRAMS.get((source, active.message.limits)) or engine.compile(source)
    _PROGRAMS[source, active.message.limits] = program
    host: Any = ScriptHost(active)  # type: ignore[arg-type]
    return program.run({name: Constant(value) for name, value in given.items()}, host)


_PROGRAMS: dict[tuple[str, Limits], Any] = {}


def told(source: str, **given: Any) -> str:
    """The error that a script ends with."""
    try:
        value = evaluate(source, **given)
    except RhaiError as error:
        return f"{error.innermost.kind}: {error.value if error.value is not None else error.innermost.text}"
    raise AssertionError(f"{source} gives {value!r}")


def digest(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
