"""``python -m tests.benchmarks.rhai [run | compile | slices] [--only NAME] [--rounds N] [--limits] [--write]``."""

from __future__ import annotations

import argparse
import json
import os
import platform as machine
import sys
from datetime import UTC, datetime
from statistics import geometric_mean

from picloud.executor.protocol import Limits as PlatformLimits
from picloud.rhai import Engine, Limits
from tests.benchmarks.rhai import compiling, page, slices
from tests.benchmarks.rhai.pair import Pair, names

OPERATIONS = 1_000_000_000_000
"""Far more than any program needs, but a budget: so what pays for operations is in the code that is measured."""


SLICE_TARGET = 0.020
SHOWN = 25

LARGE = 1 << 22
ROUNDS = 12
"""Python makes a function quick at its eighth call, or earlier if it has a ``for``: with fewer rounds some programs
would be compared with their twins as they are at first."""


def platform_limits() -> Limits:
    """All limits of a run on the platform; those on operations and sizes so high that no program meets them."""
    limits = PlatformLimits()
    return Limits(
        max_operations=OPERATIONS,
        max_call_levels=limits.call_levels,
        max_string_size=max(limits.string_bytes, LARGE),
        max_array_size=max(limits.array_items, LARGE),
        max_map_size=max(limits.map_items, LARGE),
        max_modules=100,
    )


def run(arguments: argparse.Namespace) -> list[Pair]:
    """Time all programs, and print a table."""
    pairs = [Pair(name, Engine(_limits(arguments))) for name in arguments.only or names()]
    if not arguments.json:
        print(f"{'program':<12} {'Rhai s':>9} {'Python s':>9} {'ratio':>7}")
    for pair in pairs:
        pair.check()
        for _ in range(arguments.rounds):
            pair.measure()
        if not arguments.json:
            print(f"{pair.name:<12} {pair.rhai:9.4f} {pair.python:9.4f} {pair.ratio:7.2f}", flush=True)
    mean = geometric_mean(pair.ratio for pair in pairs)
    worst = max(pairs, key=lambda pair: pair.ratio)
    if arguments.json:
        programs = {pair.name: {"rhai": pair.rhai, "python": pair.python, "ratio": pair.ratio} for pair in pairs}
        print(json.dumps({"programs": programs, "geometric_mean": mean, "worst": worst.name}, indent=1))
    else:
        print(f"geometric mean {mean:.2f} (at most 1.5), worst {worst.ratio:.2f} in {worst.name} (none above 2.5)")
    return pairs


def compile_scripts(arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Time the compiler's stages for scripts of some lengths, and print a table."""
    rows = compiling.table(_limits(arguments), arguments.rounds)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return rows
    print(f"{'lines':>6} " + "".join(f"{stage:>10}" for stage in (*compiling.STAGES, "all ms", "µs a line")))
    for row in rows:
        times = "".join(f"{row[stage]:10.3f}" for stage in (*compiling.STAGES, "all"))
        print(f"{row['lines']:6} {times}{row['line']:10.1f}")
    print("target: under 1 ms for 50 lines, and the same for each line of a longer script")
    return rows


def watch_slices() -> None:
    """Run hostile scripts, and print those that kept others waiting for longest."""
    found = sorted(slices.watched(platform_limits()), key=lambda each: -each[1].longest)
    print(f"{len(found)} scripts; the greatest distance between two turns of the host, in ms of processor time")
    for name, seen in found[:SHOWN]:
        print(f"{1000 * seen.longest:8.1f}  {name}")
    over = sum(seen.longest > SLICE_TARGET for _, seen in found)
    print(f"above {1000 * SLICE_TARGET:.0f} ms: {over}")


def _limits(arguments: argparse.Namespace) -> Limits:
    return platform_limits() if arguments.limits else Limits(max_operations=OPERATIONS)


def main() -> int:
    """Do what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench-rhai", description="Rhai programs against the same in Python")
    parser.add_argument(
        "what", nargs="?", choices=("run", "compile", "slices"), default="run", help="what to time (default: run)"
    )
    parser.add_argument("--only", action="append", choices=names(), help="only this program; may be given repeatedly")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="runs of each, of which the fastest counts (default: 12)"
    )
    parser.add_argument(
        "--limits", action="store_true", help="with the platform's limits on sizes, not on operations alone"
    )
    parser.add_argument("--write", action="store_true", help="time both, and write the part of docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.write:
        about = f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}"
        page.write(run(arguments), compile_scripts(arguments), f"{datetime.now(UTC):%Y-%m-%d} ({about})")
    elif arguments.what == "slices":
        watch_slices()
    else:
        (run if arguments.what == "run" else compile_scripts)(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
