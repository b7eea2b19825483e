"""Moments and the calendar: Unix times in milliseconds on one side, dates in a time zone on the other.

A local time that a change of the clock skips means the moment as far behind the change as it is behind the last time
that there was (02:30 becomes 03:30); one that there is twice means the first, unless an offset says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from picloud.rhai.values import I64_MAX, I64_MIN, type_name

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

EXACT: Final[dict[str, int]] = {
    "milliseconds": 1,
    "seconds": 1_000,
    "minutes": 60_000,
    "hours": 3_600_000,
}
"""Units that are as long everywhere, in milliseconds."""

CALENDAR: Final = ("days", "weeks", "months", "years")
"""Units that depend on the calendar of a zone."""

UNITS: Final = (*EXACT, *CALENDAR)

PERIODS: Final = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
"""What has a beginning."""

_FIELDS: Final[dict[str, int | None]] = {
    "year": None,
    "month": 1,
    "day": 1,
    "hour": 0,
    "minute": 0,
    "second": 0,
    "millisecond": 0,
}
"""What a date is made of, with what stands for a missing one."""
_TOLD: Final = frozenset({"weekday", "yearday", "week", "week_year", "quarter", "offset", "zone"})
"""What :func:`parts_of` tells beyond that, and follows from it."""


class DateError(Exception):
    """It can't be done; the message says why."""


def local(milliseconds: int, zone: tzinfo) -> datetime:
    """The date and time of a moment in a zone. Raises :class:`DateError` outside of the years 1 to 9999."""
    try:
        return (EPOCH + milliseconds * MILLISECOND).astimezone(zone)
    except (OverflowError, ValueError):
        raise DateError(f"{milliseconds} ms is no year from 1 to 9999") from None


def moment(date: datetime) -> int:
    """The moment that an aware date and time means."""
    return (date - EPOCH) // MILLISECOND


def moment_of(date: datetime, zone: tzinfo, offset: int | None = None) -> int:
    """The moment of a local date and time; ``offset`` (minutes) says which one of two."""
    first = date.replace(tzinfo=zone, fold=0)
    second = first.replace(fold=1)
    try:
        if offset is not None and offset_of(first) != offset and offset_of(second) == offset:
            return moment(second)
        return moment(first)
    except OverflowError:
        raise DateError(f"{date:%H:%M} of that day is in no year from 1 to 9999") from None


def offset_of(date: datetime) -> int:
    """Minutes east of UTC."""
    offset = date.utcoffset()
    assert offset is not None, "dates here have zones"
    return offset // timedelta(minutes=1)


def iso(date: datetime) -> str:
    """The date and time as text (RFC 3339), with Z in UTC."""
    text = date.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if date.tzinfo is UTC else text


def parts_of(date: datetime, zone: str) -> dict[str, Any]:
    """What there is to say about a date and time."""
    week_year, week, weekday = date.isocalendar()
    return {
        "year": date.year,
        "month": date.month,
        "day": date.day,
        "hour": date.hour,
        "minute": date.minute,
        "second": date.second,
        "millisecond": date.microsecond // 1000,
        "weekday": weekday,
        "yearday": date.timetuple().tm_yday,
        "week": week,
        "week_year": week_year,
        "quarter": (date.month + 2) // 3,
        "offset": offset_of(date),
        "zone": zone,
    }


def date_of(parts: Mapping[str, Any]) -> datetime:
    """The local date and time that parts mean. Raises :class:`DateError` with the part that is wrong."""
    unknown = next((name for name in parts if name not in _FIELDS and name not in _TOLD), None)
    if unknown is not None:
        raise DateError(f"a date has no {unknown[:40]!r}; it has {', '.join(_FIELDS)}")
    fields = {}
    for name, default in _FIELDS.items():
        value = parts.get(name, default)
        if value is None:
            raise DateError("the year is missing")
        if type(value) is not int:
            raise DateError(f"the {name} is an integer, not {type_name(value)}")
        fields[name] = value
    year, month, day, hour, minute, second, millisecond = fields.values()
    try:
        return datetime(year, month, day, hour, minute, second, millisecond * 1000)
    except (ValueError, OverflowError) as error:
        raise DateError(f"there is no such date: {error}") from None


