"""Arithmetic on integers and floats.

Integers are 64 bits wide: what leaves that range is an error whose text shows the operation. Floats are IEEE doubles
and never fail. The functions that take two plain numbers here are the operators' own: `operators.py` finds them by
the types of the operands; this module's package holds the unary operators and the functions on one number.
"""

from __future__ import annotations

import math
from typing import Final

from picloud.rhai.errors import arithmetic
from picloud.rhai.packages.declare import Package
from picloud.rhai.values import I64_MAX, I64_MIN

PACKAGE: Final = Package("arithmetic")

_U32_MAX: Final = 2**32 - 1
_NAN: Final = -float("nan")  # the sign that the processor gives
_INFINITY: Final = float("inf")


def add(x: int, y: int) -> int:
    """Return x + y; raise ErrorArithmetic beyond 64 bits."""
    result = x + y
    if I64_MIN <= result <= I64_MAX:
        return result
    raise arithmetic(f"Addition overflow: {x} + {y}")


def subtract(x: int, y: int) -> int:
    """Return x - y; raise ErrorArithmetic beyond 64 bits."""
    result = x - y
    if I64_MIN <= result <= I64_MAX:
        return result
    raise arithmetic(f"Subtraction overflow: {x} - {y}")


def multiply(x: int, y: int) -> int:
    """Return x * y; raise ErrorArithmetic beyond 64 bits."""
    result = x * y
    if I64_MIN <= result <= I64_MAX:
        return result
    raise arithmetic(f"Multiplication overflow: {x} * {y}")


def divide(x: int, y: int) -> int:
    """Return x / y cut towards zero; raise ErrorArithmetic when y is 0 or the result leaves 64 bits."""
    if y == 0:
        raise arithmetic(f"Division by zero: {x} / {y}")
    if y == -1 and x == I64_MIN:
        raise arithmetic(f"Division overflow: {x} / {y}")
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def modulo(x: int, y: int) -> int:
    """Return the remainder of x / y, signed as x; raise ErrorArithmetic when y is 0 or the division overflows."""
    if y == 0 or (y == -1 and x == I64_MIN):
        raise arithmetic(f"Modulo division by zero or overflow: {x} % {y}")
    remainder = abs(x) % abs(y)
    return -remainder if x < 0 else remainder


def power(x: int, y: int) -> int:
    """Return x to the power of y; raise ErrorArithmetic for a negative y and beyond 64 bits."""
    if y > _U32_MAX:
        raise arithmetic(f"Exponential overflow: {x} ** {y}")
    if y < 0:
        raise arithmetic(f"Integer raised to a negative power: {x} ** {y}")
    if y < 64:
        result = int(x**y)
        if I64_MIN <= result <= I64_MAX:
            return result
    elif -1 <= x <= 1:
        return x if y % 2 else x * x
    raise arithmetic(f"Exponential overflow: {x} ** {y}")


def shift_left(x: int, y: int) -> int:
    """Return x with its bits moved up by y, those beyond bit 63 lost; a negative y moves them down."""
    if y < 0:
        return shift_right(x, min(-y, I64_MAX))
    if y > 63:
        return 0
    return _wrapped(x << y)


def shift_right(x: int, y: int) -> int:
    """Return x with its bits moved down by y, the sign kept; a negative y moves them up."""
    if y < 0:
        return shift_left(x, min(-y, I64_MAX))
    return x >> min(y, 63)


def _wrapped(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value > I64_MAX else value


def divide_floats(x: float, y: float) -> float:
    """Return x / y; a division by zero gives an infinity or NaN."""
    if y:
        return x / y
    if x == 0 or x != x or y != y:
        return _NAN
    return math.copysign(_INFINITY, x) * math.copysign(1.0, y)


def modulo_floats(x: float, y: float) -> float:
    """Return the remainder of x / y with the sign of x; NaN where there is none."""
    try:
        return math.fmod(x, y)
    except ValueError:
        return _NAN


def power_floats(x: float, y: float) -> float:
    """Return x to the power of y; NaN or an infinity where there is no real result."""
    try:
        return math.pow(x, y)
    except ValueError:
        # The C function's own answers: a zero to a negative power is an infinity, a negative to a broken power NaN.
        if x == 0:
            return math.copysign(_INFINITY, x) if y % 2 == 1 else _INFINITY
        return _NAN
    except OverflowError:
        return -_INFINITY if x < 0 and y % 2 == 1 else _INFINITY


@PACKAGE.function("-", "i64")
def negate(x: int) -> int:
    """Return -x; raise ErrorArithmetic for the smallest integer."""
    if x == I64_MIN:
        raise arithmetic(f"Negation overflow: -{x}")
    return -x


@PACKAGE.function("-", "f64")
def negate_float(x: float) -> float:
    """Return -x."""
    return -x


@PACKAGE.function("+", "i64")
@PACKAGE.function("+", "f64")
def plus(x: float) -> float:
    """Return x."""
    return x


@PACKAGE.function("abs", "i64")
def absolute(x: int) -> int:
    """Return x without its sign; raise ErrorArithmetic for the smallest integer."""
    return negate(x) if x < 0 else x


@PACKAGE.function("abs", "f64")
def absolute_float(x: float) -> float:
    """Return x without its sign."""
    return abs(x)


@PACKAGE.function("sign", "i64")
def sign(x: int) -> int:
    """Return -1, 0 or 1."""
    return (x > 0) - (x < 0)


@PACKAGE.function("sign", "f64")
def sign_float(x: float) -> int:
    """Return -1, 0 or 1; raise ErrorArithmetic for NaN."""
    if x != x:
        raise arithmetic("Sign of NaN is undefined")
    return (x > 0) - (x < 0)


@PACKAGE.property("is_zero", "i64")
@PACKAGE.property("is_zero", "f64")
def is_zero(x: float) -> bool:
    """Is it 0?"""
    return x == 0


@PACKAGE.property("is_odd", "i64")
def is_odd(x: int) -> bool:
    """Is it odd?"""
    return x % 2 == 1


@PACKAGE.property("is_even", "i64")
def is_even(x: int) -> bool:
    """Is it even?"""
    return x % 2 == 0
