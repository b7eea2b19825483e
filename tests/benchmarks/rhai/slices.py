"""How long scripts that mean harm keep others from their turn: natives on the largest values, and hostile loops."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from picloud.rhai import Engine, Limits
from tests.rhai.hostile.loops import loops
from tests.rhai.hostile.natives import calls
from tests.rhai.hostile.values import MAKERS
from tests.rhai.hostile.watch import Watched, watch

OF_EACH_NATIVE = 8
LOOP_SECONDS, NATIVE_SECONDS = 1.0, 0.15


def watched(limits: Limits) -> Iterator[tuple[str, Watched]]:
    """Run all scripts. Gives what each is, and what was seen of it."""

    @lru_cache(None)
    def value(kind: str, made: str) -> Any:
        return MAKERS[kind][made](limits)

    engine = Engine(limits)
    thresholds = gc.get_threshold()
    # As in an executor: no look at all of a run's values.
    gc.set_threshold(3_000, 20, 1_000_000)
    try:
        for name, source in loops(limits).items():
            yield name, watch(engine, source, seconds=LOOP_SECONDS)
            gc.collect()
        for call in calls(engine, OF_EACH_NATIVE):
            scope = {"abcdefgh"[at]: value(*each) for at, each in enumerate(call.values)}
            shown = ", ".join(f"{kind} of {made}" if kind != made else kind for kind, made in call.values)
            yield f"{call.source} with {shown}", watch(engine, call.source, scope, NATIVE_SECONDS)
    finally:
        gc.set_threshold(*thresholds)