def added(milliseconds: int, amounts: Mapping[str, Any], zone: tzinfo) -> int:
    """The moment that many years, months, weeks and days later in a zone's calendar, and then so many hours and less.

    A day that its month hasn't becomes the last that it has: a month after 31 January is 28 or 29 February.
    """
    for name, value in amounts.items():
        if name not in UNITS:
            raise DateError(f"there is no unit {name[:40]!r}; there are {', '.join(UNITS)}")
        if type(value) is not int:
            raise DateError(f"{name} are a whole number, not {type_name(value)}")
    given = {name: amounts.get(name, 0) for name in UNITS}
    months = given["years"] * 12 + given["months"]
    days = given["weeks"] * 7 + given["days"]
    if months or days:
        date = local(milliseconds, zone)
        moved = _shifted(date.replace(tzinfo=None), months, days)
        milliseconds = moment_of(moved, zone, offset_of(date))
    return checked(milliseconds + sum(given[name] * size for name, size in EXACT.items()))


def checked(milliseconds: int) -> int:
    """A moment that a script can hold."""
    if not I64_MIN <= milliseconds <= I64_MAX:
        raise DateError("the result is beyond 64 bits")
    return milliseconds


def whole_units(start: int, end: int, unit: str, zone: tzinfo) -> int:
    """How many whole units there are from one moment to another; negative if the other is earlier."""
    if unit in EXACT:
        size = EXACT[unit]
        return (end - start) // size if end >= start else -((start - end) // size)
    if end < start:
        return -whole_units(end, start, unit, zone)
    first, last = (local(each, zone).replace(tzinfo=None) for each in (start, end))
    if unit in ("days", "weeks"):
        return max(0, (last - first) // timedelta(days=7 if unit == "weeks" else 1))
    months = (last.year - first.year) * 12 + last.month - first.month
    if months > 0 and _shifted(first, months, 0) > last:
        months -= 1
    return max(0, months) // (12 if unit == "years" else 1)


def start_of(milliseconds: int, period: str, zone: tzinfo) -> int:
    """The moment at which the period that a moment is in began; weeks begin on Monday."""
    date = local(milliseconds, zone)
    at = PERIODS.index(period)
    begun = date.replace(microsecond=0)
    if at >= PERIODS.index("minute"):
        begun = begun.replace(second=0)
    if at >= PERIODS.index("hour"):
        begun = begun.replace(minute=0)
    if at < PERIODS.index("day"):
        # Within an hour nothing but whole minutes changes, and the offset stays that of the moment.
        return moment(begun)
    day = begun.replace(hour=0, tzinfo=None)
    if period == "week":
        day = _shifted(day, 0, -day.weekday())
    elif period in ("month", "quarter", "year"):
        months = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}
        day = day.replace(day=1, month=months[period])
    return moment_of(day, zone)


def days_in_month(year: int, month: int) -> int:
    """How many days a month has."""
    if not 1 <= month <= 12:
        raise DateError(f"the month is 1 to 12, not {month}")
    if month == 2:
        return 29 if is_leap_year(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def is_leap_year(year: int) -> bool:
    """Whether a year has 366 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _shifted(date: datetime, months: int, days: int) -> datetime:
    """A date that many months and then days later."""
    try:
        years, month = divmod(date.year * 12 + date.month - 1 + months, 12)
        day = min(date.day, days_in_month(years, month + 1))
        return date.replace(year=years, month=month + 1, day=day) + timedelta(days=days)
    except (OverflowError, ValueError):
        raise DateError("the result is no year from 1 to 9999") from None
