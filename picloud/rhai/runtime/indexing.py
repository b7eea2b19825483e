"""Elements: ``value[index]`` and ``value[index] = x`` on the language's own types.

Arrays, maps and blobs are changed in place. Bits of an integer and characters of a string are changed by making a new
value, which the writer returns; the caller puts it where the old one was. Types of the host go through indexers of
the registry, which are asked elsewhere (:mod:`picloud.rhai.runtime.chains`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai.errors import Position, RhaiError, mismatch
from picloud.rhai.values import CHARS, I64_MAX, Char, InclusiveRange, Range, raw_type_name

_BITS: Final = 64


class Absent(Exception):
    """The type has no elements of its own: an indexer may know."""


def within(length: int, index: int, kind: str, position: Position) -> int:
    """Return an index that may count from the end as one from the start. Raises the ``kind`` of bounds error."""
    if 0 <= index < length:
        return index
    if index < 0 <= length + index:
        return length + index
    raise RhaiError(kind, length, index, position=position)


def _from_start(index: int, position: Position) -> int:
    if 0 <= index < _BITS:
        return index
    raise RhaiError("ErrorBitFieldBounds", _BITS, index, position=position)


def _integer(index: Any, position: Position) -> int:
    if type(index) is not int:
        raise mismatch("i64", raw_type_name(index), position)
    return index


def get_item(value: Any, index: Any, position: Position) -> Any:
    """Return ``value[index]``; ``position`` is the index's. Raises :class:`Absent` for types without elements."""
    getter = _GETTERS.get(type(value))
    if getter is None:
        raise Absent
    return getter(value, index, position)


def _array_item(array: list[Any], index: Any, position: Position) -> Any:
    return array[within(len(array), _integer(index, position), "ErrorArrayBounds", position)]


def _map_item(entries: dict[str, Any], key: Any, position: Position) -> Any:
    if type(key) is not str:
        raise mismatch("string", raw_type_name(key), position)
    return entries.get(key)


def _string_item(text: str, index: Any, position: Position) -> Any:
    if type(index) is int:
        return CHARS[text[within(len(text), index, "ErrorStringBounds", position)]]
    if isinstance(index, Range):
        start, end = _slice(text, index, position)
        return text[start:end]
    raise mismatch("i64", raw_type_name(index), position)


def _slice(text: str, span: Range, position: Position) -> tuple[int, int]:
    """Return where a part of a string begins and ends; what lies outside is cut off."""
    length = len(text)
    if not text:
        return 0, 0
    start = span.start
    if start < 0:
        start = within(length, start, "ErrorStringBounds", position)
    end = span.end
    if end < 0:
        end = length + end if length + end >= 0 else 0
    if type(span) is InclusiveRange:
        if start == 0 and end >= length - 1:
            return 0, length
        end = end + 1 if end > start else start
    return min(start, length), max(min(start, length), min(end, length))


def _bit_item(value: int, index: Any, position: Position) -> Any:
    if isinstance(index, Range):
        shift, mask = _field(index, position)
        return signed((value & mask) >> shift) if mask != -1 else value
    return bool(value >> within(_BITS, _integer(index, position), "ErrorBitFieldBounds", position) & 1)


def _field(span: Range, position: Position) -> tuple[int, int]:
    """Return shift and mask of a range of bits; the mask is shifted, and signed as Rust's."""
    start = _from_start(span.start, position)
    inclusive = type(span) is InclusiveRange
    end = span.end
    if end == I64_MAX:
        end = _BITS - 1 if inclusive else _BITS
    if inclusive or end != _BITS:
        end = _from_start(end, position)
    count = end - start + inclusive
    if count <= 0:
        return 0, 0
    if count == _BITS:
        return 0, -1
    return start, signed(((1 << count) - 1) << start)


def _byte_item(blob: bytearray, index: Any, position: Position) -> Any:
    return blob[within(len(blob), _integer(index, position), "ErrorArrayBounds", position)]


_GETTERS: Final[dict[type, Callable[[Any, Any, Position], Any]]] = {
    list: _array_item,
    dict: _map_item,
    str: _string_item,
    int: _bit_item,
    bytearray: _byte_item,
}


def set_item(value: Any, index: Any, item: Any, position: Position, operator: Position) -> Any:
    """Do ``value[index] = item`` and return the value: the same one, changed, or a new one for a string or an integer.

    ``position`` is the index's, ``operator`` the assignment's. Raises :class:`Absent` for types without elements.
    """
    kind = type(value)
    if kind is list:
        value[within(len(value), _integer(index, position), "ErrorArrayBounds", position)] = item
        return value
    if kind is dict:
        if type(index) is not str:
            raise mismatch("string", raw_type_name(index), position)
        value[index] = item
        return value
    setter = _SETTERS.get(kind)
    if setter is None:
        raise Absent
    return setter(value, index, item, position, operator)


def _set_in_string(text: str, index: Any, item: Any, position: Position, operator: Position) -> str:
    if type(index) is int:
        at = within(len(text), index, "ErrorStringBounds", position)
        if type(item) is not Char:
            raise mismatch("char", raw_type_name(item), operator)
        if index < 0:
            at = -index  # Rust counts from the start here when it writes back
        return text[:at] + item.text + text[at + 1 :] if at < len(text) else text
    if isinstance(index, Range):
        start, end = _replaced(text, index, position)
        shown = _shown(item)
        return text[:start] + shown + text[end:]
    raise mismatch("i64", raw_type_name(index), position)


def _shown(item: Any) -> str:
    from picloud.rhai.printing import display

    return display(item)


def _replaced(text: str, span: Range, position: Position) -> tuple[int, int]:
    """Return the part of a string that an assignment to a range replaces."""
    length = len(text)
    if not text:
        return 0, 0
    start = span.start if span.start >= 0 else within(length, span.start, "ErrorStringBounds", position)
    end = span.end
    if end < 0:
        end = length + end if length + end >= 0 else 0
    if type(span) is InclusiveRange:
        end = min(end, length - 1) + 1
    return min(start, length), min(end, length)


def _set_in_integer(value: int, index: Any, item: Any, position: Position, operator: Position) -> int:
    if isinstance(index, Range):
        shift, mask = _field(index, position)
        if type(item) is not int:
            raise mismatch("integer", raw_type_name(item), operator)
        return signed((value & ~mask) | (item << shift & mask))
    bit = 1 << within(_BITS, _integer(index, position), "ErrorBitFieldBounds", position)
    if type(item) is not bool:
        raise mismatch("bool", raw_type_name(item), operator)
    return signed(value | bit if item else value & ~bit)


def _set_in_blob(blob: bytearray, index: Any, item: Any, position: Position, operator: Position) -> bytearray:
    at = within(len(blob), _integer(index, position), "ErrorArrayBounds", position)
    if type(item) is not int:
        raise mismatch("INT", raw_type_name(item), operator)
    blob[at] = item & 0xFF
    return blob


_SETTERS: Final[dict[type, Callable[..., Any]]] = {
    str: _set_in_string,
    int: _set_in_integer,
    bytearray: _set_in_blob,
}


def signed(bits: int) -> int:
    """Return the lowest 64 bits as a signed integer."""
    bits &= (1 << 64) - 1
    return bits - (1 << 64) if bits >> 63 else bits
