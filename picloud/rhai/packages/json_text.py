"""Reading and writing plain JSON, long texts in parts.

Python's parser is quick, but nothing can interrupt it. So it gets no more than :data:`WINDOW` characters at once: of a
longer text each value that ends within that is read at once, and a longer array or object is entered, element by
element. So it is with Python's encoder. All of it is paid for as it goes.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final, NoReturn

from picloud.rhai.packages.budget import PAGE, check_string, ordered
from picloud.rhai.packages.extent import extent
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import I64_MAX, I64_MIN

WINDOW: Final = 128 * 1024
MOST_NESTING: Final = 24
"""So deep may a text nest to be sure that the engine's parser would not call it too deep."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_COMMA: Final = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")


class NotPlain(Exception):
    """The text needs the language's own parser."""


def read(run: Run, text: str, *, ask: bool = True) -> Any:
    """Return the value that a JSON text holds. Raises :class:`NotPlain` for what is none, or not surely one.

    If it need not ``ask``, a name may come twice in a map, of which the last entry is kept, and integers may be too
    large.
    """
    decoder = _ASKING if ask else _QUICK
    try:
        if len(text) <= WINDOW:
            run.pay(1 + 4 * len(text) // PAGE)
            return decoder.decode(text)
        value, end = _Reader(run, text, decoder).value(_after_space(text, 0), 0)
    except (ValueError, RecursionError):
        raise NotPlain from None
    if _after_space(text, end) != len(text):
        raise NotPlain
    return value


def _refuse(*_: Any) -> NoReturn:
    raise NotPlain


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise NotPlain
    return entries


def _integer(digits: str) -> int | float:
    if len(digits) > 20:
        return float(digits)
    value = int(digits)
    return value if I64_MIN <= value <= I64_MAX else float(digits)


_ASKING: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_constant=_refuse)
_QUICK: Final = json.JSONDecoder(parse_constant=_refuse)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


