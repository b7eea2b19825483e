"""What must be true of any source: see :func:`judge`."""

from __future__ import annotations

from time import thread_time
from typing import Any, Final

from picloud.rhai import DefaultHost, Engine, Limits, Program, RhaiError
from picloud.rhai.printing import debug, display

LIMITS: Final = Limits(
    max_operations=30_000,
    max_string_size=50_000,
    max_array_size=5_000,
    max_map_size=1_000,
    max_modules=5,
    max_variables=200,
    max_functions=100,
)
LARGEST_PAYMENT: Final = 5_000_000
"""An operation may be paid for that is far over the budget: that is how it is refused."""
SECONDS: Final = 5.0
SLICE_SECONDS: Final = 1.0
"""Processor time, far above what is promised: the machine is shared, and a garbage collection may fall into it."""
MODULES: Final = {"m": "fn g(x) { x + 1 } export const K = [1, 2];", "bad": "let", "self": 'import "self" as s;'}


class Watching(DefaultHost):
    """Keeps what a script tells, and how long it kept others from their turn."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.longest = 0.0
        self._last = thread_time()

    def on_print(self, text: str) -> None:
        self.told.append(text[:1000])

    def on_debug(self, text: str, line: int, column: int) -> None:
        self.told.append(f"{line}:{column} {text[:1000]}")

    def on_slice(self, operations: int) -> int | None:
        now = thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        return None

    def resolve(self, path: str) -> Any:
        return MODULES.get(path)


def engine() -> Engine:
    """An engine with limits on everything."""
    return Engine(LIMITS)


def judge(engine: Engine, source: str) -> str:
    """Run a source. Returns how it ended: ``parse``, ``value``, or the kind of its error.

    Fails if it ends in anything but a value or an error of the language, if that can't be shown, if it goes over its
    budget or holds up all else, if a second run or the program kept as bytes goes another way.
    """
    try:
        program = engine.compile(source)
    except RhaiError as error:
        return _refused(error)
    first = _outcome(program)
    if "timestamp" not in source and "elapsed" not in source:
        again = _outcome(program)
        assert again == first, f"a second run differs: {first} {again}"
        loaded = _outcome(Program.loaded(engine, program.dumped()))
        assert loaded == first, f"the program kept as bytes differs: {first} {loaded}"
    return first[0]


def _refused(error: RhaiError) -> str:
    assert error.stage == "parse"
    assert str(error)
    return "parse"


def _outcome(program: Program) -> tuple[str, str, int, list[str]]:
    host = Watching()
    began = thread_time()
    try:
        value = program.run(host=host)
        kind, shown = "value", f"{display(value)} {debug(value)}"
    except RhaiError as error:
        kind = error.inner
        shown = f"{error.message} {error.line} {error.column} {[repr(frame) for frame in error.call_stack]}"
        display(error.value)
    taken = thread_time() - began
    assert program.operations <= LIMITS.max_operations + LARGEST_PAYMENT
    assert taken < SECONDS, f"it took {taken:.1f} s"
    assert host.longest < SLICE_SECONDS, f"it held up all else for {host.longest:.2f} s"
    return kind, shown, program.operations, host.told
