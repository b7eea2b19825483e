"""What natives pay, and how big their results may get.

A native that goes through n elements within one step of the script pays for it: one operation for each `PAGE`
elements that the C library goes through, or as it goes for what Python does (`paid`). Work that would hold up all else
for long is done in pieces of `PIECE` elements, with a payment in front of each, for only there can a run give way or
be ended. A result whose size is known beforehand is checked against the limits before anything is allocated. Where the
limits set no bound (Rhai's own default), `CEILING` does: no single value gets bigger.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

from picloud.rhai.errors import too_large
from picloud.rhai.runtime.run import Run

PAGE: Final = 64
PIECE: Final = 32 * 1024
CEILING: Final = 2**30
_STEP: Final = 256

_Item = TypeVar("_Item")


def charge(run: Run, elements: int) -> None:
    """Pay for going through `elements`; raise ErrorTooManyOperations when the budget is used up."""
    if elements >= PAGE:
        run.pay(elements // PAGE)


def paid(run: Run, items: Iterable[_Item], each: int = 8) -> Iterator[_Item]:
    """Go through items and pay on the way, one operation for `each` of them."""
    walk = iter(items)
    while piece := list(islice(walk, _STEP)):
        run.pay(1 + len(piece) // each)
        yield from piece


def pieces(run: Run, text: str, size: int = PIECE) -> Iterator[str]:
    """Cut a text into pieces, and pay for each."""
    for start in range(0, len(text), size):
        run.pay(1 + min(size, len(text) - start) // PAGE)
        yield text[start : start + size]


def ordered(
    run: Run,
    items: Collection[_Item],
    *,
    key: Callable[[_Item], Any] | None = None,
    descending: bool = False,
    piece: int = PIECE // 4,
) -> list[_Item]:
    """Return the items in order, equal ones as they were. Long lists are sorted in pieces, which are then merged."""
    charge(run, 4 * len(items))
    found = list(items)
    if len(found) <= piece:
        charge(run, 4 * len(found) * len(found).bit_length())
        found.sort(key=key, reverse=descending)
        return found
    if descending:
        found.reverse()
    runs: list[list[_Item]] = []
    for start in range(0, len(found), piece):
        charge(run, 4 * piece * piece.bit_length())
        runs.append(sorted(found[start : start + piece], key=key))  # type: ignore[arg-type,type-var]
    del found
    while len(runs) > 1:
        odd = [runs.pop()] if len(runs) % 2 else []
        runs = [_merged(run, runs[at], runs[at + 1], key, piece) for at in range(0, len(runs), 2)] + odd
    if descending:
        runs[0].reverse()
    return runs[0]


def _merged(run: Run, first: list[Any], second: list[Any], key: Callable[[Any], Any] | None, piece: int) -> list[Any]:
    merged: list[Any] = []
    at = other = 0
    worth = key or _itself
    while at < len(first) and other < len(second):
        charge(run, 4 * piece)
        last, other_last = min(at + piece, len(first)), min(other + piece, len(second))
        top, other_top = worth(first[last - 1]), worth(second[other_last - 1])
        if other_top < top:
            end, other_end = bisect_right(first, other_top, at, last, key=key), other_last
        else:
            end, other_end = last, bisect_left(second, top, other, other_last, key=key)
        part = first[at:end] + second[other:other_end]
        part.sort(key=key)  # of two runs in order: a merge
        merged += part
        at, other = end, other_end
    merged += first[at:] if at < len(first) else second[other:]
    return merged


def _itself(item: Any) -> Any:
    return item


def utf8_length(text: str) -> int:
    """Return the length in bytes that Rhai's limit on strings counts."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def check_string(run: Run, size: int) -> None:
    """Raise ErrorDataTooLarge when a string of `size` bytes is over the limit; pay for making it otherwise."""
    if size > (run.limits.max_string_size or CEILING):
        raise too_large("Length of string")
    charge(run, size)


def check_array(run: Run, size: int, made: int | None = None) -> None:
    """Raise ErrorDataTooLarge when an array or blob of `size` elements is over the limit; pay for making it
    otherwise, or for the `made` ones of its elements that are new."""
    if size > (run.limits.max_array_size or CEILING):
        raise too_large("Size of array/BLOB")
    charge(run, size if made is None else made)


def check_map(run: Run, size: int, made: int | None = None) -> None:
    """Raise ErrorDataTooLarge when a map of `size` entries is over the limit; pay for making it otherwise, or for the
    `made` ones of its entries that are new."""
    if size > (run.limits.max_map_size or CEILING):
        raise too_large("Size of object map")
    charge(run, 4 * (size if made is None else made))
