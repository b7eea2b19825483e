"""What is asked of an app's secrets: all but their values."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

_SIZES: Final = "SELECT name, length(versions::text) FROM catalog.secrets WHERE app = %s AND versions <> '[]'"
_SECRETS: Final = """
    SELECT s.name, s.number AS version, s.versions, coalesce(r.reads, 0) AS reads, r.last_at AS last_read_at
    FROM catalog.secrets s
    LEFT JOIN (
        SELECT id, sum(reads)::bigint AS reads, max(last_at) AS last_at
        FROM secret_reads.reads
        GROUP BY id
    ) r ON r.id = s.id
    WHERE s.app = %(app)s AND s.versions <> '[]' AND (%(name)s::text IS NULL OR s.name = %(name)s)
    ORDER BY s.name
"""
_READERS: Final = """
    SELECT r.script, r.reads, r.runs, r.last_at, r.last_number AS last_version, r.last_invocation
    FROM secret_reads.reads r
    WHERE r.app = %s AND r.name = %s
    ORDER BY r.last_at DESC, r.script
    LIMIT 1000
"""


def sizes_of_secrets(connection: psycopg.Connection, app: str) -> dict[str, int]:
    """The sizes of an app's secrets, sealed, by name."""
    return dict(connection.execute(_SIZES, (app,)).fetchall())


def secrets_of(connection: psycopg.Connection, app: str, name: str | None = None) -> list[dict[str, Any]]:
    """An app's secrets by name, or the one called ``name``; ``versions`` as the catalog has them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SECRETS, {"app": app, "name": name}).fetchall()


def readers_of(connection: psycopg.Connection, app: str, name: str) -> list[dict[str, Any]]:
    """The scripts that read a secret, who read it last first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_READERS, (app, name)).fetchall()
