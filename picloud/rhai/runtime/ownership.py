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

from picloud.rhai.runtime.run import Run

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


def own(run: Run, value: Any) -> Any:
    """Return the value of a variable for a change: the value itself if only that variable holds it, else a copy."""
    if type(value) in MUTABLE and getrefcount(value) > PASSED:
        return copied(run, value)
    return value


def copied(run: Run, value: Any) -> Any:
    """Return a copy of an array, map or blob. It costs operations for its size."""
    size = len(value)
    if size >= _COPIED_FREE:
        run.pay(size // (_PER_OPERATION[type(value)]))
    return value.copy()


_COPIED_FREE: Final = 16
_PER_OPERATION: Final[dict[type, int]] = {list: 16, dict: 4, bytearray: 1024}
"""So many elements are copied for one operation: what takes about as long as a turn of a loop."""


def own_item(run: Run, container: Any, key: Any) -> Any:
    """Return an element of an array or map that is about to be changed itself; the element is made the container's
    own."""
    item = container[key]
    if type(item) in MUTABLE and getrefcount(item) > _ITEM:
        item = container[key] = copied(run, item)
    return item


def _in_container() -> int:
    container: list[Any] = [[]]
    item = container[0]
    return getrefcount(item)


_ITEM: Final = _in_container()
