"""How long compiling takes, by stage and by the length of the script."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from picloud.rhai import Engine, Limits, codegen
from picloud.rhai.parser import parse
from picloud.rhai.resolver import resolve
from picloud.rhai.runtime.places import FILENAME
from tests.benchmarks.rhai.writing import script

LENGTHS = (10, 50, 200, 1000, 5000)
STAGES = ("parse", "resolve", "generate", "Python")


def milliseconds(lines: int, limits: Limits, rounds: int) -> dict[str, float]:
    """Return the shortest time of each stage, and of all together, for a script of so many lines."""
    source = script(lines)
    engine = Engine(limits)
    options = engine._options
    best = dict.fromkeys((*STAGES, "all"), float("inf"))
    for _ in range(rounds):
        times: dict[str, float] = {}
        tree = _timed(times, "parse", lambda: parse(source, limits))
        resolution = _timed(times, "resolve", lambda tree=tree: resolve(tree, dynamic=False))
        generated, _ = _timed(
            times,
            "generate",
            lambda tree=tree, resolution=resolution: codegen.generate(tree, resolution, options, source),
        )
        _timed(
            times,
            "Python",
            lambda generated=generated: compile(generated, FILENAME, "exec", dont_inherit=True),
        )
        _timed(times, "all", lambda: engine.compile(source))
        best = {stage: min(best[stage], times[stage]) for stage in best}
    return best


def _timed(times: dict[str, float], stage: str, work: Callable[[], Any]) -> Any:
    began = time.process_time()
    result = work()
    times[stage] = (time.process_time() - began) * 1000
    return result


def table(limits: Limits, rounds: int) -> list[dict[str, float]]:
    """Return the times of every length, with ``lines`` and ``line`` (microseconds of each line) beside them."""
    rows = []
    for lines in LENGTHS:
        found = milliseconds(lines, limits, max(3, rounds * 200 // lines))
        rows.append({"lines": lines, **found, "line": found["all"] * 1000 / lines})
    return rows
