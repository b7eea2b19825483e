"""Time zones by name, with the rules of the ``tzdata`` package: the same on every node, whatever its machine has.

The cage can't open files, and all zones together would cost each child 0.4 MB and 17 ms of its start. So a child asks
its parent for the rules of a zone when a script first names it, and keeps those of the last few. That is no service
call: what comes back is a constant of the platform, and no journal need keep it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, timedelta, timezone, tzinfo
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo

from picloud.executor.dates.moments import DateError
from picloud.executor.dates.rules import Rules, is_name

MOST_KEPT: Final = 32
_FIXED: Final = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")


class Zones:
    """The zones that this child knows, the one unused for longest first."""

    def __init__(self) -> None:
        self._kept: dict[str, tzinfo] = {}

    def zone(self, name: str, ask: Callable[[str], Rules]) -> tzinfo:
        """The zone of a name: ``UTC``, ``+02:00``, ``Europe/Berlin``; ``ask`` asks for rules.

        Raises :class:`DateError` if there is none.
        """
        if name in ("UTC", "Z"):
            return UTC
        zone = self._kept.pop(name, None) or self._made(name, ask)
        self._kept[name] = zone
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return zone

    def _made(self, name: str, ask: Callable[[str], Rules]) -> tzinfo:
        fixed = _FIXED.fullmatch(name)
        if fixed is not None:
            offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
            return timezone(-offset if fixed[1] == "-" else offset)
        rules, near = ask(name) if is_name(name) else (None, "")
        if rules is None:
            meant = f"did you mean {near!r}?" if near else 'one is like "Europe/Berlin", "UTC" or "+02:00"'
            raise DateError(f"there is no time zone {name[:40]!r}: {meant}")
        return ZoneInfo.from_file(BytesIO(rules), key=name)
