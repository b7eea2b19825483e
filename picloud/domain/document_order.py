"""In which order documents are listed, and where a page of them ends.

    "-created"                  by one field, the greatest first
    ["status", "-created"]      by one, then another; what is alike is in the order of ids

A cursor is the place of a page's last document in the order, so a page goes on behind that document, whatever came or
went meanwhile. It names nothing but a place: who makes one up sees what they may see anyway.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering
from typing import Any, Final

from picloud.domain.document import MAX_ID_BYTES, kind_of, shortened
from picloud.domain.document_path import ID, TEXT_KEY, Key, found, key_of, parse_path
from picloud.domain.errors import Invalid

MAX_FIELDS: Final = 3
MAX_CURSOR: Final = 8_192

_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?")
_RANKS: Final = range(6)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document stands: the keys of its fields, then its id."""

    keys: tuple[Key, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Order:
    """The fields to sort by, each descending or not, and whether ids descend."""

    fields: tuple[tuple[tuple[str, ...], bool], ...] = ()
    ids_descend: bool = False

    @classmethod
    def parse(cls, given: Any) -> Order:
        """The order that a field, or an array of them, means. Raises :class:`Invalid`."""
        if given is None:
            return cls()
        wanted = [given] if isinstance(given, str) else given
        if not isinstance(wanted, list):
            raise Invalid(
                f'sort is a field or an array of them, such as "-total", found {kind_of(given)}', field="sort"
            )
        if len(wanted) > MAX_FIELDS + 1:
            raise Invalid(f"sort has {MAX_FIELDS} fields at most", field="sort")
        fields: list[tuple[tuple[str, ...], bool]] = []
        descending = False
        for index, each in enumerate(wanted):
            if not isinstance(each, str):
                raise Invalid(f"sort has fields as strings, found {kind_of(each)}", field="sort")
            descending = each.startswith("-")
            name = each.removeprefix("-")
            if name == ID:
                if index < len(wanted) - 1:
                    raise Invalid(f"sort has {ID} as its last field: no two are alike", field="sort")
                break
            fields.append((parse_path(name, field="sort"), descending))
        if len(fields) > MAX_FIELDS:
            raise Invalid(f"sort has {MAX_FIELDS} fields at most", field="sort")
        if len({path for path, _ in fields}) < len(fields):
            raise Invalid("sort names a field twice", field="sort")
        return cls(tuple(fields), descending)

    @property
    def one_way(self) -> bool:
        """Whether all of it descends, or nothing."""
        return all(descending == self.ids_descend for _, descending in self.fields)

    def place_of(self, document: str, data: Any) -> Place:
        """Where a document stands."""
        return Place(tuple(key_of(found(data, path)) for path, _ in self.fields), document)

    def sortable(self, place: Place) -> Sortable:
        """What sorts as this order wants it."""
        ways = [*(descending for _, descending in self.fields), self.ids_descend]
        return Sortable(tuple(_Turned(key, way) for key, way in zip((*place.keys, place.id), ways, strict=True)))

    def cursor(self, place: Place) -> str:
        """The place as text that :meth:`behind` reads."""
        keys = [[key.rank, str_of(key.number), key.text] for key in place.keys]
        text = json.dumps([self._mark(), keys, place.id], ensure_ascii=False, separators=(",", ":"))
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def behind(self, cursor: Any) -> Place | None:
        """The place that a cursor names; None for none. Raises :class:`Invalid` for what is no cursor of this order."""
        if cursor is None:
            return None
        if not isinstance(cursor, str):
            raise Invalid(f"cursor is a string that an earlier page gave, found {kind_of(cursor)}", field="cursor")
        try:
            place = self._place(cursor)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            raise Invalid(
                f"{shortened(cursor)} is no cursor",
                field="cursor",
                remedy="Take the one that the page before gave, or leave it out to begin anew.",
            ) from None
        if place is None:
            raise Invalid(
                "the cursor is of a list with another sort", field="cursor", remedy="Keep the sort from page to page."
            )
        return place

    def _place(self, cursor: str) -> Place | None:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
        mark, keys, document = json.loads(text)
        if mark != self._mark():
            return None
        place = Place(tuple(_key(*key) for key in keys), document)
        if len(place.keys) != len(self.fields) or not isinstance(document, str) or not _is_text(document, MAX_ID_BYTES):
            raise ValueError
        return place

    def _mark(self) -> str:
        told = json.dumps([[list(path), descending] for path, descending in self.fields] + [self.ids_descend])
        return hashlib.sha256(told.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Sortable:
    """A place that compares as its order says."""

    parts: tuple[_Turned, ...]

    def __lt__(self, other: Sortable) -> bool:
        return self.parts < other.parts


@total_ordering
class _Turned:
    """A part of a place; turned around if it descends."""

    __slots__ = ("descending", "value")

    def __init__(self, value: Any, descending: bool) -> None:
        self.value = value
        self.descending = descending

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Turned) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: _Turned) -> bool:
        return bool(other.value < self.value if self.descending else self.value < other.value)


def str_of(number: Decimal) -> str:
    """A number without an exponent, as a cursor holds it."""
    return format(number, "f")


def _key(rank: Any, number: Any, text: Any) -> Key:
    if type(rank) is not int or rank not in _RANKS or not isinstance(number, str) or not isinstance(text, str):
        raise ValueError
    if not _NUMBER.fullmatch(number) or len(text) > TEXT_KEY or not _is_text(text, 4 * TEXT_KEY):
        raise ValueError
    return Key(rank, Decimal(number), text)


def _is_text(text: str, most_bytes: int) -> bool:
    return "\x00" not in text and len(text.encode()) <= most_bytes


def pages(limit: Any, *, most: int, default: int) -> int:
    """How many documents a page has. Raises :class:`Invalid`."""
    if limit is None:
        return default
    if type(limit) is not int or not 1 <= limit <= most:
        told = str(limit) if type(limit) is int else kind_of(limit)
        raise Invalid(f"limit is a number from 1 to {most:,}, found {told}", field="limit")
    return limit


def sorted_by(order: Order, documents: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Documents, each with its id and its content, in order."""
    return sorted(documents, key=lambda each: order.sortable(order.place_of(*each)))
