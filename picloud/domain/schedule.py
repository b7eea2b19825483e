"""When a cron schedule is due, in the time of a place.

An expression has five fields (minute, hour, day of month, month, day of week) or six, with seconds first; ``croniter``
reads them, with ``L`` (the last day, or the last such weekday) and ``#`` (the n-th such weekday), and ``@daily`` and
its like. It is matched against the clock on the wall in the schedule's zone. When that clock is changed:

- Spring forward. A schedule for fixed hours whose time is skipped is due once, at the end of the gap. One for every
  hour (its hour field begins with ``*``) goes on evenly in real time: what is skipped never was.
- Fall back. A schedule for fixed hours is due in the first pass of the hour that comes twice, and not again. One for
  every hour is due in both passes.

This is what Vixie cron does with jobs of either kind, but that it has no time to catch up with: we know the gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any, Final
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterError

from picloud.domain.errors import Invalid

MAX_EXPRESSION: Final = 200

_SECOND: Final = timedelta(seconds=1)
_WEEK: Final = timedelta(days=7)
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_ALIASES: Final = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A checked expression in a zone; ``parse`` makes one."""

    expression: str
    zone: str

    @classmethod
    def parse(cls, expression: str, zone: str = "UTC", *, field: str = "config.cron") -> Schedule:
        """Check both. Raises :class:`Invalid` that names what is wrong, also for a date that never comes."""
        said = " ".join(expression.split())
        if len(said) > MAX_EXPRESSION:
            raise Invalid(f"the schedule has {len(said)} characters, more than {MAX_EXPRESSION}", field=field)
        if not said.startswith("@") and len(said.split()) not in (5, 6):
            raise Invalid(
                f"{said!r} has {len(said.split())} fields: expected minute, hour, day of month, month and day of week, "
                "and seconds in front of them if wanted",
                field=field,
                remedy="For example: '*/5 * * * *' (every five minutes), '0 9 * * 1-5' (at nine on working days).",
            )
        if said.startswith("@") and said not in _ALIASES:
            raise Invalid(f"{said!r} is no schedule: expected {', '.join(_ALIASES)}, or fields", field=field)
        schedule = cls(said, _checked_zone(zone))
        try:
            # Names of months and weekdays have an R and an H too; alone, they ask for chance, which has no preview.
            if any(re.match(r"[rRhH](?:\(|/|$)", part) for part in said.split()):
                raise Invalid(f"{said!r}: H and R choose by chance; write a number, or use jitter", field=field)
            _naive(said, datetime(2000, 1, 1)).get_next(datetime)
        except (CroniterError, ValueError, KeyError, OverflowError) as error:
            reason = str(error).partition("] ")[2] or str(error)
            if "next date" in reason:
                reason = "this date never comes"
            raise Invalid(f"{said!r} is no schedule: {reason}", field=field) from None
        return schedule

    def next_after(self, instant: datetime) -> datetime:
        """The first due time behind ``instant``, in UTC. Times of schedules are whole seconds."""
        zone = _zone(self.zone)
        shown = instant.astimezone(zone)
        if shown.fold and not self._every_hour:
            # In the second pass: what was due in the first one is past, and the rest follows from there.
            repeated = (shown.replace(fold=0).utcoffset() or timedelta()) - (shown.utcoffset() or timedelta())
            return next(due for due in self._walk(instant - repeated, zone) if due > instant)
        return next(self._walk(instant, zone))

    def _walk(self, instant: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        while True:
            instant = self._following(instant, zone)
            yield instant

    def _following(self, instant: datetime, zone: ZoneInfo) -> datetime:
        at = instant.astimezone(UTC).replace(microsecond=0)
        local = _local(at, zone)
        offset = local - at.replace(tzinfo=None)
        while True:
            due: datetime = _naive(self.expression, local).get_next(datetime)
            candidate = (due - offset).replace(tzinfo=UTC)
            change = _first_change(at, candidate, zone)
            if change is None:
                return candidate
            before, after = change.replace(tzinfo=None) + offset, _local(change, zone)
            if due < after and not self._every_hour:
                return change
            # Go on behind the change, by the new clock. The hour that comes twice counts again for every hour alone.
            first = after if self._every_hour else max(before, after)
            at, local, offset = change, first - _SECOND, after - change.replace(tzinfo=None)

    def due_times(self, *, after: datetime) -> Iterator[datetime]:
        """All due times behind ``after``, in order, without end."""
        while True:
            after = self.next_after(after)
            yield after

    def preview(self, *, after: datetime, count: int) -> list[datetime]:
        """The next ``count`` due times behind ``after``."""
        return list(islice(self.due_times(after=after), count))

    def between(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """The due times from ``since`` on, before ``until``."""
        return takewhile(lambda due: due < until, self.due_times(after=since - _SECOND))

    @property
    def _every_hour(self) -> bool:
        if self.expression.startswith("@"):
            return self.expression == "@hourly"
        fields = self.expression.split()
        return fields[-4].startswith("*")


def _naive(expression: str, local: datetime) -> Any:
    return croniter(expression, local, second_at_beginning=True, max_years_between_matches=40)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _checked_zone(name: str) -> str:
    try:
        if not _ZONE.fullmatch(name):
            raise ValueError(name)
        _zone(name)
    except (ValueError, KeyError, OSError):
        raise Invalid(
            f"{name[:64]!r} is no time zone: expected a name of the IANA database",
            field="config.zone",
            remedy="For example: 'Europe/Berlin', 'America/New_York', 'UTC'.",
        ) from None
    return name


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _first_change(since: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant behind ``since``, up to ``until``, at which the zone's clock is another; None if it isn't."""
    while since < until:
        step = min(since + _WEEK, until)
        offset = since.astimezone(zone).utcoffset()
        if step.astimezone(zone).utcoffset() != offset:
            low, high = since, step
            while high - low > _SECOND:
                middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
                if middle.astimezone(zone).utcoffset() == offset:
                    low = middle
                else:
                    high = middle
            return high
        since = step
    return None
