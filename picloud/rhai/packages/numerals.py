"""How Rhai writes numbers as text, and reads them from text.

Rhai shows numbers as Rust's formatter does. Python and Rust choose the same shortest digits for a float, but for one
that lies right between two texts (Rust takes the larger one, Python the even one), and not the same layout. So the
digits come from `repr` and the layout is made here:

- *display* (`print`, `to_string`, interpolation): plain digits with at least one decimal (`2.0`), and scientific form
  (`1e20`) above 10^13 and below 10^-13 (Rhai's own rule; its bounds are 32-bit floats);
- *debug* (`debug`, `to_debug`, elements of arrays and maps): scientific from 10^16 up and below 10^-4 (Rust's `{:?}`);
- *plain* (error texts): digits only, no exponent, no decimal point for whole numbers (Rust's `{}`).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from picloud.rhai.rounding import rounded
from picloud.rhai.values import I64_MAX

_DISPLAY_MAX: Final = 9999999827968.0  # 1e13 as a 32-bit float
_DISPLAY_MIN: Final = 9.999999824516700e-14  # 1e-13 as a 32-bit float

_FLOAT: Final = re.compile(
    r"[+-]?(?:inf|infinity|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)", re.IGNORECASE | re.ASCII
)


_EVEN: Final = frozenset("02468")


def _shortest(number: float) -> str:
    """Return a finite number as `repr` does, with Rust's choice of the last digit."""
    text = repr(number)
    if len(text) < 17 or text[-1] not in _EVEN or "e" in text:
        return text
    decimals = len(text) - text.index(".") - 1
    if not (number * (2 << decimals)).is_integer():
        return text  # it has more binary places than the middle between two texts
    down = Decimal(text)
    unit = Decimal(1).scaleb(-decimals)
    if abs(Decimal(number)) - abs(down) != unit / 2:
        return text
    return str(down + unit.copy_sign(down))


def _digits_and_exponent(number: float) -> tuple[str, str, int]:
    """Return sign, shortest digits without a point, and the decimal exponent of the first digit.

    `number` is finite and not 0.
    """
    text = _shortest(number)
    sign = ""
    if text[0] == "-":
        sign, text = "-", text[1:]
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent) if exponent else 0
    digits = whole + fraction
    stripped = digits.lstrip("0")
    power += len(whole) - 1 - (len(digits) - len(stripped))
    return sign, stripped.rstrip("0") or "0", power


def float_plain(number: float) -> str:
    """Return `number` as Rust's `{}` writes it: never an exponent, no point for whole numbers."""
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "inf" if number > 0 else "-inf"
    if number == 0.0:
        return "-0" if str(number)[0] == "-" else "0"
    sign, digits, power = _digits_and_exponent(number)
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    if len(digits) <= power + 1:
        return sign + digits + "0" * (power + 1 - len(digits))
    return f"{sign}{digits[: power + 1]}.{digits[power + 1 :]}"


def _scientific(number: float) -> str:
    if number in (float("inf"), float("-inf")):
        return "inf" if number > 0 else "-inf"
    sign, digits, power = _digits_and_exponent(number)
    point = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}e{power}"


def float_display(number: float) -> str:
    """Return `number` as `print` and `to_string` show it."""
    size = abs(number)
    if size == 0.0:
        return "0.0"
    if size > _DISPLAY_MAX or size < _DISPLAY_MIN:
        return _scientific(number)
    if size >= 1e-4:
        return _shortest(number)  # Python and Rust agree on the layout between 10^-4 and 10^16
    return float_plain(number)


def float_debug(number: float) -> str:
    """Return `number` as `debug` and `to_debug` show it, and as it stands inside arrays and maps."""
    size = abs(number)
    if size == 0.0 or 1e-4 <= size < 1e16:
        return _shortest(number)
    if number != number:
        return "NaN"
    return _scientific(number)


def parse_i64(text: str, radix: int) -> int | str:
    """Read an integer as Rust's `i64::from_str_radix` does; return it, or Rust's sentence that says why it is none."""
    if not text:
        return "cannot parse integer from empty string"
    negative = text[0] == "-"
    digits = text[1:] if text[0] in "+-" else text
    if not digits:
        return "invalid digit found in string"
    value = 0
    for character in digits.lstrip("0"):
        digit = _digit(character)
        if digit is None or digit >= radix:
            return "invalid digit found in string"
        value = value * radix + digit
        if value > I64_MAX + negative:
            # Rust stops at the first digit that does not fit, unless that digit is none.
            return f"number too {'small' if negative else 'large'} to fit in target type"
    return -value if negative else value


def _digit(character: str) -> int | None:
    if "0" <= character <= "9":
        return ord(character) - 48
    if "a" <= character <= "z":
        return ord(character) - 87
    if "A" <= character <= "Z":
        return ord(character) - 55
    return None


def parse_f64(text: str) -> float | str:
    """Read a float as Rust's `f64::from_str` does; return it, or Rust's sentence that says why it is none."""
    if not text:
        return "cannot parse float from empty string"
    if not _FLOAT.fullmatch(text):
        return "invalid float literal"
    return rounded(text)
