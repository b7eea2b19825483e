"""The projections that the append itself writes, as a rebuild fills them: by the same rules, from the log.

``migrations`` makes the live tables and ``log.append`` writes them; what is declared here must make equal ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import psycopg

from picloud.projections.docs import DocsChange
from picloud.projections.document_indexes import create_index, wanted_indexes
from picloud.projections.files import FilesChange
from picloud.projections.inlining import InlineChange
from picloud.projections.kv import KvChange
from picloud.projections.outbox import CHANGE_ARGUMENTS, OutboxChange, change_arguments, stands_alone
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.quotas import QuotasChange
from picloud.projections.table import Column, Table
from picloud.projections.users import UsersChange

PENDING: Final = Table(
    name="pending",
    columns=(
        Column("invocation_id", "uuid"),
        Column("version", "bigint"),
        Column("attempt", "integer"),
        Column("due", "timestamptz"),
        Column("app", "text"),
        Column("correlation_id", "uuid"),
        Column("state", "text"),
        Column("rank", "timestamptz"),
        Column("seq", "bigint"),
        Column("trigger_id", "uuid", nullable=True),
        Column("ordering_id", "uuid", nullable=True),
        Column("concurrency_id", "uuid", nullable=True),
        Column("batch", "uuid", nullable=True),
        Column("debounce_id", "uuid", nullable=True),
        Column("since", "timestamptz", nullable=True),
    ),
    key=("invocation_id",),
    indexes=(
        "pending_ready ON {table} (app, rank, seq, invocation_id) WHERE state = 'ready'",
        "pending_batching ON {table} (concurrency_id, rank, seq) WHERE state = 'batching'",
        "pending_concurrency ON {table} (concurrency_id, state, rank, seq) WHERE concurrency_id IS NOT NULL",
        "pending_ordering ON {table} (ordering_id, seq) WHERE ordering_id IS NOT NULL",
        "pending_debounce ON {table} (debounce_id) WHERE debounce_id IS NOT NULL",
        "pending_trigger ON {table} (trigger_id, state) WHERE trigger_id IS NOT NULL",
    ),
)
LIMITS: Final = Table(
    name="limits",
    columns=(
        Column("trigger_id", "uuid"),
        Column("concurrency", "integer"),
        Column("holds", "boolean"),
        Column("paused", "boolean"),
        Column("removed", "boolean"),
        Column("batch", "integer"),
        Column("batch_wait_ms", "integer"),
    ),
    key=("trigger_id",),
    indexes=("limits_batch ON {table} (trigger_id) WHERE batch > 1",),
)
THROTTLES: Final = Table(
    name="throttles",
    columns=(Column("id", "uuid"), Column("free_at", "timestamptz")),
    key=("id",),
    indexes=("throttles_free ON {table} (free_at)",),
)
ENTRIES: Final = Table(
    name="entries",
    columns=(
        Column("app", "text", collation="C"),
        Column("key", "text", collation="C"),
        Column("value", "text", nullable=True),
        Column("version", "bigint"),
        Column("expires", "timestamptz", nullable=True),
    ),
    key=("app", "key"),
    indexes=("entries_expiring ON {table} (expires) WHERE expires IS NOT NULL",),
)
QUOTA_LIMITS: Final = Table(
    name="limits",
    columns=(
        Column("app", "text", collation="C"),
        Column("service", "text", collation="C"),
        Column("items", "bigint", nullable=True),
        Column("bytes", "bigint", nullable=True),
    ),
    key=("app", "service"),
)

ACCOUNTS: Final = Table(
    name="accounts",
    columns=(
        Column("app", "text", collation="C"),
        Column("id", "uuid"),
        Column("mark", "text", collation="C"),
        Column("version", "bigint"),
        Column("epoch", "bigint"),
        Column("sealed", "text"),
        Column("password", "text", nullable=True),
        Column("roles", "text[]"),
        Column("disabled", "boolean"),
        Column("registered", "timestamptz"),
    ),
    key=("app", "id"),
    indexes=("UNIQUE accounts_mark ON {table} (app, mark)",),
)
USER_SESSIONS: Final = Table(
    name="sessions",
    columns=(
        Column("app", "text", collation="C"),
        Column("id", "uuid"),
        Column("user_id", "uuid"),
        Column("mark", "text", collation="C"),
        Column("version", "bigint"),
        Column("started", "timestamptz"),
        Column("expires", "timestamptz"),
        Column("until", "timestamptz"),
        Column("idle_ms", "bigint"),
        Column("sealed", "text", nullable=True),
    ),
    key=("app", "id"),
    indexes=("UNIQUE sessions_mark ON {table} (app, mark)", "sessions_user ON {table} (app, user_id, started, id)"),
)
USER_TOKENS: Final = Table(
    name="tokens",
    columns=(
        Column("app", "text", collation="C"),
        Column("id", "uuid"),
        Column("user_id", "uuid"),
        Column("mark", "text", collation="C"),
        Column("name", "text", collation="C"),
        Column("issued", "timestamptz"),
        Column("expires", "timestamptz", nullable=True),
    ),
    key=("app", "id"),
    indexes=("UNIQUE tokens_mark ON {table} (app, mark)", "tokens_user ON {table} (app, user_id, issued, id)"),
)
USER_CODES: Final = Table(
    name="codes",
    columns=(
        Column("app", "text", collation="C"),
        Column("user_id", "uuid"),
        Column("purpose", "text", collation="C"),
        Column("id", "uuid"),
        Column("mark", "text", collation="C"),
        Column("expires", "timestamptz"),
    ),
    key=("app", "user_id", "purpose"),
    indexes=("codes_id ON {table} (app, id)",),
)


FILES: Final = Table(
    name="entries",
    columns=(
        Column("app", "text", collation="C"),
        Column("path", "text", collation="C"),
        Column("sha256", "text", nullable=True, collation="C"),
        Column("size", "bigint"),
        Column("content_type", "text"),
        Column("metadata", "jsonb"),
        Column("version", "bigint"),
        Column("written_at", "timestamptz"),
    ),
    key=("app", "path"),
    indexes=(
        "entries_there ON {table} (app, path) WHERE sha256 IS NOT NULL",
        "entries_sha256 ON {table} (sha256) WHERE sha256 IS NOT NULL",
    ),
)
SITES: Final = Table(
    name="sites",
    columns=(
        Column("app", "text", collation="C"),
        Column("version", "bigint"),
        Column("settings", "jsonb", nullable=True),
        Column("deployed_at", "timestamptz", nullable=True),
        Column("items", "bigint"),
        Column("bytes", "bigint"),
    ),
    key=("app",),
)


def usage_table() -> Table:
    """What each app keeps in a service."""
    return Table(
        name="usage",
        columns=(Column("app", "text", collation="C"), Column("items", "bigint"), Column("bytes", "bigint")),
        key=("app",),
    )


DOCUMENTS: Final = Table(
    name="documents",
    columns=(
        Column("app", "text", collation="C"),
        Column("collection", "text", collation="C"),
        Column("id", "text", collation="C"),
        Column("version", "bigint"),
        Column("created", "timestamptz"),
        Column("updated", "timestamptz"),
        Column("bytes", "bigint"),
        Column("data", "text"),
        Column("body", "jsonb"),
    ),
    key=("app", "collection", "id"),
)
COLLECTIONS: Final = Table(
    name="collections",
    columns=(
        Column("app", "text", collation="C"),
        Column("name", "text", collation="C"),
        Column("version", "bigint"),
        Column("indexes", "jsonb"),
        Column("schema", "text", nullable=True),
        Column("documents", "bigint"),
        Column("bytes", "bigint"),
    ),
    key=("app", "name"),
)


class Outbox(Projection):
    """What waits for a run; see :mod:`picloud.projections.outbox`."""

    name = "outbox"
    version = 2
    types = frozenset(
        {
            "Requested",
            "Started",
            "AttemptFailed",
            "Suspended",
            "Resumed",
            "Succeeded",
            "DeadLettered",
            "Cancelled",
            "TriggerCreated",
            "TriggerChanged",
            "TriggerPaused",
            "TriggerResumed",
            "TriggerRemoved",
            "RouteConfigured",
        }
    )
    tables = (PENDING, LIMITS, THROTTLES)
    inline = True

    def create(self, connection: psycopg.Connection) -> None:
        """See :meth:`Projection.create`. The rules look rows up while the tables are filled: indexes come at once."""
        super().create(connection)
        super().create_indexes(connection)

    def create_indexes(self, connection: psycopg.Connection) -> None:
        """They are there."""

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        connection.execute(_CHOOSE_SCHEMA, (self.schema,))
        change = OutboxChange()
        for recorded, event in facts:
            alone = stands_alone(event)
            if alone:
                self._apply(connection, change, recorded.at)
                change = OutboxChange()
            change.add(event, recorded.metadata, position=recorded.position, at=recorded.at)
            if alone:
                self._apply(connection, change, recorded.at)
                change = OutboxChange()
        self._apply(connection, change, facts[-1][0].at)
        connection.execute(_CHOOSE_SCHEMA, ("public",))
        return Change()

    def _apply(self, connection: psycopg.Connection, change: OutboxChange, at: datetime) -> None:
        if change.events:
            connection.execute(_CHANGE, (at, *change_arguments([change])))


_CHOOSE_SCHEMA: Final = "SELECT set_config('search_path', %s, true)"
_CHANGE: Final = f"SELECT FROM log.change_outbox(%b::timestamptz, 0, {CHANGE_ARGUMENTS})".encode()


class Inlined(Projection):
    """What services keep: the function of the database that the append calls fills the tables of a rebuild, too."""

    change: ClassVar[type[InlineChange]]
    inline = True

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        change = self.change()
        for recorded, event in facts:
            change.add(event, recorded.metadata, recorded.at)
        for part in self.parts(change):
            connection.execute(f"SELECT {part.call}".encode(), part.arguments([part], self.schema))
        connection.execute(_CHOOSE_SCHEMA, ("public",))
        return Change()

    def parts(self, change: Any) -> Sequence[InlineChange]:
        """What is to be done one after the other."""
        return [change]


class Kv(Inlined):
    """Keys and values of scripts; see :mod:`picloud.projections.kv`."""

    name = "kv"
    version = 2
    change = KvChange
    types = frozenset(event.__name__ for event in KvChange.types)
    tables = (ENTRIES, usage_table())

    def parts(self, change: KvChange) -> Sequence[InlineChange]:
        """See :meth:`Inlined.parts`. The function takes one step of each key."""
        return change.rounds()


class Docs(Inlined):
    """Documents of scripts; see :mod:`picloud.projections.docs`."""

    name = "docs"
    version = 1
    change = DocsChange
    types = frozenset(event.__name__ for event in DocsChange.types)
    tables = (DOCUMENTS, COLLECTIONS, usage_table())

    def create_indexes(self, connection: psycopg.Connection) -> None:
        """Make the indexes that collections ask for, too."""
        super().create_indexes(connection)
        for wanted in wanted_indexes(connection, self.schema):
            connection.execute(create_index(wanted, self.schema, concurrently=False))


class Quotas(Inlined):
    """What apps may keep; see :mod:`picloud.projections.quotas`."""

    name = "quotas"
    version = 1
    change = QuotasChange
    types = frozenset(event.__name__ for event in QuotasChange.types)
    tables = (QUOTA_LIMITS,)


class Users(Inlined):
    """Accounts of apps' own users; see :mod:`picloud.projections.users`."""

    name = "users"
    version = 1
    change = UsersChange
    types = frozenset(event.__name__ for event in UsersChange.types)
    tables = (ACCOUNTS, USER_SESSIONS, USER_TOKENS, USER_CODES, usage_table())

    def create(self, connection: psycopg.Connection) -> None:
        """See :meth:`Projection.create`. Steps look rows up while the tables are filled: indexes come at once."""
        super().create(connection)
        super().create_indexes(connection)

    def create_indexes(self, connection: psycopg.Connection) -> None:
        """They are there."""


class Files(Inlined):
    """Files and sites of apps; see :mod:`picloud.projections.files`."""

    name = "files"
    version = 1
    change = FilesChange
    types = frozenset(event.__name__ for event in FilesChange.types)
    tables = (FILES, usage_table(), SITES)
