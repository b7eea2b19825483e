"""Mails: where each stands, who got it, when it is tried next; and the questions that are asked of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from picloud.domain.mail import (
    MailAttemptFailed,
    MailCancelled,
    MailFailed,
    MailKept,
    MailQueued,
    MailRequeued,
    MailSent,
    MailState,
)
from picloud.log.reader import RecordedEvent
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table, storable

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
REFUSED: Final = "refused"
"""What each recipient is."""

Row = dict[str, Any]


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


MAILS: Final = Table(
    name="mails",
    columns=(
        Column("id", "uuid"),
        Column("version", "bigint"),
        Column("app", "text"),
        Column("script", "text"),
        Column("invocation", "uuid"),
        Column("state", "text"),
        Column("sender", "text"),
        Column("recipients", "jsonb", dump=_as_json),
        Column("subject", "text"),
        Column("size", "integer"),
        Column("content", "text"),
        Column("attempts", "integer"),
        Column("answer", "text"),
        Column("due", "timestamptz", nullable=True),
        Column("queued_at", "timestamptz"),
        Column("ended_at", "timestamptz", nullable=True),
        Column("position", "bigint"),
    ),
    key=("id",),
    indexes=(
        "mails_app ON {table} (app, position)",
        "mails_lately ON {table} (app, queued_at)",
        "mails_due ON {table} (due) WHERE state = 'queued'",
    ),
)


@dataclass(slots=True)
class MailRow:
    """A mail. ``recipients`` are maps of ``address``, ``state`` and ``answer``; ``answer`` is the server's last one, or
    the reason of a cancellation; ``version`` that of the stream.
    """

    id: UUID
    version: int
    app: str
    script: str
    invocation: UUID
    state: str
    sender: str
    recipients: list[dict[str, str]]
    subject: str
    size: int
    content: str
    due: datetime | None
    queued_at: datetime
    position: int
    attempts: int = 0
    answer: str = ""
    ended_at: datetime | None = None


class Mails(Projection):
    """See the module."""

    name = "mails"
    version = 1
    types = frozenset(
        {
            "MailQueued",
            "MailAttemptFailed",
            "MailSent",
            "MailFailed",
            "MailKept",
            "MailCancelled",
            "MailRequeued",
        }
    )
    tables = (MAILS,)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        if not facts:
            return None
        rows = RowSet(MAILS, MailRow, self.schema)
        rows.load(connection, {recorded.stream_id for recorded, event in facts if not isinstance(event, MailQueued)})
        for recorded, event in facts:
            rows.put(_folded(rows.get(recorded.stream_id), recorded, event))
        return Change() if rows.write(connection) else None


def _folded(row: MailRow | None, recorded: RecordedEvent, event: Any) -> MailRow:
    if isinstance(event, MailQueued):
        return _queued(recorded, event)
    assert row is not None, "a mail begins with being queued"
    row.version = recorded.version
    match event:
        case MailAttemptFailed():
            _tried(row, event)
            row.due = event.due
        case MailSent():
            _tried(row, event)
            _ended(row, MailState.SENT, recorded)
        case MailFailed():
            _tried(row, event)
            _ended(row, MailState.FAILED, recorded)
        case MailKept():
            _ended(row, MailState.KEPT, recorded)
        case MailCancelled():
            _ended(row, MailState.CANCELLED, recorded)
            row.answer = storable(event.reason)
        case MailRequeued():
            row.state, row.due, row.ended_at = MailState.QUEUED.value, recorded.at, None
            for recipient in row.recipients:
                if recipient["state"] == REFUSED:
                    recipient |= {"state": WAITING, "answer": ""}
    return row


def _queued(recorded: RecordedEvent, event: MailQueued) -> MailRow:
    return MailRow(
        id=recorded.stream_id,
        version=recorded.version,
        app=recorded.app,
        script=event.script,
        invocation=event.invocation,
        state=MailState.QUEUED.value,
        sender=event.sender,
        recipients=[{"address": address, "state": WAITING, "answer": ""} for address in event.recipients],
        subject=storable(event.subject),
        size=event.size,
        content=event.content,
        due=recorded.at,
        queued_at=recorded.at,
        position=recorded.position,
    )


def _tried(row: MailRow, event: MailAttemptFailed | MailSent | MailFailed) -> None:
    row.attempts = event.attempt
    row.answer = storable(f"{event.code} {event.text}" if event.code else event.text)
    delivered = () if isinstance(event, MailFailed) else event.delivered
    for recipient in row.recipients:
        address = recipient["address"]
        if address in delivered:
            recipient |= {"state": DELIVERED, "answer": ""}
        elif address in event.refused:
            recipient |= {"state": REFUSED, "answer": storable(event.refused[address])}


def _ended(row: MailRow, state: MailState, recorded: RecordedEvent) -> None:
    row.state, row.due, row.ended_at = state.value, None, recorded.at


# --------------------------------------------------------------------------------------------------- what is asked

_COLUMNS: Final = """
    id, app, script, invocation, state, sender, recipients, subject, size, content AS sha256, attempts, answer, due,
    queued_at, ended_at, position
