"""What is asked of an app's settings."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

_SIZES: Final = "SELECT name, length(value) FROM catalog.settings WHERE app = %s AND value IS NOT NULL"
_SETTINGS: Final = """
    SELECT name, number AS version, kind AS type, value, changed_at, changed_by
    FROM catalog.settings
    WHERE app = %(app)s AND value IS NOT NULL AND (%(name)s::text IS NULL OR name = %(name)s)
    ORDER BY name
"""


def sizes_of_settings(connection: psycopg.Connection, app: str) -> dict[str, int]:
    """The sizes of an app's settings as JSON, by name."""
    return dict(connection.execute(_SIZES, (app,)).fetchall())


def settings_of(connection: psycopg.Connection, app: str, name: str | None = None) -> list[dict[str, Any]]:
    """An app's settings by name, or the one called ``name``; ``value`` is JSON text."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SETTINGS, {"app": app, "name": name}).fetchall()
