"""Functions on blobs, arrays of bytes. Of an integer that becomes a byte, the lowest eight bits count.

(Numbers and text read from and written into blobs stand in `blob_numbers.py`.)
"""

from __future__ import annotations

from typing import Final

from picloud.rhai.errors import too_large
from picloud.rhai.packages import spans
from picloud.rhai.packages.budget import CEILING, charge, check_array, utf8_length
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import Blob, Char, InclusiveRange, Range

PACKAGE: Final = Package("blob")


@PACKAGE.function("blob")
def empty() -> Blob:
    """Return an empty blob."""
    return Blob()


@PACKAGE.function("blob", "i64", run=True)
def zeros(run: Run, size: int) -> Blob:
    """Return `size` zero bytes."""
    return filled(run, size, 0)


@PACKAGE.function("blob", "i64", "i64", run=True)
def filled(run: Run, size: int, value: int) -> Blob:
    """Return `size` bytes of one value."""
    if size <= 0:
        return Blob()
    check_array(run, size)
    return Blob(bytes((value & 0xFF,)) * size)


@PACKAGE.reader("to_array", "blob", run=True)
def to_array(run: Run, blob: Blob) -> list[int]:
    """Return the bytes as integers."""
    check_array(run, len(blob))
    return list(blob)


@PACKAGE.function("as_string", "blob", run=True)
def as_string(run: Run, blob: Blob) -> str:
    """Return the text that the bytes are in UTF-8, U+FFFD where they are none."""
    charge(run, 4 * len(blob))
    return blob.decode("utf-8", "replace")


@PACKAGE.property("len", "blob")
def length(blob: Blob) -> int:
    """Return the number of bytes."""
    return len(blob)


@PACKAGE.property("is_empty", "blob")
def is_empty(blob: Blob) -> bool:
    """Is there no byte?"""
    return not blob


@PACKAGE.reader("contains", "blob", "i64", run=True)
def contains(run: Run, blob: Blob, value: int) -> bool:
    """Is that byte in it?"""
    charge(run, len(blob))
    return value & 0xFF in blob


@PACKAGE.reader("get", "blob", "i64")
def get(blob: Blob, position: int) -> int:
    """Return the byte at a position, 0 when there is none."""
    start, _ = spans.offset_and_length(len(blob), position, 0)
    return blob[start] if start < len(blob) else 0


@PACKAGE.method("set", "blob", "i64", "i64")
def set_byte(blob: Blob, position: int, value: int) -> None:
    """Put a byte at a position; nothing happens when there is none."""
    start, _ = spans.offset_and_length(len(blob), position, 0)
    if start < len(blob):
        blob[start] = value & 0xFF


@PACKAGE.method("push append", "blob", "i64", run=True)
def push(run: Run, blob: Blob, value: int) -> None:
    """Add a byte at the end."""
    check_array(run, len(blob) + 1, 1)
    blob.append(value & 0xFF)


@PACKAGE.method("append", "blob", "blob", run=True)
def append(run: Run, blob: Blob, other: Blob) -> None:
    """Add the bytes of another blob at the end."""
    check_array(run, len(blob) + len(other), len(other))
    blob += other


@PACKAGE.method("append", "blob", "string", run=True)
def append_text(run: Run, blob: Blob, text: str) -> None:
    """Add a text's bytes in UTF-8 at the end."""
    charge(run, len(text))
    check_array(run, len(blob) + utf8_length(text), len(text))
    blob += text.encode("utf-8", "replace")


@PACKAGE.method("append", "blob", "char", run=True)
def append_char(run: Run, blob: Blob, character: Char) -> None:
    """Add a character's bytes in UTF-8 at the end."""
    append_text(run, blob, character.text)


