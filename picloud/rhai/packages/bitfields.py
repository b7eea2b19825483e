"""Integers as fields of 64 bits. Bits count from 0, the lowest; a negative number counts from the highest, -1."""

from __future__ import annotations

from typing import Final

from picloud.rhai.packages import spans
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.faults import bit_out_of_bounds
from picloud.rhai.values import I64_MAX, InclusiveRange, Range

PACKAGE: Final = Package("bit_field")

BITS: Final = 64


def bit_index(position: int) -> int:
    """Return the bit at a position; raise ErrorBitFieldBounds when there is none."""
    found = spans.index(BITS, position)
    if found is None:
        raise bit_out_of_bounds(position)
    return found


def signed(value: int) -> int:
    """Return 64 bits as the integer that they stand for."""
    value &= 2**64 - 1
    return value - 2**64 if value > I64_MAX else value


def _mask(start: int, bits: int) -> tuple[int, int]:
    start = bit_index(start)
    return start, (1 << min(bits, BITS - start)) - 1


@PACKAGE.function("get_bit", "i64", "i64")
def get_bit(value: int, position: int) -> bool:
    """Is that bit set?"""
    return bool(value >> bit_index(position) & 1)


@PACKAGE.replacer("set_bit", "i64", "i64", "bool")
def set_bit(value: int, position: int, on: bool) -> tuple[int, None]:
    """Set or clear that bit."""
    bit = 1 << bit_index(position)
    return signed(value | bit if on else value & ~bit), None


@PACKAGE.function("get_bits", "i64", "i64", "i64")
def get_bits(value: int, start: int, bits: int) -> int:
    """Return that many bits from `start` on, as an integer."""
    if bits <= 0:
        return 0
    start, mask = _mask(start, bits)
    return signed(value >> start & mask)


@PACKAGE.replacer("set_bits", "i64", "i64", "i64", "i64")
def set_bits(value: int, start: int, bits: int, new: int) -> tuple[int, None]:
    """Put the lowest bits of `new` in place of that many bits from `start` on."""
    if bits <= 0:
        return value, None
    start, mask = _mask(start, bits)
    return signed(value & ~(mask << start) | (new & mask) << start), None


def _inclusive(span: InclusiveRange) -> tuple[int, int]:
    first = max(span.start, 0)
    last = max(span.end, first - 1)
    if last >= BITS:
        raise bit_out_of_bounds(last)
    return first, last - first + 1


@PACKAGE.function("get_bits", "i64", "range")
def get_bits_range(value: int, span: Range) -> int:
    """Return the bits in a range, as an integer."""
    return get_bits(value, *spans.of_range(span))


@PACKAGE.function("get_bits", "i64", "range=")
def get_bits_inclusive(value: int, span: InclusiveRange) -> int:
    """Return the bits in a range, as an integer."""
    return get_bits(value, *_inclusive(span))


@PACKAGE.replacer("set_bits", "i64", "range", "i64")
def set_bits_range(value: int, span: Range, new: int) -> tuple[int, None]:
    """Put the lowest bits of `new` in place of the bits in a range."""
    return set_bits(value, *spans.of_range(span), new)


@PACKAGE.replacer("set_bits", "i64", "range=", "i64")
def set_bits_inclusive(value: int, span: InclusiveRange, new: int) -> tuple[int, None]:
    """Put the lowest bits of `new` in place of the bits in a range."""
    return set_bits(value, *_inclusive(span), new)
