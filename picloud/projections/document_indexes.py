"""Indexes on documents: what collections ask for, what there is, and how one is made.

An index of a collection is one on the table of all documents, partial for the app and the collection, on the keys of
its fields (``jsonkey``, migrations/0006) and the id. Its name follows from what it is an index of, so what there is
says by itself what is still to be done. A rebuild makes those of its tables itself; else the leader makes and drops
them while documents are read and written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psycopg
from psycopg import sql

from picloud.domain.collection import INDEX_PREFIX, Index

TABLE: Final = "documents"
FAILED: Final = "failed: "
"""What the comment on an index begins with that could not be made."""

_WANTED: Final = "SELECT app, name, indexes FROM {} WHERE indexes <> '[]' ORDER BY app, name"
_ITEMS: Final = "SELECT coalesce(sum(items), 0) FROM docs.usage"
DOCUMENTS_CHANNEL: Final = "picloud_document_indexes"
"""Notified when a collection asks for other indexes."""

_THERE: Final = """
    SELECT c.relname, i.indisvalid, coalesce(obj_description(c.oid, 'pg_class'), '')
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass('docs.documents') AND starts_with(c.relname, %s)
"""


class State(StrEnum):
    """How far an index has come."""

    WAITING = "waiting"
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class WantedIndex:
    """An index of a collection."""

    app: str
    collection: str
    index: Index

    @property
    def name(self) -> str:
        """Its name in the database."""
        return self.index.name(self.app, self.collection)


@dataclass(frozen=True, slots=True)
class ThereIndex:
    """An index that there is in the database, whole or not, and why not."""

    name: str
    state: State
    reason: str = ""


def wanted_indexes(connection: psycopg.Connection, schema: str = "docs") -> list[WantedIndex]:
    """The indexes that collections ask for."""
    rows = connection.execute(sql.SQL(_WANTED).format(sql.Identifier(schema, "collections"))).fetchall()
    return [WantedIndex(app, name, Index(tuple(fields))) for app, name, indexes in rows for fields in indexes]


def there_indexes(connection: psycopg.Connection) -> dict[str, ThereIndex]:
    """The indexes that there are, by their names."""
    found = {}
    for name, valid, comment in connection.execute(_THERE, (INDEX_PREFIX,)).fetchall():
        if valid:
            found[name] = ThereIndex(name, State.READY)
        elif comment.startswith(FAILED):
            found[name] = ThereIndex(name, State.FAILED, comment.removeprefix(FAILED))
        else:
            found[name] = ThereIndex(name, State.BUILDING)
    return found


def document_count(connection: psycopg.Connection) -> int:
    """How many documents all apps have."""
    row = connection.execute(_ITEMS).fetchone()
    assert row is not None
    return int(row[0])


def create_index(wanted: WantedIndex, schema: str, *, concurrently: bool) -> sql.Composed:
    """The statement that makes an index; names and paths go into it as literals that psycopg quotes."""
    parts = [part for path in wanted.index.fields for part in _parts(path)]
    statement = "CREATE INDEX {how} {name} ON {table} ({parts}, id) WHERE app = {app} AND collection = {collection}"
    return sql.SQL(statement).format(
        how=sql.SQL("CONCURRENTLY" if concurrently else ""),
        name=sql.Identifier(wanted.name),
        table=sql.Identifier(schema, TABLE),
        parts=sql.SQL(", ").join(parts),
        app=sql.Literal(wanted.app),
        collection=sql.Literal(wanted.collection),
    )


def drop_index(name: str) -> sql.Composed:
    """The statement that drops an index while documents are read and written."""
    return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier("docs", name))


def mark_failed(name: str, reason: str) -> sql.Composed:
    """The statement that keeps with an index why it could not be made."""
    return sql.SQL("COMMENT ON INDEX {} IS {}").format(sql.Identifier("docs", name), sql.Literal(FAILED + reason[:500]))


def _parts(path: str) -> list[sql.Composed]:
    value = sql.SQL("body #> {}::text[]").format(sql.Literal(path.split(".")))
    return [
        sql.SQL("jsonkey.rank({})").format(value),
        sql.SQL("jsonkey.number({})").format(value),
        sql.SQL('(jsonkey.text({}) COLLATE "C")').format(value),
    ]
