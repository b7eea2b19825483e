"""Limits on the sizes of values."""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import utf8_length
from picloud.rhai.runtime.run import Run

_UNLIMITED: Final = 2**63
_PER_OPERATION: Final = 16
"""So many elements are counted for one operation."""


def within_limits(run: Run, value: Any) -> Any:
    """Return a value. Raises ErrorDataTooLarge if it, with all that is in it, is over the limits on sizes.

    What is in it is counted as often as it is in it, so counting costs operations and ends at the first limit passed.
    """
    limits = run.limits
    most_strings = limits.max_string_size or _UNLIMITED
    most_arrays = limits.max_array_size or _UNLIMITED
    most_maps = limits.max_map_size or _UNLIMITED
    arrays = maps = strings = uncounted = 0
    waiting = [value]
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind is list:
            arrays += len(each)
            uncounted += 1 + len(each)
            waiting += each
        elif kind is dict:
            maps += len(each)
            uncounted += 1 + len(each)
            waiting += each.values()
        elif kind is str:
            strings += utf8_length(each)
        elif kind is bytearray:
            arrays += len(each) + (each is not value)
        else:
            continue
        if strings > most_strings:
            raise too_large("Length of string")
        if arrays > most_arrays:
            raise too_large("Size of array/BLOB")
        if maps > most_maps:
            raise too_large("Size of object map")
        if uncounted >= _PER_OPERATION:
            run.pay(uncounted // _PER_OPERATION)
            uncounted = 0
    return value
