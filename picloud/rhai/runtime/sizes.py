"""Limits on the sizes of values."""

from __future__ import annotations

from typing import Any

from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import utf8_length
from picloud.rhai.runtime.run import Run


def within_limits(run: Run, value: Any) -> Any:
    """Return a value. Raises ErrorDataTooLarge if it, with all that is in it, is over the limits on sizes."""
    arrays, maps, strings = _sizes(value)
    limits = run.limits
    if limits.max_string_size and strings > limits.max_string_size:
        raise too_large("Length of string")
    if limits.max_array_size and arrays > limits.max_array_size:
        raise too_large("Size of array/BLOB")
    if limits.max_map_size and maps > limits.max_map_size:
        raise too_large("Size of object map")
    return value


def _sizes(value: Any) -> tuple[int, int, int]:
    """Return the number of elements of arrays, of entries of maps, and of bytes of strings in a value."""
    arrays = maps = strings = 0
    waiting = [value]
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind is list:
            arrays += len(each)
            waiting += each
        elif kind is dict:
            maps += len(each)
            waiting += each.values()
        elif kind is str:
            strings += utf8_length(each)
        elif kind is bytearray:
            arrays += len(each) + (each is not value)
    return arrays, maps, strings
