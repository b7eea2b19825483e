"""Functions on arrays that take a function: going through, choosing, folding.

A function pointer takes the element, or the element and its index, or has the element as `this`. Instead of a pointer
the name of a function may be given, as a text (an old form that the engine still has).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.packages import arrays, spans
from picloud.rhai.packages.budget import charge, paid
from picloud.rhai.packages.callbacks import UNMOVED, Callback, comparer, per_element
from picloud.rhai.packages.comparison import equals
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.packages.pointers import named
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import FnPtr

PACKAGE: Final = Package("array_functions")

_Array = list[Any]
_Native = Callable[..., Any]


def by_name_too(form: Callable[..., Any], name: str, *parameters: str) -> Callable[[_Native], _Native]:
    """Declare, in a form of `Package`, a native whose second parameter is a function pointer, and again with the
    function's name in its place."""

    def declare(function: _Native) -> _Native:
        def by_name(run: Run, array: _Array, function_name: str, *rest: Any) -> Any:
            charge(run, len(function_name))
            return function(run, array, named(function_name), *rest)

        form(name, "array", "Fn", *parameters, run=True)(function)
        form(name, "array", "string", *parameters, run=True)(by_name)
        return function

    return declare


@PACKAGE.method("for_each", "array", "Fn", run=True)
def for_each(run: Run, array: _Array, pointer: FnPtr) -> None:
    """Call a function with each element as `this`, which it may change."""
    callback = Callback(run, pointer, "for_each", place=UNMOVED)
    for index, element in enumerate(array):
        try:
            callback(element, (), (index,))
        finally:
            if callback.this:
                array[index] = callback.this[0]


@by_name_too(PACKAGE.reader, "map")
def mapped(run: Run, array: _Array, pointer: FnPtr) -> _Array:
    """Return what a function makes of each element."""
    quick = run.direct(pointer, 1)
    if quick is not None:
        return list(map(quick, array))
    function = per_element(run, pointer, "map")
    return [function(element, index) for index, element in enumerate(array)]


@by_name_too(PACKAGE.reader, "filter")
def filtered(run: Run, array: _Array, pointer: FnPtr) -> _Array:
    """Return the elements for which a function says true."""
    quick = run.direct(pointer, 1)
    if quick is not None:
        return [element for element in array if quick(element) is True]
    function = per_element(run, pointer, "filter")
    return [element for index, element in enumerate(array) if function(element, index) is True]


def _first(run: Run, array: _Array, pointer: FnPtr, start: int) -> int:
    function = per_element(run, pointer, "index_of")
    start, _ = spans.offset_and_length(len(array), start, 0)
    for index in range(start, len(array)):
        if function(array[index], index) is True:
            return index
    return -1


@PACKAGE.reader("index_of", "array", "Fn", run=True)
def index_where(run: Run, array: _Array, pointer: FnPtr) -> int:
    """Return where the first element stands for which a function says true, -1 when there is none."""
    return _first(run, array, pointer, 0)


@PACKAGE.reader("index_of", "array", "Fn", "i64", run=True)
def index_where_from(run: Run, array: _Array, pointer: FnPtr, start: int) -> int:
    """Return where the first element at or after `start` stands for which a function says true, -1 when there is
    none."""
    return _first(run, array, pointer, start)


@PACKAGE.reader("index_of", "array", "string", run=True)
def index_of_text(run: Run, array: _Array, text: str) -> int:
    """Return where the first element stands for which the function of that name says true, or that equals the text."""
    return index_of_text_from(run, array, text, 0)


@PACKAGE.reader("index_of", "array", "string", "i64", run=True)
def index_of_text_from(run: Run, array: _Array, text: str, start: int) -> int:
    """Return where the first such element stands at or after `start`, -1 when there is none."""
    if not array:
        return -1
    charge(run, len(text))
    try:
        pointer = named(text)
    except RhaiError:
        return arrays.index_of_from(run, array, text, start)
    try:
        return _first(run, array, pointer, start)
    except RhaiError as error:
        missing = error.cause if error.kind == "ErrorInFunctionCall" else error
        if missing is None or missing.kind != "ErrorFunctionNotFound" or not str(missing.payload[0]).startswith(text):
            raise
    return arrays.index_of_from(run, array, text, start)


@PACKAGE.reader("find", "array", "Fn", run=True)
def find(run: Run, array: _Array, pointer: FnPtr) -> Any:
    """Return the first element for which a function says true, `()` when there is none."""
    return find_from(run, array, pointer, 0)


@PACKAGE.reader("find", "array", "Fn", "i64", run=True)
def find_from(run: Run, array: _Array, pointer: FnPtr, start: int) -> Any:
    """Return the first element at or after `start` for which a function says true, `()` when there is none."""
    index = _first(run, array, pointer, start)
    return None if index < 0 else array[index]


@PACKAGE.reader("find_map", "array", "Fn", run=True)
def find_map(run: Run, array: _Array, pointer: FnPtr) -> Any:
    """Return the first result of a function that is not `()`."""
    return find_map_from(run, array, pointer, 0)


