"""The operators of two operands on every pair of types: what generated code calls when its fast paths don't apply.

A pair of built-in types has its function in `BUILT_IN`. Its errors have no place, as in the engine. Any other pair
goes to the registry, where this module's package offers the rest (`+` of a string with anything, and what hosts
register), and to the defaults: values of different types are unequal and have no order.

`x op= y` has functions of its own where the result can be made in place or where a type turns into another; else it
is `x = x op y`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any, Final

from picloud.rhai.errors import FILL, RhaiError
from picloud.rhai.packages import arithmetic, comparison
from picloud.rhai.packages.budget import charge, check_array, check_map, paid, utf8_length
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.packages.splitting import replaced
from picloud.rhai.packages.strings import decoded, joined
from picloud.rhai.printing import to_string
from picloud.rhai.registry import not_found
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import I64_MAX, Char, InclusiveRange, Range

PACKAGE: Final = Package("operators")

_Operation = Callable[[Run, Any, Any], Any]
_NONE: Final = type(None)

BUILT_IN: Final[dict[tuple[str, type, type], _Operation]] = {}
"""What an operator does on a pair of built-in types."""

ASSIGNMENTS: Final[dict[tuple[str, type, type], _Operation]] = {}
"""What `op=` does on a pair of built-in types: returns the new value, which is the old list or blob where that was
changed."""


def binary(run: Run, symbol: str, x: Any, y: Any) -> Any:
    """Return `x symbol y`.

    Raise ErrorFunctionNotFound for types that don't go together, and what the operation itself raises.
    """
    kinds = type(x), type(y)
    operation = BUILT_IN.get((symbol, *kinds))
    if operation is not None:
        try:
            return operation(run, x, y)
        except RhaiError as error:
            if error.position == FILL:
                error.position = None
            raise
    return _resolved(run, symbol, x, y)


def assign(run: Run, symbol: str, x: Any, y: Any) -> Any:
    """Return what `x symbol y` (`x += y`, …) makes of x.

    A list, dict or blob x is changed in place: it must be unshared.
    """
    kinds = type(x), type(y)
    operation = ASSIGNMENTS.get((symbol, *kinds))
    if operation is not None:
        return operation(run, x, y)
    if kinds[0] is list and symbol == "+=":
        check_array(run, len(x) + 1, 1)
        x.append(y)
        return x
    native = run.find(symbol, kinds)
    if native is not None:
        changed = native.function(run, x, y) if native.run else native.function(x, y)
        return changed[0] if native.replaces else x
    plain = symbol[:-1]
    operation = BUILT_IN.get((plain, *kinds))
    return operation(run, x, y) if operation is not None else _resolved(run, plain, x, y)


def _resolved(run: Run, symbol: str, x: Any, y: Any) -> Any:
    kinds = type(x), type(y)
    if symbol in _compared_by_default(kinds) and _built_in(kinds):
        return symbol == "!="
    native = run.find(symbol, kinds)
    if native is not None:
        result = native.function(run, x, y) if native.run else native.function(x, y)
        return result[1] if native.replaces else result
    if symbol in _compared_by_default(kinds):
        return symbol == "!="
    raise not_found(symbol, kinds)


_COMPARISON_SYMBOLS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_ODD_PAIRS: Final[dict[tuple[type, type], frozenset[str]]] = {
    (Range, InclusiveRange): frozenset({"!="}),
    (InclusiveRange, Range): frozenset({"!="}),
    (bytearray, Char): frozenset(),
}
"""Pairs of types for which the engine has an answer of its own, and what it answers: nothing else."""


def _compared_by_default(kinds: tuple[type, type]) -> frozenset[str]:
    if kinds[0] is kinds[1]:
        return frozenset()
    return _ODD_PAIRS.get(kinds, _COMPARISON_SYMBOLS)


def _built_in(kinds: tuple[type, type]) -> bool:
    return kinds[0] in comparison.BUILT_IN_TYPES and kinds[1] in comparison.BUILT_IN_TYPES


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _built(symbols: str, first: type, second: type, *, assigns: bool = False) -> Callable[[_Operation], _Operation]:
    table = ASSIGNMENTS if assigns else BUILT_IN

    def enter(operation: _Operation) -> _Operation:
        for symbol in symbols.split():
            table[symbol, first, second] = operation
        return operation

    return enter


def _plain(function: Callable[[Any, Any], Any]) -> _Operation:
    return lambda _, x, y: function(x, y)


def _sized(function: Callable[[Any, Any], Any]) -> _Operation:
    def compare(run: Run, x: Any, y: Any) -> Any:
        charge(run, min(len(x), len(y)))
        return function(x, y)

    return compare


def _through(function: Callable[[Any, Any], Any], convert: Callable[[Any], Any]) -> _Operation:
    return lambda _, x, y: function(convert(x), convert(y))


_Text = Callable[[Any], str]


def _compared(compare: Callable[[Any, Any], bool], first: _Text, second: _Text) -> _Operation:
    return lambda _, x, y: compare(first(x), second(y))


def _always(answer: bool) -> _Operation:
    return lambda _, x, y: answer


_INTEGERS: Final[dict[str, Callable[[int, int], int]]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "%": arithmetic.modulo,
    "**": arithmetic.power,
    "<<": arithmetic.shift_left,
    ">>": arithmetic.shift_right,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_FLOATS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": arithmetic.divide_floats,
    "%": arithmetic.modulo_floats,
    "**": arithmetic.power_floats,
}

for _symbol, _function in _INTEGERS.items():
    BUILT_IN[_symbol, int, int] = ASSIGNMENTS[f"{_symbol}=", int, int] = _plain(_function)
for _symbol, _float_function in _FLOATS.items():
    BUILT_IN[_symbol, float, float] = ASSIGNMENTS[f"{_symbol}=", float, float] = _plain(_float_function)
    BUILT_IN[_symbol, float, int] = ASSIGNMENTS[f"{_symbol}=", float, int] = _through(_float_function, float)
    BUILT_IN[_symbol, int, float] = _through(_float_function, float)
for _symbol in ("&", "|", "^"):
    BUILT_IN[_symbol, bool, bool] = ASSIGNMENTS[f"{_symbol}=", bool, bool] = _plain(_INTEGERS[_symbol])
for _symbol, _compare in _COMPARISONS.items():
    for _kind in (int, bool):
        BUILT_IN[_symbol, _kind, _kind] = _plain(_compare)
    BUILT_IN[_symbol, str, str] = _sized(_compare)
    _tolerant = comparison.FLOAT_COMPARISONS[_symbol]
    BUILT_IN[_symbol, float, float] = _plain(_tolerant)
    BUILT_IN[_symbol, float, int] = BUILT_IN[_symbol, int, float] = _through(_tolerant, float)
    # Of a text no more than its first two characters matter next to one character.
    BUILT_IN[_symbol, Char, Char] = _compared(_compare, attrgetter("text"), attrgetter("text"))
    BUILT_IN[_symbol, Char, str] = _compared(_compare, attrgetter("text"), itemgetter(slice(2)))
    BUILT_IN[_symbol, str, Char] = _compared(_compare, itemgetter(slice(2)), attrgetter("text"))
    BUILT_IN[_symbol, _NONE, _NONE] = _always(_symbol == "==")
    BUILT_IN[_symbol, _NONE, str] = BUILT_IN[_symbol, str, _NONE] = _always(_symbol == "!=")
for _symbol in ("==", "!="):
    BUILT_IN[_symbol, bytearray, bytearray] = _sized(_COMPARISONS[_symbol])
    BUILT_IN[_symbol, Range, Range] = BUILT_IN[_symbol, InclusiveRange, InclusiveRange] = _plain(_COMPARISONS[_symbol])


@_built("..", int, int)
def _exclusive(_: Run, x: int, y: int) -> Range:
    return Range(x, y)


@_built("..=", int, int)
def _inclusive(_: Run, x: int, y: int) -> InclusiveRange:
    return InclusiveRange(x, y)


@_built("..", int, _NONE)
def _exclusive_from(_: Run, x: int, y: None) -> Range:
    return Range(x, I64_MAX)


@_built("..=", int, _NONE)
def _inclusive_from(_: Run, x: int, y: None) -> InclusiveRange:
    return InclusiveRange(x, I64_MAX)


@_built("..", _NONE, int)
def _exclusive_to(_: Run, x: None, y: int) -> Range:
    return Range(0, y)


@_built("..=", _NONE, int)
def _inclusive_to(_: Run, x: None, y: int) -> InclusiveRange:
    return InclusiveRange(0, y)


@_built("+", str, str)
@_built("+=", str, str, assigns=True)
def _join_texts(run: Run, x: str, y: str) -> str:
    return joined(run, x, y)


@_built("+", str, Char)
@_built("+=", str, Char, assigns=True)
def _join_text_and_char(run: Run, x: str, y: Char) -> str:
    return joined(run, x, y.text)


@_built("+", Char, str)
@_built("+=", Char, str, assigns=True)
def _join_char_and_text(run: Run, x: Char, y: str) -> Any:
    return joined(run, x.text, y)


@_built("+", Char, Char)
@_built("+=", Char, Char, assigns=True)
def _join_chars(run: Run, x: Char, y: Char) -> str:
    return joined(run, x.text, y.text)


@_built("+", _NONE, str)
def _nothing_and_text(_: Run, x: None, y: str) -> str:
    return y


@_built("+", str, _NONE)
def _text_and_nothing(_: Run, x: str, y: None) -> str:
    return x


@_built("-", str, str)
@_built("-=", str, str, assigns=True)
def _without_text(run: Run, x: str, y: str) -> str:
    if not x:
        return y
    return replaced(run, x, y, "")


@_built("-", str, Char)
@_built("-=", str, Char, assigns=True)
def _without_char(run: Run, x: str, y: Char) -> str:
    return replaced(run, x, y.text, "")


@_built("+", bytearray, bytearray)
def _join_blobs(run: Run, x: bytearray, y: bytearray) -> bytearray:
    check_array(run, len(x) + len(y))
    return x + y


@_built("+", bytearray, Char)
def _join_blob_and_char(run: Run, x: bytearray, y: Char) -> bytearray:
    check_array(run, len(x) + utf8_length(y.text))
    joined_blob = bytearray(x)
    joined_blob += y.text.encode("utf-8", "replace")
    return joined_blob


@_built("+=", bytearray, bytearray, assigns=True)
def _extend_blob(run: Run, x: bytearray, y: bytearray) -> bytearray:
    check_array(run, len(x) + len(y), len(y))
    x.extend(y)
    return x


@_built("+=", bytearray, int, assigns=True)
def _extend_blob_by_byte(run: Run, x: bytearray, y: int) -> bytearray:
    check_array(run, len(x) + 1, 1)
    x.append(y & 0xFF)
    return x


def _with_text(run: Run, blob: bytearray, text: str) -> bytearray:
    charge(run, len(text))
    check_array(run, len(blob) + utf8_length(text), len(text))
    blob.extend(text.encode("utf-8", "replace"))
    return blob


@_built("+=", bytearray, str, assigns=True)
def _extend_blob_by_text(run: Run, x: bytearray, y: str) -> bytearray:
    return _with_text(run, x, y)


@_built("+=", bytearray, Char, assigns=True)
def _extend_blob_by_char(run: Run, x: bytearray, y: Char) -> bytearray:
    return _with_text(run, x, y.text)


@_built("+=", list, list, assigns=True)
def _extend_array(run: Run, x: list[Any], y: list[Any]) -> list[Any]:
    check_array(run, len(x) + len(y), len(y))
    x.extend(y)
    return x


# What the registry answers: text with anything, and containers.


@PACKAGE.function("+", "string", ANY, run=True)
def text_and_any(run: Run, text: str, item: Any) -> str:
    """Return the text with the item's display text behind it."""
    return joined(run, text, to_string(run, item))


