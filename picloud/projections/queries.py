"""What the control plane reads: lists of the projections' rows, newest or alphabetically first, page by page.

Rows come as dictionaries named as the API names their fields: they go out as JSON without another layer in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]

_APPS: Final = """
    SELECT a.name, a.created_at,
           (SELECT count(*) FROM catalog.scripts s WHERE s.app = a.name AND s.current IS NOT NULL) AS scripts,
           (SELECT count(*) FROM catalog.routes r WHERE r.app = a.name) AS routes
    FROM catalog.apps a
    WHERE a.removed_at IS NULL
    ORDER BY a.name
"""
_SCRIPTS: Final = """
    SELECT s.app, s.name, s.current, s.sha256, s.disabled, s.updated_at, v.size, v.deployed_at, v.deployed_by
    FROM catalog.scripts s
    JOIN catalog.versions v ON v.id = s.id AND v.number = s.current
    WHERE s.app = %s AND s.current IS NOT NULL
    ORDER BY s.name
"""
_VERSIONS: Final = """
    SELECT
        v.number, v.sha256, v.size, v.deployed_at, v.deployed_by, v.imports,
        v.number IS NOT DISTINCT FROM s.current AS current
    FROM catalog.versions v
    JOIN catalog.scripts s ON s.id = v.id
    WHERE v.app = %s AND v.script = %s
    ORDER BY v.number DESC
"""
_DEPENDENTS: Final = """
    SELECT s.name, s.current AS version, (v.imports -> %(script)s ->> 'number')::integer AS uses
    FROM catalog.scripts s
    JOIN catalog.versions v ON v.id = s.id AND v.number = s.current
    WHERE s.app = %(app)s AND (v.imports -> %(script)s ->> 'number')::integer <> %(current)s
    ORDER BY s.name
"""
_ROUTES: Final = """
    SELECT id, app, method, path, script, durability, settings
    FROM catalog.routes
    WHERE app = %s
    ORDER BY path, method
"""
_TOKENS: Final = """
    SELECT id, name, role, apps, issued_at, revoked_at
    FROM catalog.tokens
    ORDER BY issued_at, id
"""
_NODES: Final = """
    SELECT id, host, pid, capacity, state, started_at, ended_at
    FROM catalog.nodes
    WHERE state = 'live' OR ended_at > now() - interval '1 day'
    ORDER BY started_at DESC, id
    LIMIT 200
"""
_IS_LAST_OWNER: Final = """
    SELECT count(*) FILTER (WHERE id = %(token)s) = 1 AND count(*) = 1
    FROM catalog.tokens
    WHERE role = 'owner' AND apps = '{}' AND revoked_at IS NULL
"""
_INVOCATION_COLUMNS: Final = """
    id, app, script, number AS version, state, trigger_kind AS trigger, trigger_name AS route, method, path, attempt,
    requested_at, started_at, ended_at, due, status, duration_us, cpu_us, operations, error_kind, error_message,
    error_line, error_column, replay_of, replayed_by, correlation_id, waits_for, requested_position AS position
"""
_LOG_COLUMNS: Final = "position, seq, invocation_id AS invocation, script, attempt, at, level, message, fields, line"
_OUTBOX: Final = """
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM clock_timestamp() - min(due))::float8, 0) AS oldest_seconds
    FROM outbox.pending
"""
_LIVE_NODES: Final = (
    "SELECT count(*) AS nodes, coalesce(sum(capacity), 0)::int AS capacity FROM catalog.nodes WHERE state = 'live'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationFilter:
    """Which invocations are asked for; None means any. ``states`` are several; ``trigger`` is a kind (``http``,
    ``api``) or a name, such as a route's; ``before`` is a position, exclusive; newest first."""

    app: str
    script: str | None = None
    state: str | None = None
    states: list[str] | None = None
    trigger: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which log lines are asked for; None means any. ``after`` and ``before`` are (position, seq), exclusive."""

    app: str
    script: str | None = None
    invocation: UUID | None = None
    level: str | None = None
    after: tuple[int, int] | None = None
    before: tuple[int, int] | None = None
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """Which dead letters are asked for; None means any. ``state`` is ``open``, ``replaying``, ``saved`` or
    ``discarded``; ``trigger`` is a kind or a name; ``text`` is looked for in messages of errors; times are those of
    deaths; ``before`` is a position, exclusive; newest first."""

    app: str
    script: str | None = None
    state: str | None = None
    trigger: str | None = None
    kind: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


_LETTER_STATE: Final = """
    CASE WHEN saved_by IS NOT NULL THEN 'saved' WHEN discarded_at IS NOT NULL THEN 'discarded'
         WHEN replaying > 0 THEN 'replaying' ELSE 'open' END
