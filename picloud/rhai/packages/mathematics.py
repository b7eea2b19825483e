"""Mathematical functions on floats, and conversions between numbers and text.

No function fails for want of a real result: like Rust's, they answer NaN or an infinity. Python's `math` raises
instead, so each call goes through a guard that knows what the C library would have said.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from picloud.rhai.errors import arithmetic
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.numerals import float_plain, parse_f64, parse_i64
from picloud.rhai.packages.whitespace import trim
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import I64_MAX, I64_MIN, Char

PACKAGE: Final = Package("math")

_NAN: Final = float("nan")
_INFINITY: Final = float("inf")
_MAX_AS_FLOAT: Final = float(I64_MAX)
_MIN_AS_FLOAT: Final = float(I64_MIN)
_BITS: Final = 2**64 - 1


_root: Final = math.sqrt


def _declare(name: str, function: Callable[[float], float], *, overflow: float = _INFINITY) -> None:
    def guarded(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return _NAN
        except OverflowError:
            return math.copysign(overflow, x) if overflow < 0 else overflow

    PACKAGE.function(name, "f64")(guarded)


_declare("sin", math.sin)
_declare("cos", math.cos)
_declare("tan", math.tan)
_declare("sinh", math.sinh, overflow=-_INFINITY)
_declare("cosh", math.cosh)
_declare("tanh", math.tanh)
_declare("asin", math.asin)
_declare("acos", math.acos)
_declare("atan", math.atan)


@PACKAGE.function("sqrt", "f64")
def sqrt(x: float) -> float:
    """Return the square root; NaN for negative numbers."""
    return _root(x) if x >= 0.0 else _NAN


_declare("exp", math.exp)


def _logarithm(function: Callable[[float], float], x: float) -> float:
    if x > 0:
        return function(x)
    return -_INFINITY if x == 0 else _NAN


# Rust computes the inverse hyperbolic functions itself; its formulas are followed so that the last digit agrees.


@PACKAGE.function("asinh", "f64")
def asinh(x: float) -> float:
    """Return the inverse hyperbolic sine."""
    size = abs(x)
    if size == 0 or size == _INFINITY or x != x:
        return x
    inverse = 1.0 / size
    return math.copysign(math.log1p(size + size / (_hypotenuse(1.0, inverse) + inverse)), x)


@PACKAGE.function("acosh", "f64")
def acosh(x: float) -> float:
    """Return the inverse hyperbolic cosine; NaN below 1."""
    if not x >= 1:
        return _NAN
    return math.log(x + math.sqrt(x - 1.0) * math.sqrt(x + 1.0))


@PACKAGE.function("atanh", "f64")
def atanh(x: float) -> float:
    """Return the inverse hyperbolic tangent; NaN beyond -1 and 1, an infinity at them."""
    if abs(x) == 1:
        return math.copysign(_INFINITY, x)
    if not abs(x) < 1:
        return _NAN
    return 0.5 * math.log1p(2.0 * x / (1.0 - x))


@PACKAGE.function("atan", "f64", "f64")
def atan2(y: float, x: float) -> float:
    """Return the angle of the point (x, y)."""
    return math.atan2(y, x)


def _hypotenuse(x: float, y: float) -> float:
    try:
        return abs(complex(x, y))  # the C library's hypot; Python's own rounds differently
    except OverflowError:
        return _INFINITY


PACKAGE.function("hypot", "f64", "f64")(_hypotenuse)


@PACKAGE.function("E")
def e() -> float:
    """Return Euler's number."""
    return math.e


@PACKAGE.function("PI")
def pi() -> float:
    """Return the circle's ratio."""
    return math.pi


@PACKAGE.function("to_radians", "f64")
def to_radians(x: float) -> float:
    """Return degrees as radians."""
    return x * (math.pi / 180.0)


@PACKAGE.function("to_degrees", "f64")
def to_degrees(x: float) -> float:
    """Return radians as degrees."""
    return x * (180.0 / math.pi)


@PACKAGE.function("ln", "f64")
def ln(x: float) -> float:
    """Return the natural logarithm."""
    return _logarithm(math.log, x)


@PACKAGE.function("log", "f64")
def log10(x: float) -> float:
    """Return the logarithm to base 10."""
    return _logarithm(math.log10, x)


