"""Splitting strings into arrays, and putting one text in place of another.

Long texts are gone through in windows, with a payment for each. A window is split from its left, so what it gives is
what the whole text would give, but for its last piece: the next window begins where that began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def _windows_reversed(run: Run, text: str, delimiter: str) -> Iterator[list[str]]:
    """Give the same pieces, or others where occurrences overlap, from the right."""
    size = max(_WINDOW, 4 * len(delimiter))
    end = len(text)
    while end > size:
        charge(run, 2 * size)
        found = text[end - size : end].rsplit(delimiter)[::-1]
        if len(found) == 1:
            start = text.rfind(delimiter, 0, end)
            if start < 0:
                break
            charge(run, 2 * (end - start))
            yield [text[start + len(delimiter) : end]]
            end = start
            continue
        end -= size - len(found.pop())
        yield found
    charge(run, end)
    yield text[:end].rsplit(delimiter)[::-1]


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


def _gathered(run: Run, parts: Iterable[list[str]], most: int) -> list[str]:
    """Return what comes in parts, up to a number. Raises ErrorDataTooLarge."""
    found: list[str] = []
    for part in parts:
        check_array(run, min(len(found) + len(part), most), len(part))
        found += part
        if len(found) >= most:
            break
    return found[:most] if len(found) > most else found


def _pieces(run: Run, text: str, delimiter: str, most: int) -> list[str]:
    """Return at most `most` pieces, from the left."""
    if most <= 1 or not text:
        return [text]
    if not delimiter:
        # It stands before, between and behind all characters.
        if most >= len(text) + 2:
            return ["", *_characters(run, text, len(text) + 2), ""]
        return ["", *_characters(run, text[: most - 2], most), text[most - 2 :]]
    if len(text) <= _WINDOW:
        charge(run, len(text))
        return text.split(delimiter, min(most, len(text) + 2) - 1)
    found = _gathered(run, _windows(run, text, delimiter), most)
    if len(found) == most:
        found[-1] = text[_width(run, found[:-1], delimiter) :]
    return found


def _pieces_reversed(run: Run, text: str, delimiter: str, most: int) -> list[str]:
    """Return at most `most` pieces, from the right."""
    if most <= 1 or not text:
        return [text]
    if not delimiter:
        if most >= len(text) + 2:
            return ["", *_characters(run, text, len(text) + 2)[::-1], ""]
        kept = len(text) - (most - 2)
        return ["", *_characters(run, text[kept:], most)[::-1], text[:kept]]
    if len(text) <= _WINDOW:
        charge(run, len(text))
        return text.rsplit(delimiter, min(most, len(text) + 2) - 1)[::-1]
    found = _gathered(run, _windows_reversed(run, text, delimiter), most)
    if len(found) == most:
        found[-1] = text[: len(text) - _width(run, found[:-1], delimiter)]
    return found


def _characters(run: Run, text: str, made: int) -> list[str]:
    check_array(run, made, 0)
    return list(paid(run, text, 16))


def _width(run: Run, found: list[str], delimiter: str) -> int:
    """Return how many characters pieces take, each with a delimiter."""
    charge(run, len(found))
    return sum(map(len, found)) + len(found) * len(delimiter)


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
