"""A rate as people write it: ``50/s``, ``600/m``, ``10/h``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from picloud.domain.errors import Invalid

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_WHOLE: Final = re.compile(r"(\d{1,6})/([smh])")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many (``count``) in ``per_ms`` milliseconds, evenly."""

    count: int
    per_ms: int

    @classmethod
    def parse(cls, text: str, *, field: str) -> Rate:
        """The rate that ``text`` says. Raises :class:`Invalid`."""
        found = _WHOLE.fullmatch(text)
        if found is None or int(found[1]) == 0:
            raise Invalid(
                f"{text[:60]!r} is no rate: expected a whole number from 1 on, a slash, and s, m or h",
                field=field,
                remedy="For example: '50/s', '600/m'.",
            )
        return cls(int(found[1]), _UNITS[found[2]])

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return self.per_ms / 1_000 / self.count

    def __str__(self) -> str:
        unit = next((unit for unit, size in _UNITS.items() if size == self.per_ms), f"{self.per_ms}ms")
        return f"{self.count}/{unit}"
