"""Services as they would have answered at a position of the log, where the log can tell: ``kv::`` and ``import``.

For a run that is repeated on its record, and asks what it didn't ask then. What the record tells goes first: a value
that the run read is that value, whatever the log says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import psycopg

from picloud.domain.kv import KeyWritten, key_id
from picloud.domain.script import Script
from picloud.log.contents import get_content
from picloud.log.reader import read_newest_events, read_stream
from picloud.postgres.sessions import Sessions
from picloud.services.kv import MAX_WRITES, Kv
from picloud.services.work import Seen, ServiceError, Work

MAX_KEYS: Final = 10_000
"""So many keys with one prefix are looked at for the past of a list."""

_KEYS: Final = "SELECT key FROM kv.entries WHERE app = %s AND starts_with(key, %s) ORDER BY key LIMIT %s"


class PastKv(Kv):
    """``kv::`` at a position of the log."""

    def __init__(self, sessions: Sessions, position: int) -> None:
        super().__init__(sessions)
        self._position = position
        self._values: dict[str, Seen] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    def learn(self, function: str, args: list[Any], answer: Any, work: Work) -> None:
        """Take in what the record tells: the answer to a call of a run that had done ``work`` by then."""
        if function == "get":
            (key,) = args
            if key not in work.written and key not in self._values:
                self._values[key] = Seen(None if answer is None else json.dumps(answer, separators=(",", ":")), 0)
        elif function == "list":
            (prefix,) = args
            if not any(key.startswith(prefix) for key in work.written):
                self._lists.setdefault(prefix, tuple(answer))

    def effects(self, work: Work) -> list[tuple[str, list[Any]]]:
        """What the work comes to: function and arguments, one call for each key."""
        return [
            ("delete", [key]) if value is None else ("set", [key, json.loads(value)])
            for key, value in work.written.items()
        ]

    def _stored(self, work: Work, key: str) -> Seen:
        known = self._values.get(key)
        if known is not None:
            return known
        stream = key_id(work.app, key)
        with self._sessions.session() as connection:
            newest = read_newest_events(connection, [stream], up_to=self._position).get(stream)
        event = newest.event if newest is not None else None
        return Seen(event.value, event.originator_version) if isinstance(event, KeyWritten) else Seen(None, 0)

    def _stored_keys(self, work: Work, prefix: str) -> Iterable[str]:
        known = self._lists.get(prefix)
        if known is not None:
            return known
        with self._sessions.session() as connection:
            rows = connection.execute(_KEYS, (work.app, prefix, MAX_KEYS + 1)).fetchall()
            if len(rows) > MAX_KEYS:
                raise ServiceError(f'kv::list("{prefix}") was not recorded, and has too many keys to be looked for')
            streams = {key_id(work.app, row[0]): row[0] for row in rows}
            newest = read_newest_events(connection, list(streams), up_to=self._position)
        return (streams[stream] for stream, recorded in newest.items() if isinstance(recorded.event, KeyWritten))

    def _write(self, work: Work, key: str, value: str | None) -> None:
        work.written[key] = value
        if len(work.written) > MAX_WRITES:
            raise ServiceError(f"a run may write {MAX_WRITES} keys at most")


class PastModules:
    """``import`` at a position of the log: the version that was deployed then, or the one that the record names."""

    def __init__(self, sessions: Sessions, position: int, recorded: Mapping[str, str | None]) -> None:
        """``recorded`` are the hashes of sources by the scripts' names; None for one that there wasn't."""
        self._sessions = sessions
        self._position = position
        self._recorded = recorded
        self.functions: dict[str, Callable[..., Any]] = {"source": self.source}

    def source(self, work: Work, name: str) -> str | None:
        """The source of the app's script called ``name``; None if there was none."""
        with self._sessions.session() as connection:
            sha256 = self._recorded[name] if name in self._recorded else self._deployed(connection, work.app, name)
            return None if sha256 is None else get_content(connection, sha256).decode()

    def _deployed(self, connection: psycopg.Connection, app: str, name: str) -> str | None:
        script: Any = None
        for recorded in read_stream(connection, Script.id_of(app, name)):
            if recorded.position <= self._position:
                event: Any = recorded.event
                script = event.mutate(script)
        if script is None or script.current is None:
            return None
        return str(script.versions[script.current].sha256)
