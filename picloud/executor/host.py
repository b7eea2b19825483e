"""What the language asks of the platform during a run: sinks for what it prints, and the end of each slice."""

from __future__ import annotations

from time import monotonic, monotonic_ns
from typing import Any, Final

from picloud.executor.scheduler import ActiveRun, CallRefused
from picloud.executor.traced import TracedRun
from picloud.rhai.errors import thrown
from picloud.rhai.runtime.run import Run
from picloud.rhai.runtime.tracing import Tracer

SLICE_SECONDS: Final = 0.002
FIRST_SLICE: Final = 500
"""Operations. Small, since nothing is known yet of what they take: 50 ns for a turn of a loop, 50 µs for a sort."""
LEAST_SLICE: Final = 20
MOST_SLICE: Final = 50_000
MOST_READINGS: Final = 2_000
"""So many readings of the clock are kept; a run that asks more often can't be repeated exactly."""


class ScriptHost:
    """The host of one run."""

    __slots__ = (
        "_first",
        "_recorded",
        "_slice_began",
        "_used_before",
        "active",
        "inside",
        "last_uuid",
        "operations",
        "random",
        "readings",
        "steps",
    )

    def __init__(self, active: ActiveRun) -> None:
        self.active = active
        self._slice_began = monotonic()
        self._used_before = 0
        self.operations = 0
        """Operations used, once the script has ended."""
        self.random: Any = None
        """The run's random numbers, once it has asked for some."""
        self.last_uuid = 0
        """Time and counter of the last UUID that sorts by time."""
        self.steps = 0
        """How many durable steps the run came to."""
        self.inside: str | None = None
        """The step whose closure is running."""
        repeat = active.message.repeat
        self._recorded = repeat.readings if repeat is not None else []
        self._first = 0
        self.readings: list[int] = []
        """What ``timestamp`` read, in nanoseconds since its first reading."""

    def on_print(self, text: str) -> None:
        """Keep what the script printed."""
        self.active.log("print", text)

    def on_debug(self, text: str, line: int, column: int) -> None:
        """Keep what the script gave to ``debug``, with its place."""
        self.active.log("debug", text, line=line)

    def on_slice(self, operations: int) -> int:
        """Give way to other runs. Slices are sized to take about as long as SLICE_SECONDS, whatever the script does."""
        taken = monotonic() - self._slice_began
        used = operations - self._used_before
        self.active.pause()
        self._used_before = operations
        self._slice_began = monotonic()
        fitting = int(used * SLICE_SECONDS / max(taken, 1e-6))
        return max(LEAST_SLICE, min(fitting, used * 4, MOST_SLICE))

    @property
    def tracer(self) -> Tracer | None:
        """Takes down the steps of a traced run."""
        return self.active.tracer if isinstance(self.active, TracedRun) else None

    def on_clock(self) -> int:
        """Return what the run's clock reads in nanoseconds; in a repeated run what it read then, as far as that was
        kept."""
        count = len(self.readings)
        if count < len(self._recorded):
            reading = self._recorded[count]
        else:
            now = monotonic_ns()
            if not self._first:
                self._first = now - (self._recorded[-1] if self._recorded else 0)
            reading = now - self._first
        if count < MOST_READINGS:
            self.readings.append(reading)
        return reading

    def on_sleep(self, seconds: float) -> None:
        """Sleep while others run."""
        self.active.sleep(seconds)

    def resolve(self, path: str) -> Any:
        """The source of another script of the app; None if there is none called ``path``."""
        try:
            return self.active.call("modules", "source", [path])
        except CallRefused as error:
            raise thrown(str(error)) from None


def script_host(run: Run) -> ScriptHost:
    """The host of a running program."""
    host = run.host
    assert isinstance(host, ScriptHost)
    return host


def active_run(run: Run) -> ActiveRun:
    """The run of the scheduler that a running program is."""
    return script_host(run).active