"""
_DUE: Final = """
    SELECT id, version, app
    FROM mails.mails
    WHERE state = 'queued' AND due <= %(now)s AND id <> ALL (%(without)s)
    ORDER BY row_number() OVER (PARTITION BY app ORDER BY due, position), due, position
    LIMIT %(limit)s
"""
_NEXT: Final = "SELECT min(due) FROM mails.mails WHERE state = 'queued' AND id <> ALL (%(without)s)"
_VERSIONS: Final = "SELECT id, version FROM mails.mails WHERE id = ANY (%s)"
_CONDITIONS: Final = {
    "state": "state = %(state)s",
    "recipient": """EXISTS (
        SELECT FROM jsonb_array_elements(recipients) r WHERE lower(r ->> 'address') = lower(%(recipient)s)
    )""",
    "invocation": "invocation = %(invocation)s",
    "before": "position < %(before)s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFilter:
    """Which mails are asked for; None means any. ``before`` is a position, exclusive; newest first."""

    app: str
    state: str | None = None
    recipient: str | None = None
    invocation: UUID | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class DueMail:
    """A mail that is to be tried, as the list knows it."""

    id: UUID
    version: int
    app: str


def mails(connection: psycopg.Connection, wanted: MailFilter) -> list[Row]:
    """Mails of an app, newest first."""
    values = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    query = f"""
        SELECT {_COLUMNS}
        FROM mails.mails
        WHERE {" AND ".join(["app = %(app)s", *(_CONDITIONS[name] for name in values)])}
        ORDER BY position DESC
        LIMIT %(limit)s
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), {**values, "app": wanted.app, "limit": wanted.limit}).fetchall()


def mail_of(connection: psycopg.Connection, app: str, mail: UUID) -> Row | None:
    """A mail of the app; None if the app has none of that id."""
    query = f"SELECT {_COLUMNS} FROM mails.mails WHERE app = %s AND id = %s"
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), (app, mail)).fetchone()


def due_mails(connection: psycopg.Connection, now: datetime, *, without: Collection[UUID], limit: int) -> list[DueMail]:
    """What is to be tried now, app by app in turn, but for some that the caller knows better."""
    rows = connection.execute(_DUE, {"now": now, "without": list(without), "limit": limit}).fetchall()
    return [DueMail(*row) for row in rows]


def next_due(connection: psycopg.Connection, *, without: Collection[UUID]) -> datetime | None:
    """When the next mail is to be tried; None if none is."""
    row = connection.execute(_NEXT, {"without": list(without)}).fetchone()
    return None if row is None else row[0]


def listed_versions(connection: psycopg.Connection, ids: Collection[UUID]) -> dict[UUID, int]:
    """Up to which version of their streams the list knows these mails."""
    return dict(connection.execute(_VERSIONS, (list(ids),)).fetchall())
