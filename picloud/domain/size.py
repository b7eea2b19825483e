"""Sizes as people write them: ``64KiB``, ``6MiB``, ``1000``. Inside they are whole bytes."""

from __future__ import annotations

import re
from typing import Final

from picloud.domain.errors import Invalid

_UNITS: Final = {"": 1, "B": 1, "K": 1024, "KIB": 1024, "M": 1024**2, "MIB": 1024**2}
_WHOLE: Final = re.compile(r"(\d{1,12})\s*([A-Za-z]{0,3})")


def parse_size(text: object, *, field: str, least: int, most: int) -> int:
    """Bytes of a text such as ``6MiB``. Raises :class:`Invalid` for another text, or one out of bounds."""
    match = _WHOLE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is not None and match[2].upper() in _UNITS:
        found = int(match[1]) * _UNITS[match[2].upper()]
        if least <= found <= most:
            return found
    raise Invalid(
        f"{str(text)[:60]!r} is no size that fits here: expected {format_size(least)} to {format_size(most)}",
        field=field,
        remedy="Write it as '65536', '64KiB' or '6MiB'.",
    )


def format_size(size: int) -> str:
    """The shortest text that means as many bytes: ``6MiB``."""
    for unit, factor in (("MiB", 1024**2), ("KiB", 1024)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
