"""Filters and orders of documents as SQL: every path and every value is a parameter, none is ever text of a statement.

A value is looked at through three functions of the database (``migrations/0006``), ``jsonkey.rank``, ``.number`` and
``.text``, which are the parts of :class:`~picloud.domain.document_path.Key`. Indexes are on the same three. So an
equality says all three, though one would do: then the planner knows that what is left of an index is in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from picloud.domain.document_filter import (
    AllOf,
    Among,
    AnyOf,
    Compared,
    Condition,
    Equal,
    Exists,
    Like,
    Not,
    pattern_parts,
)
from picloud.domain.document_order import Order, Place
from picloud.domain.document_path import TEXT_KEY, Key, key_of, number_of

_SIGNS: Final = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_SURROGATES: Final = range(0xD800, 0xE000)
_LAST: Final = 0x10FFFF


class Statement:
    """The parts of one statement, and the parameters that they name."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self._paths: dict[tuple[str, ...], str] = {}

    def parameter(self, value: Any, kind: str) -> str:
        """Where ``value`` stands in the statement, as PostgreSQL's type ``kind``."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s::{kind}"

    def where(self, condition: Condition) -> str:
        """The condition as SQL that is true or false, never null."""
        match condition:
            case Equal(path, value):
                return self._equal(self._value(path), value)
            case Compared(path, operator, bound):
                return self._compared(self._value(path), _SIGNS[operator], bound)
            case Among(path, values):
                return self._among(self._value(path), values)
            case Like(path, pattern):
                return self._like(self._value(path), pattern)
            case Exists(path, wanted):
                return f"{self._value(path)} IS {'NOT ' if wanted else ''}NULL"
            case Not(part):
                return f"NOT {self.where(part)}"
            case AllOf(parts):
                return _joined(" AND ", (self.where(part) for part in parts), empty="TRUE")
            case AnyOf(parts):
                return _joined(" OR ", (self.where(part) for part in parts), empty="FALSE")
            case _:
                raise AssertionError(condition)

    def order_by(self, order: Order) -> str:
        """What stands behind ORDER BY."""
        terms = [
            f"{part}{' DESC' if descending else ''}"
            for path, descending in order.fields
            for part in _parts(self._value(path))
        ]
        return ", ".join([*terms, f"d.id{' DESC' if order.ids_descend else ''}"])

    def behind(self, order: Order, place: Place) -> str:
        """The condition that a document stands behind ``place``."""
        steps: list[tuple[str, str, bool]] = []
        for (path, descending), key in zip(order.fields, place.keys, strict=True):
            given = self._key(key)
            steps += [(part, at, descending) for part, at in zip(_parts(self._value(path)), given, strict=True)]
        steps.append(("d.id", self.parameter(place.id, "text"), order.ids_descend))
        if order.one_way:
            left, right = ", ".join(part for part, _, _ in steps), ", ".join(at for _, at, _ in steps)
            return f"({left}) {'<' if order.ids_descend else '>'} ({right})"
        ways = []
        for number, (part, at, descending) in enumerate(steps):
            alike = [f"{before} = {value}" for before, value, _ in steps[:number]]
            ways.append(_joined(" AND ", [*alike, f"{part} {'<' if descending else '>'} {at}"], empty=""))
        return _joined(" OR ", ways, empty="")

    def _value(self, path: tuple[str, ...]) -> str:
        placed = self._paths.get(path)
        if placed is None:
            placed = self._paths[path] = self.parameter(list(path), "text[]")
        return f"(d.body #> {placed})"

    def _key(self, key: Key) -> tuple[str, str, str]:
        return (
            self.parameter(key.rank, "integer"),
            self.parameter(key.number, "numeric"),
            self.parameter(key.text, "text"),
        )

    def _equal(self, value: str, wanted: Any) -> str:
        rank, number, text = _parts(value)
        given = self._key(key_of(wanted))
        terms = [f"{rank} = {given[0]}", f"{number} = {given[1]}", f"{text} = {given[2]}"]
        if isinstance(wanted, str) and len(wanted) >= TEXT_KEY:
            terms.append(f"{_whole(value)} = {self.parameter(wanted, 'text')}")
        if isinstance(wanted, list | dict):
            terms.append(f"{value} = {self.parameter(json.dumps(wanted), 'jsonb')}")
        return _joined(" AND ", terms, empty="")

    def _compared(self, value: str, sign: str, bound: int | float | str) -> str:
        rank, number, text = _parts(value)
        if not isinstance(bound, str):
            return f"({rank} = 2 AND {number} {sign} {self.parameter(number_of(bound), 'numeric')} AND {text} = '')"
        if len(bound) < TEXT_KEY:
            # Shorter than a key: what is not alike differs within it.
            return f"({rank} = 3 AND {number} = 0 AND {text} {sign} {self.parameter(bound, 'text')})"
        rough = f"{text} {sign[0]}= {self.parameter(bound[:TEXT_KEY], 'text')}"
        exact = f"{_whole(value)} {sign} {self.parameter(bound, 'text')}"
        return f"({rank} = 3 AND {number} = 0 AND {rough} AND {exact})"

    def _among(self, value: str, wanted: tuple[Any, ...]) -> str:
        rank, number, text = _parts(value)
        texts = [each for each in wanted if isinstance(each, str)]
        numbers = [each for each in wanted if isinstance(each, int | float) and not isinstance(each, bool)]
        ways = [self._equal(value, each) for each in wanted if each is None or isinstance(each, bool | list | dict)]
        if texts:
            keys = self.parameter(sorted({each[:TEXT_KEY] for each in texts}), "text[]")
            terms = [f"{rank} = 3", f"{number} = 0", f"{text} = ANY ({keys})"]
            if any(len(each) >= TEXT_KEY for each in texts):
                terms.append(f"{_whole(value)} = ANY ({self.parameter(texts, 'text[]')})")
            ways.append(_joined(" AND ", terms, empty=""))
        if numbers:
            given = self.parameter([number_of(each) for each in numbers], "numeric[]")
            ways.append(f"({rank} = 2 AND {number} = ANY ({given}) AND {text} = '')")
        return _joined(" OR ", ways, empty="FALSE")

    def _like(self, value: str, pattern: str) -> str:
        rank, number, text = _parts(value)
        terms = [f"{rank} = 3", f"{number} = 0"]
        beginning = _beginning(pattern)[: TEXT_KEY - 1]
        if beginning:
            terms.append(f"{text} >= {self.parameter(beginning, 'text')}")
            if behind := _behind(beginning):
                terms.append(f"{text} < {self.parameter(behind, 'text')}")
        terms.append(f"{_whole(value)} LIKE {self.parameter(pattern, 'text')}")
        return _joined(" AND ", terms, empty="")


def _parts(value: str) -> tuple[str, str, str]:
    """The parts of a value's key."""
    return f"jsonkey.rank({value})", f"jsonkey.number({value})", f'jsonkey.text({value}) COLLATE "C"'


def _whole(value: str) -> str:
    """A string, all of it."""
    return f"({value} #>> '{{}}') COLLATE \"C\""


def _beginning(pattern: str) -> str:
    """The characters with which every text begins that is like the pattern."""
    beginning = ""
    for part in pattern_parts(pattern) or ():
        if not isinstance(part, str):
            return beginning
        beginning += part
    return beginning


def _behind(beginning: str) -> str:
    """The first text behind all that begin so; empty if there is none."""
    for length in range(len(beginning), 0, -1):
        last = ord(beginning[length - 1])
        if last < _LAST:
            following = last + 1 if last + 1 not in _SURROGATES else _SURROGATES.stop
            return beginning[: length - 1] + chr(following)
    return ""


def _joined(word: str, parts: Iterable[str], *, empty: str) -> str:
    several = list(parts)
    return f"({word.join(several)})" if several else empty