"""
_LETTER_COLUMNS: Final = f"""
    id, app, script, number AS version, {_LETTER_STATE} AS state, trigger_kind AS trigger, trigger_name AS route,
    method, path, requested_at, died_as, died_at, reason, attempts, error_kind, error_message, error_line, error_column,
    replays, saved_by, saved_at, discarded_by, discarded_at, discard_reason, replay_of, correlation_id, position
"""
_LETTER_CONDITIONS: Final = {
    "script": "script = %(script)s",
    "state": f"{_LETTER_STATE} = %(state)s",
    "trigger": "%(trigger)s IN (trigger_kind, trigger_name)",
    "kind": "error_kind = %(kind)s",
    "text": "strpos(lower(error_message), lower(%(text)s)) > 0",
    "since": "died_at >= %(since)s",
    "until": "died_at < %(until)s",
    "before": "position < %(before)s",
}
_INVOCATION_CONDITIONS: Final = {
    "script": "script = %(script)s",
    "state": "state = %(state)s",
    "states": "state = ANY(%(states)s)",
    "trigger": "%(trigger)s IN (trigger_kind, trigger_name)",
    "since": "requested_at >= %(since)s",
    "until": "requested_at < %(until)s",
    "before": "requested_position < %(before)s",
}
_LOG_CONDITIONS: Final = {
    "script": "script = %(script)s",
    "invocation": "invocation_id = %(invocation)s",
    "level": "level = %(level)s",
}


def apps(connection: psycopg.Connection) -> list[Row]:
    """Every app, with the numbers of its scripts and routes."""
    return _rows(connection, _APPS)


def scripts_of(connection: psycopg.Connection, app: str) -> list[Row]:
    """An app's deployed scripts."""
    return _rows(connection, _SCRIPTS, (app,))


def versions_of(connection: psycopg.Connection, app: str, script: str) -> list[Row]:
    """A script's versions, newest first."""
    return _rows(connection, _VERSIONS, (app, script))


def dependents_of(connection: psycopg.Connection, app: str, script: str, current: int) -> list[Row]:
    """The deployed scripts that import another version of ``script`` than ``current``."""
    return _rows(connection, _DEPENDENTS, {"app": app, "script": script, "current": current})


def routes_of(connection: psycopg.Connection, app: str) -> list[Row]:
    """An app's routes."""
    return _rows(connection, _ROUTES, (app,))


def tokens(connection: psycopg.Connection) -> list[Row]:
    """Every token, revoked ones too, oldest first."""
    return _rows(connection, _TOKENS)


def nodes(connection: psycopg.Connection) -> list[Row]:
    """Live nodes, and those that ended within a day."""
    return _rows(connection, _NODES)


def is_last_owner(connection: psycopg.Connection, token: UUID) -> bool:
    """Whether this is the only token left that owns everything."""
    row = connection.execute(_IS_LAST_OWNER, {"token": token}).fetchone()
    return row is not None and bool(row[0])


def invocations(connection: psycopg.Connection, wanted: InvocationFilter) -> list[Row]:
    """Invocations, newest first."""
    values, conditions = _chosen(wanted, _INVOCATION_CONDITIONS)
    query = f"""
        SELECT {_INVOCATION_COLUMNS}
        FROM invocations.invocations
        WHERE {" AND ".join(["app = %(app)s", *conditions])}
        ORDER BY requested_position DESC
        LIMIT %(limit)s
    """
    return _rows(connection, query, {"app": wanted.app, "limit": wanted.limit, **values})


def dead_letters(connection: psycopg.Connection, wanted: DeadLetterFilter) -> list[Row]:
    """Dead letters, newest first."""
    values, conditions = _chosen(wanted, _LETTER_CONDITIONS)
    query = f"""
        SELECT {_LETTER_COLUMNS}
        FROM dead_letters.letters
        WHERE {" AND ".join(["app = %(app)s", *conditions])}
        ORDER BY position DESC
        LIMIT %(limit)s
    """
    return _rows(connection, query, {"app": wanted.app, "limit": wanted.limit, **values})


def dead_letter_of(connection: psycopg.Connection, invocation: UUID) -> Row | None:
    """The dead letter that the invocation is, or replays; None if it does neither, or the letter was purged."""
    query = f"""
        SELECT {_LETTER_COLUMNS}
        FROM dead_letters.letters
        WHERE id = coalesce((SELECT letter FROM dead_letters.replays WHERE id = %(id)s), %(id)s)
    """
    found = _rows(connection, query, {"id": invocation})
    return found[0] if found else None


