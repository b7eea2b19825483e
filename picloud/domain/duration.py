"""Durations as people write them: ``250ms``, ``30s``, ``1h30m``, ``7d``. Inside they are whole milliseconds."""

from __future__ import annotations

import re
from typing import Final

from picloud.domain.errors import Invalid

_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_WHOLE: Final = re.compile(r"(?:\d+(?:d|h|ms|m|s))+")
_PART: Final = re.compile(r"(\d+)(d|h|ms|m|s)")
_MOST_DIGITS: Final = 12


def parse_duration(text: object, *, field: str, least_ms: int = 0, most_ms: int = 366 * 86_400_000) -> int:
    """Milliseconds of a text such as ``1h30m``. Raises :class:`Invalid` for another text, or one out of bounds."""
    if isinstance(text, str) and len(text) <= 40 and _WHOLE.fullmatch(text):
        parts = _PART.findall(text)
        if all(len(count) <= _MOST_DIGITS for count, _ in parts):
            found = sum(int(count) * _UNITS[unit] for count, unit in parts)
            if least_ms <= found <= most_ms:
                return found
    bounds = f"{format_duration(least_ms)} to {format_duration(most_ms)}"
    raise Invalid(
        f"{str(text)[:60]!r} is no duration that fits here: expected {bounds}",
        field=field,
        remedy="Write it with units: '250ms', '30s', '1h30m', '7d'.",
    )


def format_duration(milliseconds: int) -> str:
    """The shortest text that means as many milliseconds: ``1h30m``; ``0s`` for none."""
    said = ""
    for unit, size in _UNITS.items():
        count, milliseconds = divmod(milliseconds, size)
        if count:
            said += f"{count}{unit}"
    return said or "0s"
