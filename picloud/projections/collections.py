"""Collections as people see them: how much they hold, their indexes, and how far these have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import psycopg

from picloud.domain.collection import Index
from picloud.projections.document_indexes import State, ThereIndex, there_indexes

_LIST: Final = """
    SELECT c.name, c.documents, c.bytes, c.indexes, c.schema
    FROM docs.collections c
    WHERE c.app = %(app)s AND (%(name)s::text IS NULL OR c.name = %(name)s)
    ORDER BY c.name
"""


@dataclass(frozen=True, slots=True)
class IndexRow:
    """An index, how far it has come, and why it failed."""

    fields: tuple[str, ...]
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection. ``schema`` is JSON text."""

    name: str
    documents: int
    bytes: int
    indexes: tuple[IndexRow, ...] = ()
    schema: str | None = None


def collections_of(connection: psycopg.Connection, app: str, name: str | None = None) -> list[CollectionRow]:
    """An app's collections by name, or the one called ``name`` if it is there."""
    there = there_indexes(connection)
    found = []
    for collection, documents, size, indexes, schema in connection.execute(_LIST, {"app": app, "name": name}):
        rows = []
        for fields in indexes:
            index = Index(tuple(fields))
            made = there.get(index.name(app, collection), ThereIndex("", State.WAITING))
            rows.append(IndexRow(index.fields, str(made.state), made.reason))
        found.append(CollectionRow(collection, documents, size, tuple(rows), schema))
    return found
