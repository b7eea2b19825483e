"""Splitting strings into arrays, and putting one text in place of another.

Long texts are gone through in windows, with a payment for each. A window is split from its left, so what it gives is
what the whole text would give, but for its last piece: the next window begins where that began.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from picloud.rhai.packages.budget import CEILING, PAGE, charge, check_array, paid, pieces
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.whitespace import words
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import CHARS, I64_MAX, Char

PACKAGE: Final = Package("splitting")
_WINDOW: Final = 64 * 1024


def _array(run: Run, pieces: list[Any]) -> list[Any]:
    check_array(run, len(pieces))
    return pieces


@PACKAGE.function("to_chars", "string", run=True)
def to_chars(run: Run, text: str) -> list[Any]:
    """Return the characters."""
    check_array(run, len(text))
    return [CHARS[character] for character in paid(run, text, 16)]


@PACKAGE.reader("split", "string", "i64", run=True)
def split_at(run: Run, text: str, position: int) -> list[Any]:
    """Return what stands before a position and from it on."""
    charge(run, len(text))
    if position <= 0:
        position = len(text) + position if -position <= len(text) else 0
    return [text[:position], text[position:]]


@PACKAGE.reader("split", "string", run=True)
def split_at_space(run: Run, text: str) -> list[Any]:
    """Return the pieces between white space."""
    return _array(run, words(run, text) if text else [text])


def _windows(run: Run, text: str, delimiter: str) -> Iterator[list[str]]:
    """Give the pieces between the occurrences of a delimiter in lists, from the left."""
    size = max(_WINDOW, 4 * len(delimiter))
    start = 0
    while len(text) - start > size:
        charge(run, 2 * size)
        found = text[start : start + size].split(delimiter)
        if len(found) == 1:
            end = text.find(delimiter, start)
            if end < 0:
                break
            charge(run, 2 * (end - start))
            yield [text[start:end]]
            start = end + len(delimiter)
            continue
        start += size - len(found.pop())
        yield found
    charge(run, len(text) - start)
    yield text[start:].split(delimiter)


def replaced(run: Run, text: str, old: str, new: str) -> str:
    """Return the text with `new` in place of every `old`; an empty one stands between all characters."""
    if old == new:
        return text
    if not old:
        if not new:
            return text
        return "".join([piece.replace("", new)[: -len(new)] for piece in pieces(run, text)]) + new
    if len(text) <= 4 * _WINDOW:
        charge(run, len(text))
        return text.replace(old, new)
    return new.join([new.join(found) for found in _windows(run, text, old)])


def _count(run: Run, text: str, delimiter: str, most: int) -> None:
    """Raise ErrorDataTooLarge if there will be too many pieces; pay for making them otherwise."""
    charge(run, len(text))
    count = min(most, text.count(delimiter) + 1)
    check_array(run, count, 16 * count)


def _pieces(run: Run, text: str, delimiter: str, most: int) -> list[str]:
    """Return at most `most` pieces, from the left."""
    if most <= 1 or not text:
        return [text]
    if delimiter and most < len(text) + 2:
        _count(run, text, delimiter, most)
        return text.split(delimiter, most - 1)
    if delimiter:
        found: list[str] = []
        for part in _windows(run, text, delimiter):
            check_array(run, len(found) + len(part), 0)
            found += part
        return found
    charge(run, len(text))
    # An empty delimiter stands before, between and behind all characters.
    if most >= len(text) + 2:
        return ["", *text, ""]
    return ["", *text[: most - 2], text[most - 2 :]]


def _pieces_reversed(run: Run, text: str, delimiter: str, most: int) -> list[str]:
    """Return at most `most` pieces, from the right."""
    if most <= 1 or not text:
        return [text]
    if delimiter:
        _count(run, text, delimiter, most)
        return text.rsplit(delimiter, min(most, len(text) + 2) - 1)[::-1]
    charge(run, len(text))
    if most >= len(text) + 2:
        return ["", *text[::-1], ""]
    kept = len(text) - (most - 2)
    return ["", *text[kept:][::-1], text[:kept]]


@PACKAGE.reader("split", "string", "string", run=True)
def split(run: Run, text: str, delimiter: str) -> list[Any]:
    """Return the pieces between the occurrences of a delimiter."""
    if delimiter and 0 < len(text) < PAGE:
        found: list[Any] = text.split(delimiter)
        if len(found) <= (run.limits.max_array_size or CEILING):
            return found
    return _array(run, _pieces(run, text, delimiter, I64_MAX))


@PACKAGE.reader("split", "string", "string", "i64", run=True)
def split_into(run: Run, text: str, delimiter: str, most: int) -> list[Any]:
    """Return at most `most` pieces, the last one with the rest."""
    return _array(run, _pieces(run, text, delimiter, most))


@PACKAGE.reader("split", "string", "char", run=True)
def split_by_char(run: Run, text: str, delimiter: Char) -> list[Any]:
    """Return the pieces between the occurrences of a character."""
    return split(run, text, delimiter.text)


@PACKAGE.reader("split", "string", "char", "i64", run=True)
def split_by_char_into(run: Run, text: str, delimiter: Char, most: int) -> list[Any]:
    """Return at most `most` pieces, the last one with the rest."""
    return split_into(run, text, delimiter.text, most)


@PACKAGE.reader("split_rev", "string", "string", run=True)
def split_reversed(run: Run, text: str, delimiter: str) -> list[Any]:
    """Return the pieces between the occurrences of a delimiter, the last one first."""
    return _array(run, _pieces_reversed(run, text, delimiter, I64_MAX))


@PACKAGE.reader("split_rev", "string", "string", "i64", run=True)
def split_reversed_into(run: Run, text: str, delimiter: str, most: int) -> list[Any]:
    """Return at most `most` pieces, the last one first, the rest of the front at the end."""
    return _array(run, _pieces_reversed(run, text, delimiter, most))


@PACKAGE.reader("split_rev", "string", "char", run=True)
def split_by_char_reversed(run: Run, text: str, delimiter: Char) -> list[Any]:
    """Return the pieces between the occurrences of a character, the last one first."""
    return split_reversed(run, text, delimiter.text)


@PACKAGE.reader("split_rev", "string", "char", "i64", run=True)
def split_by_char_reversed_into(run: Run, text: str, delimiter: Char, most: int) -> list[Any]:
    """Return at most `most` pieces, the last one first, the rest of the front at the end."""
    return split_reversed_into(run, text, delimiter.text, most)
