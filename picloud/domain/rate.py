"""A rate of replays as people write it: ``50/s``, ``600/m``, ``10/1h30m``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from picloud.domain.duration import format_duration
from picloud.domain.flow import parse_rate


@dataclass(frozen=True, slots=True)
class Rate:
    """So many (``count``) in ``per_ms`` milliseconds, evenly."""

    count: int
    per_ms: int

    @classmethod
    def parse(cls, text: str, *, field: str) -> Rate:
        """The rate that ``text`` says: a count, a slash and a duration or a unit. Raises :class:`Invalid`."""
        return cls(*parse_rate(text, field=field))

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return self.per_ms / 1_000 / self.count

    def __str__(self) -> str:
        span = format_duration(self.per_ms)
        return f"{self.count}/{span[1:] if span in _ONE else span}"


_ONE: Final = frozenset({"1ms", "1s", "1m", "1h", "1d"})
