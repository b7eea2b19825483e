"""Comparing two sets of the same tables row by row: the live one and the one that was rebuilt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

import psycopg

from picloud.projections.table import Table

_NULL: Final = "\\N"
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MAX_SHOWN: Final = 200


def first_difference(
    live: psycopg.Connection, rebuilt: psycopg.Connection, tables: Sequence[Table], *, schemas: tuple[str, str]
) -> str | None:
    """Name the first row that differs: table, key, column and both values; None if all are equal.

    ``schemas`` are those of the live and the rebuilt tables. Both sides are read in the order of the primary key, as
    each connection's transaction sees them.
    """
    for table in tables:
        difference = _difference(live, rebuilt, table, schemas)
        if difference is not None:
            return f"{schemas[0]}.{table.name} {difference}"
    return None


def _difference(
    live: psycopg.Connection, rebuilt: psycopg.Connection, table: Table, schemas: tuple[str, str]
) -> str | None:
    pairs = zip_longest(_lines(live, table, schemas[0]), _lines(rebuilt, table, schemas[1]))
    for left, right in pairs:
        if left != right:
            # The copies must have ended before the connections can be asked anything else.
            for _ in pairs:
                pass
            return _describe(rebuilt, table, schemas[1], left, right)
    return None


def _lines(connection: psycopg.Connection, table: Table, schema: str) -> Iterator[bytes]:
    columns = ", ".join(column.name for column in table.columns)
    rows = f"SELECT {columns} FROM {schema}.{table.name} ORDER BY {', '.join(table.key)}"
    with connection.cursor().copy(f"COPY ({rows}) TO STDOUT".encode()) as copy:
        for line in copy:
            yield bytes(line)


def _describe(rebuilt: psycopg.Connection, table: Table, schema: str, left: bytes | None, right: bytes | None) -> str:
    in_live, in_rebuilt = _fields(table, left), _fields(table, right)
    if in_live and in_rebuilt and _key(table, in_live) == _key(table, in_rebuilt):
        name = next(name for name, value in in_live.items() if value != in_rebuilt[name])
        return (
            f"({_shown_key(table, in_live)}): {name} is {_shown(in_live[name])} in the live table,"
            f" {_shown(in_rebuilt[name])} in the rebuilt one"
        )
    if in_live and not (in_rebuilt and _exists(rebuilt, table, schema, in_live)):
        return f"({_shown_key(table, in_live)}): the row is in the live table and not in the rebuilt one"
    assert in_rebuilt
    return f"({_shown_key(table, in_rebuilt)}): the row is in the rebuilt table and not in the live one"


def _fields(table: Table, line: bytes | None) -> dict[str, str] | None:
    if line is None:
        return None
    values = line.decode().removesuffix("\n").split("\t")
    return {column.name: value for column, value in zip(table.columns, values, strict=True)}


def _key(table: Table, fields: dict[str, str]) -> list[str]:
    return [_unescaped(fields[name]) for name in table.key]


def _exists(connection: psycopg.Connection, table: Table, schema: str, fields: dict[str, str]) -> bool:
    where = " AND ".join(f"{name}::text = %s" for name in table.key)
    query = f"SELECT EXISTS (SELECT FROM {schema}.{table.name} WHERE {where})"
    row = connection.execute(query.encode(), _key(table, fields)).fetchone()
    return row is not None and bool(row[0])


def _shown_key(table: Table, fields: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(table.key, _key(table, fields), strict=True))


def _shown(value: str) -> str:
    if value == _NULL:
        return "NULL"
    text = repr(_unescaped(value))
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _unescaped(value: str) -> str:
    parts = iter(value)
    return "".join(_escaped(next(parts, "")) if part == "\\" else part for part in parts)


def _escaped(letter: str) -> str:
    return _ESCAPES.get(letter, letter)