class _Reader:
    """Reads one long text."""

    __slots__ = ("run", "scan", "text", "window", "window_start")

    def __init__(self, run: Run, text: str, decoder: json.JSONDecoder) -> None:
        self.run = run
        self.scan = decoder.scan_once  # type: ignore[attr-defined]
        self.text = text
        self.window = ""
        self.window_start = 0

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Return the value that begins at a place, and where it ends."""
        text = self.text
        if depth > MOST_NESTING:
            raise NotPlain
        short = self._short(at)
        if short is not None:
            return short
        sign = text[at : at + 1]
        if sign == '"':
            self.run.pay(1 + WINDOW // PAGE)
            found, end = scanstring(text, at + 1, True)
            self.run.pay((end - at) // PAGE)
            return found, end
        if sign == "[":
            return self._array(at + 1, depth + 1)
        if sign == "{":
            return self._object(at + 1, depth + 1)
        raise NotPlain

    def _short(self, at: int) -> tuple[Any, int] | None:
        """Return a value that ends within a window; None for one that doesn't."""
        if not self.window_start <= at < self.window_start + WINDOW // 2 or not self.window:
            self.run.pay(1 + 4 * WINDOW // PAGE)
            self.window, self.window_start = self.text[at : at + WINDOW], at
        try:
            found, end = self.scan(self.window, at - self.window_start)
        except (ValueError, StopIteration):
            self.run.pay(4 * WINDOW // PAGE)
            return None
        if end >= len(self.window) and self.window_start + end < len(self.text):
            return None  # a number may go on
        self.run.pay(1 + 4 * (self.window_start + end - at) // PAGE)
        return found, self.window_start + end

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        text = self.text
        found: list[Any] = []
        at = _after_space(text, at)
        if text.startswith("]", at):
            return found, at + 1
        while True:
            at = self._elements(at, found)
            item, at = self.value(at, depth)
            found.append(item)
            at, ended = self._next(at, "]")
            if ended:
                return found, at

    def _elements(self, at: int, found: list[Any]) -> int:
        """Read the elements that the window holds with the commas behind them. Returns where the next one begins."""
        scan, window = self.scan, self.window
        start = here = at - self.window_start
        if here < 0:
            return at
        while here < WINDOW // 2:
            try:
                item, end = scan(window, here)
                if window[end] == "," and window[end + 1] > " ":
                    here = end + 1
                else:
                    comma = _COMMA.match(window, end)
                    if comma is None:
                        break
                    here = comma.end()
            except (ValueError, StopIteration, IndexError):
                break
            found.append(item)
        self.run.pay(1 + 4 * (here - start) // PAGE)
        return self.window_start + here

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        text = self.text
        found: dict[str, Any] = {}
        at = _after_space(text, at)
        if text.startswith("}", at):
            return found, at + 1
        while True:
            if not text.startswith('"', at):
                raise NotPlain
            name, at = self.value(at, depth)
            at = _after_space(text, at)
            if not text.startswith(":", at) or name in found:
                raise NotPlain
            found[name], at = self.value(_after_space(text, at + 1), depth)
            at, ended = self._next(at, "}")
            if ended:
                return found, at

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        at = _after_space(self.text, at)
        if self.text.startswith(",", at):
            return _after_space(self.text, at + 1), False
        if self.text.startswith(closing, at):
            return at + 1, True
        raise NotPlain


_ENCODER: Final = json.JSONEncoder(
    separators=(",", ":"), sort_keys=True, allow_nan=False, check_circular=False, default=_refuse
)
_OTHER_ESCAPE: Final = re.compile(r"\\[^\"\\nrt]")
_EXPONENT: Final = re.compile(r"[0-9]e[-+]")
"""What Python's encoder may spell in another way: characters that are not plain ASCII, floats with an exponent."""
_CONTAINERS: Final = frozenset({list, dict})
_FIRST_SLICE: Final = 64
_MOST_SLICE: Final = 1024
_WRITTEN: Final = 4
"""Operations for a value that is written by itself."""


def written(run: Run, value: Any) -> str:
    """Return a value as JSON. Raises :class:`NotPlain` if the language writes it in another way, ErrorDataTooLarge."""
    out: list[str] = []
    try:
        _write(run, value, out)
    except (ValueError, RecursionError):
        raise NotPlain from None
    text = out[0] if len(out) == 1 else "".join(out)
    check_string(run, len(text))
    return text


def _fits(run: Run, value: list[Any] | dict[str, Any]) -> bool:
    """Whether a value takes no more than a window. Raises :class:`NotPlain`."""
    held = extent(run, [value], WINDOW)
    if not held.is_plain:
        raise NotPlain
    return held.total <= WINDOW


def _encoded(value: Any) -> str:
    text = _ENCODER.encode(value)
    if ("\\" in text and _OTHER_ESCAPE.search(text)) or (("e-" in text or "e+" in text) and _EXPONENT.search(text)):
        raise NotPlain
    return text


def _write(run: Run, value: Any, out: list[str]) -> None:
    run.pay(_WRITTEN + (len(value) // PAGE if type(value) is str else 0))
    if type(value) not in _CONTAINERS or _fits(run, value):
        out.append(_encoded(value))
    elif type(value) is dict:
        opening = "{"
        for name in ordered(run, value):
            out.append(opening)
            _write(run, name, out)
            out.append(":")
            _write(run, value[name], out)
            opening = ","
        out.append("}")
    else:
        opening = "["
        at, size, most = 0, _FIRST_SLICE, _MOST_SLICE
        while at < len(value):
            part = value[at : at + size]
            if len(part) > 1 and not _fits(run, part):
                size = most = len(part) // 2
                continue
            out.append(opening)
            if len(part) == 1:
                _write(run, part[0], out)
            else:
                out.append(_encoded(part)[1:-1])
            opening = ","
            at += len(part)
            size = min(2 * size, most)
        out.append("]")
