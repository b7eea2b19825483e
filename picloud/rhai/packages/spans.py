"""Where a position and a length, or a range, cut an array, a blob or a string.

Positions count from 0, negative ones from the end; what lies outside is cut off, never an error.
"""

from __future__ import annotations

from picloud.rhai.values import I64_MAX, InclusiveRange, Range


def offset_and_length(size: int, start: int, length: int) -> tuple[int, int]:
    """Return start and length cut to what `size` elements have."""
    if start < 0:
        start = size - min(-start, size)
    elif start >= size:
        return size, 0
    return start, max(0, min(length, size - start))


def index(size: int, position: int) -> int | None:
    """Return the index of an element, or None when there is none at `position`."""
    if 0 <= position < size:
        return position
    if position < 0 and -position <= size:
        return size + position
    return None


def of_range(span: Range) -> tuple[int, int]:
    """Return start and length of `a..b`, its start not below 0."""
    start = max(span.start, 0)
    return start, max(span.end, start) - start


def of_inclusive(span: InclusiveRange) -> tuple[int, int]:
    """Return start and length of `a..=b`, its start not below 0."""
    start = max(span.start, 0)
    return start, min(max(span.end, start), I64_MAX - 1) - start + 1