@PACKAGE.function("log", "f64", "f64")
def log(x: float, base: float) -> float:
    """Return the logarithm to any base."""
    numerator, denominator = ln(x), ln(base)
    if denominator:
        return numerator / denominator
    return _NAN if not numerator or numerator != numerator else math.copysign(_INFINITY, numerator)


def _whole(function: Callable[[float], int], x: float) -> float:
    if not math.isfinite(x):
        return x
    return math.copysign(float(function(x)), x)


@PACKAGE.property("floor", "f64")
def floor(x: float) -> float:
    """Return the next whole number below."""
    return _whole(math.floor, x)


@PACKAGE.property("ceiling", "f64")
def ceiling(x: float) -> float:
    """Return the next whole number above."""
    return _whole(math.ceil, x)


@PACKAGE.property("int", "f64")
def integral(x: float) -> float:
    """Return the whole part."""
    return _whole(math.trunc, x)


@PACKAGE.property("round", "f64")
def rounded(x: float) -> float:
    """Return the nearest whole number; halves go away from zero."""
    whole = _whole(math.trunc, x)
    return whole + math.copysign(1.0, x) if abs(x - whole) >= 0.5 else whole


@PACKAGE.property("fraction", "f64")
def fraction(x: float) -> float:
    """Return the part behind the point."""
    return x - integral(x)


@PACKAGE.property("is_nan", "f64")
def is_nan(x: float) -> bool:
    """Is it NaN?"""
    return x != x


@PACKAGE.property("is_finite", "f64")
def is_finite(x: float) -> bool:
    """Is it neither infinite nor NaN?"""
    return math.isfinite(x)


@PACKAGE.property("is_infinite", "f64")
def is_infinite(x: float) -> bool:
    """Is it infinite?"""
    return math.isinf(x)


@PACKAGE.function("to_int", "i64")
def to_int(x: int) -> int:
    """Return x."""
    return x


@PACKAGE.function("to_int", "char")
def char_to_int(character: Char) -> int:
    """Return the character's code point."""
    return ord(character.text)


@PACKAGE.function("to_int", "f64")
def float_to_int(x: float) -> int:
    """Return the whole part as an integer, NaN as 0; raise ErrorArithmetic beyond 64 bits."""
    if x > _MAX_AS_FLOAT or x < _MIN_AS_FLOAT:
        raise arithmetic(f"Integer overflow: to_int({float_plain(x)})")
    if x != x:
        return 0
    return int(min(math.trunc(x), I64_MAX))


@PACKAGE.function("to_float", "i64")
@PACKAGE.function("to_float", "f64")
def to_float(x: float) -> float:
    """Return x as a float."""
    return float(x)


@PACKAGE.function("to_hex", "i64")
def to_hex(x: int) -> str:
    """Return the 64 bits in hexadecimal digits."""
    return f"{x & _BITS:x}"


@PACKAGE.function("to_octal", "i64")
def to_octal(x: int) -> str:
    """Return the 64 bits in octal digits."""
    return f"{x & _BITS:o}"


@PACKAGE.function("to_binary", "i64")
def to_binary(x: int) -> str:
    """Return the 64 bits."""
    return f"{x & _BITS:b}"


@PACKAGE.function("parse_int", "string", run=True)
def parse_int(run: Run, text: str) -> int:
    """Read a decimal integer; raise ErrorArithmetic when it is none."""
    if len(text) < 19 and text.isdigit() and text.isascii():
        return int(text)
    return parse_int_radix(run, text, 10)


@PACKAGE.function("parse_int", "string", "i64", run=True)
def parse_int_radix(run: Run, text: str, radix: int) -> int:
    """Read an integer in base 2 to 36; raise ErrorArithmetic when it is none."""
    charge(run, 4 * len(text))
    if not 2 <= radix <= 36:
        raise arithmetic(f"Invalid radix: '{radix}'")
    value = parse_i64(trim(run, text), radix)
    if isinstance(value, str):
        raise arithmetic(f"Error parsing integer number '{text}': {value}")
    return value


@PACKAGE.function("parse_float", "string", run=True)
def parse_float(run: Run, text: str) -> float:
    """Read a float; raise ErrorArithmetic when it is none."""
    charge(run, 4 * len(text))
    value = parse_f64(trim(run, text))
    if isinstance(value, str):
        raise arithmetic(f"Error parsing floating-point number '{text}': {value}")
    return value
