"""``kv::``: values under keys, per app.

    kv::get(key)                            the value, or () if there is none
    kv::get(key, default)
    kv::get_many(keys)                      a map of those that have a value
    kv::set(key, value)                     from the run's success on, for everyone; at once for the run itself
    kv::set(key, value, #{ttl})             for so long
    kv::delete(key)
    kv::incr(key)                           adds 1, or ``by``, to an integer that is 0 as long as there is none
    kv::incr(key, by)
    kv::incr(key, by, #{ttl})               a counter that is new then ends after so long
    kv::append(key, item)                   puts an item behind those of an array
    kv::append(key, item, #{ttl})
    kv::compare_and_set(key, was, value)    sets if the value is ``was`` (() for none); whether it did
    kv::list(prefix)                        the keys with that prefix, in order, at most 1,000
    kv::page(prefix)                        #{entries, cursor}: keys with their values, page by page
    kv::page(prefix, #{limit, cursor})

What a run has read and then writes is checked when it commits: if another run got there first, it is run again on what
the other wrote, so two runs can't overwrite each other unknowingly. What it writes without having read goes behind
whatever is there: ``incr`` and ``append`` of many runs at once all count, and none of them is run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from picloud.domain.duration import parse_duration
from picloud.domain.kv import (
    MAX_NUMBER,
    MAX_VALUE_BYTES,
    Entry,
    KeyAppended,
    KeyDeleted,
    KeyEvent,
    KeyIncremented,
    KeyWritten,
    appended,
    cursor_of,
    fault_of_key,
    incremented,
    json_text,
    key_id,
    key_of,
)
from picloud.postgres.sessions import Sessions
from picloud.services.arguments import Options, kind_of, options_of, refused_as
from picloud.services.work import ServiceError, Work

MAX_WRITES: Final = 1_000
MAX_WRITTEN_BYTES: Final = 16 * 1024 * 1024
"""Of what one run writes: a part of the memory of the node."""
MAX_LISTED: Final = 1_000
MAX_PAGE: Final = 200
MAX_TTL_MS: Final = 3_650 * 86_400_000

_GET: Final = "SELECT key, value, version, expires FROM kv.entries WHERE app = %s AND key = ANY (%s)"
_LIST: Final = """
    SELECT key
    FROM kv.entries
    WHERE app = %s AND starts_with(key, %s) AND key > %s AND value IS NOT NULL AND (expires IS NULL OR expires > %s)
    ORDER BY key
    LIMIT %s
"""
_TTL: Final[Options] = {"ttl": (str, 'a string such as "1h"')}
_PAGE: Final[Options] = {"limit": (int, f"an integer from 1 to {MAX_PAGE}"), "cursor": (str, "a string")}


@dataclass(frozen=True, slots=True)
class Written:
    """What a run does to a key: gives it the JSON text ``value`` until ``expires``, or takes it away (None)."""

    value: str | None
    expires: datetime | None = None

    def event(self, head: Mapping[str, Any]) -> KeyEvent:
        """It as an event."""
        if self.value is None:
            return KeyDeleted(**head)
        return KeyWritten(**head, value=self.value, expires=self.expires)

    def on(self, value: str | None) -> str | None:
        """What the key has then, if it had ``value``."""
        return self.value

    @property
    def size(self) -> int:
        """Bytes of what is written."""
        return len(self.value or "")


@dataclass(frozen=True, slots=True)
class Added:
    """What a run adds to a key's integer."""

    by: int
    expires: datetime | None = None

    def event(self, head: Mapping[str, Any]) -> KeyEvent:
        """It as an event."""
        return KeyIncremented(**head, by=self.by, expires=self.expires)

    def on(self, value: str | None) -> str | None:
        """What the key has then, if it had ``value``. Raises ValueError if that is no integer."""
        return incremented(value, self.by)

    @property
    def size(self) -> int:
        """Bytes of what is written."""
        return 0


@dataclass(frozen=True, slots=True)
class Extended:
    """What a run puts behind the items of a key's array, as JSON text without brackets."""

    items: str
    expires: datetime | None = None

    def event(self, head: Mapping[str, Any]) -> KeyEvent:
        """It as an event."""
        return KeyAppended(**head, items=self.items, expires=self.expires)

    def on(self, value: str | None) -> str | None:
        """What the key has then, if it had ``value``. Raises ValueError if that is no array."""
        return appended(value, self.items)

    @property
    def size(self) -> int:
        """Bytes of what is written."""
        return len(self.items)


@dataclass(slots=True)
class KvDraft:
    """Keys that a run has read, and what it does to keys."""

    app: str
    seen: dict[str, Entry] = field(default_factory=dict)
    written: dict[str, Written | Added | Extended] = field(default_factory=dict)
    written_bytes: int = 0

    def events(self) -> list[KeyEvent]:
        """See :class:`picloud.services.work.Draft`."""
        events: list[KeyEvent] = []
        for key, change in self.written.items():
            seen = self.seen.get(key)
            version = seen.version + 1 if seen is not None else 0
            head = {"originator_id": key_id(self.app, key), "originator_version": version, "key": key}
            events.append(change.event(head))
        return events


