"""All rows of all projections' tables, to be compared."""

from __future__ import annotations

import psycopg

from picloud.projections.installation import PROJECTIONS


def contents(session: psycopg.Connection) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each table in the order of its key, by the table's name."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for name, kind in PROJECTIONS.items():
        for table in kind.tables:
            columns = ", ".join(column.name for column in table.columns)
            query = f"SELECT {columns} FROM {name}.{table.name} ORDER BY {', '.join(table.key)}"
            found[f"{name}.{table.name}"] = session.execute(query.encode()).fetchall()
    return found
