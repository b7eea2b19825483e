"""Dates as people write them, by patterns of ``%`` signs as in C's strftime, in English whatever the machine speaks.

A pattern is read once into steps. To write, each step adds its text. To read, each takes what it needs off the front of
the text and never comes back, so reading takes as long as the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final

from picloud.executor.dates.moments import EPOCH, DateError, date_of, moment, moment_of, offset_of

LONGEST: Final = 500
"""Characters of a pattern."""

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_SHORTHANDS: Final = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}
_OFFSET: Final = re.compile(r"(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2})")


def _padded(width: int, value: Callable[[datetime], int], pad: str = "0") -> tuple[Callable[[datetime], str], int]:
    return (lambda date: str(value(date)).rjust(width, pad)), width


def _offset_text(date: datetime, colon: str) -> str:
    minutes = offset_of(date)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{colon}{rest:02}"


_NUMBERS: Final[dict[str, tuple[Callable[[datetime], str], int]]] = {
    "Y": _padded(4, lambda date: date.year),
    "y": _padded(2, lambda date: date.year % 100),
    "m": _padded(2, lambda date: date.month),
    "d": _padded(2, lambda date: date.day),
    "e": _padded(2, lambda date: date.day, " "),
    "H": _padded(2, lambda date: date.hour),
    "I": _padded(2, lambda date: (date.hour + 11) % 12 + 1),
    "M": _padded(2, lambda date: date.minute),
    "S": _padded(2, lambda date: date.second),
    "L": _padded(3, lambda date: date.microsecond // 1000),
    "j": _padded(3, lambda date: date.timetuple().tm_yday),
    "G": _padded(4, lambda date: date.isocalendar()[0]),
    "V": _padded(2, lambda date: date.isocalendar()[1]),
    "u": _padded(1, lambda date: date.isoweekday()),
    "w": _padded(1, lambda date: date.isoweekday() % 7),
    "s": _padded(1, lambda date: moment(date) // 1000),
}
"""Of each sign that stands for a number: its text, and the most digits that it takes of one."""

_WORDS: Final[dict[str, Callable[[datetime], str]]] = {
    "B": lambda date: MONTHS[date.month - 1],
    "b": lambda date: MONTHS[date.month - 1][:3],
    "A": lambda date: WEEKDAYS[date.weekday()],
    "a": lambda date: WEEKDAYS[date.weekday()][:3],
    "p": lambda date: "AM" if date.hour < 12 else "PM",
    "P": lambda date: "am" if date.hour < 12 else "pm",
    "z": lambda date: _offset_text(date, ""),
    ":z": lambda date: _offset_text(date, ":"),
    "Z": lambda date: date.tzname() or "",
}
_READ: Final = frozenset("YymdeHIMSLjsBbAapPz")
"""Signs that can be read, too, as can ``:z``."""
_SAID: Final = " ".join(f"%{sign}" for sign in (*_NUMBERS, *_WORDS, *_SHORTHANDS, "%"))


class Pattern:
    """A pattern, read. Raises :class:`DateError` if it is none."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise DateError(f"a pattern has {LONGEST} characters at most, this one has {len(text)}")
        self.text = text
        self._steps = _steps_of(text)

    def written(self, date: datetime) -> str:
        """A date and time as the pattern has it."""
        return "".join(_written(step, date) for step in self._steps)

    def read(self, text: str, zone: tzinfo) -> int:
        """The moment that a text means; it is in ``zone`` unless it tells its offset. Raises :class:`DateError`."""
        reading = _Reading(text)
        for step in self._steps:
            reading.take(step)
        if reading.left:
            raise reading.unlike("the end")
        return reading.moment(zone)


_Step = tuple[str, str]
"""``("", text)`` for what stands for itself, ``(sign, flag)`` for a sign."""


def _steps_of(text: str) -> list[_Step]:
    steps: list[_Step] = []
    at = 0
    while at < len(text):
        if text[at] != "%":
            end = text.find("%", at)
            end = len(text) if end < 0 else end
            steps.append(("", text[at:end]))
            at = end
            continue
        flag = "-" if text[at + 1 : at + 2] == "-" else ""
        at += 1 + len(flag)
        sign = text[at : at + 2] if text[at : at + 1] == ":" else text[at : at + 1]
        at += len(sign)
        if sign == "%" and not flag:
            steps.append(("", "%"))
        elif sign in _SHORTHANDS and not flag:
            steps += _steps_of(_SHORTHANDS[sign])
        elif sign in _NUMBERS or (sign in _WORDS and not flag):
            steps.append((sign, flag))
        else:
            raise DateError(f"a pattern has no sign {'%' + flag + sign!r}; there are {_SAID}, and %-d without padding")
    return steps


def _written(step: _Step, date: datetime) -> str:
    sign, flag = step
    if not sign:
        return flag
    if sign in _WORDS:
        return _WORDS[sign](date)
    text = _NUMBERS[sign][0](date)
    return text.lstrip("0 ") or "0" if flag else text


