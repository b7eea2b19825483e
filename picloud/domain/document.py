"""Documents of an app's scripts: maps of JSON, in collections. Each document is a stream, as a key of ``kv::`` is.

A run's writes come to one event for each document. Every event but a deletion holds the document whole, so that each of
its versions can be read where it stands; a patch is told beside what it came to.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.names import stream_id

MAX_BYTES: Final = 256 * 1024
"""Of a document as JSON text."""
MAX_DEPTH: Final = 32
"""Arrays and maps inside one another, the document itself among them."""
MAX_ID_BYTES: Final = 128

_COLLECTION: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_NO_ID: Final = re.compile(r"[\x00-\x1f\x7f/]|\A\.\.?\Z")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KINDS: Final[dict[type, str]] = {
    type(None): "()",
    bool: "a bool",
    int: "an integer",
    float: "a float",
    bytes: "a blob",
    list: "an array",
    dict: "a map",
}
_INTEGERS: Final = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInserted:
    """The document is there from now on. ``data`` is JSON text, as in the events below."""

    originator_id: UUID
    originator_version: int
    collection: str
    document: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReplaced:
    """The document holds ``data`` from now on, and nothing of what it held."""

    originator_id: UUID
    originator_version: int
    collection: str
    document: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPatched:
    """The document was changed by a merge patch (RFC 7396), which made it ``data``."""

    originator_id: UUID
    originator_version: int
    collection: str
    document: str
    patch: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDeleted:
    """The document is gone from now on."""

    originator_id: UUID
    originator_version: int
    collection: str
    document: str


DocumentEvent = DocumentInserted | DocumentReplaced | DocumentPatched | DocumentDeleted


def stream_of(app: str, collection: str, document: str) -> UUID:
    """The stream id of the document ``document`` of a collection."""
    return stream_id("document", app, collection, document)


def made_id(run: UUID, number: int, *, attempt: int, at_ms: int) -> str:
    """An id for the document that a run inserts as its ``number``-th, in the shape of a UUIDv7 (RFC 9562).

    It follows from its arguments alone. Ids sort by ``at_ms`` (Unix time), and those of one run by their numbers.
    """
    digest = hashlib.sha256(f"{run}\x1f{attempt}\x1f{number}".encode()).digest()
    value = (at_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (number & 0xFFF) << 64
    return str(UUID(int=value | 0x2 << 62 | int.from_bytes(digest[:8]) >> 2))


def check_collection(name: str, *, field: str = "collection") -> str:
    """Return ``name`` if it can name a collection; raise :class:`Invalid` otherwise."""
    if not _COLLECTION.fullmatch(name):
        raise Invalid(
            f"{shortened(name)} can't name a collection: expected 1 to 63 letters, digits, '_' or '-', beginning with "
            "a letter",
            field=field,
            remedy='For example: "orders".',
        )
    return name


def check_id(document: str, *, field: str = "id") -> str:
    """Return ``document`` if it can be a document's id; raise :class:`Invalid` otherwise."""
    size = len(document.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= MAX_ID_BYTES or _NO_ID.search(document) or not _encodes(document):
        raise Invalid(
            f"{shortened(document)} can't be a document's id: expected 1 to {MAX_ID_BYTES} bytes without control "
            f"characters and '/', found {size} bytes",
            field=field,
            remedy="Leave the id out to get one made.",
        )
    return document


def text_of(data: Any) -> str:
    """A document as JSON text. Raises :class:`Invalid` with the place of what can't be kept.

    The text holds numbers and strings exactly as they are: 1 and 1.0 stay two things, so do 0.0 and -0.0. Members of
    maps are in the order of their names, as scripts have them.
    """
    if not isinstance(data, dict):
        raise Invalid(
            f"a document is a map, found {kind_of(data)}",
            field="data",
            remedy="Put the value into one, such as #{value: 5}.",
        )
    check_value(data, "data")
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_BYTES:
        raise Invalid(
            f"a document has {MAX_BYTES:,} bytes at most as JSON, this one has {size:,}",
            field="data",
            remedy="Make several of it, or keep large content as a file.",
        )
    return text


def check_value(value: Any, place: str, depth: int = 1) -> None:
    """Raise :class:`Invalid` with the place of what no document can hold, if there is such in ``value``."""
    kind = type(value)
    if kind is str:
        _check_text(value, place)
    elif kind is dict or kind is list:
        if depth > MAX_DEPTH:
            raise _unfit(place, f"is deeper than {MAX_DEPTH} levels", "Make it flatter.")
        if kind is list:
            for index, item in enumerate(value):
                check_value(item, f"{place}[{index}]", depth + 1)
        else:
            for name, item in value.items():
                _check_text(name, place)
                check_value(item, _member(place, name), depth + 1)
    elif kind is int:
        if value not in _INTEGERS:
            raise _unfit(place, "is an integer beyond 64 bits", "Keep it as a string.")
    elif kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            raise _unfit(place, "is no finite number", "Keep it as a string, or leave it out.")
    elif kind is bytes:
        raise _unfit(
            place, "is a blob, which JSON can't hold", "Encode it as text, with crypto::to_base64 for example."
        )
    elif value is not None and kind is not bool:
        raise _unfit(place, f"is a {kind.__name__}, which JSON can't hold", "Leave it out.")


def kind_of(value: Any) -> str:
    """The type of a value as scripts know it."""
    return _KINDS.get(type(value), "a string")


def shortened(text: str) -> str:
    """A text of somebody's, quoted, of bearable length."""
    return repr(text if len(text) <= 80 else text[:77] + "…")


def _check_text(text: str, place: str) -> None:
    if "\x00" in text:
        raise _unfit(place, "holds a zero character, which can't be kept", "Take it out.")
    if not _encodes(text):
        raise _unfit(place, "holds half a character, which can't be kept", "Take it out.")


def _encodes(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unfit(place: str, what: str, remedy: str) -> Invalid:
    return Invalid(f"{place if len(place) <= 200 else '…' + place[-199:]} {what}", field="data", remedy=remedy)


def _member(place: str, name: str) -> str:
    return f"{place}.{name}" if _NAME.fullmatch(name) else f"{place}[{shortened(name)}]"
