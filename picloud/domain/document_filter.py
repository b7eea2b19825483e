"""Filters of documents: what a script or a person writes, checked, and whether a document fits.

    #{status: "open", total: #{gt: 100}, "address.city": #{in: ["Bern", "Thun"]}}
    #{or: [#{total: #{ge: 1000}}, #{vip: true}], not: #{status: "cancelled"}}

All members of a map must hold. The database decides the same for the documents that it holds
(``picloud/services/docs_sql.py``), and a test sees to it that the two agree. What ``()`` stands for is also where a
path finds nothing; ``exists`` alone tells the two apart. Less and greater hold within a type: nothing else compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Protocol

from picloud.domain.document import check_value, kind_of, shortened
from picloud.domain.document_path import MISSING, found, number_of, parse_path
from picloud.domain.errors import Invalid

MAX_CONDITIONS: Final = 100
MAX_DEPTH: Final = 8
"""``and``, ``or`` and ``not`` inside one another."""
MAX_AMONG: Final = 200
MAX_PATTERN: Final = 256
MAX_LIKE: Final = 10
"""Patterns in a filter: they alone take more time than the text is long."""

OPERATORS: Final = ("eq", "ne", "lt", "le", "gt", "ge", "in", "like", "exists")
CONNECTIVES: Final = ("and", "or", "not")


class Condition(Protocol):
    """What a document must fulfil."""

    def holds(self, data: Any) -> bool:
        """Whether it holds for a document with that content."""


@dataclass(frozen=True, slots=True)
class Equal:
    """The value at ``path`` is ``value``."""

    path: tuple[str, ...]
    value: Any

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        return same(found(data, self.path), self.value)


@dataclass(frozen=True, slots=True)
class Compared:
    """The value at ``path`` is of the type of ``bound``, number or string, and less or greater as ``operator`` says."""

    path: tuple[str, ...]
    operator: str
    bound: int | float | str

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        value = found(data, self.path)
        if isinstance(self.bound, str):
            return isinstance(value, str) and _COMPARE[self.operator](value, self.bound)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return _COMPARE[self.operator](number_of(value), number_of(self.bound))


@dataclass(frozen=True, slots=True)
class Among:
    """The value at ``path`` is one of ``values``."""

    path: tuple[str, ...]
    values: tuple[Any, ...]

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        value = found(data, self.path)
        return any(same(value, each) for each in self.values)


@dataclass(frozen=True, slots=True)
class Like:
    """The value at ``path`` is a string like ``pattern``: % is any characters, _ is one, both behind \\ themselves."""

    path: tuple[str, ...]
    pattern: str

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        value = found(data, self.path)
        return isinstance(value, str) and _is_like(value, pattern_parts(self.pattern))


@dataclass(frozen=True, slots=True)
class Exists:
    """``path`` leads somewhere, if only to ``()``; or nowhere, if ``wanted`` is false."""

    path: tuple[str, ...]
    wanted: bool

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        return (found(data, self.path) is not MISSING) == self.wanted


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of ``parts`` holds."""

    parts: tuple[Condition, ...] = ()

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        return all(part.holds(data) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of ``parts`` holds at least."""

    parts: tuple[Condition, ...]

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        return any(part.holds(data) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """``part`` doesn't hold."""

    part: Condition

    def holds(self, data: Any) -> bool:
        """See :class:`Condition`."""
        return not self.part.holds(data)


EVERYTHING: Final = AllOf()
"""The filter that every document fulfils."""


def parse_filter(given: Any) -> Condition:
    """The condition that a filter means; none means every document. Raises :class:`Invalid` with the place in it."""
    if given is None:
        return EVERYTHING
    return _Parser().filter(given, "filter", 0)


class _Parser:
    def __init__(self) -> None:
        self._count = 0
        self._patterns = 0

    def filter(self, given: Any, place: str, depth: int) -> Condition:
        if not isinstance(given, Mapping):
            raise _wrong(place, f'is a map, such as #{{status: "open"}}, found {kind_of(given)}')
        if depth > MAX_DEPTH:
            raise _wrong(place, f"is deeper than {MAX_DEPTH} levels")
        parts: list[Condition] = []
        for name, value in given.items():
            at = f"{place}.{name[:60]}"
            if name in ("and", "or"):
                several = self._several(value, at, depth)
                parts.append(AllOf(several) if name == "and" else AnyOf(several))
            elif name == "not":
                parts.append(Not(self.filter(value, at, depth + 1)))
            elif isinstance(value, Mapping):
                path = parse_path(name, field=at)
                parts += self._operators(path, value, at)
            else:
                parts.append(self._condition(parse_path(name, field=at), "eq", value, at))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _several(self, given: Any, place: str, depth: int) -> tuple[Condition, ...]:
        if not isinstance(given, list) or not given:
            what = "an empty array" if given == [] else kind_of(given)
            raise _wrong(place, f"is an array of one filter or more, found {what}")
        return tuple(self.filter(each, f"{place}[{index}]", depth + 1) for index, each in enumerate(given))

    def _operators(self, path: tuple[str, ...], given: Mapping[str, Any], place: str) -> list[Condition]:
        if not given:
            raise _wrong(place, "has no operator", f"Say one of {', '.join(OPERATORS)}; eq compares with an empty map.")
        for name in given:
            if name not in OPERATORS:
                near = get_close_matches(name, OPERATORS, n=1)
                inner = ".".join((*path, name))[:80]
                meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(OPERATORS)}"
                remedy = f'A member of a map has the path "{inner}"; a whole map is compared with #{{eq: …}}.'
                raise _wrong(place, f"has no operator {shortened(name)}: {meant}", remedy)
        return [self._condition(path, name, value, f"{place}.{name}") for name, value in given.items()]

    def _condition(self, path: tuple[str, ...], operator: str, value: Any, place: str) -> Condition:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise Invalid(f"a filter has {MAX_CONDITIONS} conditions at most", field="filter")
        check_value(value, place)
        match operator:
            case "eq":
                return Equal(path, value)
            case "ne":
                return Not(Equal(path, value))
            case "in":
                if not isinstance(value, list):
                    raise _wrong(place, f"is an array of values, found {kind_of(value)}")
                if len(value) > MAX_AMONG:
                    raise _wrong(place, f"has {MAX_AMONG} values at most, found {len(value)}")
                return Among(path, tuple(value))
            case "like":
                if not isinstance(value, str):
                    raise _wrong(place, f'is a pattern such as "Ann%", found {kind_of(value)}')
                if len(value) > MAX_PATTERN:
                    raise _wrong(place, f"has {MAX_PATTERN} characters at most, found {len(value)}")
                if pattern_parts(value) is None:
                    raise _wrong(place, "ends with a backslash that stands before nothing", "Write two for one.")
                self._patterns += 1
                if self._patterns > MAX_LIKE:
                    raise Invalid(f"a filter has {MAX_LIKE} patterns at most", field="filter")
                return Like(path, value)
            case "exists":
                if not isinstance(value, bool):
                    raise _wrong(place, f"is true or false, found {kind_of(value)}")
                return Exists(path, value)
            case _:
                if isinstance(value, bool) or not isinstance(value, int | float | str):
                    raise _wrong(place, f"is a number or a string, found {kind_of(value)}")
                return Compared(path, operator, value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal: numbers by their value, maps whatever their order; what is missing is ``()``."""
    if one is MISSING:
        one = None
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return number_of(one) == number_of(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return type(one) is type(other) and bool(one == other)


ANY_TEXT: Final = object()
ANY_CHARACTER: Final = object()


def pattern_parts(pattern: str) -> list[Any] | None:
    """A pattern as characters and the two wildcards; None if it ends in the middle of an escape."""
    parts: list[Any] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            escaped = next(characters, None)
            if escaped is None:
                return None
            parts.append(escaped)
        elif character == "%":
            if not parts or parts[-1] is not ANY_TEXT:
                parts.append(ANY_TEXT)
        else:
            parts.append(ANY_CHARACTER if character == "_" else character)
    return parts


def _is_like(text: str, parts: list[Any] | None) -> bool:
    """What stands between two ``%`` has a fixed length, and is best where it comes first."""
    assert parts is not None
    pieces: list[list[Any]] = [[]]
    for part in parts:
        if part is ANY_TEXT:
            pieces.append([])
        else:
            pieces[-1].append(part)
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return _expression(first).fullmatch(text) is not None
    at, end = len(first), len(text) - len(last)
    if at > end or not _expression(first).match(text) or not _expression(last).match(text, end):
        return False
    for piece in pieces[1:-1]:
        found = _expression(piece).search(text, at, end)
        if found is None:
            return False
        at = found.end()
    return True


def _expression(piece: list[Any]) -> re.Pattern[str]:
    """One without repetitions, so that it takes no more steps than text and piece are long."""
    return re.compile("".join("." if each is ANY_CHARACTER else re.escape(each) for each in piece), re.DOTALL)


_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": lambda value, bound: value < bound,
    "le": lambda value, bound: value <= bound,
    "gt": lambda value, bound: value > bound,
    "ge": lambda value, bound: value >= bound,
}


def _wrong(place: str, what: str, remedy: str = "") -> Invalid:
    return Invalid(f"{place} {what}", field=place, remedy=remedy)