@PACKAGE.reader("find_map", "array", "Fn", "i64", run=True)
def find_map_from(run: Run, array: _Array, pointer: FnPtr, start: int) -> Any:
    """Return the first result of a function that is not `()`, from `start` on."""
    function = per_element(run, pointer, "find_map")
    start, _ = spans.offset_and_length(len(array), start, 0)
    for index in range(start, len(array)):
        result = function(array[index], index)
        if result is not None:
            return result
    return None


@by_name_too(PACKAGE.reader, "some")
def some(run: Run, array: _Array, pointer: FnPtr) -> bool:
    """Does a function say true for any element?"""
    function = per_element(run, pointer, "some")
    return any(function(element, index) is True for index, element in enumerate(array))


@by_name_too(PACKAGE.reader, "all")
def every(run: Run, array: _Array, pointer: FnPtr) -> bool:
    """Does a function say true for all elements?"""
    function = per_element(run, pointer, "all")
    return all(function(element, index) is True for index, element in enumerate(array))


@PACKAGE.method("dedup", "array", run=True)
def dedup(run: Run, array: _Array) -> None:
    """Take out each element that equals the one before it."""

    def same(first: Any, second: Any) -> bool:
        try:
            return equals(run, first, second)
        except RhaiError as error:
            if error.is_system_exception:
                raise
            return False

    _dedup(paid(run, array), array, same)


@by_name_too(PACKAGE.method, "dedup")
def dedup_by(run: Run, array: _Array, pointer: FnPtr) -> None:
    """Take out each element for which a function of the one before it and itself says true."""
    _dedup(paid(run, array, 64), array, comparer(run, pointer))


def _dedup(elements: Iterable[Any], array: _Array, same: Callable[[Any, Any], Any]) -> None:
    kept: _Array = []
    for element in elements:
        if not kept or same(kept[-1], element) is not True:
            kept.append(element)
    array[:] = kept


def _fold(run: Run, array: _Array, pointer: FnPtr, result: Any, *, caller: str) -> Any:
    quick = run.direct(pointer, 2)
    if quick is not None:
        for element in array if caller == "reduce" else reversed(array):
            result = quick(result, element)
        return result
    callback = Callback(run, pointer, caller, place=1)
    places = range(len(array)) if caller == "reduce" else range(len(array) - 1, -1, -1)
    for index in places:
        result = callback(array[index], (result,), (index,))
    return result


@by_name_too(PACKAGE.reader, "reduce")
def reduce(run: Run, array: _Array, pointer: FnPtr) -> Any:
    """Return what a function makes of all elements, one after the other: it takes its last result, at first `()`, and
    an element."""
    return _fold(run, array, pointer, None, caller="reduce")


@by_name_too(PACKAGE.reader, "reduce", ANY)
def reduce_from(run: Run, array: _Array, pointer: FnPtr, initial: Any) -> Any:
    """The same with another first value."""
    return _fold(run, array, pointer, initial, caller="reduce")


@by_name_too(PACKAGE.reader, "reduce_rev")
def reduce_reversed(run: Run, array: _Array, pointer: FnPtr) -> Any:
    """Return what a function makes of all elements from the last to the first."""
    return _fold(run, array, pointer, None, caller="reduce_rev")


@by_name_too(PACKAGE.reader, "reduce_rev", ANY)
def reduce_reversed_from(run: Run, array: _Array, pointer: FnPtr, initial: Any) -> Any:
    """The same with another first value."""
    return _fold(run, array, pointer, initial, caller="reduce_rev")


@PACKAGE.reader("zip", "array", "array", "Fn", run=True)
def zipped(run: Run, array: _Array, other: _Array, pointer: FnPtr) -> _Array:
    """Return what a function makes of the elements of two arrays, pair by pair, as far as the shorter one goes."""
    callback = Callback(run, pointer, "zip", place=UNMOVED)
    return [callback.unbound((x, y), (index,)) for index, (x, y) in enumerate(zip(array, other, strict=False))]


@by_name_too(PACKAGE.method, "drain")
def drain_where(run: Run, array: _Array, pointer: FnPtr) -> _Array:
    """Take the elements out for which a function says true, and return them."""
    return _partition(run, array, pointer, "drain", keep=False)


@by_name_too(PACKAGE.method, "retain")
def retain_where(run: Run, array: _Array, pointer: FnPtr) -> _Array:
    """Keep the elements for which a function says true; take the others out and return them."""
    return _partition(run, array, pointer, "retain", keep=True)


def _partition(run: Run, array: _Array, pointer: FnPtr, caller: str, *, keep: bool) -> _Array:
    callback = Callback(run, pointer, caller)
    kept: _Array = []
    taken: _Array = []
    done = 0
    try:
        for index, element in enumerate(array):
            answer = callback(element, (), (index,)) is True
            (kept if answer is keep else taken).append(callback.this[0] if callback.this else element)
            done = index + 1
    finally:
        array[:] = kept + array[done:]
    return taken
