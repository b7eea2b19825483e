"""Whether an input is whole, or more of it is to come."""

from __future__ import annotations

from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.lexer import Token, tokens
from picloud.rhai.limits import Limits
from picloud.rhai.parser import parse
from picloud.rhai.tools.lexemes import lexemes

_OPENING: Final = frozenset({"(", "[", "?[", "{", "#{"})
_CLOSING: Final = frozenset({")", "]", "}"})


def is_complete(source: str, *, waits: bool = True) -> bool:
    """Return whether a source is whole: it can be run, or has a mistake that no further line mends.

    ``waits`` is whether an expression that may go on is waited for; an open bracket, text or comment always is.
    """
    found = tokens(source)
    if _is_open(source, found):
        return False
    if not waits:
        return True
    try:
        parse(source, Limits())
    except RhaiError as error:
        return not _is_at_end(error, found)
    return True


def _is_open(source: str, found: list[Token]) -> bool:
    """Whether a bracket, a text or a comment is open at the end."""
    depth = 0
    for token in found:
        if token[0] in _OPENING:
            depth += 1
        elif token[0] in _CLOSING:
            depth -= 1
        elif token[0] == "error":
            return bool(token[1].text.startswith("Open string") and _goes_on(source, token[2:]))
    if depth > 0:
        return True
    comments = lexemes(source)[-1].comments
    return bool(comments) and not comments[-1].closed


def _goes_on(source: str, place: tuple[int, int]) -> bool:
    """Whether the text that is open goes on behind the end of the line: one in quotes does behind a backslash alone.

    ``place`` is where a text in quotes begins; of others it is somewhere in them.
    """
    line, column = place
    lines = source.split("\n")
    sign = lines[line - 1][column - 1 : column] if 0 < line <= len(lines) else ""
    return sign not in ('"', "'") or source.rstrip("\n").endswith("\\")


def _is_at_end(error: RhaiError, found: list[Token]) -> bool:
    """Whether the parser wants more where the source ends."""
    end = next(token for token in found if token[0] == "end")
    last = max((token[2:] for token in found if token[0] != "end"), default=(0, 0))
    place = error.line, error.column
    return place >= end[2:] or (place > last and error.kind in ("UnexpectedEOF", "MissingToken"))
