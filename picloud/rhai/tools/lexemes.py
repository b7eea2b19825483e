"""The tokens of a source as they are written, with the comments between them.

The lexer hands out values: it drops comments, and of ``0xFF`` it keeps 255. Tools need both, so here the source is gone
through once more beside the lexer's tokens: each says what has to be read at its place, so no rule of the lexer is
repeated. A text between backticks is one lexeme, with all that is between its braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from picloud.rhai.lexer import Token, tokens
from picloud.rhai.texts import Cursor, open_template, quoted, raw, template


@dataclass(slots=True)
class Comment:
    """A comment. A line comment's text ends before the end of the line."""

    text: str
    newlines: int
    """How many line ends are between what is before it and itself."""
    closed: bool = True
    """False for a block comment that goes on to the end of the source."""

    @property
    def is_line(self) -> bool:
        """Whether it goes on to the end of its line."""
        return self.text.startswith("//")


@dataclass(slots=True)
class Lexeme:
    """A token as it is written."""

    kind: str
    """As the lexer's; ``template`` for a text between backticks, ``end`` for the end of the source."""
    text: str
    newlines: int = 0
    """How many line ends are in front of it, behind the last comment."""
    comments: list[Comment] = field(default_factory=list)
    """Those between the token before and this one."""
    column: int = 0
    """Where it stands in its line, from 0."""


_BLANK: Final = re.compile(r"[ \t\r\f\n]*")
_LINE_COMMENT: Final = re.compile(r"//[^\r\n]*")
_COMMENT_PART: Final = re.compile(r"/\*|\*/")
_NUMBER: Final = re.compile(
    r"-?(?:0_*[xX][0-9a-fA-F_]*|0_*[oO][0-7_]*|0_*[bB][01_]*"
    r"|[0-9][0-9_]*(?:\.(?:[0-9][0-9_]*|(?![0-9_.A-Za-z]|\Z)))?(?:[eE](?=[0-9+-])[+-]?[0-9_]*)?)"
)


def lexemes(source: str) -> list[Lexeme]:
    """Return the tokens of a source as written; the last one is the end, with the comments in front of it.

    After a text that is no token the end follows at once.
    """
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.newlines = 0
        self.comments: list[Comment] = []
        self.found: list[Lexeme] = []

    def read(self) -> list[Lexeme]:
        following = iter(tokens(self.source))
        for token in following:
            self._skip()
            if token[0] in ("end", "error"):
                break
            start = self.at
            kind = token[0]
            if kind == "text":
                self._template(following)
                kind = "template"
            else:
                self._token(token)
            self._add(kind, self.source[start : self.at], start - self.source.rfind("\n", 0, start) - 1)
        self._add("end", "")
        return self.found

    def _add(self, kind: str, text: str, column: int = 0) -> None:
        self.found.append(Lexeme(kind, text, self.newlines, self.comments, column))
        self.newlines, self.comments = 0, []

    def _skip(self) -> None:
        """Go over blanks and comments."""
        source = self.source
        self.newlines = 0
        while True:
            end = _end(_BLANK, source, self.at)
            self.newlines += source.count("\n", self.at, end)
            self.at = end
            closed = True
            if source.startswith("//", end):
                self.at = _end(_LINE_COMMENT, source, end)
            elif source.startswith("/*", end):
                self.at, closed = _comment_end(source, end)
            else:
                return
            self.comments.append(Comment(source[end : self.at].rstrip(), self.newlines, closed))
            self.newlines = 0

    def _token(self, token: Token) -> None:
        kind, value = token[:2]
        if kind in ("int", "float"):
            self.at = _end(_NUMBER, self.source, self.at)
        elif kind == "str" or kind == "char":
            self._string()
        else:
            self.at += len(value)

    def _string(self) -> None:
        cursor = Cursor(self.source, 0)
        cursor.at = self.at + 1
        sign = self.source[self.at]
        if sign == "`":
            open_template(cursor)
            template(cursor, (1, 1))
        elif sign == "#":
            raw(cursor)
        else:
            # In a continued string white space is skipped by columns, so they are counted as the lexer does.
            cursor.line_start = self.source.rfind("\n", 0, self.at) + 1
            quoted(cursor, sign)
        self.at = cursor.at

    def _template(self, following: Iterator[Token]) -> None:
        """Go over a text between backticks that holds ``${…}``; its tokens are taken from ``following``."""
        cursor = Cursor(self.source, 0)
        cursor.at = self.at + 1
        open_template(cursor)
        template(cursor, (1, 1))
        self.at = cursor.at
        while self._interpolation(following):
            pass

    def _interpolation(self, following: Iterator[Token]) -> bool:
        """Go over ``{…}`` and the part of the text behind it. Returns whether another ``${`` follows."""
        depth = 0
        outside, self.comments = self.comments, []
        newlines = self.newlines
        for token in following:
            self._skip()
            if token[0] in ("end", "error"):  # the text is open at the end
                self.at = len(self.source)
                return False
            if token[0] == "text":
                self._template(following)
                continue
            self._token(token)
            if token[0] in ("{", "#{"):
                depth += 1
            elif token[0] == "}":
                depth -= 1
                if not depth:
                    break
        self.comments, self.newlines = outside, newlines
        cursor = Cursor(self.source, 0)
        cursor.at = self.at
        template(cursor, None)
        self.at = cursor.at
        return next(following)[0] == "text"


def _end(pattern: re.Pattern[str], source: str, at: int) -> int:
    match = pattern.match(source, at)
    return match.end() if match else at


def _comment_end(source: str, at: int) -> tuple[int, bool]:
    """Return where a block comment ends, which may hold others; and whether it does."""
    depth = 0
    for part in _COMMENT_PART.finditer(source, at):
        depth += 1 if part[0] == "/*" else -1
        if depth == 0:
            return part.end(), True
    return len(source), False
