"""What a client prefers (RFC 7240), as far as it is done here: ``respond-async`` and ``wait``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MOST_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Preferences:
    """``wait`` is in seconds, None if nothing was said of it."""

    asynchronous: bool = False
    wait: int | None = None


NONE: Final = Preferences()


def preferences(header: str | None) -> Preferences:
    """What a header ``Prefer`` says; of each preference the first counts, and what isn't known is left alone."""
    if header is None:
        return NONE
    asynchronous, wait = False, None
    for part in header.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "respond-async":
            asynchronous = True
        elif name == "wait" and wait is None and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
            wait = int(value)
    return Preferences(asynchronous, wait)