class Kv:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.functions: dict[str, Callable[..., Any]] = {
            "append": self.append,
            "compare_and_set": self.compare_and_set,
            "delete": self.delete,
            "get": self.get,
            "get_many": self.get_many,
            "incr": self.incr,
            "list": self.list,
            "page": self.page,
            "set": self.set,
        }

    def get(self, work: Work, key: Any, default: Any = None) -> Any:
        """The value under ``key``, the default if there is none."""
        _check_key(key, "get")
        value = self._value(work, key)
        return default if value is None else json.loads(value)

    def get_many(self, work: Work, keys: Any) -> dict[str, Any]:
        """The values of those of the keys that have one."""
        if not isinstance(keys, list) or len(keys) > MAX_LISTED:
            found = f"{len(keys):,}" if isinstance(keys, list) else kind_of(keys)
            raise ServiceError(f"kv::get_many takes an array of {MAX_LISTED:,} keys at most, not {found}")
        for key in keys:
            _check_key(key, "get_many")
        self._look_up(work, keys)
        values = ((key, self._value(work, key)) for key in keys)
        return {key: json.loads(value) for key, value in values if value is not None}

    def set(self, work: Work, key: Any, value: Any, options: Any = None) -> None:
        """Put ``value`` under ``key``."""
        _check_key(key, "set")
        self._write(work, key, Written(_as_json(value, "set"), _expiry(work, options, "set")))

    def delete(self, work: Work, key: Any) -> None:
        """Take ``key`` away."""
        _check_key(key, "delete")
        draft = work.draft(KvDraft)
        known = draft.written.get(key) or draft.seen.get(key)
        if known is None or not isinstance(known, Entry | Written) or known.value is not None:
            self._write(work, key, Written(None))

    def incr(self, work: Work, key: Any, by: Any = 1, options: Any = None) -> None:
        """Add ``by`` to the integer under ``key``."""
        _check_key(key, "incr")
        if type(by) is not int:
            raise ServiceError(f"kv::incr adds an integer, not {kind_of(by)}")
        expires = _expiry(work, options, "incr")
        written = work.draft(KvDraft).written.get(key)
        total = by + written.by if isinstance(written, Added) else by
        if isinstance(written, Added) and not -MAX_NUMBER - 1 <= total <= MAX_NUMBER:
            raise ServiceError("kv::incr: the sum has more than 64 bits")
        self._change(work, "incr", key, Added(total, expires), Added(by, expires))

    def append(self, work: Work, key: Any, item: Any, options: Any = None) -> None:
        """Put ``item`` behind those of the array under ``key``."""
        _check_key(key, "append")
        text = _as_json(item, "append")
        expires = _expiry(work, options, "append")
        written = work.draft(KvDraft).written.get(key)
        items = f"{written.items},{text}" if isinstance(written, Extended) else text
        if len(items) > MAX_VALUE_BYTES:
            raise ServiceError(f"kv::append: the array would have more than {MAX_VALUE_BYTES:,} bytes as JSON")
        self._change(work, "append", key, Extended(items, expires), Extended(text, expires))

    def compare_and_set(self, work: Work, key: Any, was: Any, value: Any, options: Any = None) -> bool:
        """Put ``value`` under ``key`` if it has ``was``; () is none, before and after. Whether it did."""
        _check_key(key, "compare_and_set")
        wanted = None if was is None else _as_json(was, "compare_and_set")
        text = None if value is None else _as_json(value, "compare_and_set")
        expires = _expiry(work, options, "compare_and_set")
        held = self._value(work, key)
        if not _equal(held, wanted):
            return False
        self._write(work, key, Written(text, expires if text is not None else None))
        return True

    def list(self, work: Work, prefix: Any) -> Sequence[str]:
        """The keys that begin with ``prefix``, in the order of their characters."""
        if not isinstance(prefix, str):
            raise ServiceError(f"kv::list takes a prefix as a string, not {kind_of(prefix)}")
        return self._keys(work, prefix, "", MAX_LISTED)

    def page(self, work: Work, prefix: Any, options: Any = None) -> dict[str, Any]:
        """Keys that begin with ``prefix``, with their values, and the cursor of the next page, None at the end."""
        if not isinstance(prefix, str):
            raise ServiceError(f"kv::page takes a prefix as a string, not {kind_of(prefix)}")
        given = options_of("kv::page", options, _PAGE)
        limit = given.get("limit", MAX_PAGE)
        if not 1 <= limit <= MAX_PAGE:
            raise ServiceError(f"kv::page: limit is from 1 to {MAX_PAGE}, not {limit}")
        keys = self._keys(work, prefix, _after(given.get("cursor")), limit + 1)
        shown = keys[:limit]
        self._look_up(work, shown)
        entries = [{"key": key, "value": json.loads(self._value(work, key) or "null")} for key in shown]
        return {"entries": entries, "cursor": cursor_of(shown[-1]) if len(keys) > limit else None}

    def _keys(self, work: Work, prefix: str, after: str, limit: int) -> Sequence[str]:
        draft = work.draft(KvDraft)
        keys = {*self._stored_keys(work, prefix, after, limit + len(draft.written))}
        for key, change in draft.written.items():
            if key.startswith(prefix) and key > after:
                gone = isinstance(change, Written) and change.value is None
                (keys.discard if gone else keys.add)(key)
        return sorted(keys)[:limit]

    def _value(self, work: Work, key: str) -> str | None:
        change = work.draft(KvDraft).written.get(key)
        if isinstance(change, Written):
            return change.value
        value = self._seen(work, key).value
        if change is None:
            return value
        try:
            return change.on(value)
        except ValueError as error:
            raise ServiceError(f"kv:: can't do what the run did to the key {key!r}: {error}") from None

    def _change(self, work: Work, function: str, key: str, together: Added | Extended, alone: Added | Extended) -> None:
        """Add to a key: ``together`` with what the run did to it before, if that was the same; else on what it gave."""
        draft = work.draft(KvDraft)
        written = draft.written.get(key)
        try:
            if isinstance(written, Written):
                expires = alone.expires if written.value is None else written.expires
                self._write(work, key, Written(alone.on(written.value), expires))
                return
            if written is not None and type(written) is not type(together):
                raise ValueError("the run has added to it and appended to it")
            if work.careful or key in draft.seen:
                together.on(self._seen(work, key).value)
        except ValueError as error:
            raise ServiceError(f"kv::{function}: {error}") from None
        self._write(work, key, together)

    def _seen(self, work: Work, key: str) -> Entry:
        draft = work.draft(KvDraft)
        if key not in draft.seen:
            self._look_up(work, [key])
        return draft.seen[key]

    def _look_up(self, work: Work, keys: Iterable[str]) -> None:
        """Read those of the keys that the run hasn't read yet."""
        draft = work.draft(KvDraft)
        unknown = [key for key in dict.fromkeys(keys) if key not in draft.seen]
        if unknown:
            draft.seen |= self._stored(work, unknown)

    def _stored(self, work: Work, keys: Sequence[str]) -> dict[str, Entry]:
        with self._sessions.session() as connection:
            rows = connection.execute(_GET, (work.app, [*keys]), prepare=True).fetchall()
        found: dict[str, Entry] = dict.fromkeys(keys, Entry())
        now = now_of(work)
        for key, value, version, expires in rows:
            found[key] = Entry(value, version, expires).at(now)
        return found

    def _stored_keys(self, work: Work, prefix: str, after: str, limit: int) -> Iterable[str]:
        with self._sessions.session() as connection:
            rows = connection.execute(_LIST, (work.app, prefix, after, now_of(work), limit)).fetchall()
        return (row[0] for row in rows)

    def _write(self, work: Work, key: str, change: Written | Added | Extended) -> None:
        draft = work.draft(KvDraft)
        before = draft.written.get(key)
        draft.written[key] = change
        draft.written_bytes += change.size - (before.size if before is not None else 0)
        if len(draft.written) > MAX_WRITES:
            raise ServiceError(f"kv:: a run may write {MAX_WRITES:,} keys at most")
        if draft.written_bytes > MAX_WRITTEN_BYTES:
            raise ServiceError(f"kv:: a run may write {MAX_WRITTEN_BYTES:,} bytes at most")


