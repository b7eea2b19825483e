"""What is asked of keys and values beside scripts: entries of an app, those that have expired, what apps keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row, dict_row

from picloud.domain.quota import DEFAULTS

COUNTED: Final = ("docs", "files", "kv", "users")
"""Services that count what apps keep, in a table ``usage`` of their schema."""

_ENTRIES: Final = """
    SELECT key, value, version, expires
    FROM kv.entries
    WHERE app = %s AND starts_with(key, %s) AND key > %s AND value IS NOT NULL
        AND (expires IS NULL OR expires > clock_timestamp())
    ORDER BY key
    LIMIT %s
"""
_ENTRY: Final = "SELECT key, value, version, expires FROM kv.entries WHERE app = %s AND key = %s"
_EXPIRED: Final = """
    SELECT app, key, version
    FROM kv.entries
    WHERE expires <= clock_timestamp() AND value IS NOT NULL
    ORDER BY expires
    LIMIT %s
"""
_LIMITS: Final = "SELECT service, items, bytes FROM quotas.limits WHERE app = %s"
_USAGE: Final = "SELECT items, bytes FROM {}.usage WHERE app = %s"


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A key; ``value`` is JSON text, None if it has none, ``version`` that of its stream."""

    key: str
    value: str | None
    version: int
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class ExpiredRow:
    """A key whose value has had its time."""

    app: str
    key: str
    version: int


def entries_of(connection: psycopg.Connection, app: str, *, prefix: str, after: str, limit: int) -> list[EntryRow]:
    """Keys that have a value, in their order, behind ``after``."""
    with connection.cursor(row_factory=class_row(EntryRow)) as cursor:
        return cursor.execute(_ENTRIES, (app, prefix, after, limit)).fetchall()


def entry_of(connection: psycopg.Connection, app: str, key: str) -> EntryRow | None:
    """The key's row, if it was ever written; it may have no value, or one that has expired."""
    with connection.cursor(row_factory=class_row(EntryRow)) as cursor:
        return cursor.execute(_ENTRY, (app, key)).fetchone()


def expired(connection: psycopg.Connection, limit: int) -> list[ExpiredRow]:
    """Keys whose values have expired and are still there, the oldest first."""
    with connection.cursor(row_factory=class_row(ExpiredRow)) as cursor:
        return cursor.execute(_EXPIRED, (limit,)).fetchall()


def quotas_of(connection: psycopg.Connection, app: str) -> list[dict[str, Any]]:
    """For each service what the app keeps in it, and what it may keep; ``own`` tells that this was set for the app."""
    limits = {service: (items, size) for service, items, size in connection.execute(_LIMITS, (app,)).fetchall()}
    rows = []
    for service in COUNTED:
        default = DEFAULTS[service]
        items, size = limits.get(service, (None, None))
        with connection.cursor(row_factory=dict_row) as cursor:
            used = cursor.execute(_USAGE.format(service).encode(), (app,)).fetchone() or {"items": 0, "bytes": 0}
        rows.append(
            {
                "service": service,
                "items": used["items"],
                "bytes": used["bytes"],
                "item_limit": default.items if items is None else items,
                "byte_limit": default.bytes if size is None else size,
                "own": items is not None or size is not None,
            }
        )
    return rows
