"""Tables as projections declare them, and writing many rows of one in a single statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

_CARRIED_AS_TEXT: Final = frozenset({"jsonb", "text[]", "uuid[]"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``type`` is PostgreSQL's; ``dump`` makes of a value what is sent, if that differs."""

    name: str
    type: str
    nullable: bool = False
    dump: Callable[[Any], Any] | None = None
    collation: str = ""

    @property
    def ddl(self) -> str:
        """The column as CREATE TABLE takes it."""
        collation = f' COLLATE "{self.collation}"' if self.collation else ""
        return f"{self.name} {self.type}{collation}{'' if self.nullable else ' NOT NULL'}"

    @property
    def carried(self) -> str:
        """The type of the elements when the column is sent as an array; an array of arrays would lose its rows."""
        return "text" if self.type in _CARRIED_AS_TEXT else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a projection. ``key`` names the columns of its primary key, in order.

    ``indexes`` are what follows CREATE INDEX, with ``{table}`` for the table; a rebuild makes them after the filling.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()

    def create(self, connection: psycopg.Connection, schema: str) -> None:
        """Make the empty table with its primary key, and without its indexes."""
        columns = ", ".join(column.ddl for column in self.columns)
        _run(connection, f"CREATE TABLE {schema}.{self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))")

    def create_indexes(self, connection: psycopg.Connection, schema: str) -> None:
        """Make the indexes."""
        for index in self.indexes:
            unique = "UNIQUE " if index.startswith("UNIQUE ") else ""
            _run(connection, f"CREATE {unique}INDEX {index.removeprefix(unique).format(table=f'{schema}.{self.name}')}")

    def insert(self, schema: str) -> str:
        """The statement that inserts rows sent as one array per column."""
        names = ", ".join(column.name for column in self.columns)
        target = f"{schema}.{self.name} ({names})"
        return f"INSERT INTO {target}\nSELECT {self._selected()}\nFROM {self.unnest(self.columns)}"

    def upsert(self, schema: str) -> str:
        """Like :meth:`insert`; a row whose key is there is replaced."""
        changed = [column.name for column in self.columns if column.name not in self.key]
        updates = ", ".join(f"{name} = excluded.{name}" for name in changed)
        return f"{self.insert(schema)}\nON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {updates}"

    def unnest(self, columns: Sequence[Column]) -> str:
        """A table expression ``u`` of rows sent as one array per column."""
        arrays = ", ".join(f"%b::{column.carried}[]" for column in columns)
        return f"unnest({arrays}) AS u ({', '.join(column.name for column in columns)})"

    def column(self, name: str) -> Column:
        """The column called ``name``."""
        return next(column for column in self.columns if column.name == name)

    def _selected(self) -> str:
        return ", ".join(f"u.{c.name}" if c.carried == c.type else f"u.{c.name}::{c.type}" for c in self.columns)


def arrays(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows as one list per column, as :meth:`Table.insert` wants them."""
    return [
        list(values) if column.dump is None else [None if value is None else column.dump(value) for value in values]
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]


def array_literal(values: Iterable[object]) -> str:
    """An array of plain words (names, ids) as PostgreSQL writes it."""
    return "{" + ",".join(map(str, values)) + "}"


def storable(text: str) -> str:
    """``text`` as PostgreSQL can hold it: a zero character, which it can't, becomes its visible picture."""
    return text.replace("\x00", "\u2400") if "\x00" in text else text


def _run(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(statement.encode())
