"""A line of a script with a caret under the place."""

from __future__ import annotations

import unicodedata


def excerpt(source: str, line: int, column: int | None) -> str:
    """Line number ``line`` of ``source`` (from 1), with a caret under ``column`` (from 1), if there is one.

    Tabs stay tabs and wide characters count twice, so that the caret stands where a terminal shows the place.
    Empty if the script has no such line.
    """
    lines = source.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    text = lines[line - 1]
    number = str(line)
    shown = f"  {number} | {text}"
    if not column:
        return shown
    before = text[: column - 1]
    gap = "".join(character if character == "\t" else " " * _width(character) for character in before)
    gap += " " * max(0, column - 1 - len(before))
    return f"{shown}\n  {' ' * len(number)} | {gap}^"


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