class _Reading:
    """A text while it is read: what is left of it, and what it has told so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.left = text
        self.found: dict[str, Any] = {}

    def take(self, step: _Step) -> None:
        sign, literal = step
        if not sign:
            self._literal(literal)
        elif sign in _NUMBERS and sign in _READ:
            self._number(sign)
        elif sign in ("z", ":z"):
            self._offset()
        elif sign in _READ:
            self._word(sign)
        else:
            raise DateError(f"%{sign} can be written, but not read")

    def moment(self, zone: tzinfo) -> int:
        found = self.found
        if "s" in found:
            return int(found["s"]) * 1000 + found.get("L", 0)
        hour = found.get("H", 0)
        if "I" in found:
            if not 1 <= found["I"] <= 12:
                raise DateError(f"{self._shown()}: an hour with %I is 1 to 12")
            hour = found["I"] % 12 + (12 if found.get("p") else 0)
        year = found.get("Y", _full_year(found["y"]) if "y" in found else None)
        date = date_of(
            {
                "year": year,
                "month": found.get("m", 1),
                "day": found.get("d", 1),
                "hour": hour,
                "minute": found.get("M", 0),
                "second": found.get("S", 0),
                "millisecond": found.get("L", 0),
            }
        )
        if "j" in found and "m" not in found:
            date = date.replace(month=1, day=1) + timedelta(days=found["j"] - 1)
            if not found["j"] or date.year != year:
                raise DateError(f"{self._shown()}: the year {year} has no day {found['j']}")
        offset = found.get("z")
        if offset is not None:
            zone = UTC if not offset else timezone(timedelta(minutes=offset))
        return moment_of(date, zone)

    def unlike(self, expected: str) -> DateError:
        """The error that the text goes on with something else."""
        at = len(self.text) - len(self.left) + 1
        found = repr(self.left[:20]) if self.left else "the end"
        return DateError(f"{self._shown()} isn't as the pattern has it: {expected} is expected at {at}, found {found}")

    def _shown(self) -> str:
        return repr(self.text if len(self.text) <= 60 else self.text[:59] + "…")

    def _literal(self, literal: str) -> None:
        for character in literal:
            if character.isspace():
                self.left = self.left.lstrip()
            elif self.left[:1] == character:
                self.left = self.left[1:]
            else:
                raise self.unlike(repr(character))

    def _number(self, sign: str) -> None:
        if sign == "e":
            self.left = self.left.lstrip()
        most = 12 if sign == "s" else 9 if sign == "L" else _NUMBERS[sign][1]
        digits = self.left[:most]
        count = next((at for at, each in enumerate(digits) if not "0" <= each <= "9"), len(digits))
        if not count or (sign == "Y" and count < 4):
            raise self.unlike("a year of four digits" if sign == "Y" else "a number")
        self.left = self.left[count:]
        value = int(digits[:count])
        # What is beyond milliseconds is cut off.
        self._put("d" if sign == "e" else sign, int(digits[:count].ljust(3, "0")[:3]) if sign == "L" else value)

    def _offset(self) -> None:
        found = _OFFSET.match(self.left)
        if found is None:
            raise self.unlike("an offset such as +02:00 or Z")
        self.left = self.left[found.end() :]
        minutes = 0 if found[1] else int(found[3]) * 60 + int(found[4])
        if minutes >= 24 * 60:
            raise DateError(f"{self._shown()}: an offset is less than 24 hours")
        self._put("z", -minutes if found[2] == "-" else minutes)

    def _word(self, sign: str) -> None:
        if sign in ("p", "P"):
            word = self.left[:2].lower()
            if word not in ("am", "pm"):
                raise self.unlike("AM or PM")
            self.left = self.left[2:]
            self._put("p", word == "pm")
            return
        names = MONTHS if sign in ("B", "b") else WEEKDAYS
        start = self.left[:9].lower()
        for number, name in enumerate(names, 1):
            for word in (name, name[:3]):
                if start.startswith(word.lower()):
                    self.left = self.left[len(word) :]
                    self._put("m" if names is MONTHS else "a", number)
                    return
        raise self.unlike("the name of a month" if names is MONTHS else "the name of a day")

    def _put(self, name: str, value: Any) -> None:
        if self.found.setdefault(name, value) != value:
            raise DateError(f"{self._shown()} says two things that don't go together")


def _full_year(year: int) -> int:
    """POSIX: 69 to 99 are of the last century."""
    return year + (1900 if year >= 69 else 2000)


def read_iso(text: str) -> int:
    """The moment of a text like ``2026-05-01T12:00:00Z``. Raises :class:`DateError`."""
    shown = repr(text if len(text) <= 60 else text[:59] + "…")
    try:
        date = datetime.fromisoformat(text) if len(text) <= 60 else None
    except ValueError:
        date = None
    if date is None:
        raise DateError(f"{shown} isn't like 2026-05-01T12:00:00Z")
    if date.tzinfo is None:
        raise DateError(f"{shown} has neither Z nor an offset; say where it is: a pattern and a zone")
    try:
        return (date - EPOCH) // timedelta(milliseconds=1)
    except OverflowError:
        raise DateError(f"{shown} is in no year from 1 to 9999") from None
