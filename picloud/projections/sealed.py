"""What is sealed with which key of the vault: secrets, and those of routes, as the catalog has them; keys of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg

_BY_KEY: Final = """
    SELECT key, count(*)
    FROM (
        SELECT found[1] AS key
        FROM catalog.routes, regexp_matches(settings::text, '"v1[.]([0-9a-f]{12})[.]', 'g') AS found
        WHERE settings IS NOT NULL
        UNION ALL
        SELECT split_part(version ->> 'sealed', '.', 2)
        FROM catalog.secrets, jsonb_array_elements(versions) AS version
        WHERE coalesce((version ->> 'until')::timestamptz > now(), true)
        UNION ALL
        SELECT split_part(sealed, '.', 2) FROM subjects.keys
    ) s
    GROUP BY key
    ORDER BY key
"""
_SECRETS: Final = """
    SELECT app, name
    FROM catalog.secrets
    WHERE versions <> '[]'
    ORDER BY app, name
"""
_ROUTES: Final = """
    SELECT app, method || ' ' || path
    FROM catalog.routes
    WHERE settings::text LIKE '%"v1.%'
    ORDER BY app, path, method
"""

_STALE_SUBJECTS: Final = """
    SELECT id, sealed
    FROM subjects.keys
    WHERE id > %s AND split_part(sealed, '.', 2) <> %s
    ORDER BY id
    LIMIT 500
"""
_RESEAL_SUBJECT: Final = "UPDATE subjects.keys SET sealed = %s WHERE id = %s AND sealed = %s"


@dataclass(frozen=True, slots=True)
class Holder:
    """What has something sealed: a secret by its name, or a route by its pattern, in an app."""

    app: str
    name: str


def sealed_by_key(connection: psycopg.Connection) -> dict[str, int]:
    """How many cipher texts that are in use each key of the vault is needed for, by the key's id."""
    return dict(connection.execute(_BY_KEY).fetchall())


def secrets_of_all(connection: psycopg.Connection) -> list[Holder]:
    """Every secret that has a value."""
    return [Holder(*row) for row in connection.execute(_SECRETS).fetchall()]


def sealing_routes(connection: psycopg.Connection) -> list[Holder]:
    """Every route whose settings have something sealed in them."""
    return [Holder(*row) for row in connection.execute(_ROUTES).fetchall()]


def stale_subjects(connection: psycopg.Connection, newest: str, after: UUID) -> list[tuple[UUID, str]]:
    """Users' keys behind the one with the id ``after`` that another key than the ``newest`` seals, some at a time."""
    return connection.execute(_STALE_SUBJECTS, (after, newest)).fetchall()


def reseal_subject(connection: psycopg.Connection, subject: UUID, was: str, sealed: str) -> int:
    """Put another cipher text in the place of one; 0 if it isn't there any more. Nothing of this is in the log."""
    return connection.execute(_RESEAL_SUBJECT, (sealed, subject, was)).rowcount
