"""Strings, characters and texts between backticks, as the lexer reads them where its pattern can't.

A :class:`Cursor` stands behind the opening sign; each function reads to the end of the text and leaves the cursor
there. What comes out is the text, or the error to raise for it. Rhai counts columns wrongly in a few places (an escaped
``${``, a newline behind a quote in a raw string); errors further on show it, so it is done the same way here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.faults import bad_input, fault

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}
_PLAIN: Final = {'"': re.compile(r'[^"\\\r\n]+'), "'": re.compile(r"[^'\\\r\n]+")}
_PLAIN_TEMPLATE: Final = re.compile(r"[^`$\\\r\n]+")
_WHITE_SPACE: Final = frozenset(
    "\t\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
)
STEPS: Final = 256
"""So often does reading a long source pause."""
Pause = Callable[[int], None]
"""What is told of each so many steps that a source takes to read, of about a microsecond each."""
_COUNTED_NEWLINE: Final = re.compile(r'"#*\n|\n')


class Cursor:
    """A place in a source: ``at`` is the index of the next character, ``line_start`` what columns are counted from."""

    __slots__ = ("at", "limit", "line", "line_start", "pause", "source")

    def __init__(self, source: str, limit: int, pause: Pause | None = None) -> None:
        self.source = source
        self.limit = limit
        """Most bytes of a text; 0 for no limit."""
        self.pause = pause or go_on
        self.at = 0
        self.line = 1
        self.line_start = 0

    def place(self, at: int) -> tuple[int, int]:
        """Return line and column of the character at an index."""
        return self.line, at - self.line_start + 1

    def new_line(self, at: int) -> None:
        """A line begins at this index."""
        self.line += 1
        self.line_start = at


def go_on(steps: int) -> None:
    """Don't pause."""


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def too_long(text: str, limit: int, place: tuple[int, int]) -> RhaiError | None:
    """Return the error of a text that has more bytes than the limit."""
    if limit and len(text) * 4 > limit and _bytes(text) > limit:
        return fault("LiteralTooLarge", place, "Length of string", limit)
    return None


def quoted(cursor: Cursor, quote: str) -> str | RhaiError:
    """Read the rest of ``"…"`` or ``'…'``; the former may go on behind a backslash at the end of a line."""
    source, size, limit = cursor.source, len(cursor.source), cursor.limit
    opened = cursor.place(cursor.at - 1)
    plain = _PLAIN[quote].match
    parts: list[str] = []
    length = steps = 0
    skip_until = 0  # the column up to which white space at the start of a continued line is left out
    at = cursor.at
    while True:
        steps += 1
        if steps % STEPS == 0:
            cursor.pause(STEPS)
        run = None if skip_until else plain(source, at)
        if run is not None:
            parts.append(run[0])
            at = run.end()
            if limit:
                length += _bytes(run[0])
                if length > limit:
                    break
        if at >= size:
            return _unterminated(opened)
        sign = source[at]
        at += 1
        if sign == quote:
            if not source.startswith(quote, at):
                break
            at += 1
            parts.append(quote)
            length += 1
            skip_until = 0
        elif sign == "\\":
            escape = _escape(cursor, at, quote)
            if escape is None:
                return _unterminated(opened)
            if isinstance(escape, RhaiError):
                return escape
            text, at = escape
            if text == "\n" and source[at - 1] == "\n":
                cursor.new_line(at)
                skip_until = opened[1] + 1
            else:
                parts.append(text)
                length += 1
        elif sign == "\n":
            return _unterminated(opened)
        elif sign == "\r" and source.startswith("\n", at):
            pass
        elif not (sign in _WHITE_SPACE and at - cursor.line_start < skip_until):
            parts.append(sign)
            length += 1
            skip_until = 0
    cursor.at = at
    text = "".join(parts)
    return too_long(text, limit, opened) or text


