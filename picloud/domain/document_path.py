"""Paths in documents, and the order of values that are found there.

A path is names between dots: ``address.city``; in an array a number is a place in it (``items.0.sku``), counted from
the end if it is negative. Where it leads nowhere it finds nothing, which counts as ``()``.

Values of all types have one order: ``()`` first, then false and true, numbers by their value, strings by their
characters (code points), then arrays, then maps. Numbers are the decimals that their JSON text says, as the database
reads them. For sorting, all arrays are alike, all maps are, and so are strings that begin with the same
:data:`TEXT_KEY` characters: what is alike is in the order of ids. So a key is short whatever the document holds, and
fits into an index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from picloud.domain.document import MAX_DEPTH, shortened
from picloud.domain.errors import Invalid

MAX_PATH_BYTES: Final = 256
TEXT_KEY: Final = 150
"""So many characters of a string count when documents are sorted."""

ID: Final = "$id"
"""Instead of a path: the document's id."""

MISSING: Final = object()
"""What a path finds that leads nowhere."""

_PLACE: Final = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")
_PLACES: Final = range(-(1 << 31), 1 << 31)
_ZERO: Final = Decimal(0)


def parse_path(path: str, *, field: str) -> tuple[str, ...]:
    """The names of a path. Raises :class:`Invalid`."""
    steps = tuple(path.split("."))
    if not all(steps):
        raise Invalid(
            f"{shortened(path)} is no path in a document: expected names between dots, found an empty one",
            field=field,
            remedy='For example: "address.city".',
        )
    if "\x00" in path or not _encodes(path):
        raise Invalid(f"{shortened(path)} is no path in a document: a character of it can't be kept", field=field)
    if len(steps) > MAX_DEPTH or len(path.encode()) > MAX_PATH_BYTES:
        raise Invalid(
            f"a path has {MAX_DEPTH} names and {MAX_PATH_BYTES} bytes at most, found {shortened(path)}", field=field
        )
    return steps


def found(data: Any, path: tuple[str, ...]) -> Any:
    """The value at ``path`` in ``data``; :data:`MISSING` if there is none."""
    value = data
    for step in path:
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and _PLACE.fullmatch(step) and int(step) in _PLACES:
            place = int(step)
            value = value[place] if -len(value) <= place < len(value) else MISSING
        else:
            return MISSING
        if value is MISSING:
            return MISSING
    return value


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Where a value stands among all values: its type's rank, then a number, then the beginning of a text."""

    rank: int
    number: Decimal = _ZERO
    text: str = ""


NOTHING: Final = Key(0)


def key_of(value: Any) -> Key:
    """The place of a value in the order, see the module."""
    kind = type(value)
    if kind is str:
        return Key(3, _ZERO, value[:TEXT_KEY])
    if kind is int or kind is float:
        return Key(2, number_of(value))
    if kind is bool:
        return Key(1, Decimal(value))
    if kind is list:
        return Key(4)
    if kind is dict:
        return Key(5)
    return NOTHING


def number_of(value: int | float) -> Decimal:
    """A number as the decimal that its JSON text says."""
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
