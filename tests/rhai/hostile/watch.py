"""How long a script keeps others from their turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import thread_time
from typing import Any, Final

from picloud.rhai import DefaultHost, Engine, Program, RhaiError

LONGEST_SLICE: Final = 50_000
"""Operations: what the platform lets slices grow to."""


class Enough(BaseException):
    """The run has been watched for long enough."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of a run. Times are processor seconds."""

    longest: float
    """The greatest distance between two turns of the host, the run's beginning and its end included."""
    seconds: float
    operations: int
    ending: str


class _Watch(DefaultHost):
    def __init__(self, seconds: float) -> None:
        self.longest = 0.0
        self.began = self.last = thread_time()
        self.until = self.began + seconds

    def on_slice(self, operations: int) -> int | None:
        now = thread_time()
        self.longest = max(self.longest, now - self.last)
        if now > self.until:
            raise Enough
        self.last = thread_time()
        return LONGEST_SLICE


def watch(engine: Engine, source: str, scope: Mapping[str, Any] | None = None, seconds: float = 0.5) -> Watched:
    """Run a script for so long, and say how it went. What it ends in besides a value or an error of the language is
    raised."""
    return watch_program(engine.compile(source), scope, seconds)


def watch_program(program: Program, scope: Mapping[str, Any] | None = None, seconds: float = 0.5) -> Watched:
    """Run a program for so long, and say how it went."""
    host = _Watch(seconds)
    ending = "value"
    try:
        value = program.run(scope, host)
    except RhaiError as error:
        ending = error.inner
        value = error
    except Enough:
        ending, value = "stopped", None
    now = thread_time()
    if ending != "stopped":
        host.longest = max(host.longest, now - host.last)
    del value
    return Watched(host.longest, now - host.began, program.operations, ending)
