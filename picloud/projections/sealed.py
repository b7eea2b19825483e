"""What is sealed with which key of the vault: secrets, and the secrets of routes, as the catalog has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
