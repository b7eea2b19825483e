"""Documents as the database holds them: one, those that a filter finds, how many there are.

What reads them for scripts, for the API and for the past of a run asks here. All of it is SQL on ``docs``, the inline
projection, with parameters alone; sessions come from :func:`document_sessions`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from picloud.domain.document import stream_of
from picloud.domain.document_filter import EVERYTHING, Condition
from picloud.domain.document_order import Order, Place
from picloud.postgres.sessions import Sessions
from picloud.services.documents_sql import Statement

QUERY_SECONDS: Final = 5
"""No question about documents is looked into for longer."""

_ONE: Final = """
    SELECT d.version, d.created, d.updated, d.data, log.version_of(%(stream)s)
    FROM (SELECT) nothing
    LEFT JOIN docs.documents d ON d.app = %(app)s AND d.collection = %(collection)s AND d.id = %(id)s
"""
_SCHEMA: Final = "SELECT c.schema FROM docs.collections c WHERE c.app = %s AND c.name = %s"


@dataclass(frozen=True, slots=True)
class Stored:
    """A document. ``data`` is JSON text; the times are None as long as it isn't committed."""

    id: str
    version: int
    created: datetime | None
    updated: datetime | None
    data: str

    def told(self) -> dict[str, Any]:
        """The document as scripts and the API get it."""
        return {
            "id": self.id,
            "version": self.version,
            "created": time_text(self.created),
            "updated": time_text(self.updated),
            "data": json.loads(self.data),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands under an id: the document if there is one, and the version of its stream (0: there never was one)."""

    document: Stored | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for: up to ``limit`` documents of ``most_bytes`` together, behind a place, but for some ids."""

    app: str
    collection: str
    condition: Condition = EVERYTHING
    order: Order = field(default_factory=Order)
    behind: Place | None = None
    limit: int
    most_bytes: int
    without: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Documents in order; ``more`` if the limit, or the bytes, cut the list short."""

    documents: list[Stored]
    more: bool


class TooSlow(Exception):
    """A question took too long to be looked into."""


def document_sessions(dsn: str, *, seconds: float = QUERY_SECONDS) -> Sessions:
    """Sessions that look for documents: for a few ``seconds`` at most, and planned anew for each question.

    A plan that is kept would not know which collection is meant, and so not its indexes.
    """
    given = str(conninfo_to_dict(dsn).get("options") or "")
    own = f"-c statement_timeout={round(seconds * 1000)} -c jit=off -c plan_cache_mode=force_custom_plan"
    options = f"{given} {own}".strip()
    return Sessions(make_conninfo(dsn, options=options), purpose="documents", size=2)


class Documents:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def one(self, app: str, collection: str, document: str) -> Standing:
        """What stands under the id ``document``."""
        parameters = {
            "app": app,
            "collection": collection,
            "id": document,
            "stream": stream_of(app, collection, document),
        }
        with self._sessions.session() as connection:
            row = connection.execute(_ONE, parameters).fetchone()
        assert row is not None
        version, created, updated, data, newest = row
        if version is None:
            return Standing(None, newest)
        return Standing(Stored(document, version, created, updated, data), version)

    def schema(self, app: str, collection: str) -> str | None:
        """The schema that the collection's documents are to fit, as JSON text; None if it has none."""
        with self._sessions.session() as connection:
            row = connection.execute(_SCHEMA, (app, collection), prepare=True).fetchone()
        return row[0] if row is not None else None

    def find(self, query: Query) -> Found:
        """The documents that a query finds. Raises :class:`TooSlow`."""
        statement = Statement()
        where = _where(statement, query)
        if query.behind is not None:
            where += f" AND {statement.behind(query.order, query.behind)}"
        most_bytes = statement.parameter(query.most_bytes, "bigint")
        text = f"""
            SELECT p.id, p.version, p.created, p.updated,
                   CASE WHEN sum(p.bytes) OVER (ROWS UNBOUNDED PRECEDING) <= {most_bytes} THEN p.data END
            FROM (
                SELECT d.id, d.version, d.created, d.updated, d.bytes, d.data
                FROM docs.documents d
                WHERE {where}
                ORDER BY {statement.order_by(query.order)}
                LIMIT {statement.parameter(query.limit + 1, "bigint")}
            ) p
        """
        rows = self._ask(text, statement)
        kept = [Stored(*row) for row in rows[: query.limit] if row[4] is not None]
        return Found(kept, len(kept) < len(rows))

    def count(self, query: Query) -> int:
        """How many documents fulfil a query's condition. Raises :class:`TooSlow`."""
        statement = Statement()
        rows = self._ask(f"SELECT count(*) FROM docs.documents d WHERE {_where(statement, query)}", statement)
        return int(rows[0][0])

    def _ask(self, text: str, statement: Statement) -> list[tuple[Any, ...]]:
        try:
            with self._sessions.session() as connection:
                return connection.execute(text.encode(), statement.parameters, prepare=False).fetchall()
        except psycopg.errors.QueryCanceled:
            raise TooSlow from None


def time_text(at: datetime | None) -> str | None:
    """A time as RFC 3339 has it."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _where(statement: Statement, query: Query) -> str:
    terms = [
        f"d.app = {statement.parameter(query.app, 'text')}",
        f"d.collection = {statement.parameter(query.collection, 'text')}",
        statement.where(query.condition),
    ]
    if query.without:
        terms.append(f"d.id <> ALL ({statement.parameter(list(query.without), 'text[]')})")
    return " AND ".join(terms)
