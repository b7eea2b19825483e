"""Between the language's values and plain ones: what MessagePack and JSON hold.

Characters become strings, blobs bytes. What has no plain form (functions, ranges, points in time, NaN …) is an error
that names its place inside the value: ``items[3].price is NaN``.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Final

import msgspec

from picloud.rhai.values import I64_MAX, I64_MIN, Char, type_name

DEEPEST: Final = 200
"""Arrays and maps inside one another; more than any person writes, less than Python's recursion limit."""

_MAYBE_TOO_LARGE: Final = re.compile(rb"[0-9]{19}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NotPlain(Exception):
    """A value has no plain form; the message names the place in it and what is there."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path: list[str | int] = []

    def __str__(self) -> str:
        where = "".join(_step(step) for step in reversed(self.path)).removeprefix(".")
        return f"{where} is {self.what}" if where else f"the value is {self.what}"


def plain(value: Any, depth: int = 0) -> Any:
    """The plain form of a value of the language, blobs as bytes. Raises :class:`NotPlain`."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        if not isfinite(value):
            raise NotPlain(number_name(value))
        return value
    if kind is Char:
        return value.text
    if kind is bytearray:
        return bytes(value)
    if kind is not list and kind is not dict:
        raise NotPlain(with_article(value))
    if depth >= DEEPEST:
        raise NotPlain(f"nested deeper than {DEEPEST} levels")
    at: str | int = 0
    try:
        if kind is list:
            items = []
            for at, item in enumerate(value):  # noqa: B007 - the place of an error
                items.append(plain(item, depth + 1))
            return items
        members = {}
        for at, item in value.items():
            members[at] = plain(item, depth + 1)
        return members
    except NotPlain as error:
        error.path.append(at)
        raise


def value_of(plain: Any) -> Any:
    """The language's value for a plain one: bytes become blobs, integers beyond 64 bits floats."""
    kind = type(plain)
    if kind is dict:
        return {str(key): value_of(item) for key, item in plain.items()}
    if kind is list:
        return [value_of(item) for item in plain]
    if kind is bytes:
        return bytearray(plain)
    if kind is int and not I64_MIN <= plain <= I64_MAX:
        return float(plain)
    return plain


def parse_json(text: str | bytes | bytearray) -> Any:
    """The value that a JSON text means. Raises ValueError with what is wrong and where."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    try:
        parsed = msgspec.json.decode(data)
        return value_of(parsed) if _MAYBE_TOO_LARGE.search(data) else parsed
    except msgspec.MsgspecError as error:
        raise ValueError(str(error).removeprefix("JSON is malformed: ")) from None
    except UnicodeDecodeError:
        raise ValueError("it isn't UTF-8") from None
    except OverflowError:
        raise ValueError("a number is out of range") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def number_name(value: float) -> str:
    """NaN or infinity as a person calls it."""
    return "NaN" if value != value else "infinity" if value > 0 else "-infinity"


def with_article(value: Any) -> str:
    """The type of a value in a sentence."""
    names = {"Fn": "a function", "timestamp": "a timestamp", "range": "a range", "range=": "a range"}
    name = type_name(value)
    return names.get(name, f"an {name}" if name in ("array", "i64", "f64") else f"a {name}")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _NAME.fullmatch(step) else f'["{step}"]'
