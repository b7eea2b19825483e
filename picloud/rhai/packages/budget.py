"""What natives pay, and how big their results may get.

A native that goes through n elements within one step of the script pays for it: one operation for each `PAGE`
elements, so that no script hides a second of work behind one call. A result whose size is known beforehand is checked
against the limits before anything is allocated. Where the limits set no bound (Rhai's own default), `CEILING` does:
no single value gets bigger.
"""

from __future__ import annotations

from typing import Final

from picloud.rhai.errors import too_large
from picloud.rhai.runtime.run import Run

PAGE: Final = 64
CEILING: Final = 2**30


def charge(run: Run, elements: int) -> None:
    """Pay for going through `elements`; raise ErrorTooManyOperations when the budget is used up."""
    if elements >= PAGE:
        run.pay(elements // PAGE)


def utf8_length(text: str) -> int:
    """Return the length in bytes that Rhai's limit on strings counts."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def check_string(run: Run, size: int) -> None:
    """Raise ErrorDataTooLarge when a string of `size` bytes is over the limit; pay for making it otherwise."""
    if size > (run.limits.max_string_size or CEILING):
        raise too_large("Length of string")
    charge(run, size)


def check_array(run: Run, size: int) -> None:
    """Raise ErrorDataTooLarge when an array or blob of `size` elements is over the limit; pay for making it
    otherwise."""
    if size > (run.limits.max_array_size or CEILING):
        raise too_large("Size of array/BLOB")
    charge(run, size)


def check_map(run: Run, size: int) -> None:
    """Raise ErrorDataTooLarge when a map of `size` entries is over the limit; pay for making it otherwise."""
    if size > (run.limits.max_map_size or CEILING):
        raise too_large("Size of object map")
    charge(run, size)
