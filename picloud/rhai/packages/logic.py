"""`!`, and the smaller and larger of two numbers. (Comparisons stand in `comparison.py` and `operators.py`.)"""

from __future__ import annotations

from typing import Final

from picloud.rhai.packages.declare import Package

PACKAGE: Final = Package("logic")


@PACKAGE.function("!", "bool")
def negation(x: bool) -> bool:
    """Return the opposite."""
    return not x


@PACKAGE.function("max", "i64", "i64")
def maximum(x: int, y: int) -> int:
    """Return the larger one."""
    return x if x >= y else y


@PACKAGE.function("min", "i64", "i64")
def minimum(x: int, y: int) -> int:
    """Return the smaller one."""
    return x if x <= y else y


@PACKAGE.function("max", "f64", "f64")
@PACKAGE.function("max", "f64", "i64")
@PACKAGE.function("max", "i64", "f64")
def maximum_float(x: float, y: float) -> float:
    """Return the larger one, as a float."""
    return float(x) if float(x) >= float(y) else float(y)


@PACKAGE.function("min", "f64", "f64")
@PACKAGE.function("min", "f64", "i64")
@PACKAGE.function("min", "i64", "f64")
def minimum_float(x: float, y: float) -> float:
    """Return the smaller one, as a float."""
    return float(x) if float(x) <= float(y) else float(y)
