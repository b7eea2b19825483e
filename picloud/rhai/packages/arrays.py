"""Functions on arrays: asking, cutting, changing. (What takes a function stands in `array_functions.py`, sorting in
`sorting.py`.)

Positions count from 0, negative ones from the end; what lies outside is cut off, never an error.
"""

from __future__ import annotations

from itertools import islice, repeat
from typing import Any, Final

from picloud.rhai.packages import spans
from picloud.rhai.packages.budget import charge, check_array, paid
from picloud.rhai.packages.comparison import equals
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import InclusiveRange, Range

PACKAGE: Final = Package("array")

_Array = list[Any]


@PACKAGE.property("len", "array")
def length(array: _Array) -> int:
    """Return the number of elements."""
    return len(array)


@PACKAGE.property("is_empty", "array")
def is_empty(array: _Array) -> bool:
    """Is there no element?"""
    return not array


@PACKAGE.method("get", "array", "i64")
def get(array: _Array, position: int) -> Any:
    """Return the element at a position, `()` when there is none."""
    start, _ = spans.offset_and_length(len(array), position, 0)
    return array[start] if start < len(array) else None


@PACKAGE.method("set", "array", "i64", ANY)
def set_element(array: _Array, position: int, item: Any) -> None:
    """Put an element at a position; nothing happens when there is none."""
    start, _ = spans.offset_and_length(len(array), position, 0)
    if start < len(array):
        array[start] = item


@PACKAGE.method("push", "array", ANY, run=True)
def push(run: Run, array: _Array, item: Any) -> None:
    """Add an element at the end."""
    check_array(run, len(array) + 1, 1)
    array.append(item)


@PACKAGE.method("append", "array", "array", run=True)
def append(run: Run, array: _Array, other: _Array) -> None:
    """Add the elements of another array at the end."""
    check_array(run, len(array) + len(other), len(other))
    array.extend(other)


