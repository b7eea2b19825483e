"""Numbers and text inside blobs: read from and written to a span of bytes, in either byte order.

A span is cut to the blob and to the eight bytes that a number has. What is not covered reads as zero bytes and is not
written.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from picloud.rhai.packages import spans
from picloud.rhai.packages.declare import Package
from picloud.rhai.values import Blob

PACKAGE: Final = Package("blob_numbers")

_BYTES: Final = 8


def _bytes_at(blob: Blob, start: int, size: int) -> bytes:
    start, size = spans.offset_and_length(len(blob), start, size)
    return bytes(blob[start : start + min(size, _BYTES)]).ljust(_BYTES, b"\0")


def parse_le_int(blob: Blob, start: int, size: int) -> int:
    """Return the integer in a span, lowest byte first."""
    return int.from_bytes(_bytes_at(blob, start, size), "little", signed=True)


def parse_be_int(blob: Blob, start: int, size: int) -> int:
    """Return the integer in a span, highest byte first."""
    return int.from_bytes(_bytes_at(blob, start, size), "big", signed=True)


def parse_le_float(blob: Blob, start: int, size: int) -> float:
    """Return the float in a span, lowest byte first."""
    return float(struct.unpack("<d", _bytes_at(blob, start, size))[0])


def parse_be_float(blob: Blob, start: int, size: int) -> float:
    """Return the float in a span, highest byte first."""
    return float(struct.unpack(">d", _bytes_at(blob, start, size))[0])


def _write(blob: Blob, start: int, size: int, content: bytes) -> None:
    start, size = spans.offset_and_length(len(blob), start, size)
    size = min(size, len(content))
    blob[start : start + size] = content[:size]


def write_le_int(blob: Blob, start: int, size: int, value: int) -> None:
    """Write an integer into a span, lowest byte first."""
    _write(blob, start, size, value.to_bytes(_BYTES, "little", signed=True))


def write_be_int(blob: Blob, start: int, size: int, value: int) -> None:
    """Write an integer into a span, highest byte first."""
    _write(blob, start, size, value.to_bytes(_BYTES, "big", signed=True))


def write_le_float(blob: Blob, start: int, size: int, value: float) -> None:
    """Write a float into a span, lowest byte first."""
    _write(blob, start, size, struct.pack("<d", value))


def write_be_float(blob: Blob, start: int, size: int, value: float) -> None:
    """Write a float into a span, highest byte first."""
    _write(blob, start, size, struct.pack(">d", value))


def write_utf8(blob: Blob, start: int, size: int, text: str) -> None:
    """Write a text's bytes in UTF-8 into a span."""
    _write(blob, start, size, text[:size].encode("utf-8", "replace"))


def _ascii(text: str, most: int) -> bytes:
    found = b""
    for start in range(0, len(text), 4096):
        found += text[start : start + 4096].encode("ascii", "ignore")
        if len(found) >= most:
            break
    return found


def write_ascii(blob: Blob, start: int, size: int, text: str) -> None:
    """Write a text's ASCII characters into a span; the others are left out."""
    _write(blob, start, size, _ascii(text, min(size, len(blob))))


def _declare(name: str, function: Callable[..., Any], *value: str) -> None:
    """Declare a function of blob, start and length also for ranges."""

    def in_range(blob: Blob, span: Any, *values: Any) -> Any:
        return function(blob, *spans.of_range(span), *values)

    def in_inclusive(blob: Blob, span: Any, *values: Any) -> Any:
        return function(blob, *spans.of_inclusive(span), *values)

    form = PACKAGE.method if value else PACKAGE.reader
    form(name, "blob", "i64", "i64", *value)(function)
    form(name, "blob", "range", *value)(in_range)
    form(name, "blob", "range=", *value)(in_inclusive)


_declare("parse_le_int", parse_le_int)
_declare("parse_be_int", parse_be_int)
_declare("parse_le_float", parse_le_float)
_declare("parse_be_float", parse_be_float)
_declare("write_le", write_le_int, "i64")
_declare("write_be", write_be_int, "i64")
_declare("write_le", write_le_float, "f64")
_declare("write_be", write_be_float, "f64")
_declare("write_utf8", write_utf8, "string")
_declare("write_ascii", write_ascii, "string")
