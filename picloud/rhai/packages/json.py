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
from picloud.rhai.packages.budget import CEILING, charge
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

_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_FOREIGN_ESCAPE: Final = re.compile(r"\\(?:[/bf]|u[dD][89a-fA-F])")
"""Escapes that JSON has and the language has not."""


@PACKAGE.reader("to_json", "map", run=True)
def to_json(run: Run, entries: dict[str, Any]) -> str:
    """Return the map as JSON."""
    return render(run, entries, JSON)


@PACKAGE.function("parse_json", "string", run=True)
def parse_json(run: Run, text: str) -> dict[str, Any]:
    """Return the map that a JSON text holds.

    Raise ErrorParsing for what is none, ErrorMismatchOutputType for another value.
    """
    charge(run, 4 * len(text))
    try:
        value = _plain(text)
    except _NotPlain:
        value = run.evaluate(_expression(run, text))
    if type(value) is not dict:
        raise mismatched_output("map", type_name(value))
    _check_sizes(run, value)
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


def _plain(text: str) -> Any:
    if not _is_shallow(text) or ("\\" in text and _FOREIGN_ESCAPE.search(text)):
        raise _NotPlain
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise _NotPlain from None


def _is_shallow(text: str) -> bool:
    if text.count("[") + text.count("{") <= _SHALLOW:
        return True
    brackets = re.sub(r"[^][{}]+", "", _STRINGS.sub("", text))
    for _ in range(_SHALLOW):
        if not brackets:
            return True
        brackets = brackets.replace("[]", "").replace("{}", "")
    return not brackets


def _check_sizes(run: Run, value: dict[str, Any]) -> None:
    """Raise ErrorDataTooLarge where all arrays, maps or texts in a value are over the limit together."""
    limits = run.limits
    most = (limits.max_array_size or CEILING, limits.max_map_size or CEILING, limits.max_string_size or CEILING)
    elements = entries = characters = 0
    waiting: list[Any] = [value]
    while waiting:
        container = waiting.pop()
        if type(container) is dict:
            entries += len(container)
            items: Any = container.values()
        else:
            elements += len(container)
            items = container
        for item in items:
            if type(item) is str:
                characters += len(item)
            elif type(item) is list or type(item) is dict:
                waiting.append(item)
    for size, limit, what in zip(
        (elements, entries, characters),
        most,
        ("Size of array/BLOB", "Size of object map", "Length of string"),
        strict=True,
    ):
        if size > limit:
            raise too_large(what)


def _expression(run: Run, text: str) -> Expression:
    try:
        return parsed(text, run.limits)
    except RhaiError as error:
        raise parsing(error) from None
