"""Keys and values of an app's scripts. Each key is a stream: its history is in the log, its version is a fence.

What sets, deletes, adds or appends without having read the key is put behind whatever is there: it has the version 0
until it is appended, and never conflicts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from picloud.domain.names import stream_id

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 256 * 1024
"""Of a value as JSON, escaped to ASCII."""
MAX_NUMBER: Final = 2**63 - 1


def key_id(app: str, key: str) -> UUID:
    """The stream id of ``key`` in ``app``."""
    return stream_id("key", app, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWritten:
    """The key has this value from now on, or until ``expires``; ``value`` is JSON text."""

    originator_id: UUID
    originator_version: int
    key: str
    value: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDeleted:
    """The key has no value from now on."""

    originator_id: UUID
    originator_version: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIncremented:
    """``by`` is added to the key's integer, 0 if it has no value; one that is new then has it until ``expires``."""

    originator_id: UUID
    originator_version: int
    key: str
    by: int
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAppended:
    """Items are put behind those of the key's array, which is empty if it has no value; one that is new then has it
    until ``expires``. ``items`` is JSON text without the brackets."""

    originator_id: UUID
    originator_version: int
    key: str
    items: str
    expires: datetime | None = None


KeyEvent = KeyWritten | KeyDeleted | KeyIncremented | KeyAppended


def fault_of_key(key: Any) -> str:
    """What is wrong with a key; empty if nothing is."""
    if not isinstance(key, str):
        return "a key is a string"
    size = len(key.encode("utf-8", "surrogatepass"))
    if 1 <= size <= MAX_KEY_BYTES and "\0" not in key:
        return ""
    return f"a key has 1 to {MAX_KEY_BYTES} bytes and no zero byte, this one has {size}"


def json_text(value: Any) -> str:
    """A plain value as JSON text. Raises ValueError with what is wrong."""
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the value can't be stored as JSON: {error}") from None
    if len(text) > MAX_VALUE_BYTES:
        raise ValueError(f"a value has {MAX_VALUE_BYTES} bytes at most as JSON, this one has {len(text)}")
    return text
