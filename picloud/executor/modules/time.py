"""``time::``: the run's clock, dates in time zones, patterns and durations.

A moment is a Unix time in milliseconds, an integer: so moments are compared and subtracted as numbers.

    time::now()                         the moment at which the run began
    time::iso()  time::iso(ms)  time::iso(ms, zone)                    2026-05-01T12:00:00.000Z
    time::parse(text)  time::parse(text, pattern)  time::parse(text, pattern, zone)
    time::format(ms, pattern)  time::format(ms, pattern, zone)
    time::parts(ms)  time::parts(ms, zone)                             #{year, month, day, hour, …}
    time::from_parts(parts)  time::from_parts(parts, zone)
    time::add(ms, duration)  time::add(ms, #{months: 1, …})  time::add(ms, #{…}, zone)
    time::diff(from, to, unit)  time::diff(from, to, unit, zone)       whole units
    time::start_of(ms, period)  time::start_of(ms, period, zone)
    time::weekday(ms)  time::weekday(ms, zone)                         1 is Monday, 7 is Sunday
    time::duration(text)                milliseconds of "1h30m"        time::duration_text(ms)
    time::days_in_month(year, month)    time::is_leap_year(year)       time::is_zone(name)

Without a zone everything is in UTC. The clock stands still during a run, and is kept with it, so that a replay sees the
same. To measure how long something takes there is Rhai's own ``timestamp()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, tzinfo
from typing import Any, Final

from picloud.executor.dates import moments
from picloud.executor.dates.durations import duration_of, duration_text
from picloud.executor.dates.moments import DateError
from picloud.executor.dates.patterns import Pattern, read_iso
from picloud.executor.dates.zones import Zones
from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("time")

MOST_PATTERNS: Final = 64
_STEPS: Final = 8
"""Operations for a look at the calendar, and for each few characters of a pattern."""
_ASKING: Final = 200
"""Operations for a zone that the parent is asked for."""

_zones: Final = Zones()
_patterns: Final[dict[str, Pattern]] = {}


@contextmanager
def _told(function: str) -> Iterator[None]:
    try:
        yield
    except DateError as error:
        raise refusal(f"time::{function}", str(error)) from None


def _zone(run: Run, name: str) -> tzinfo:
    run.pay(_STEPS)

    def ask(name: str) -> Any:
        run.pay(_ASKING)
        return active_run(run).zone(name)

    return _zones.zone(name, ask)


def _pattern(run: Run, text: str) -> Pattern:
    run.pay(_STEPS + len(text) // _STEPS)
    pattern = _patterns.get(text)
    if pattern is None:
        pattern = Pattern(text)
        if len(_patterns) >= MOST_PATTERNS:
            _patterns.clear()
        _patterns[text] = pattern
    return pattern


def _with_zone(name: str, *parameters: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function whose last argument may be a zone, and is UTC otherwise."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        def here(run: Run, *given: Any) -> Any:
            run.pay(_STEPS)
            with _told(name):
                return function(run, *given, UTC)

        def there(run: Run, *given: Any) -> Any:
            with _told(name):
                return function(run, *given[:-1], _zone(run, given[-1]))

        PACKAGE.function(name, *parameters, run=True)(here)
        PACKAGE.function(name, *parameters, "string", run=True)(there)
        return function

    return declare


@PACKAGE.function("now", run=True, volatile=True)
def now(run: Run) -> int:
    """Return the run's Unix time in milliseconds."""
    return active_run(run).message.now_ms


@PACKAGE.function("iso", run=True, volatile=True)
def iso_now(run: Run) -> str:
    """Return the run's time as text."""
    return moments.iso(moments.local(active_run(run).message.now_ms, UTC))


@_with_zone("iso", "i64")
def iso(run: Run, milliseconds: int, zone: tzinfo) -> str:
    """Return a moment as text (RFC 3339)."""
    return moments.iso(moments.local(milliseconds, zone))


@PACKAGE.function("parse", "string", run=True)
def parse(run: Run, text: str) -> int:
    """Return the moment that a text like 2026-05-01T12:00:00Z says."""
    run.pay(_STEPS)
    with _told("parse"):
        return read_iso(text)