def select_letters(connection: psycopg.Connection, wanted: DeadLetterFilter) -> list[UUID]:
    """Ids of dead letters, in the order of their requests."""
    return _ids(connection, "dead_letters.letters", wanted, _LETTER_CONDITIONS)


def select_invocations(connection: psycopg.Connection, wanted: InvocationFilter) -> list[UUID]:
    """Ids of invocations, in the order of their requests."""
    return _ids(connection, "invocations.invocations", wanted, _INVOCATION_CONDITIONS)


def count_invocations(connection: psycopg.Connection, wanted: InvocationFilter) -> int:
    """How many invocations there are of those, whatever the limit."""
    values, conditions = _chosen(wanted, _INVOCATION_CONDITIONS)
    query = f"""
        SELECT count(*)
        FROM invocations.invocations
        WHERE {" AND ".join(["app = %(app)s", *conditions])}
    """
    row = connection.execute(query.encode(), {"app": wanted.app, **values}).fetchone()
    assert row is not None
    return int(row[0])


def log_lines(connection: psycopg.Connection, wanted: LogFilter) -> list[Row]:
    """Log lines, oldest first: those behind ``after``, or else the newest (before ``before``)."""
    values, conditions = _chosen(wanted, _LOG_CONDITIONS)
    for name, sign in (("after", ">"), ("before", "<")):
        bound = getattr(wanted, name)
        if bound is not None:
            conditions.append(f"(position, seq) {sign} (%({name}_position)s, %({name}_seq)s)")
            values |= {f"{name}_position": bound[0], f"{name}_seq": bound[1]}
    forward = wanted.after is not None
    query = f"""
        SELECT {_LOG_COLUMNS}
        FROM logs.lines
        WHERE {" AND ".join(["app = %(app)s", *conditions])}
        ORDER BY position {"ASC" if forward else "DESC"}, seq {"ASC" if forward else "DESC"}
        LIMIT %(limit)s
    """
    found = _rows(connection, query, {"app": wanted.app, "limit": wanted.limit, **values})
    return found if forward else found[::-1]


def load_of_platform(connection: psycopg.Connection) -> Row:
    """What waits in the outbox, and how many nodes live."""
    return _rows(connection, _OUTBOX)[0] | _rows(connection, _LIVE_NODES)[0]


_JOB_COLUMNS: Final = """
    id, app, name, state, source, filter, version, edited, rate, total, reached, asked,
    asked - succeeded - dead - cancelled AS going_on, succeeded, dead, cancelled, skipped, reasons, note, started_at,
    started_by, ended_at, started_position AS position
"""


def replay_jobs(connection: psycopg.Connection, app: str, *, before: int | None = None, limit: int = 50) -> list[Row]:
    """An app's replay jobs, newest first."""
    query = f"""
        SELECT {_JOB_COLUMNS}
        FROM replay_jobs.jobs
        WHERE app = %(app)s AND (%(before)s::bigint IS NULL OR started_position < %(before)s)
        ORDER BY started_position DESC
        LIMIT %(limit)s
    """
    return _rows(connection, query, {"app": app, "before": before, "limit": limit})


def replay_job(connection: psycopg.Connection, job: UUID) -> Row | None:
    """One replay job."""
    found = _rows(connection, f"SELECT {_JOB_COLUMNS} FROM replay_jobs.jobs WHERE id = %s", (job,))
    return found[0] if found else None


def open_replay_jobs(connection: psycopg.Connection) -> list[Row]:
    """The jobs that ask, or wait for the ends of what they asked for; the oldest first."""
    query = f"""
        SELECT {_JOB_COLUMNS}
        FROM replay_jobs.jobs
        WHERE state IN ('running', 'finishing')
        ORDER BY started_position
    """
    return _rows(connection, query)


def _chosen(wanted: object, known: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    values = {name: getattr(wanted, name) for name in known if getattr(wanted, name) is not None}
    return values, [known[name] for name in values]


def _ids(
    connection: psycopg.Connection, table: str, wanted: DeadLetterFilter | InvocationFilter, known: dict[str, str]
) -> list[UUID]:
    values, conditions = _chosen(wanted, known)
    query = f"""
        SELECT id
        FROM {table}
        WHERE {" AND ".join(["app = %(app)s", *conditions])}
        ORDER BY requested_position
        LIMIT %(limit)s
    """
    cursor = connection.cursor(binary=True)
    cursor.execute(query.encode(), {"app": wanted.app, "limit": wanted.limit, **values})
    return [row[0] for row in cursor.fetchall()]


def _rows(connection: psycopg.Connection, query: str, parameters: Any = None) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), parameters).fetchall()
