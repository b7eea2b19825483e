"""Ranges, and the iterators that `range`, `bits` and `chars` make for `for` loops.

An iterator is a value that says what to go through; going through it starts anew each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from picloud.rhai.errors import RhaiError, arithmetic
from picloud.rhai.packages import spans
from picloud.rhai.packages.bitfields import BITS, bit_index
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.faults import in_function_call
from picloud.rhai.registry import Registry
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import CHARS, I64_MAX, I64_MIN, Char, InclusiveRange, Range

PACKAGE: Final = Package("iterator")


@dataclass(frozen=True, slots=True)
class StepRange:
    """The integers from `start` to before `stop`, `step` apart, in either direction."""

    rhai_type: ClassVar[str] = "range"
    rhai_raw_type: ClassVar[str] = "rhai::packages::iter_basic::StepRange<i64>"
    steps: range

    def __iter__(self) -> Iterator[int]:
        return iter(self.steps)


@dataclass(frozen=True, slots=True)
class FloatStepRange:
    """The floats from `start` to before `stop`, `step` apart, in either direction."""

    rhai_type: ClassVar[str] = "range"
    rhai_raw_type: ClassVar[str] = "rhai::packages::iter_basic::StepRange<f64>"
    start: float
    stop: float
    step: float

    def __iter__(self) -> Iterator[float]:
        here, upwards = self.start, self.start + self.step > self.start
        if upwards:
            while here < self.stop:
                yield here
                here += self.step
        elif self.start + self.step < self.start:
            while here > self.stop:
                yield here
                here += self.step


@dataclass(frozen=True, slots=True)
class BitRange:
    """The lowest `size` bits of an integer, from the lowest up."""

    rhai_type: ClassVar[str] = "range"
    rhai_raw_type: ClassVar[str] = "rhai::packages::iter_basic::BitRange"
    bits: int
    size: int

    def __iter__(self) -> Iterator[bool]:
        return (bool(self.bits >> bit & 1) for bit in range(self.size))


@dataclass(frozen=True, slots=True)
class CharsStream:
    """The characters of a text."""

    rhai_type: ClassVar[str] = "range"
    rhai_raw_type: ClassVar[str] = "rhai::packages::iter_basic::CharsStream"
    text: str

    def __iter__(self) -> Iterator[Char]:
        return map(CHARS.__getitem__, self.text)


def _no_step() -> RhaiError:
    cause = arithmetic("step value cannot be zero")
    cause.position = None  # the engine tells the place of the call alone
    return in_function_call("range", cause)


@PACKAGE.function("range", "i64", "i64")
def exclusive_range(start: int, end: int) -> Range:
    """Return `start..end`."""
    return Range(start, end)


@PACKAGE.function("range", "i64", "i64", "i64")
def step_range(start: int, stop: int, step: int) -> StepRange:
    """Return the integers from `start` to before `stop`; raise ErrorArithmetic for step 0."""
    if step == 0:
        raise _no_step()
    steps = range(start, stop, step)
    # The engine gives an integer only when the one after it fits into 64 bits.
    if steps and not I64_MIN <= steps[-1] + step <= I64_MAX:
        steps = steps[:-1]
    return StepRange(steps)


@PACKAGE.function("range", "f64", "f64", "f64")
def float_step_range(start: float, stop: float, step: float) -> FloatStepRange:
    """Return the floats from `start` to before `stop`; raise ErrorArithmetic for a step that leads nowhere."""
    if start + step == start:
        raise _no_step()
    return FloatStepRange(start, stop, step)


@PACKAGE.function("range", "range", "i64")
def range_with_step(span: Range, step: int) -> StepRange:
    """Return the integers of a range, `step` apart; raise ErrorArithmetic for step 0."""
    return step_range(span.start, span.end, step)


@PACKAGE.property("start", "range")
@PACKAGE.property("start", "range=")
def start(span: Range | InclusiveRange) -> int:
    """Return where the range starts."""
    return span.start


@PACKAGE.property("end", "range")
@PACKAGE.property("end", "range=")
def end(span: Range | InclusiveRange) -> int:
    """Return where the range ends."""
    return span.end


@PACKAGE.property("is_inclusive", "range=")
@PACKAGE.property("is_exclusive", "range")
def yes(span: Range | InclusiveRange) -> bool:
    """Return true."""
    return True


@PACKAGE.property("is_inclusive", "range")
@PACKAGE.property("is_exclusive", "range=")
def no(span: Range | InclusiveRange) -> bool:
    """Return false."""
    return False


@PACKAGE.property("is_empty", "range")
def is_empty(span: Range) -> bool:
    """Does it hold no integer?"""
    return span.start >= span.end


@PACKAGE.property("is_empty", "range=")
def is_empty_inclusive(span: InclusiveRange) -> bool:
    """Does it hold no integer?"""
    return span.start > span.end


@PACKAGE.method("contains", "range", "i64")
def contains(span: Range, value: int) -> bool:
    """Does it hold that integer?"""
    return span.start <= value < span.end


@PACKAGE.method("contains", "range=", "i64")
def contains_inclusive(span: InclusiveRange, value: int) -> bool:
    """Does it hold that integer?"""
    return span.start <= value <= span.end


@PACKAGE.function("bits", "i64", "i64", "i64")
def bits(value: int, start: int, size: int) -> BitRange:
    """Return `size` bits from `start` on; raise ErrorBitFieldBounds when there is no such bit."""
    first = bit_index(start)
    return BitRange(value >> first, max(0, min(size, BITS - first)))


@PACKAGE.function("bits", "i64", "i64")
def bits_from(value: int, start: int) -> BitRange:
    """Return all bits from `start` on; raise ErrorBitFieldBounds when there is no such bit."""
    return bits(value, start, BITS)


@PACKAGE.property("bits", "i64")
def all_bits(value: int) -> BitRange:
    """Return all bits."""
    return BitRange(value, BITS)


@PACKAGE.function("bits", "i64", "range")
def bits_in_range(value: int, span: Range) -> BitRange:
    """Return the bits in a range; raise ErrorBitFieldBounds when there is no such bit."""
    return bits(value, *spans.of_range(span))


@PACKAGE.function("bits", "i64", "range=")
def bits_in_inclusive(value: int, span: InclusiveRange) -> BitRange:
    """Return the bits in a range; raise ErrorBitFieldBounds when there is no such bit."""
    return bits(value, *_of_inclusive(span))


def _of_inclusive(span: InclusiveRange) -> tuple[int, int]:
    first = max(span.start, 0)
    return first, min(max(span.end, first - 1), I64_MAX - 1) - first + 1


@PACKAGE.function("chars", "string", "i64", "i64", run=True)
def chars(run: Run, text: str, start: int, size: int) -> CharsStream:
    """Return `size` characters from `start` on."""
    first, size = spans.offset_and_length(len(text), start, size)
    charge(run, size)
    return CharsStream(text[first : first + size])


@PACKAGE.function("chars", "string", "i64", run=True)
def chars_from(run: Run, text: str, start: int) -> CharsStream:
    """Return all characters from `start` on."""
    return chars(run, text, start, len(text))


@PACKAGE.property("chars", "string")
def all_chars(text: str) -> CharsStream:
    """Return all characters."""
    return CharsStream(text)


@PACKAGE.function("chars", "string", "range", run=True)
def chars_in_range(run: Run, text: str, span: Range) -> CharsStream:
    """Return the characters in a range."""
    return chars(run, text, *spans.of_range(span))


@PACKAGE.function("chars", "string", "range=", run=True)
def chars_in_inclusive(run: Run, text: str, span: InclusiveRange) -> CharsStream:
    """Return the characters in a range."""
    return chars(run, text, *_of_inclusive(span))


def _integers(_: Run, span: Range) -> Iterator[int]:
    return iter(range(span.start, span.end))


def _integers_inclusive(_: Run, span: InclusiveRange) -> Iterator[int]:
    return iter(range(span.start, span.end + 1))


def _characters(_: Run, text: str) -> Iterator[Char]:
    return map(CHARS.__getitem__, text)


def _elements(_: Run, value: Iterable[Any]) -> Iterator[Any]:
    return iter(value)


def register_iterators(registry: Registry) -> None:
    """Say how `for` goes through what it can go through."""
    registry.add_iterator(Range, _integers)
    registry.add_iterator(InclusiveRange, _integers_inclusive)
    registry.add_iterator(str, _characters)
    for kind in (list, bytearray, StepRange, FloatStepRange, BitRange, CharsStream):
        registry.add_iterator(kind, _elements)
