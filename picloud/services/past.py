"""Services as they would have answered at a position of the log, where it can tell: ``kv::``, ``config::``, ``import``.

For a run that is repeated on its record, and asks what it didn't ask then. What the record tells goes first: a value
that the run read is that value, whatever the log says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain.kv import (
    Entry,
    KeyAppended,
    KeyDeleted,
    KeyEvent,
    KeyIncremented,
    KeyWritten,
    evolve,
    json_text,
    key_id,
)
from picloud.domain.script import Script
from picloud.domain.setting import Setting, SettingSet
from picloud.log.contents import get_content
from picloud.log.reader import read_newest_events, read_stream
from picloud.postgres.sessions import Sessions
from picloud.services.config import Config, Values
from picloud.services.kv import Kv, KvDraft, now_of
from picloud.services.work import ServiceError, Work

MAX_KEYS: Final = 10_000
"""So many keys with one prefix are looked at for the past of a list."""

_SETTINGS: Final = "SELECT name FROM catalog.settings WHERE app = %s"
_KEYS: Final = "SELECT key FROM kv.entries WHERE app = %s AND starts_with(key, %s) ORDER BY key LIMIT %s"


class PastKv(Kv):
    """``kv::`` at a position of the log."""

    def __init__(self, sessions: Sessions, position: int) -> None:
        super().__init__(sessions)
        self._position = position
        self._values: dict[str, Entry] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    def learn(self, function: str, args: list[Any], answer: Any, work: Work) -> None:
        """Take in what the record tells: the answer to a call of a run that had done ``work`` by then."""
        written = work.draft(KvDraft).written
        if function == "get" and len(args) == 1:
            self._learn(written, args[0], answer)
        elif function == "get_many":
            for key in args[0]:
                self._learn(written, key, answer.get(key))
        elif function == "page":
            for entry in answer["entries"]:
                self._learn(written, entry["key"], entry["value"])
        elif function == "list":
            (prefix,) = args
            if not any(key.startswith(prefix) for key in written):
                self._lists.setdefault(prefix, tuple(answer))

    def _learn(self, written: Mapping[str, Any], key: str, value: Any) -> None:
        if key not in written and key not in self._values:
            self._values[key] = Entry(None if value is None else json_text(value), 0)

    def effects(self, work: Work) -> list[tuple[str, list[Any]]]:
        """What the work comes to: function and arguments, one call for each key."""
        return [effect_of(event) for event in work.draft(KvDraft).events()]

    def _stored(self, work: Work, keys: Sequence[str]) -> dict[str, Entry]:
        found = {key: self._values[key] for key in keys if key in self._values}
        streams = {key_id(work.app, key): key for key in keys if key not in found}
        if streams:
            with self._sessions.session() as connection:
                past = values_at(connection, streams, position=self._position, now=now_of(work))
            found |= {key: past.get(stream, Entry()) for stream, key in streams.items()}
        return found

    def _stored_keys(self, work: Work, prefix: str, after: str, limit: int) -> Iterable[str]:
        known = self._lists.get(prefix)
        if known is not None:
            return [key for key in known if key > after]
        with self._sessions.session() as connection:
            rows = connection.execute(_KEYS, (work.app, prefix, MAX_KEYS + 1)).fetchall()
            if len(rows) > MAX_KEYS:
                raise ServiceError(f'kv::list("{prefix}") was not recorded, and has too many keys to be looked for')
            streams = {key_id(work.app, row[0]): row[0] for row in rows}
            past = values_at(connection, streams, position=self._position, now=now_of(work))
        keys = (streams[stream] for stream, entry in past.items() if entry.value is not None)
        return (key for key in keys if key > after)


def effect_of(event: KeyEvent) -> tuple[str, list[Any]]:
    """The function of ``kv::``, and its arguments, that an event comes from."""
    match event:
        case KeyWritten(key=key, value=value):
            return "set", [key, json.loads(value)]
        case KeyIncremented(key=key, by=by):
            return "incr", [key, by]
        case KeyAppended(key=key, items=items):
            return "append", [key, *json.loads(f"[{items}]")]
        case KeyDeleted(key=key):
            return "delete", [key]


def values_at(
    connection: psycopg.Connection, streams: Iterable[UUID], *, position: int, now: datetime
) -> dict[UUID, Entry]:
    """What keys, by their streams, had at a position of the log; what had expired by ``now`` has no value."""
    newest = read_newest_events(connection, list(streams), up_to=position)
    found: dict[UUID, Entry] = {}
    for stream, recorded in newest.items():
        events = [recorded]
        if isinstance(recorded.event, KeyIncremented | KeyAppended):
            events = [each for each in read_stream(connection, stream) if each.position <= position]
        entry = Entry()
        for each in events:
            event: Any = each.event
            entry = evolve(entry, event, each.at)
        found[stream] = entry.at(now)
    return found


class PastConfig(Config):
    """``config::`` at a position of the log."""

    def __init__(self, sessions: Sessions, position: int) -> None:
        super().__init__(self._at_position)
        self._sessions = sessions
        self._position = position
        self._known: dict[str, Any] = {}

    def learn(self, function: str, args: list[Any], answer: Any) -> None:
        """Take in what the record tells: the answer to a call."""
        if function == "all":
            self._known |= answer
        elif len(args) == 1:
            self._known[args[0]] = answer

    def _at_position(self, app: str) -> Values:
        with self._sessions.session() as connection:
            names = [row[0] for row in connection.execute(_SETTINGS, (app,)).fetchall()]
            streams = {Setting.id_of(app, name): name for name in names}
            newest = read_newest_events(connection, list(streams), up_to=self._position)
        found = {}
        for stream, recorded in newest.items():
            event: Any = recorded.event
            if isinstance(event, SettingSet):
                found[streams[stream]] = json.loads(event.value)
        values = found | self._known
        return {name: values[name] for name in sorted(values)}


class PastModules:
    """``import`` at a position of the log: the version that the record names, or that the script's own version pins, or
    that was deployed then."""

    def __init__(self, sessions: Sessions, position: int, recorded: Mapping[str, str | None]) -> None:
        """``recorded`` are the hashes of sources by the scripts' names; None for one that there wasn't."""
        self._sessions = sessions
        self._position = position
        self._recorded = recorded
        self.functions: dict[str, Callable[..., Any]] = {"source": self.source}

    def source(self, work: Work, name: str) -> str | None:
        """The source of the app's script called ``name``; None if there was none."""
        with self._sessions.session() as connection:
            if name in self._recorded:
                sha256 = self._recorded[name]
            else:
                pinned = self._pinned(connection, work, name)
                sha256 = pinned if pinned is not None else self._deployed(connection, work.app, name)
            return None if sha256 is None else get_content(connection, sha256).decode()

    def _pinned(self, connection: psycopg.Connection, work: Work, name: str) -> str | None:
        script: Any = None
        for recorded in read_stream(connection, Script.id_of(work.app, work.caller.title.partition("/")[2])):
            event: Any = recorded.event
            script = event.mutate(script)
        version = script.versions.get(work.caller.version) if script is not None else None
        pin = (version.imports or {}).get(name) if version is not None else None
        return None if pin is None else str(pin.sha256)

    def _deployed(self, connection: psycopg.Connection, app: str, name: str) -> str | None:
        script: Any = None
        for recorded in read_stream(connection, Script.id_of(app, name)):
            if recorded.position <= self._position:
                event: Any = recorded.event
                script = event.mutate(script)
        if script is None or script.current is None:
            return None
        return str(script.versions[script.current].sha256)