@PACKAGE.function("+", ANY, "string", run=True)
def any_and_text(run: Run, item: Any, text: str) -> str:
    """Return the text with the item's display text before it."""
    return joined(run, to_string(run, item), text)


PACKAGE.function("+", "string", "string", run=True)(_join_texts)
PACKAGE.function("+", "string", "char", run=True)(_join_text_and_char)
PACKAGE.function("+", "char", "string", run=True)(_join_char_and_text)
PACKAGE.function("+", "string", "()", run=True)(_text_and_nothing)
PACKAGE.function("+", "()", "string", run=True)(_nothing_and_text)


@PACKAGE.function("+", "string", "blob", run=True)
def text_and_blob(run: Run, text: str, utf8: bytearray) -> str:
    """Return the text with the text that a blob holds in UTF-8 behind it."""
    return joined(run, text, decoded(run, utf8))


@PACKAGE.function("+", "blob", "string", run=True)
def blob_and_text(run: Run, utf8: bytearray, text: str) -> str:
    """Return the text with the text that a blob holds in UTF-8 before it."""
    return joined(run, decoded(run, utf8), text)


@PACKAGE.replacer("+=", "string", ANY, run=True)
def extend_text(run: Run, text: str, item: Any) -> tuple[str, None]:
    """Add the item's display text."""
    return text_and_any(run, text, item), None


