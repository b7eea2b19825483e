"""Keys and values of an app's scripts. Each key is a stream: its history is in the log, its version is a fence.

What sets, deletes, adds or appends without having read the key is put behind whatever is there: it has the version 0
until it is appended, and never conflicts.
"""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
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


@dataclass(frozen=True, slots=True)
class Entry:
    """What a key has: JSON text or None, the version of its stream (0: never written), and until when it has that."""

    value: str | None = None
    version: int = 0
    expires: datetime | None = None

    def at(self, time: datetime) -> Entry:
        """The same at that time: what has expired has no value."""
        gone = self.expires is not None and self.expires <= time
        return Entry(None, self.version) if gone else self


def evolve(entry: Entry, event: KeyEvent, at: datetime) -> Entry:
    """The entry after an event of that time; the rule of ``log.change_kv``. Raises ValueError for a value of another
    type than the event needs."""
    version = event.originator_version
    if isinstance(event, KeyWritten):
        return Entry(event.value, version, event.expires)
    if isinstance(event, KeyDeleted):
        return Entry(None, version)
    was = entry.at(at)
    expires = event.expires if was.value is None else was.expires
    if isinstance(event, KeyIncremented):
        return Entry(incremented(was.value, event.by), version, expires)
    return Entry(appended(was.value, event.items), version, expires)


def incremented(value: str | None, by: int) -> str:
    """JSON text of an integer, or None for 0, with ``by`` added. Raises ValueError for anything else."""
    number = json.loads(value) if value is not None else 0
    if type(number) is not int:
        raise ValueError(f"the key has {_shown(number)}, and only an integer can be added to")
    total = number + by
    if not -MAX_NUMBER - 1 <= total <= MAX_NUMBER:
        raise ValueError("the sum has more than 64 bits")
    return str(total)


def appended(value: str | None, items: str) -> str:
    """JSON text of an array, or None for an empty one, with items behind it. Raises ValueError for anything else."""
    if value is None or value == "[]":
        return f"[{items}]"
    if not value.startswith("["):
        raise ValueError(f"the key has {_shown(json.loads(value))}, and only an array can be appended to")
    if len(value) + len(items) + 1 > MAX_VALUE_BYTES:
        raise ValueError(f"the array would have more than {MAX_VALUE_BYTES:,} bytes as JSON")
    return f"{value[:-1]},{items}]"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:59] + "…"


def cursor_of(key: str) -> str:
    """What stands for the place behind a key in a list."""
    return urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """The key of :func:`cursor_of`. Raises ValueError for any other text."""
    key = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    if fault_of_key(key):
        raise ValueError("it stands for no key")
    return key


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
