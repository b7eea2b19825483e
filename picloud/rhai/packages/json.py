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
from picloud.rhai.packages.budget import CEILING, charge, paid
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.extent import Extent, extent
from picloud.rhai.packages.faults import mismatched_output
from picloud.rhai.packages.json_text import MOST_NESTING, NotPlain, read, written
from picloud.rhai.parser import parse_json as parsed
from picloud.rhai.printing import JSON, render
from picloud.rhai.runtime.run import Run
from picloud.rhai.runtime.sizes import within_limits
from picloud.rhai.syntax import ArrayLiteral, CharLiteral, Expression, Literal, MapLiteral
from picloud.rhai.values import CHARS, type_name

PACKAGE: Final = Package("json")

_PARSING: Final = 4
"""Operations for a token, or a step within one."""
_EVALUATION: Final = 500
"""Operations for an expression that has to be compiled."""
_MOST_COMPUTED: Final = 4 * 1024
"""Longer texts may hold no such expression: nothing can interrupt the compiler."""
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
    charge(run, len(text))
    value = _plain(run, text)
    if value is None:
        value = _valued(run, _expression(run, text), len(text))
        if type(value) is not dict:
            raise mismatched_output("map", type_name(value))
        within_limits(run, value)
    return value


def _plain(run: Run, text: str) -> dict[str, Any] | None:
    """Return the map that a text holds as Python reads it; None if that may not be what the language reads."""
    if "\\" in text and _FOREIGN_ESCAPE.search(text):
        return None
    # Python's parser is quicker by half if it need not ask about each map and integer. It has missed no name that
    # comes twice if there are as many entries as there may be names; few texts have more of what looks like one.
    for ask in (False, True):
        try:
            value = read(run, text, ask=ask)
        except NotPlain:
            return None
        if type(value) is not dict:
            return None
        held = extent(run, [value])
        if held.is_plain and (ask or held.entries == text.count('":')):
            _check_sizes(run, held)
            return value if held.depth <= MOST_NESTING else None
    return None


def _check_sizes(run: Run, held: Extent) -> None:
    """Raise ErrorDataTooLarge where all arrays, maps or texts of a value are over the limit together."""
    limits = run.limits
    for size, limit, what in (
        (held.elements, limits.max_array_size, "Size of array/BLOB"),
        (held.entries, limits.max_map_size, "Size of object map"),
        (held.characters, limits.max_string_size, "Length of string"),
    ):
        if size > (limit or CEILING):
            raise too_large(what)


def _expression(run: Run, text: str) -> Expression:
    def pause(steps: int) -> None:
        run.pay(_PARSING * steps)

    try:
        return parsed(text, run.limits, pause)
    except RhaiError as error:
        if error.stage != "parse":
            raise
        raise parsing(error) from None


def _valued(run: Run, node: Expression, length: int) -> Any:
    """Return the value of an expression in a text of some length."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, CharLiteral):
        return CHARS[node.text]
    if isinstance(node, ArrayLiteral):
        return [_valued(run, item, length) for item in paid(run, node.items, 1)]
    if isinstance(node, MapLiteral):
        return {name: _valued(run, item, length) for name, item in paid(run, node.entries, 1)}
    if length > _MOST_COMPUTED:
        raise too_large("Length of string")
    run.pay(_EVALUATION)
    return run.evaluate(node)
