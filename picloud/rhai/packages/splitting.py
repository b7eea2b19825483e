"""Splitting strings into arrays."""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai.packages.budget import CEILING, PAGE, charge, check_array
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.whitespace import words
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import CHARS, I64_MAX, Char

PACKAGE: Final = Package("splitting")


def _array(run: Run, pieces: list[Any]) -> list[Any]:
    check_array(run, len(pieces))
    return pieces


@PACKAGE.function("to_chars", "string", run=True)
def to_chars(run: Run, text: str) -> list[Any]:
    """Return the characters."""
    check_array(run, len(text))
    charge(run, 16 * len(text))
    return [CHARS[character] for character in text]


@PACKAGE.reader("split", "string", "i64")
def split_at(text: str, position: int) -> list[Any]:
    """Return what stands before a position and from it on."""
    if position <= 0:
        position = len(text) + position if -position <= len(text) else 0
    return [text[:position], text[position:]]


@PACKAGE.reader("split", "string", run=True)
def split_at_space(run: Run, text: str) -> list[Any]:
    """Return the pieces between white space."""
    charge(run, len(text))
    return _array(run, words(text) if text else [text])


def _pieces(text: str, delimiter: str, most: int) -> list[str]:
    """Return at most `most` pieces, from the left."""
    if most <= 1 or not text:
        return [text]
    if delimiter:
        return text.split(delimiter, min(most, len(text) + 2) - 1)
    # An empty delimiter stands before, between and behind all characters.
    if most >= len(text) + 2:
        return ["", *text, ""]
    return ["", *text[: most - 2], text[most - 2 :]]


def _pieces_reversed(text: str, delimiter: str, most: int) -> list[str]:
    """Return at most `most` pieces, from the right."""
    if most <= 1 or not text:
        return [text]
    if delimiter:
        return text.rsplit(delimiter, min(most, len(text) + 2) - 1)[::-1]
    if most >= len(text) + 2:
        return ["", *text[::-1], ""]
    kept = len(text) - (most - 2)
    return ["", *text[kept:][::-1], text[:kept]]


@PACKAGE.reader("split", "string", "string", run=True)
def split(run: Run, text: str, delimiter: str) -> list[Any]:
    """Return the pieces between the occurrences of a delimiter."""
    if delimiter and 0 < len(text) < PAGE:
        pieces: list[Any] = text.split(delimiter)
        if len(pieces) <= (run.limits.max_array_size or CEILING):
            return pieces
    charge(run, len(text))
    return _array(run, _pieces(text, delimiter, I64_MAX))


@PACKAGE.reader("split", "string", "string", "i64", run=True)
def split_into(run: Run, text: str, delimiter: str, most: int) -> list[Any]:
    """Return at most `most` pieces, the last one with the rest."""
    charge(run, len(text))
    return _array(run, _pieces(text, delimiter, most))


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
    charge(run, len(text))
    return _array(run, _pieces_reversed(text, delimiter, I64_MAX))


@PACKAGE.reader("split_rev", "string", "string", "i64", run=True)
def split_reversed_into(run: Run, text: str, delimiter: str, most: int) -> list[Any]:
    """Return at most `most` pieces, the last one first, the rest of the front at the end."""
    charge(run, len(text))
    return _array(run, _pieces_reversed(text, delimiter, most))


@PACKAGE.reader("split_rev", "string", "char", run=True)
def split_by_char_reversed(run: Run, text: str, delimiter: Char) -> list[Any]:
    """Return the pieces between the occurrences of a character, the last one first."""
    return split_reversed(run, text, delimiter.text)


@PACKAGE.reader("split_rev", "string", "char", "i64", run=True)
def split_by_char_reversed_into(run: Run, text: str, delimiter: Char, most: int) -> list[Any]:
    """Return at most `most` pieces, the last one first, the rest of the front at the end."""
    return split_reversed_into(run, text, delimiter.text, most)
