"""Durations as text: ``1h30m``, ``-2d``, ``500ms``, ``1.5h``, and ISO 8601's ``PT1H30M``. A day is 24 hours."""

from __future__ import annotations

import re
from typing import Final

from picloud.executor.dates.moments import DateError
from picloud.rhai.values import I64_MAX

_NUMBER: Final = r"([0-9]{1,16}(?:\.[0-9]{1,9})?)"
_MILLISECONDS: Final = (604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
_NAMES: Final = ("w", "d", "h", "m", "s", "ms")
_PLAIN: Final = re.compile(r"([+-]?)" + "".join(rf"(?:{_NUMBER}{name}(?![a-z]) ?)?" for name in _NAMES))
_ISO: Final = re.compile(
    rf"([+-]?)P(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?()"
)
_LONGEST: Final = 120


def duration_of(text: str) -> int:
    """The milliseconds that a text means. Raises :class:`DateError`."""
    found = (_ISO if "P" in text else _PLAIN).fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None or not any(found.groups()[1:]):
        shown = text if len(text) <= 40 else text[:39] + "…"
        raise DateError(f'{shown!r} is no duration: one is like "1h30m", "2d", "500ms" or "PT1H30M"')
    sign, *numbers = found.groups()
    sizes = zip(numbers, _MILLISECONDS, strict=True)
    total = sum(_product(number, size) for number, size in sizes if number)
    if total > I64_MAX:
        raise DateError(f"{text!r} is beyond 64 bits of milliseconds")
    return -total if sign == "-" else total


def _product(number: str, size: int) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole) * size + (int(fraction) * size // 10 ** len(fraction) if fraction else 0)


def duration_text(milliseconds: int) -> str:
    """The text that means so many milliseconds: ``1d2h3m4s5ms``, without weeks."""
    left, parts = abs(milliseconds), []
    for name, size in zip(_NAMES[1:], _MILLISECONDS[1:], strict=True):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{name}")
    return ("-" if milliseconds < 0 else "") + ("".join(parts) or "0s")