@PACKAGE.method("insert", "blob", "i64", "i64", run=True)
def insert(run: Run, blob: Blob, position: int, value: int) -> None:
    """Put a byte before a position, at the end when there is none."""
    check_array(run, len(blob) + 1, len(blob) // 16)
    start, _ = spans.offset_and_length(len(blob), position, 0)
    blob.insert(start, value & 0xFF)


@PACKAGE.method("pad", "blob", "i64", "i64", run=True)
def pad(run: Run, blob: Blob, size: int, value: int) -> None:
    """Add a byte at the end until there are `size` of them."""
    if size > (run.limits.max_array_size or CEILING):
        raise too_large("Size of BLOB")
    if size > len(blob):
        charge(run, size)
        blob += bytes((value & 0xFF,)) * (size - len(blob))


@PACKAGE.method("pop", "blob")
def pop(blob: Blob) -> int:
    """Take the last byte off and return it, 0 when there is none."""
    return blob.pop() if blob else 0


@PACKAGE.method("shift", "blob", run=True)
def shift(run: Run, blob: Blob) -> int:
    """Take the first byte off and return it, 0 when there is none."""
    charge(run, len(blob) // 16)
    return blob.pop(0) if blob else 0


@PACKAGE.method("remove", "blob", "i64", run=True)
def remove(run: Run, blob: Blob, position: int) -> int:
    """Take the byte at a position out and return it, 0 when there is none."""
    charge(run, len(blob) // 16)
    found = spans.index(len(blob), position)
    return 0 if found is None else blob.pop(found)


@PACKAGE.method("clear", "blob")
def clear(blob: Blob) -> None:
    """Make it empty."""
    blob.clear()


@PACKAGE.method("truncate", "blob", "i64")
def truncate(blob: Blob, size: int) -> None:
    """Keep the first `size` bytes."""
    del blob[max(size, 0) :]


@PACKAGE.method("chop", "blob", "i64")
def chop(blob: Blob, size: int) -> None:
    """Keep the last `size` bytes."""
    del blob[: max(len(blob) - max(size, 0), 0)]


@PACKAGE.method("reverse", "blob", run=True)
def reverse(run: Run, blob: Blob) -> None:
    """Turn the order round."""
    charge(run, len(blob))
    blob.reverse()


@PACKAGE.method("splice", "blob", "i64", "i64", "blob", run=True)
def splice(run: Run, blob: Blob, start: int, size: int, other: Blob) -> None:
    """Put another blob in place of `size` bytes from `start` on; for no byte, at the end."""
    check_array(run, len(blob) + len(other))
    start, size = spans.offset_and_length(len(blob), start, size)
    if not size:
        start = len(blob)
    blob[start : start + size] = other


@PACKAGE.method("splice", "blob", "range", "blob", run=True)
def splice_range(run: Run, blob: Blob, span: Range, other: Blob) -> None:
    """Put another blob in place of the bytes in a range."""
    splice(run, blob, *spans.of_range(span), other)


@PACKAGE.method("splice", "blob", "range=", "blob", run=True)
def splice_inclusive(run: Run, blob: Blob, span: InclusiveRange, other: Blob) -> None:
    """Put another blob in place of the bytes in a range."""
    splice(run, blob, *spans.of_inclusive(span), other)


@PACKAGE.method("extract", "blob", "i64", "i64", run=True)
def extract(run: Run, blob: Blob, start: int, size: int) -> Blob:
    """Return a copy of `size` bytes from `start` on."""
    start, size = spans.offset_and_length(len(blob), start, size)
    charge(run, size)
    return blob[start : start + size]


@PACKAGE.method("extract", "blob", "i64", run=True)
def extract_from(run: Run, blob: Blob, start: int) -> Blob:
    """Return a copy of all bytes from `start` on."""
    return extract(run, blob, start, len(blob))


@PACKAGE.method("extract", "blob", "range", run=True)
def extract_range(run: Run, blob: Blob, span: Range) -> Blob:
    """Return a copy of the bytes in a range."""
    return extract(run, blob, *spans.of_range(span))


@PACKAGE.method("extract", "blob", "range=", run=True)
def extract_inclusive(run: Run, blob: Blob, span: InclusiveRange) -> Blob:
    """Return a copy of the bytes in a range."""
    return extract(run, blob, *spans.of_inclusive(span))


@PACKAGE.method("split", "blob", "i64", run=True)
def split(run: Run, blob: Blob, position: int) -> Blob:
    """Take all bytes from a position on out and return them."""
    start, size = spans.offset_and_length(len(blob), position, len(blob))
    return drain(run, blob, start, size)


@PACKAGE.method("drain", "blob", "i64", "i64", run=True)
def drain(run: Run, blob: Blob, start: int, size: int) -> Blob:
    """Take `size` bytes from `start` on out and return them."""
    start, size = spans.offset_and_length(len(blob), start, size)
    charge(run, len(blob))
    taken = blob[start : start + size]
    del blob[start : start + size]
    return taken


@PACKAGE.method("drain", "blob", "range", run=True)
def drain_range(run: Run, blob: Blob, span: Range) -> Blob:
    """Take the bytes in a range out and return them."""
    return drain(run, blob, *spans.of_range(span))


@PACKAGE.method("drain", "blob", "range=", run=True)
def drain_inclusive(run: Run, blob: Blob, span: InclusiveRange) -> Blob:
    """Take the bytes in a range out and return them."""
    return drain(run, blob, *spans.of_inclusive(span))


@PACKAGE.method("retain", "blob", "i64", "i64", run=True)
def retain(run: Run, blob: Blob, start: int, size: int) -> Blob:
    """Keep `size` bytes from `start` on; take the others out and return them."""
    if size <= 0:
        return Blob()
    start, size = spans.offset_and_length(len(blob), start, size)
    charge(run, len(blob))
    taken = blob[:start] + blob[start + size :]
    del blob[start + size :]
    del blob[:start]
    return taken


@PACKAGE.method("retain", "blob", "range", run=True)
def retain_range(run: Run, blob: Blob, span: Range) -> Blob:
    """Keep the bytes in a range; take the others out and return them."""
    return retain(run, blob, *spans.of_range(span))


@PACKAGE.method("retain", "blob", "range=", run=True)
def retain_inclusive(run: Run, blob: Blob, span: InclusiveRange) -> Blob:
    """Keep the bytes in a range; take the others out and return them."""
    return retain(run, blob, *spans.of_inclusive(span))