@_with_zone("parse", "string", "string")
def parse_as(run: Run, text: str, pattern: str, zone: tzinfo) -> int:
    """Return the moment that a text says, written by a pattern."""
    charge(run, len(text) * 64)
    return moments.checked(_pattern(run, pattern).read(text, zone))


@_with_zone("format", "i64", "string")
def format_(run: Run, milliseconds: int, pattern: str, zone: tzinfo) -> str:
    """Return a moment as text by a pattern."""
    return _pattern(run, pattern).written(moments.local(milliseconds, zone))


@_with_zone("parts", "i64")
def parts(run: Run, milliseconds: int, zone: tzinfo) -> dict[str, Any]:
    """Return the year, month, day and so on of a moment."""
    name = getattr(zone, "key", None) or str(zone).removeprefix("UTC") or "UTC"
    return moments.parts_of(moments.local(milliseconds, zone), name)


@PACKAGE.function("from_parts", "map", run=True)
def from_parts(run: Run, given: dict[str, Any]) -> int:
    """Return the moment of parts, in the zone that they name, else in UTC."""
    zone = given.get("zone", "UTC")
    if type(zone) is not str:
        raise refusal("time::from_parts", 'the zone is a string such as "Europe/Berlin"')
    return from_parts_in(run, given, zone)


@PACKAGE.function("from_parts", "map", "string", run=True)
def from_parts_in(run: Run, given: dict[str, Any], zone: str) -> int:
    """Return the moment of parts in a zone."""
    offset = given.get("offset")
    if offset is not None and type(offset) is not int:
        raise refusal("time::from_parts", "the offset is a whole number of minutes")
    with _told("from_parts"):
        return moments.moment_of(moments.date_of(given), _zone(run, zone), offset)


@PACKAGE.function("add", "i64", "string", run=True)
def add_duration(run: Run, milliseconds: int, duration: str) -> int:
    """Return the moment that long after another: "90m", "-1d"."""
    run.pay(_STEPS)
    with _told("add"):
        return moments.checked(milliseconds + duration_of(duration))


@_with_zone("add", "i64", "map")
def add(run: Run, milliseconds: int, amounts: dict[str, Any], zone: tzinfo) -> int:
    """Return the moment so many years, months, days, hours … later."""
    return moments.added(milliseconds, amounts, zone)


@_with_zone("diff", "i64", "i64", "string")
def diff(run: Run, start: int, end: int, unit: str, zone: tzinfo) -> int:
    """Return how many whole units there are from one moment to another."""
    if unit not in moments.UNITS:
        raise DateError(f"there is no unit {unit[:40]!r}; there are {', '.join(moments.UNITS)}")
    return moments.checked(moments.whole_units(start, end, unit, zone))


@_with_zone("start_of", "i64", "string")
def start_of(run: Run, milliseconds: int, period: str, zone: tzinfo) -> int:
    """Return the moment at which the day, month … of a moment began."""
    if period not in moments.PERIODS:
        raise DateError(f"there is no period {period[:40]!r}; there are {', '.join(moments.PERIODS)}")
    return moments.start_of(milliseconds, period, zone)


@_with_zone("weekday", "i64")
def weekday(run: Run, milliseconds: int, zone: tzinfo) -> int:
    """Return the day of the week, from 1 for Monday to 7 for Sunday."""
    return moments.local(milliseconds, zone).isoweekday()


@PACKAGE.function("duration", "string", run=True)
def duration(run: Run, text: str) -> int:
    """Return the milliseconds of a duration such as "1h30m"."""
    run.pay(_STEPS)
    with _told("duration"):
        return duration_of(text)


@PACKAGE.function("duration_text", "i64")
def duration_as_text(milliseconds: int) -> str:
    """Return so many milliseconds as a text such as "1h30m"."""
    return duration_text(milliseconds)


@PACKAGE.function("days_in_month", "i64", "i64")
def days_in_month(year: int, month: int) -> int:
    """Return how many days a month has."""
    with _told("days_in_month"):
        return moments.days_in_month(year, month)


@PACKAGE.function("is_leap_year", "i64")
def is_leap_year(year: int) -> bool:
    """Return whether a year has 366 days."""
    return moments.is_leap_year(year)


@PACKAGE.function("is_zone", "string", run=True)
def is_zone(run: Run, name: str) -> bool:
    """Return whether there is a time zone of a name."""
    try:
        _zone(run, name)
    except DateError:
        return False
    return True
