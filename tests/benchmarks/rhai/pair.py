"""A program in Rhai and the same program in Python, timed side by side."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from picloud.rhai import Engine

FOLDER = Path(__file__).parent / "programs"


class Pair:
    """One program, twice; both give the same answer, or there is nothing to compare."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self.program = engine.compile((FOLDER / f"{name}.rhai").read_text())
        self.twin: Callable[[], Any] = importlib.import_module(f"tests.benchmarks.rhai.programs.{name}").run
        self.rhai = float("inf")
        self.python = float("inf")

    @property
    def ratio(self) -> float:
        """Rhai's time over Python's."""
        return self.rhai / self.python

    def check(self) -> None:
        """Raise AssertionError unless both give the same answer."""
        found, expected = self.program.run(), self.twin()
        assert found == expected, f"{self.name}: Rhai gives {found!r:.200}, Python {expected!r:.200}"

    def measure(self) -> None:
        """Run both once more, and keep the shorter times, in seconds of the process."""
        self.rhai = min(self.rhai, _seconds(self.program.run))
        self.python = min(self.python, _seconds(self.twin))


def names() -> list[str]:
    """All programs."""
    return sorted(path.stem for path in FOLDER.glob("*.rhai"))


def _seconds(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
