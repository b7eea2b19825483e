"""Maps to JSON and back.

The engine writes JSON by its own `{:?}` formats, so what JSON does not know comes out as the language shows it
(`'c'`, `0..3`, `NaN`). It reads JSON by its own parser: what it accepts is an expression of the language with `null`
for `()`, `{` for `#{` and quoted names, and whatever that gives must be a map. Nearly every text is plain JSON,
though, and goes through Python's parser, which is a hundred times faster; only what that one refuses, or might
understand differently, takes the long way.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from picloud.rhai.errors import RhaiError, parsing, too_large
from picloud.rhai.packages.budget import CEILING, charge, check_string
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.faults import mismatched_output
from picloud.rhai.parser import parse_json as parsed
from picloud.rhai.printing import JSON, render
from picloud.rhai.runtime.run import Run
from picloud.rhai.syntax import Expression
from picloud.rhai.values import I64_MAX, I64_MIN, type_name

PACKAGE: Final = Package("json")

_SHALLOW: Final = 24
"""So deep may a text nest to be sure that the engine's parser would not call it too deep."""

_FOREIGN_ESCAPE: Final = re.compile(r"\\(?:[/bf]|u[dD][89a-fA-F])")
"""Escapes that JSON has and the language has not."""


@PACKAGE.reader("to_json", "map", run=True)
def to_json(run: Run, entries: dict[str, Any]) -> str:
    """Return the map as JSON."""
    return _quickly(run, entries) or render(run, entries, JSON)


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False, check_circular=False)
_OTHER_SPELLING: Final = re.compile(r"\\[^\"\\nrt]|[0-9]e[-+]?[0-9]")
"""What Python's encoder may spell in another way: characters that are not plain ASCII, floats with an exponent."""


def _quickly(run: Run, entries: dict[str, Any]) -> str | None:
    """Return the map as JSON by Python's encoder; None if that might write it in another way."""
    if not _is_plain(run, entries):
        return None
    try:
        text = _ENCODER.encode(entries)
    except (ValueError, RecursionError):
        return None
    if _OTHER_SPELLING.search(text):
        return None
    check_string(run, len(text))
    return text


def _is_plain(run: Run, value: Any) -> bool:
    """Whether a value is made of what JSON knows, and its text is sure to be of a reasonable length."""
    room = run.limits.max_string_size or CEILING
    waiting = [value]
    while waiting:
        container = waiting.pop()
        items: Any = container
        if type(container) is dict:
            items = container.values()
            room -= sum(map(len, container))
        room -= 2 * len(container)
        charge(run, 16 * len(container))
        if room < 0:
            return False
        for item in items:
            kind = type(item)
            if kind is str:
                room -= len(item)
            elif kind is list or kind is dict:
                waiting.append(item)
            elif kind not in _LEAVES:
                return False
    return room >= 0


_LEAVES: Final = frozenset({int, float, bool, type(None)})


@PACKAGE.function("parse_json", "string", run=True)
def parse_json(run: Run, text: str) -> dict[str, Any]:
    """Return the map that a JSON text holds.

    Raise ErrorParsing for what is none, ErrorMismatchOutputType for another value.
    """
    charge(run, 4 * len(text))
    value = _plain(text)
    if value is None or not _check_sizes(run, value):
        value = run.evaluate(_expression(run, text))
        if type(value) is not dict:
            raise mismatched_output("map", type_name(value))
        _check_sizes(run, value)
    assert type(value) is dict
    return value


class _NotPlain(Exception):
    """The text needs the language's own parser."""


def _refuse(*_: Any) -> NoReturn:
    raise _NotPlain


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise _NotPlain
    return entries


def _integer(digits: str) -> int | float:
    if len(digits) > 20:
        return float(digits)
    value = int(digits)
    return value if I64_MIN <= value <= I64_MAX else float(digits)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_constant=_refuse)


def _plain(text: str) -> dict[str, Any] | None:
    """Return the map that a text holds as Python reads it; None if that may not be what the language reads."""
    if "\\" in text and _FOREIGN_ESCAPE.search(text):
        return None
    try:
        value = _DECODER.decode(text)
    except (_NotPlain, ValueError, RecursionError):
        return None
    return value if type(value) is dict else None


def _check_sizes(run: Run, value: dict[str, Any]) -> bool:
    """Raise ErrorDataTooLarge where all arrays, maps or texts in a value are over the limit together.

    Returns whether the value nests so little that the language's own parser would surely read its text.
    """
    limits = run.limits
    most = (limits.max_array_size or CEILING, limits.max_map_size or CEILING, limits.max_string_size or CEILING)
    elements = entries = characters = depth = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        containers, level = level, []
        for container in containers:
            items: Any = container
            if type(container) is dict:
                entries += len(container)
                items = container.values()
            else:
                elements += len(container)
            for item in items:
                kind = type(item)
                if kind is str:
                    characters += len(item)
                elif kind is list or kind is dict:
                    level.append(item)
    for size, limit, what in zip(
        (elements, entries, characters),
        most,
        ("Size of array/BLOB", "Size of object map", "Length of string"),
        strict=True,
    ):
        if size > limit:
            raise too_large(what)
    return depth <= _SHALLOW


def _expression(run: Run, text: str) -> Expression:
    try:
        return parsed(text, run.limits)
    except RhaiError as error:
        raise parsing(error) from None
