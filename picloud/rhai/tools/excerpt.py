"""A line of a script with a caret under a place, as a terminal shows it.

    12 | let x = foo(1);
       |         ^ no such function

Tabs stay tabs, wide characters take two cells and combining ones none, so the caret stands where the place is seen. Of
a long line the part around the place is shown. Control characters are shown as a replacement character: a script can't
reach the terminal of who looks at its errors.
"""

from __future__ import annotations

import unicodedata
from typing import Final

WIDTH: Final = 100
"""Cells that a line may take."""
_BEFORE: Final = 60
"""Cells that are kept before the place, if there are more."""
_CUT: Final = "…"
_HIDDEN: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of text, so that a line reads as something that it isn't."""
_TAB_CELLS: Final = 8


def excerpt(source: str, line: int, column: int = 0, label: str = "") -> str:
    """Return line number ``line`` of ``source`` with a caret under ``column``, and ``label`` behind that.

    Both count from 1, in characters; without a column (0) there is no caret. Empty if the script has no such line.
    """
    lines = source.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    text = lines[line - 1].removesuffix("\r")
    number = str(line)
    if not column:
        return f"  {number} | {_cut(text, 1)[0]}".rstrip()
    shown, gap = _cut(text, column)
    caret = f"^ {label}" if label else "^"
    return f"  {number} | {shown}".rstrip() + f"\n  {' ' * len(number)} | {gap}{caret}"


def _cut(text: str, column: int) -> tuple[str, str]:
    """Return what is shown of a line, and the blanks that reach from its beginning to the column."""
    before = _visible(text[: column - 1])
    before += " " * (column - 1 - len(before))
    after = _visible(text[column - 1 :])
    if _cells(before) + _cells(after) > WIDTH:
        tail = _head(before[::-1], _BEFORE)[::-1]
        if len(tail) < len(before):
            before = _CUT + tail
        head = _head(after, WIDTH - _cells(before) - 1)
        if len(head) < len(after):
            after = head + _CUT
    gap = "".join("\t" if character == "\t" else " " * _width(character) for character in before)
    return before + after, gap


def _head(text: str, cells: int) -> str:
    """Return as much of the beginning of a text as fits."""
    taken = 0
    for index, character in enumerate(text):
        taken += _width(character)
        if taken > cells:
            return text[:index]
    return text


def _cells(text: str) -> int:
    return sum(map(_width, text))


def printable(text: str) -> str:
    """Return a text of several lines as it may be shown on a terminal, without characters that steer it."""
    return "\n".join(_visible(line) for line in text.split("\n"))


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_safe, text))


def _safe(character: str) -> str:
    if character == "\t" or unicodedata.category(character) not in _HIDDEN:
        return "\N{REPLACEMENT CHARACTER}" if character in _DIRECTIONS else character
    return "\N{REPLACEMENT CHARACTER}"


def _width(character: str) -> int:
    if character == "\t":
        return _TAB_CELLS
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
