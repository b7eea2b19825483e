"""``kv::``: values under keys, per app.

    kv::get(key)          the value, or () if there is none
    kv::set(key, value)   from the run's success on, for everyone; at once for the run itself
    kv::delete(key)
    kv::list(prefix)      the keys with that prefix, in order, at most 1,000

Two runs that change one key at the same time can't overwrite each other unknowingly: the later one is run again on what
the earlier one wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from picloud.domain.kv import KeyDeleted, KeyWritten, key_id
from picloud.postgres.sessions import Sessions
from picloud.services.work import Seen, ServiceError, Work

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 256 * 1024
MAX_WRITES: Final = 1_000
MAX_LISTED: Final = 1_000

_GET: Final = "SELECT value, version FROM kv.entries WHERE app = %s AND key = %s"
_LIST: Final = r"""
    SELECT key
    FROM kv.entries
    WHERE app = %s AND starts_with(key, %s) AND value IS NOT NULL
    ORDER BY key
    LIMIT %s
"""


class Kv:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.functions: dict[str, Callable[..., Any]] = {
            "get": self.get,
            "set": self.set,
            "delete": self.delete,
            "list": self.list,
        }

    def get(self, work: Work, key: Any) -> Any:
        """The value under ``key``, None if there is none."""
        _check_key(key, "get")
        value = work.written[key] if key in work.written else self._seen(work, key).value
        return None if value is None else json.loads(value)

    def set(self, work: Work, key: Any, value: Any) -> None:
        """Put ``value`` under ``key``."""
        _check_key(key, "set")
        text = _as_json(value)
        self._write(work, key, text)

    def delete(self, work: Work, key: Any) -> None:
        """Take ``key`` away."""
        _check_key(key, "delete")
        if self.get(work, key) is not None or key in work.written:
            self._write(work, key, None)

    def list(self, work: Work, prefix: Any) -> list[str]:
        """The keys that begin with ``prefix``, in the order of their characters."""
        if not isinstance(prefix, str):
            raise ServiceError(f"kv::list takes a prefix as a string, not {_kind(prefix)}")
        keys = {*self._stored_keys(work, prefix)}
        for key, value in work.written.items():
            if key.startswith(prefix):
                (keys.discard if value is None else keys.add)(key)
        return sorted(keys)[:MAX_LISTED]

    def _seen(self, work: Work, key: str) -> Seen:
        seen = work.seen.get(key)
        if seen is None:
            seen = work.seen[key] = self._stored(work, key)
        return seen

    def _stored(self, work: Work, key: str) -> Seen:
        with self._sessions.session() as connection:
            row = connection.execute(_GET, (work.app, key), prepare=True).fetchone()
        return Seen(row[0], row[1]) if row is not None else Seen(None, 0)

    def _stored_keys(self, work: Work, prefix: str) -> Iterable[str]:
        with self._sessions.session() as connection:
            rows = connection.execute(_LIST, (work.app, prefix, MAX_LISTED + len(work.written))).fetchall()
        return (row[0] for row in rows)

    def _write(self, work: Work, key: str, value: str | None) -> None:
        self._seen(work, key)
        work.written[key] = value
        if len(work.written) > MAX_WRITES:
            raise ServiceError(f"a run may write {MAX_WRITES} keys at most")


def effects(work: Work) -> list[KeyWritten | KeyDeleted]:
    """The events that make the run's writes true, each at the version behind the one that the run saw."""
    events: list[KeyWritten | KeyDeleted] = []
    for key, value in work.written.items():
        stream, version = key_id(work.app, key), work.seen[key].version + 1
        if value is None:
            events.append(KeyDeleted(originator_id=stream, originator_version=version, key=key))
        else:
            events.append(KeyWritten(originator_id=stream, originator_version=version, key=key, value=value))
    return events


def _check_key(key: Any, function: str) -> None:
    if not isinstance(key, str):
        raise ServiceError(f"kv::{function} takes a key as a string, not {_kind(key)}")
    size = len(key.encode())
    if not 1 <= size <= MAX_KEY_BYTES or "\0" in key:
        raise ServiceError(
            f"kv::{function}: a key has 1 to {MAX_KEY_BYTES} bytes and no zero byte, this one has {size}"
        )


def _as_json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ServiceError(f"kv::set: the value can't be stored as JSON: {error}") from None
    if len(text) > MAX_VALUE_BYTES:
        raise ServiceError(f"kv::set: a value has {MAX_VALUE_BYTES} bytes at most as JSON, this one has {len(text)}")
    return text


def _kind(value: Any) -> str:
    names = {type(None): "()", bool: "bool", int: "i64", float: "f64", bytes: "blob", list: "array", dict: "map"}
    return names.get(type(value), type(value).__name__)
