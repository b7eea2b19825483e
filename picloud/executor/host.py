"""What the language asks of the platform during a run: sinks for what it prints, and the end of each slice."""

from __future__ import annotations

from typing import Any

from picloud.executor.scheduler import ActiveRun
from picloud.rhai.runtime.run import Run


class ScriptHost:
    """The host of one run."""

    __slots__ = ("active", "operations", "random")

    def __init__(self, active: ActiveRun) -> None:
        self.active = active
        self.operations = 0
        """Operations used, once the script has ended."""
        self.random: Any = None
        """The run's random numbers, once it has asked for some."""

    def on_print(self, text: str) -> None:
        """Keep what the script printed."""
        self.active.log("print", text)

    def on_debug(self, text: str, line: int, column: int) -> None:
        """Keep what the script gave to ``debug``, with its place."""
        self.active.log("debug", text, line=line)

    def on_slice(self, operations: int) -> None:
        """Give way to other runs."""
        self.active.pause()

    def on_sleep(self, seconds: float) -> None:
        """Sleep while others run."""
        self.active.sleep(seconds)

    def resolve(self, path: str) -> Any:
        """There are no modules to import yet."""
        return None


def script_host(run: Run) -> ScriptHost:
    """The host of a running program."""
    host = run.host
    assert isinstance(host, ScriptHost)
    return host


def active_run(run: Run) -> ActiveRun:
    """The run of the scheduler that a running program is."""
    return script_host(run).active
