"""Making the tables of projections that have none, and the list of all projections."""

from __future__ import annotations

from typing import Final

import psycopg

from picloud.postgres.sessions import connect
from picloud.projections.catalog import Catalog
from picloud.projections.dead_letters import DeadLetters
from picloud.projections.inline import Docs, Files, Kv, Outbox, Quotas, Users
from picloud.projections.invocations import Invocations
from picloud.projections.logs import Logs
from picloud.projections.mails import Mails
from picloud.projections.projection import Projection
from picloud.projections.reactions import Reactions
from picloud.projections.rebuilds import Rebuilds
from picloud.projections.replay_jobs import ReplayJobs
from picloud.projections.schedules import Schedules
from picloud.projections.secret_reads import SecretReads
from picloud.projections.waits import Waits

PROJECTIONS: Final[dict[str, type[Projection]]] = {
    kind.name: kind
    for kind in (
        Catalog,
        Invocations,
        Logs,
        DeadLetters,
        Outbox,
        Kv,
        Docs,
        Quotas,
        Users,
        Files,
        Schedules,
        SecretReads,
        Reactions,
        ReplayJobs,
        Mails,
        Rebuilds,
        Waits,
    )
}
"""Every projection there is, by name."""

_LOCK: Final = "SELECT pg_advisory_xact_lock(7236274003)"
_TRACKED: Final = "SELECT name FROM projections.tracking"
_TRACK: Final = "INSERT INTO projections.tracking (name, version) VALUES (%s, %s)"


def install(dsn: str) -> None:
    """Make the tables of the projections that are not there yet; the migrations must have been applied.

    New tables start empty; the follower fills them. Tables of another version are left: the manager rebuilds them.
    """
    with connect(dsn, purpose="migrate") as connection, connection.transaction():
        connection.execute(_LOCK)
        tracked = {row[0] for row in connection.execute(_TRACKED).fetchall()}
        for kind in PROJECTIONS.values():
            if kind.name not in tracked:
                _install(connection, kind())


def _install(connection: psycopg.Connection, projection: Projection) -> None:
    if not projection.inline:
        projection.create(connection)
        projection.create_indexes(connection)
    connection.execute(_TRACK, (projection.name, projection.version))
