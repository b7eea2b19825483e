"""What is asked of the catalog's triggers: lists for people, what the scheduler and the postmaster go by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

_LIST: Final = """
    SELECT t.id, t.app, t.name, t.kind, t.script, t.config, t.delivery, t.paused, t.since, s.due AS last_due,
           s.invocation AS last_invocation
    FROM catalog.triggers t
    LEFT JOIN schedules.ticks s ON s.id = t.id
    WHERE t.app = %(app)s AND (%(name)s::text IS NULL OR t.name = %(name)s)
    ORDER BY t.name
"""
_CRON: Final = """
    SELECT t.id, t.app, t.name, t.script, t.config, t.delivery, t.paused, t.since, s.due, s.invocation
    FROM catalog.triggers t
    LEFT JOIN schedules.ticks s ON s.id = t.id
    WHERE t.kind = 'cron' AND t.paused IS NULL AND (%(apps)s::text[] IS NULL OR t.app = ANY(%(apps)s))
"""
_EMAIL: Final = """
    SELECT t.id, t.app, t.name, t.script, t.config, t.delivery, t.paused, s.current AS number, s.sha256, s.disabled
    FROM catalog.triggers t
    JOIN catalog.apps a ON a.name = t.app AND a.removed_at IS NULL
    LEFT JOIN catalog.scripts s ON s.app = t.app AND s.name = t.script AND s.current IS NOT NULL
    WHERE t.kind = 'email' AND t.app = %s
    ORDER BY t.name
"""
_SCRIPTS: Final = """
    SELECT s.app, s.name, s.current, s.sha256, s.disabled
    FROM unnest(%s::text[], %s::text[]) AS u (app, name)
    JOIN catalog.scripts s ON s.app = u.app AND s.name = u.name
    WHERE s.current IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class CronRow:
    """A cron trigger that isn't paused. ``since`` is when it became as it is; ``due`` and ``invocation`` are those of
    its latest tick, None before the first."""

    id: UUID
    app: str
    name: str
    script: str
    config: dict[str, Any]
    delivery: dict[str, Any]
    paused: str | None
    since: datetime
    due: datetime | None
    invocation: UUID | None


@dataclass(frozen=True, slots=True)
class EmailRow:
    """A trigger that takes mail, with its script's current version: None if it is gone."""

    id: UUID
    app: str
    name: str
    script: str
    config: dict[str, Any]
    delivery: dict[str, Any]
    paused: str | None
    number: int | None
    sha256: str | None
    disabled: str | None


@dataclass(frozen=True, slots=True)
class ScriptNow:
    """A script's current version; ``disabled`` is the reason, or None."""

    number: int
    sha256: str
    disabled: str | None


def triggers_of(connection: psycopg.Connection, app: str, name: str | None = None) -> list[dict[str, Any]]:
    """An app's triggers by name, or the one called ``name``."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_LIST, {"app": app, "name": name}).fetchall()


def cron_triggers(connection: psycopg.Connection, apps: Sequence[str] | None) -> list[CronRow]:
    """The cron triggers of these apps that aren't paused; None for all apps."""
    with connection.cursor(row_factory=class_row(CronRow)) as cursor:
        return cursor.execute(_CRON, {"apps": apps if apps is None else list(apps)}).fetchall()


def email_triggers(connection: psycopg.Connection, app: str) -> list[EmailRow]:
    """An app's triggers that take mail, by name."""
    with connection.cursor(row_factory=class_row(EmailRow)) as cursor:
        return cursor.execute(_EMAIL, (app,)).fetchall()


def scripts_now(
    connection: psycopg.Connection, titles: Collection[tuple[str, str]]
) -> dict[tuple[str, str], ScriptNow]:
    """The scripts (app, name) that are deployed, as they are now."""
    if not titles:
        return {}
    apps, names = zip(*titles, strict=True)
    rows = connection.execute(_SCRIPTS, (list(apps), list(names))).fetchall()
    return {(row[0], row[1]): ScriptNow(row[2], row[3], row[4]) for row in rows}
