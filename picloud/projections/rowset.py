"""Rows of a small table, loaded by stream, changed in memory, written back in one statement."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from picloud.projections.table import Table, arrays

Row = TypeVar("Row")


class RowSet(Generic[Row]):
    """The rows that a page of events touches. ``kind`` makes a row out of the table's columns, given by name.

    The table has a column ``id``, the stream of the events that its rows come from.
    """

    def __init__(self, table: Table, kind: type[Row], schema: str) -> None:
        self._table: Final = table
        self._kind = kind
        names = [column.name for column in table.columns]
        self._load = f"SELECT {', '.join(names)} FROM {schema}.{table.name} WHERE id = ANY(%s)".encode()
        self._upsert = table.upsert(schema).encode()
        self._rows: dict[tuple[Any, ...], Row] = {}
        self._changed: set[tuple[Any, ...]] = set()
        self._removed: set[tuple[Any, ...]] = set()
        keys = [table.column(name) for name in table.key]
        where = " AND ".join(f"t.{name} = u.{name}" for name in table.key)
        self._delete = f"DELETE FROM {schema}.{table.name} t USING {table.unnest(keys)} WHERE {where}".encode()

    def load(self, connection: psycopg.Connection, ids: Collection[UUID]) -> list[Row]:
        """Read the rows of these streams, and return them."""
        if not ids:
            return []
        cursor = connection.cursor(binary=True, row_factory=class_row(self._kind))
        found = cursor.execute(self._load, (list(ids),), prepare=True).fetchall()
        for row in found:
            self._rows[self._key(row)] = row
        return found

    def get(self, *key: Any) -> Row | None:
        """The row with that key, if there is one; say ``put`` after a change."""
        return self._rows.get(key)

    def put(self, row: Row) -> None:
        """Have ``row`` written."""
        key = self._key(row)
        self._rows[key] = row
        self._changed.add(key)
        self._removed.discard(key)

    def remove(self, row: Row) -> None:
        """Have ``row`` deleted."""
        key = self._key(row)
        self._rows.pop(key, None)
        self._changed.discard(key)
        self._removed.add(key)

    def write(self, connection: psycopg.Connection) -> bool:
        """Write what changed; return whether anything did."""
        if self._removed:
            keys = [self._table.column(name) for name in self._table.key]
            connection.execute(self._delete, arrays(keys, self._removed))
        if self._changed:
            rows = [self._values(self._rows[key]) for key in self._changed]
            connection.execute(self._upsert, arrays(self._table.columns, rows))
        return bool(self._removed or self._changed)

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in self._table.key)

    def _values(self, row: Row) -> tuple[Any, ...]:
        return tuple(getattr(row, column.name) for column in self._table.columns)