def _escape(cursor: Cursor, at: int, quote: str) -> tuple[str, int] | RhaiError | None:
    """Read the escape whose backslash is before ``at``: what it stands for and where it ends; None if the text ends."""
    source, size = cursor.source, len(cursor.source)
    while source.startswith("\r\n", at):
        at += 1
    if at >= size:
        return None
    sign = source[at]
    if sign in _ESCAPES or sign == quote:
        return _ESCAPES.get(sign, sign), at + 1
    if sign == "\n":
        return (sign, at + 1) if quote == '"' else None
    written = "\\" + sign
    if sign not in _HEX_DIGITS:
        return bad_input("MalformedEscapeSequence", cursor.place(at), written)
    for _ in range(_HEX_DIGITS[sign]):
        at += 1
        if at >= size:
            return bad_input("MalformedEscapeSequence", cursor.place(at - 1), written)
        written += source[at]
        if source[at] not in "0123456789abcdefABCDEF":
            return bad_input("MalformedEscapeSequence", cursor.place(at), written)
    code = int(written[2:], 16)
    if code >= 0x110000 or 0xD800 <= code < 0xE000:
        return bad_input("MalformedEscapeSequence", cursor.place(at), written)
    return chr(code), at + 1


def raw(cursor: Cursor) -> str | RhaiError:
    """Read the rest of ``#"…"#`` behind the first ``#``; any number of ``#``, and no escapes."""
    source = cursor.source
    first = cursor.at - 1
    opened = cursor.place(first)
    at = cursor.at
    while source.startswith("#", at):
        at += 1
    if not source.startswith('"', at):
        return bad_input("UnexpectedInput", opened, source[at]) if at < len(source) else _unterminated(opened)
    closing = '"' + source[first:at]
    end = source.find(closing, at + 1)
    if end < 0:
        return too_long(source[at + 1 :], cursor.limit, opened) or _unterminated(opened)
    for step, newline in enumerate(_COUNTED_NEWLINE.finditer(source, at + 1, end), 1):
        if step % STEPS == 0:
            cursor.pause(STEPS)
        if newline[0] == "\n":  # Rhai overlooks a newline behind a quote
            cursor.new_line(newline.end())
    cursor.at = end + len(closing)
    text = source[at + 1 : end]
    return too_long(text, cursor.limit, opened) or text


def _unterminated(place: tuple[int, int]) -> RhaiError:
    return bad_input("UnterminatedString", place)


def open_template(cursor: Cursor) -> None:
    """Skip a newline right behind an opening backtick."""
    for newline in ("\r\n", "\r", "\n"):
        if cursor.source.startswith(newline, cursor.at):
            cursor.at += len(newline)
            cursor.new_line(cursor.at)
            return


def template(cursor: Cursor, opened: tuple[int, int] | None) -> tuple[str | RhaiError, bool, tuple[int, int]]:
    """Read a text between backticks up to the closing one, or up to ``${``, whose brace is left.

    ``opened`` is the place of the opening backtick, None behind an interpolation. Returns the text, whether an
    interpolation follows, and the place of the text.
    """
    source, size, limit = cursor.source, len(cursor.source), cursor.limit
    start = cursor.place(cursor.at - 1)
    place = opened
    parts: list[str] = []
    length = steps = 0
    at = cursor.at
    interpolated = False
    while True:
        steps += 1
        if steps % STEPS == 0:
            cursor.pause(STEPS)
        run = _PLAIN_TEMPLATE.match(source, at)
        if run is not None:
            place = place or cursor.place(at)
            parts.append(run[0])
            at = run.end()
            if limit:
                length += _bytes(run[0])
                if length > limit:
                    break
        if at >= size:
            return _unterminated(place or (0, 0)), False, place or (0, 0)
        sign = source[at]
        at += 1
        if sign == "$" and source.startswith("{", at):
            interpolated = True
            break
        if sign == "`":
            if not source.startswith("`", at):
                break
            at += 1
        place = place or cursor.place(at - 1)
        if sign == "\\" and source.startswith("${", at):
            sign = "$"
            at += 1
            cursor.line_start += 1  # Rhai doesn't count the dollar
        if sign == "\n":
            cursor.new_line(at)
        if sign != "\r" or not source.startswith("\n", at):
            parts.append(sign)
            length += 1
    cursor.at = at
    text = "".join(parts)
    return too_long(text, limit, start) or text, interpolated, place or (0, 0)
