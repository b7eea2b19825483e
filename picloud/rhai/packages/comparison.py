"""Equality and order of any two values, as the operators `==`, `<` and their kin see them.

Floats are compared with a tolerance: two floats are equal when they differ by at most one part in 2^52 of the larger
one (so `0.1 + 0.2 == 0.3`), and an infinity equals nothing. Values of different types are unequal and have no order,
but for integers and floats, and characters and strings. Arrays and maps are equal when their elements are; there is
no order on them. Functions can't be compared at all.

Going through containers costs operations, not depth: nothing here recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.packages.budget import charge, ordered
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import Char, InclusiveRange, Range, Timestamp

_EPSILON: Final = 2.0**-52
_PAIRS: Final = 8
"""So many pairs of elements are compared for one operation."""
_DEEPER: Final = 4
"""So many more pairs it counts to compare two that hold others."""
_SIZED: Final = frozenset({str, bytearray})
_PLAIN: Final = frozenset({bool, int, str, bytearray, Range, InclusiveRange, Char, Timestamp, type(None)})


def _difference(x: float, y: float) -> float:
    """Return x - y in parts of the larger one; 0 for zero and NaN, which therefore count as equal."""
    if x * y == 0.0:
        return x - y
    size, other = abs(x), abs(y)
    scale = size if size > other or other != other else other
    return (x - y) / scale if scale else 0.0


def float_equal(x: float, y: float) -> bool:
    """Is x == y?"""
    return abs(_difference(x, y)) <= _EPSILON


def float_unequal(x: float, y: float) -> bool:
    """Is x != y? (Not the opposite of `==` for NaN and infinities: those are neither equal nor unequal.)"""
    return abs(_difference(x, y)) > _EPSILON


def float_less(x: float, y: float) -> bool:
    """Is x < y?"""
    return _difference(y, x) > _EPSILON


def float_less_or_equal(x: float, y: float) -> bool:
    """Is x <= y?"""
    return _difference(y, x) > -_EPSILON


def float_greater(x: float, y: float) -> bool:
    """Is x > y?"""
    return _difference(x, y) > _EPSILON


def float_greater_or_equal(x: float, y: float) -> bool:
    """Is x >= y?"""
    return _difference(x, y) > -_EPSILON


FLOAT_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": float_equal,
    "!=": float_unequal,
    "<": float_less,
    "<=": float_less_or_equal,
    ">": float_greater,
    ">=": float_greater_or_equal,
}


def equals(run: Run, x: Any, y: Any) -> bool:
    """Is x == y? Raise ErrorFunctionNotFound when values of that type can't be compared."""
    kind = type(x)
    if (kind is list and type(y) is list) or (kind is dict and type(y) is dict):
        return _containers_equal(run, x, y)
    return _leaves_equal(run, x, y)


def _leaves_equal(run: Run, x: Any, y: Any) -> bool:
    kind, other = type(x), type(y)
    if kind is other:
        if kind is float:
            return float_equal(x, y)
        if kind in _SIZED:
            charge(run, len(x))
        if kind in _PLAIN:
            return bool(x == y)
        return bool(run.native("==", (x, y)))
    if (kind is int or kind is float) and (other is int or other is float):
        return float_equal(float(x), float(y))
    if kind is Char and other is str:
        return bool(x.text == y)
    if kind is str and other is Char:
        return bool(x == y.text)
    if kind in BUILT_IN_TYPES and other in BUILT_IN_TYPES:
        return False
    try:
        return bool(run.native("==", (x, y)))
    except RhaiError as error:
        if error.kind != "ErrorFunctionNotFound":
            raise
        return False


BUILT_IN_TYPES: Final = _PLAIN | {float, list, dict}
"""Types whose comparison no host can define."""


def _containers_equal(run: Run, x: Any, y: Any) -> bool:
    waiting: list[Iterator[tuple[Any, Any]]] = []
    pairs = _paired(run, x, y)
    seen = 0
    while pairs is not None:
        for first, second in pairs:
            seen += 1
            if seen >= _PAIRS:
                run.pay(seen // _PAIRS)
                seen = 0
            kind = type(first)
            if (kind is list or kind is dict) and type(second) is kind:
                seen += _DEEPER
                waiting.append(pairs)
                pairs = _paired(run, first, second)
                break
            if not _leaves_equal(run, first, second):
                return False
        else:
            if not waiting:
                return True
            pairs = waiting.pop()
    return False


def _paired(run: Run, x: Any, y: Any) -> Iterator[tuple[Any, Any]] | None:
    """Return the elements that have to be equal, None when sizes or keys differ already."""
    if len(x) != len(y):
        return None
    if type(x) is list:
        return zip(x, y, strict=True)
    # The engine compares key by key up to the first that is missing: an error among those before it comes first.
    return _until_missing(x, y, ordered(run, x))


_DIFFERENT: Final = (None, False)


def _until_missing(x: dict[str, Any], y: dict[str, Any], keys: list[str]) -> Iterator[tuple[Any, Any]]:
    for key in keys:
        if key not in y:
            yield _DIFFERENT
            return
        yield x[key], y[key]
