"""Sorting arrays.

Without a function all elements must be of one type that has an order. With a function of two elements, a positive
integer (or false) puts the first one behind the second, a negative one (or true) before it. Where the function fails
or answers something else, the elements' types decide, in an order of the engine's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from operator import attrgetter
from typing import Any, Final

from picloud.rhai.packages.array_functions import by_name_too
from picloud.rhai.packages.budget import PIECE, charge, ordered, paid
from picloud.rhai.packages.callbacks import comparer, failed
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.faults import function_not_found
from picloud.rhai.runtime.places import Catchable, returned
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import Char, FnPtr, raw_type_name

PACKAGE: Final = Package("sorting")

_Array = list[Any]

_INSERTION: Final = 20
"""Up to so many elements the engine inserts one after the other.

It shows when a function's answers contradict each other.
"""

_TYPE_ORDER: Final[dict[type, int]] = {
    kind: place for place, kind in enumerate((int, float, str, dict, Char, type(None), list))
}
"""The order of types as recorded from the engine, which orders them by a hash."""

_SORTED_AS_IS: Final = frozenset({int, float, str, bool})


def _sorted(run: Run, array: _Array, *, descending: bool) -> _Array:
    if len(array) <= 1:
        return array[:]
    kind = type(array[0])
    if any(type(element) is not kind for element in paid(run, array, 64)):
        raise function_not_found("elements of different types cannot be sorted")
    if kind is Char:
        return ordered(run, array, key=attrgetter("text"), descending=descending)
    if kind in _SORTED_AS_IS:
        return ordered(run, array, descending=descending)
    if kind is not type(None):
        raise function_not_found(f"elements of {raw_type_name(array[0])} cannot be sorted")
    charge(run, len(array))
    return array[:]


def _sorted_by(run: Run, array: _Array, pointer: FnPtr) -> _Array:
    compare = _comparison(comparer(run, pointer))
    if len(array) <= _INSERTION:
        return _insertion_sorted(array, compare)
    quick = run.direct(pointer, 2)
    if quick is not None and pointer.function.gives_integers:
        try:
            return ordered(run, array, key=cmp_to_key(quick), piece=_piece(array))
        except Catchable as error:
            if returned(error).is_system_exception:
                raise
    by_answer = cmp_to_key(compare if quick is None else _quick_comparison(run, pointer, quick))
    return ordered(run, array, key=by_answer, piece=_piece(array))


def _piece(array: _Array) -> int:
    """Return how many elements are sorted at once: as many as may be wrapped for it without a pause."""
    return 4 * PIECE if len(array) <= 4 * PIECE else PIECE


def _by_type(first: Any, second: Any) -> int:
    return _TYPE_ORDER.get(type(first), len(_TYPE_ORDER)) - _TYPE_ORDER.get(type(second), len(_TYPE_ORDER))


def _comparison(ask: Callable[[Any, Any], Any]) -> Callable[[Any, Any], int]:
    def compare(first: Any, second: Any) -> int:
        answer = ask(first, second)
        if type(answer) is int:
            return answer
        if type(answer) is bool:
            return -1 if answer else 1
        return _by_type(first, second)

    return compare


def _quick_comparison(run: Run, pointer: FnPtr, ask: Callable[[Any, Any], Any]) -> Callable[[Any, Any], int]:
    """Return the same with one call less for each comparison, for there are many."""

    def compare(first: Any, second: Any) -> int:
        try:
            answer = ask(first, second)
        except Catchable as error:
            if returned(error).is_system_exception:
                raise
            failed(run, pointer)
            return _by_type(first, second)
        if type(answer) is int:
            return answer
        if type(answer) is bool:
            return -1 if answer else 1
        return _by_type(first, second)

    return compare


def _insertion_sorted(array: _Array, compare: Callable[[Any, Any], int]) -> _Array:
    kept = array[:1]
    for element in array[1:]:
        place = len(kept)
        while place and compare(element, kept[place - 1]) < 0:
            place -= 1
        kept.insert(place, element)
    return kept


@PACKAGE.method("sort", "array", run=True)
def sort(run: Run, array: _Array) -> None:
    """Sort the elements, which must be of one type; raise ErrorFunctionNotFound when they can't be."""
    array[:] = _sorted(run, array, descending=False)


@PACKAGE.method("sort_desc", "array", run=True)
def sort_descending(run: Run, array: _Array) -> None:
    """Sort the elements, the highest first; raise ErrorFunctionNotFound when they can't be."""
    array[:] = _sorted(run, array, descending=True)


@by_name_too(PACKAGE.method, "sort")
def sort_by(run: Run, array: _Array, pointer: FnPtr) -> None:
    """Sort the elements by what a function says of two of them."""
    # Not in place: the function may see the array meanwhile.
    array[:] = _sorted_by(run, array, pointer)


PACKAGE.method("sort_by", "array", "Fn", run=True)(sort_by)


@PACKAGE.method("order", "array", run=True)
def order(run: Run, array: _Array) -> _Array:
    """Return a sorted copy; raise ErrorFunctionNotFound when the elements can't be sorted."""
    return _sorted(run, array, descending=False)


@PACKAGE.method("order_desc", "array", run=True)
def order_descending(run: Run, array: _Array) -> _Array:
    """Return a copy sorted with the highest first; raise ErrorFunctionNotFound when the elements can't be sorted."""
    return _sorted(run, array, descending=True)


@PACKAGE.method("order order_by", "array", "Fn", run=True)
def order_by(run: Run, array: _Array, pointer: FnPtr) -> _Array:
    """Return a copy sorted by what a function says of two elements."""
    return _sorted_by(run, array, pointer)
