"""Points in time, to measure how long something takes. They show no date: `timestamp()` is now, and differences are
seconds.

The clock is the machine's steady one, in nanoseconds. A host that replays runs hands in its own.
"""

from __future__ import annotations

import math
from typing import Final

from picloud.rhai.errors import arithmetic
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.numerals import float_plain
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import I64_MAX, Timestamp

PACKAGE: Final = Package("time")

_SECOND: Final = 1_000_000_000
_RANGE: Final = 2**63 * _SECOND
"""Rust keeps seconds in 64 bits: beyond is an overflow."""


@PACKAGE.function("timestamp", run=True, volatile=True)
def now(run: Run) -> Timestamp:
    """Return the present moment."""
    return Timestamp(run.nanoseconds())


@PACKAGE.property("elapsed", "timestamp", run=True)
def elapsed(run: Run, moment: Timestamp) -> float:
    """Return the seconds since then; raise ErrorArithmetic for a moment to come."""
    passed = run.nanoseconds() - moment.nanoseconds
    if passed < 0:
        raise arithmetic("Time-stamp is later than now")
    return passed / _SECOND


@PACKAGE.function("-", "timestamp", "timestamp")
def difference(later: Timestamp, earlier: Timestamp) -> float:
    """Return the seconds between two moments."""
    return (later.nanoseconds - earlier.nanoseconds) / _SECOND


def _moved(moment: Timestamp, nanoseconds: int, complaint: str) -> Timestamp:
    moved = moment.nanoseconds + nanoseconds
    if not -_RANGE <= moved < _RANGE:
        raise arithmetic(complaint)
    return Timestamp(moved)


@PACKAGE.function("+", "timestamp", "i64")
def add(moment: Timestamp, seconds: int) -> Timestamp:
    """Return the moment that many seconds later."""
    return _moved(moment, seconds * _SECOND, f"Timestamp overflow when adding {seconds} second(s)")


@PACKAGE.function("-", "timestamp", "i64")
def subtract(moment: Timestamp, seconds: int) -> Timestamp:
    """Return the moment that many seconds earlier."""
    return _moved(moment, -seconds * _SECOND, f"Timestamp overflow when subtracting {seconds} second(s)")


@PACKAGE.function("+", "timestamp", "f64")
def add_float(moment: Timestamp, seconds: float) -> Timestamp:
    """Return the moment that many seconds later, in whole milliseconds."""
    if seconds < 0:
        return subtract_float(moment, -seconds)
    if seconds > I64_MAX:
        raise arithmetic(f"Integer overflow for timestamp add: {float_plain(seconds)}")
    return _moved(moment, _milliseconds(seconds), f"Timestamp overflow when adding {float_plain(seconds)} second(s)")


@PACKAGE.function("-", "timestamp", "f64")
def subtract_float(moment: Timestamp, seconds: float) -> Timestamp:
    """Return the moment that many seconds earlier, in whole milliseconds."""
    if seconds < 0:
        return add_float(moment, -seconds)
    if seconds > I64_MAX:
        raise arithmetic(f"Integer overflow for timestamp subtract: {float_plain(seconds)}")
    return _moved(
        moment, -_milliseconds(seconds), f"Timestamp overflow when subtracting {float_plain(seconds)} second(s)"
    )


def _milliseconds(seconds: float) -> int:
    if seconds != seconds:
        return 0
    return min(math.trunc(seconds * 1000.0), 2**64 - 1) * 1_000_000


@PACKAGE.replacer("+=", "timestamp", "i64")
def advance(moment: Timestamp, seconds: int) -> tuple[Timestamp, None]:
    """Move it that many seconds on."""
    return add(moment, seconds), None


@PACKAGE.replacer("+=", "timestamp", "f64")
def advance_float(moment: Timestamp, seconds: float) -> tuple[Timestamp, None]:
    """Move it that many seconds on."""
    return add_float(moment, seconds), None


@PACKAGE.replacer("-=", "timestamp", "i64")
def go_back(moment: Timestamp, seconds: int) -> tuple[Timestamp, None]:
    """Move it that many seconds back."""
    return subtract(moment, seconds), None


@PACKAGE.replacer("-=", "timestamp", "f64")
def go_back_float(moment: Timestamp, seconds: float) -> tuple[Timestamp, None]:
    """Move it that many seconds back."""
    return subtract_float(moment, seconds), None


@PACKAGE.function("==", "timestamp", "timestamp")
def equal(first: Timestamp, second: Timestamp) -> bool:
    """Are both the same moment?"""
    return first.nanoseconds == second.nanoseconds


@PACKAGE.function("!=", "timestamp", "timestamp")
def unequal(first: Timestamp, second: Timestamp) -> bool:
    """Are they different moments?"""
    return first.nanoseconds != second.nanoseconds


@PACKAGE.function("<", "timestamp", "timestamp")
def before(first: Timestamp, second: Timestamp) -> bool:
    """Is the first one earlier?"""
    return first.nanoseconds < second.nanoseconds


@PACKAGE.function("<=", "timestamp", "timestamp")
def not_after(first: Timestamp, second: Timestamp) -> bool:
    """Is the first one not later?"""
    return first.nanoseconds <= second.nanoseconds


@PACKAGE.function(">", "timestamp", "timestamp")
def after(first: Timestamp, second: Timestamp) -> bool:
    """Is the first one later?"""
    return first.nanoseconds > second.nanoseconds


@PACKAGE.function(">=", "timestamp", "timestamp")
def not_before(first: Timestamp, second: Timestamp) -> bool:
    """Is the first one not earlier?"""
    return first.nanoseconds >= second.nanoseconds