@PACKAGE.replacer("+=", "string", "blob", run=True)
def extend_text_by_blob(run: Run, text: str, utf8: bytearray) -> tuple[str, None]:
    """Add the text that a blob holds in UTF-8."""
    return text_and_blob(run, text, utf8), None


@PACKAGE.function("+", "array", "array", run=True)
def join_arrays(run: Run, first: list[Any], second: list[Any]) -> list[Any]:
    """Return the elements of both."""
    check_array(run, len(first) + len(second))
    return first + second


@PACKAGE.function("+", "map", "map", run=True)
def join_maps(run: Run, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of both, the second's where both have one."""
    check_map(run, max(len(first), len(second)))
    joined_map = first.copy()
    for key, value in paid(run, second.items()):
        joined_map[key] = value
    return joined_map


@PACKAGE.reader("==", "array", "array", run=True)
@PACKAGE.reader("==", "map", "map", run=True)
def equal(run: Run, first: Any, second: Any) -> bool:
    """Are all elements equal?"""
    return comparison.equals(run, first, second)


@PACKAGE.reader("!=", "array", "array", run=True)
@PACKAGE.reader("!=", "map", "map", run=True)
def unequal(run: Run, first: Any, second: Any) -> bool:
    """Is there an element that differs?"""
    return not comparison.equals(run, first, second)
