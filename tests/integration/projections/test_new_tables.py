"""What a migration adds to a catalog that an earlier version made is as the catalog itself makes it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from picloud.postgres.migrations import load
from picloud.postgres.sessions import connect

COLUMNS = """
    SELECT column_name, data_type, is_nullable
    FROM information_schema.columns
    WHERE table_schema = 'catalog' AND table_name = %s
    ORDER BY ordinal_position
"""


def columns(connection: psycopg.Connection, table: str) -> list[Any]:
    return connection.execute(COLUMNS, (table,)).fetchall()


@pytest.mark.parametrize("table", ["secrets", "settings"])
def test_apps_can_be_read_until_the_catalog_is_rebuilt(fresh_dsn: str, table: str) -> None:
    added = next(migration for migration in load() if migration.name == "0008-secrets-and-settings")
    with connect(fresh_dsn, purpose="test") as connection:
        made = columns(connection, table)
        connection.execute("DROP TABLE catalog.secrets, catalog.settings")
        connection.execute(added.statements.encode())
        assert columns(connection, table) == made
        assert made