def now_of(work: Work) -> datetime:
    """The run's clock: by it values have expired or not."""
    return datetime.fromtimestamp(work.caller.clock_ms / 1000, UTC)


def _expiry(work: Work, options: Any, function: str) -> datetime | None:
    ttl = options_of(f"kv::{function}", options, _TTL).get("ttl")
    if ttl is None:
        return None
    with refused_as(f"kv::{function}: ttl"):
        milliseconds = parse_duration(ttl, field="ttl", least_ms=1, most_ms=MAX_TTL_MS)
    return now_of(work) + timedelta(milliseconds=milliseconds)


def _equal(one: str | None, other: str | None) -> bool:
    if one is None or other is None or one == other:
        return one == other
    return _sorted(one) == _sorted(other)


def _sorted(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _check_key(key: Any, function: str) -> None:
    if not isinstance(key, str):
        raise ServiceError(f"kv::{function} takes a key as a string, not {kind_of(key)}")
    fault = fault_of_key(key)
    if fault:
        raise ServiceError(f"kv::{function}: {fault}")


def _as_json(value: Any, function: str) -> str:
    try:
        return json_text(value)
    except ValueError as error:
        raise ServiceError(f"kv::{function}: {error}") from None


def _after(cursor: str | None) -> str:
    try:
        return "" if cursor is None else key_of(cursor)
    except ValueError:
        raise ServiceError(f"kv::page: the cursor {(cursor or '')[:60]!r} is none that kv::page gave") from None
