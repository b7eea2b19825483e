"""JSON text of the language's values: compact, maps in the order of their keys, never more than so many bytes.

The text is counted while it grows, since a small value can mean a long text, and the run gives way now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, Final

from picloud.executor.plain import DEEPEST, NotPlain, number_name, with_article
from picloud.rhai.values import Char

_PAUSE_EVERY: Final = 2_000


class TooLong(Exception):
    """The text would have more bytes than it may."""


class JsonText:
    """One text in the making. ``pause`` is called after every few thousand values."""

    __slots__ = ("_indent", "_left", "_parts", "_pause", "_until_pause")

    def __init__(self, most_bytes: int, pause: Callable[[], None], *, indent: str = "") -> None:
        self._left = most_bytes
        self._parts: list[str] = []
        self._pause = pause
        self._until_pause = _PAUSE_EVERY
        self._indent = indent

    def of(self, value: Any) -> str:
        """The text of ``value``. Raises :class:`NotPlain` with the place of what JSON can't hold, :class:`TooLong`."""
        self._write(value, 0)
        return "".join(self._parts)

    def _write(self, value: Any, depth: int) -> None:
        kind = type(value)
        if kind is str:
            self._put(encode_basestring(value))
        elif kind is list or kind is dict:
            if depth >= DEEPEST:
                raise NotPlain(f"nested deeper than {DEEPEST} levels")
            self._write_array(value, depth + 1) if kind is list else self._write_map(value, depth + 1)
        else:
            self._put(_scalar(value))

    def _write_array(self, items: list[Any], depth: int) -> None:
        if not items:
            self._put("[]")
            return
        index = 0
        try:
            for index, item in enumerate(items):
                self._put(self._opening("," if index else "[", depth))
                self._write(item, depth)
        except NotPlain as error:
            error.path.append(index)
            raise
        self._put(self._opening("", depth - 1) + "]")

    def _write_map(self, members: dict[str, Any], depth: int) -> None:
        if not members:
            self._put("{}")
            return
        opening, colon = "{", ": " if self._indent else ":"
        key = ""
        try:
            for key in sorted(members):
                self._put(self._opening(opening, depth) + encode_basestring(key) + colon)
                self._write(members[key], depth)
                opening = ","
        except NotPlain as error:
            error.path.append(key)
            raise
        self._put(self._opening("", depth - 1) + "}")

    def _opening(self, sign: str, depth: int) -> str:
        return f"{sign}\n{self._indent * depth}" if self._indent else sign

    def _put(self, part: str) -> None:
        if not part:
            return
        self._left -= len(part) if part.isascii() else len(part.encode())
        if self._left < 0:
            raise TooLong
        self._parts.append(part)
        self._until_pause -= 1
        if self._until_pause < 0:
            self._until_pause = _PAUSE_EVERY
            self._pause()


def _scalar(value: Any) -> str:
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        return "null"
    if kind is float:
        if not isfinite(value):
            raise NotPlain(number_name(value))
        return repr(value)
    if kind is Char:
        return encode_basestring(value.text)
    raise NotPlain(with_article(value))
