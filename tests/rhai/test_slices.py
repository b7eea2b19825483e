"""Whatever a script does, the host has its turn in time.

Measured here with values of a fraction of the size, for a fraction of the time; ``make bench-rhai ARGS=slices`` does it
with the platform's limits.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

from picloud.rhai import Engine, Limits
from tests.rhai.hostile.loops import loops
from tests.rhai.hostile.natives import Call, calls
from tests.rhai.hostile.values import MAKERS
from tests.rhai.hostile.watch import watch_program

LIMITS = Limits(
    max_operations=2_000_000,
    max_string_size=1024 * 1024,
    max_array_size=100_000,
    max_map_size=50_000,
    max_modules=10,
)
ENGINE = Engine(LIMITS)
LOOPS = loops(LIMITS, straight_lines=100)
CALLS = list(calls(ENGINE, 1))
LONGEST = 0.040
"""Processor seconds: twice what is promised, for the machine is shared."""
ATTEMPTS = 3


@pytest.fixture(autouse=True, scope="module")
def _no_collector() -> Iterator[None]:
    # As in an executor: no look at all that there is.
    gc.disable()
    yield
    gc.enable()


@lru_cache(None)
def value(kind: str, made: str) -> Any:
    return MAKERS[kind][made](LIMITS)


def longest(source: str, scope: dict[str, Any] | None, seconds: float) -> float:
    program = ENGINE.compile(source)
    found = float("inf")
    for _ in range(ATTEMPTS):
        found = min(found, watch_program(program, scope, seconds).longest)
        if found < LONGEST:
            break
    return found


@pytest.mark.parametrize("name", LOOPS)
def test_no_loop_holds_up_all_else(name: str) -> None:
    assert longest(LOOPS[name], None, 0.02) < LONGEST


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_no_native_holds_up_all_else(call: Call) -> None:
    scope = {"abcdefgh"[at]: value(*each) for at, each in enumerate(call.values)}
    assert longest(call.source, scope, 0.01) < LONGEST
