"""Waits: the suspended runs that a message may wake, and for which of them it came.

A wait begins with its ``Suspended``, and is over when the invocation goes on, by a message or by its time, or is called
off. The first message that was published behind the suspension, by the order of the log, and fits is the one: events
are looked at in that order, so none is missed and none is too early. Who is to be woken is found here by the leader
(``manager/waking.py``).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from picloud.domain.invocation import Cancelled, Content, Resumed, Started, Suspended
from picloud.domain.message import JSON, MessagePublished
from picloud.domain.subject import matches
from picloud.domain.waiting import fits
from picloud.log.contents import get_content
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table

WAITS: Final = Table(
    name="waits",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("version", "bigint"),
        Column("topic", "text"),
        Column("filter", "text"),
        Column("message", "uuid", nullable=True),
        Column("position", "bigint"),
    ),
    key=("id",),
    indexes=("waits_app ON {table} (app)", "waits_woken ON {table} (position, id) WHERE message IS NOT NULL"),
)
_WOKEN: Final = """
    SELECT id, app, version, topic, filter, message, position
    FROM waits.waits
    WHERE message IS NOT NULL AND (position, id) > (%s, %s)
    ORDER BY position, id
    LIMIT %s
"""


@dataclass(slots=True)
class WaitRow:
    """A wait of the invocation ``id``, whose ``Suspended`` is version ``version``. ``message`` is the one that came, at
    ``position``; before that ``position`` is that of the suspension.
    """

    id: UUID
    app: str
    version: int
    topic: str
    filter: str
    message: UUID | None
    position: int


def woken(connection: psycopg.Connection, *, after: tuple[int, UUID], limit: int) -> list[WaitRow]:
    """The waits for which a message came, behind the row of that position and id, oldest first."""
    with connection.cursor(row_factory=class_row(WaitRow)) as cursor:
        return cursor.execute(_WOKEN, (*after, limit)).fetchall()


class Waits(Projection):
    """See the module."""

    name = "waits"
    version = 1
    types = frozenset({"Suspended", "Resumed", "Started", "Cancelled", "MessagePublished"})
    tables = (WAITS,)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        # A first run has waited for nothing: that is nearly all of them.
        told = [(recorded, event) for recorded, event in facts if not isinstance(event, Started) or event.attempt > 1]
        if not told:
            return None
        page = _Page(self.schema, connection, told)
        return Change() if page.fold(told) else None


class _Page:
    """The waits that a page of events touches."""

    def __init__(self, schema: str, connection: psycopg.Connection, facts: Sequence[Fact]) -> None:
        self._connection = connection
        self._rows = RowSet(WAITS, WaitRow, schema)
        self._open: dict[str, dict[UUID, WaitRow]] = {}
        ids = {recorded.stream_id for recorded, event in facts if not isinstance(event, MessagePublished)}
        apps = {recorded.app for recorded, event in facts if isinstance(event, MessagePublished)}
        if apps:
            query = f"SELECT id FROM {schema}.waits WHERE app = ANY(%s) AND message IS NULL"
            ids |= {row[0] for row in connection.execute(query.encode(), (list(apps),)).fetchall()}
        for row in self._rows.load(connection, ids):
            if row.message is None:
                self._open.setdefault(row.app, {})[row.id] = row

    def fold(self, facts: Sequence[Fact]) -> bool:
        """Write what the events do; return whether they did anything."""
        for recorded, event in facts:
            match event:
                case Suspended(topic=topic) if topic:
                    told = json.dumps(event.filter, separators=(",", ":"))
                    row = WaitRow(
                        recorded.stream_id, recorded.app, recorded.version, topic, told, None, recorded.position
                    )
                    self._rows.put(row)
                    self._open.setdefault(row.app, {})[row.id] = row
                case MessagePublished():
                    self._published(recorded.app, recorded.position, event)
                case Resumed() | Started() | Cancelled():
                    self._over(recorded.app, recorded.stream_id)
        return self._rows.write(self._connection)

    def _published(self, app: str, position: int, event: MessagePublished) -> None:
        waiting = [row for row in self._open.get(app, {}).values() if matches(row.topic, event.topic)]
        if not waiting:
            return
        data = self._data(event.data, event.content_type)
        for row in waiting:
            if fits(json.loads(row.filter), data):
                row.message, row.position = event.originator_id, position
                self._rows.put(row)
                del self._open[app][row.id]

    def _over(self, app: str, invocation: UUID) -> None:
        self._open.get(app, {}).pop(invocation, None)
        row = self._rows.get(invocation)
        if row is not None:
            self._rows.remove(row)

    def _data(self, data: Content, content_type: str) -> Any:
        if content_type != JSON:
            return None
        if data.sha256 is not None:
            text = get_content(self._connection, data.sha256)
        else:
            text = (data.text or "").encode() if data.base64 is None else b64decode(data.base64)
        try:
            return json.loads(text)
        except ValueError:
            return None
