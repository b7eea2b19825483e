"""Who holds a value: copy on write by reference count.

An assignment shares arrays, maps and blobs. Whoever changes one looks first whether anybody else holds it, and if so
changes a copy; the elements of the copy are then held twice, so they copy themselves when they are changed in turn.
CPython counts exactly, so there is no flag to keep. Each asker knows how many references are its own: the variable or
element that it was asked about, and what the asking itself adds. A reference too many (a debugger's, say) costs a
copy, never a wrong answer.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any, Final

MUTABLE: Final = frozenset({list, dict, bytearray})


def _measure(value: Any) -> int:
    return getrefcount(value)


def _in_function() -> int:
    value: list[Any] = []
    return getrefcount(value)


def _in_call() -> int:
    value: list[Any] = []
    return _measure(value)


DIRECT: Final = _in_function()
"""What ``getrefcount(variable)`` says of a value that only the variable holds."""
PASSED: Final = _in_call()
"""What ``getrefcount(parameter)`` says of a value that only the caller's variable holds."""


def own(value: Any) -> Any:
    """Return the value of a variable for a change: the value itself if only that variable holds it, else a copy."""
    if type(value) in MUTABLE and getrefcount(value) > PASSED:
        return value.copy()
    return value


def own_item(container: Any, key: Any) -> Any:
    """Return an element of an array or map that is about to be changed itself; the element is made the container's
    own."""
    item = container[key]
    if type(item) in MUTABLE and getrefcount(item) > _ITEM:
        item = container[key] = item.copy()
    return item


def _in_container() -> int:
    container: list[Any] = [[]]
    item = container[0]
    return getrefcount(item)


_ITEM: Final = _in_container()