@PACKAGE.method("insert", "array", "i64", ANY, run=True)
def insert(run: Run, array: _Array, position: int, item: Any) -> None:
    """Put an element before a position, at the end when there is none."""
    check_array(run, len(array) + 1, len(array) // 8)
    start, _ = spans.offset_and_length(len(array), position, 0)
    array.insert(start, item)


@PACKAGE.method("pad", "array", "i64", ANY, run=True)
def pad(run: Run, array: _Array, size: int, item: Any) -> None:
    """Add an element at the end, over and over, until there are `size` of them."""
    if size > len(array):
        check_array(run, size, size - len(array))
        array.extend(repeat(item, size - len(array)))


@PACKAGE.method("pop", "array")
def pop(array: _Array) -> Any:
    """Take the last element off and return it, `()` when there is none."""
    return array.pop() if array else None


@PACKAGE.method("shift", "array", run=True)
def shift(run: Run, array: _Array) -> Any:
    """Take the first element off and return it, `()` when there is none."""
    charge(run, len(array) // 8)
    return array.pop(0) if array else None


@PACKAGE.method("remove", "array", "i64", run=True)
def remove(run: Run, array: _Array, position: int) -> Any:
    """Take the element at a position out and return it, `()` when there is none."""
    charge(run, len(array) // 8)
    found = spans.index(len(array), position)
    return None if found is None else array.pop(found)


@PACKAGE.method("clear", "array", run=True)
def clear(run: Run, array: _Array) -> None:
    """Make it empty."""
    charge(run, len(array))
    array.clear()


@PACKAGE.method("truncate", "array", "i64", run=True)
def truncate(run: Run, array: _Array, size: int) -> None:
    """Keep the first `size` elements."""
    charge(run, len(array) - max(size, 0))
    del array[max(size, 0) :]


@PACKAGE.method("chop", "array", "i64", run=True)
def chop(run: Run, array: _Array, size: int) -> None:
    """Keep the last `size` elements."""
    charge(run, len(array))
    del array[: max(len(array) - max(size, 0), 0)]


@PACKAGE.method("reverse", "array", run=True)
def reverse(run: Run, array: _Array) -> None:
    """Turn the order round."""
    charge(run, len(array))
    array.reverse()


@PACKAGE.method("splice", "array", "i64", "i64", "array", run=True)
def splice(run: Run, array: _Array, start: int, size: int, other: _Array) -> None:
    """Put the elements of another array in place of `size` elements from `start` on."""
    check_array(run, len(array) + len(other))
    start, size = spans.offset_and_length(len(array), start, size)
    array[start : start + size] = other


@PACKAGE.method("splice", "array", "range", "array", run=True)
def splice_range(run: Run, array: _Array, span: Range, other: _Array) -> None:
    """Put the elements of another array in place of those in a range."""
    splice(run, array, *spans.of_range(span), other)


@PACKAGE.method("splice", "array", "range=", "array", run=True)
def splice_inclusive(run: Run, array: _Array, span: InclusiveRange, other: _Array) -> None:
    """Put the elements of another array in place of those in a range."""
    splice(run, array, *spans.of_inclusive(span), other)


@PACKAGE.method("extract", "array", "i64", "i64", run=True)
def extract(run: Run, array: _Array, start: int, size: int) -> _Array:
    """Return a copy of `size` elements from `start` on."""
    start, size = spans.offset_and_length(len(array), start, size)
    charge(run, size)
    return array[start : start + size]


@PACKAGE.method("extract", "array", "i64", run=True)
def extract_from(run: Run, array: _Array, start: int) -> _Array:
    """Return a copy of all elements from `start` on."""
    return extract(run, array, start, len(array))


@PACKAGE.method("extract", "array", "range", run=True)
def extract_range(run: Run, array: _Array, span: Range) -> _Array:
    """Return a copy of the elements in a range."""
    return extract(run, array, *spans.of_range(span))


@PACKAGE.method("extract", "array", "range=", run=True)
def extract_inclusive(run: Run, array: _Array, span: InclusiveRange) -> _Array:
    """Return a copy of the elements in a range."""
    return extract(run, array, *spans.of_inclusive(span))


@PACKAGE.method("split", "array", "i64", run=True)
def split(run: Run, array: _Array, position: int) -> _Array:
    """Take all elements from a position on out and return them."""
    start, size = spans.offset_and_length(len(array), position, len(array))
    return drain(run, array, start, size)


@PACKAGE.method("drain", "array", "i64", "i64", run=True)
def drain(run: Run, array: _Array, start: int, size: int) -> _Array:
    """Take `size` elements from `start` on out and return them."""
    start, size = spans.offset_and_length(len(array), start, size)
    charge(run, len(array))
    taken = array[start : start + size]
    del array[start : start + size]
    return taken


@PACKAGE.method("drain", "array", "range", run=True)
def drain_range(run: Run, array: _Array, span: Range) -> _Array:
    """Take the elements in a range out and return them."""
    return drain(run, array, *spans.of_range(span))


@PACKAGE.method("drain", "array", "range=", run=True)
def drain_inclusive(run: Run, array: _Array, span: InclusiveRange) -> _Array:
    """Take the elements in a range out and return them."""
    return drain(run, array, *spans.of_inclusive(span))


@PACKAGE.method("retain", "array", "i64", "i64", run=True)
def retain(run: Run, array: _Array, start: int, size: int) -> _Array:
    """Keep `size` elements from `start` on; take the others out and return them.

    Where there are none to keep, all stay.
    """
    start, size = spans.offset_and_length(len(array), start, size)
    if not size:
        return []
    charge(run, len(array))
    taken = array[:start] + array[start + size :]
    del array[start + size :]
    del array[:start]
    return taken


@PACKAGE.method("retain", "array", "range", run=True)
def retain_range(run: Run, array: _Array, span: Range) -> _Array:
    """Keep the elements in a range; take the others out and return them."""
    return retain(run, array, *spans.of_range(span))


@PACKAGE.method("retain", "array", "range=", run=True)
def retain_inclusive(run: Run, array: _Array, span: InclusiveRange) -> _Array:
    """Keep the elements in a range; take the others out and return them."""
    return retain(run, array, *spans.of_inclusive(span))


@PACKAGE.reader("contains", "array", ANY, run=True)
def contains(run: Run, array: _Array, item: Any) -> bool:
    """Is there an element equal to the item?"""
    return index_of(run, array, item) >= 0


@PACKAGE.reader("index_of", "array", ANY, run=True)
def index_of(run: Run, array: _Array, item: Any) -> int:
    """Return where the first element equal to the item stands, -1 when there is none."""
    return index_of_from(run, array, item, 0)


@PACKAGE.reader("index_of", "array", ANY, "i64", run=True)
def index_of_from(run: Run, array: _Array, item: Any, start: int) -> int:
    """Return where the first element equal to the item stands at or after `start`, -1 when there is none."""
    start, _ = spans.offset_and_length(len(array), start, 0)
    for place, element in enumerate(paid(run, islice(array, start, None)), start):
        if equals(run, element, item):
            return place
    return -1
