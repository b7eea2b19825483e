"""Floats from decimal digits: rounded as if all digits were read, without reading all of a million."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 2_000
_SIGNIFICANT: Final = 800
"""No more digits decide how a float is rounded; of the others it only matters whether there is any but zero."""


def rounded(text: str) -> float:
    """Return the float nearest to a decimal number."""
    return float(text if len(text) <= _LONGEST else _shortened(text))


def _shortened(text: str) -> str:
    mantissa, _, exponent = text.lower().partition("e")
    sign = mantissa[0] if mantissa[0] in "+-" else ""
    whole, _, fraction = mantissa[len(sign) :].partition(".")
    if "n" in whole:
        return text
    digits = (whole + fraction).lstrip("0")
    power = -len(fraction)
    if len(digits) > _SIGNIFICANT:
        rest = digits[_SIGNIFICANT:].strip("0")
        power += len(digits) - _SIGNIFICANT
        digits = digits[:_SIGNIFICANT]
        if rest:
            digits, power = digits + "1", power - 1
    # An exponent far beyond any float's needn't be read in full.
    given = exponent.lstrip("+-").lstrip("0")
    size = int(given or 0) if len(given) <= 12 else 10**12
    power += -size if exponent.startswith("-") else size
    return f"{sign}{digits or '0'}e{power}"
