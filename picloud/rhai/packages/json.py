"""Maps to JSON and back.

The engine writes JSON by its own `{:?}` formats, so what JSON does not know comes out as the language shows it
(`'c'`, `0..3`, `NaN`). It reads JSON by its own parser: what it accepts is an expression of the language with `null`
for `()`, `{` for `#{` and quoted names, and whatever that gives must be a map. Nearly every text is plain JSON,
though, and goes through Python's parser, which is a hundred times faster; only what that one refuses, or might
understand differently, takes the long way.
"""

from __future__ import annotations

import re
from typing import Any, Final

from picloud.rhai.errors import RhaiError, parsing, too_large
from picloud.rhai.packages.budget import CEILING, charge
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.faults import mismatched_output
from picloud.rhai.packages.json_text import MOST_NESTING, NotPlain, read, written
from picloud.rhai.parser import parse_json as parsed
from picloud.rhai.printing import JSON, render
from picloud.rhai.runtime.run import Run
from picloud.rhai.syntax import Expression
from picloud.rhai.values import type_name

PACKAGE: Final = Package("json")

_COUNTED: Final = 16
_FOREIGN_ESCAPE: Final = re.compile(r"\\(?:[/bf]|u[dD][89a-fA-F])")
"""Escapes that JSON has and the language has not."""


@PACKAGE.reader("to_json", "map", run=True)
def to_json(run: Run, entries: dict[str, Any]) -> str:
    """Return the map as JSON."""
    try:
        return written(run, entries)
    except NotPlain:
        return render(run, entries, JSON)


@PACKAGE.function("parse_json", "string", run=True)
def parse_json(run: Run, text: str) -> dict[str, Any]:
    """Return the map that a JSON text holds.

    Raise ErrorParsing for what is none, ErrorMismatchOutputType for another value.
    """
    value = _plain(run, text)
    if value is None or not _check_sizes(run, value):
        # The parser takes about a microsecond for each character, and can't be interrupted.
        run.pay(len(text))
        value = run.evaluate(_expression(run, text))
        if type(value) is not dict:
            raise mismatched_output("map", type_name(value))
        _check_sizes(run, value)
    assert type(value) is dict
    return value


def _plain(run: Run, text: str) -> dict[str, Any] | None:
    """Return the map that a text holds as Python reads it; None if that may not be what the language reads."""
    charge(run, len(text))
    if "\\" in text and _FOREIGN_ESCAPE.search(text):
        return None
    try:
        value = read(run, text)
    except NotPlain:
        return None
    return value if type(value) is dict else None


def _check_sizes(run: Run, value: dict[str, Any]) -> bool:
    """Raise ErrorDataTooLarge where all arrays, maps or texts in a value are over the limit together.

    Returns whether the value nests so little that the language's own parser would surely read its text.
    """
    limits = run.limits
    most = (limits.max_array_size or CEILING, limits.max_map_size or CEILING, limits.max_string_size or CEILING)
    elements = entries = characters = depth = uncounted = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        containers, level = level, []
        for container in containers:
            items: Any = container
            uncounted += 1 + len(container)
            if uncounted >= _COUNTED:
                run.pay(uncounted // _COUNTED)
                uncounted = 0
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
    return depth <= MOST_NESTING


def _expression(run: Run, text: str) -> Expression:
    try:
        return parsed(text, run.limits)
    except RhaiError as error:
        raise parsing(error) from None
