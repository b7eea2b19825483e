"""The catalog: apps, scripts and their versions, routes, triggers, secrets, settings, tokens and nodes as they are now.

Its events are few, so it reads the rows that a page touches, changes them here, and writes them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import psycopg

from picloud.domain import access, app, node, route, script, secret, setting, trigger
from picloud.domain.egress import PLAIN as PLAIN_EGRESS
from picloud.domain.route import Pattern
from picloud.domain.route_settings import PLAIN
from picloud.domain.secret import SealedVersion
from picloud.log.reader import RecordedEvent, read_first_events
from picloud.projections.projection import EVERYTHING, Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table, array_literal, storable


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _as_json_or_null(value: object) -> str | None:
    return None if value is None else _as_json(value)


APPS: Final = Table(
    name="apps",
    columns=(
        Column("id", "uuid"),
        Column("name", "text"),
        Column("created_at", "timestamptz"),
        Column("removed_at", "timestamptz", nullable=True),
        Column("egress", "jsonb", nullable=True, dump=_as_json_or_null),
    ),
    key=("id",),
    indexes=("UNIQUE apps_name ON {table} (name)",),
)
SCRIPTS: Final = Table(
    name="scripts",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("name", "text"),
        Column("current", "integer", nullable=True),
        Column("sha256", "text", nullable=True),
        Column("disabled", "text", nullable=True),
        Column("updated_at", "timestamptz"),
        Column("stream_version", "bigint"),
    ),
    key=("id",),
    indexes=("UNIQUE scripts_name ON {table} (app, name)",),
)
VERSIONS: Final = Table(
    name="versions",
    columns=(
        Column("id", "uuid"),
        Column("number", "integer"),
        Column("app", "text"),
        Column("script", "text"),
        Column("sha256", "text"),
        Column("size", "bigint"),
        Column("deployed_at", "timestamptz"),
        Column("deployed_by", "text"),
        Column("imports", "jsonb", nullable=True, dump=_as_json_or_null),
    ),
    key=("id", "number"),
    indexes=("UNIQUE versions_script ON {table} (app, script, number)",),
)
ROUTES: Final = Table(
    name="routes",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("method", "text"),
        Column("path", "text"),
        Column("shape", "text"),
        Column("script", "text"),
        Column("durability", "text"),
        Column("settings", "jsonb", nullable=True, dump=_as_json_or_null),
    ),
    key=("id",),
    indexes=("UNIQUE routes_shape ON {table} (app, method, shape)",),
)
TRIGGERS: Final = Table(
    name="triggers",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("name", "text"),
        Column("kind", "text"),
        Column("script", "text"),
        Column("config", "jsonb", dump=_as_json),
        Column("delivery", "jsonb", dump=_as_json),
        Column("paused", "text", nullable=True),
        Column("since", "timestamptz"),
    ),
    key=("id",),
    indexes=("UNIQUE triggers_name ON {table} (app, name)", "triggers_kind ON {table} (kind)"),
)
SECRETS: Final = Table(
    name="secrets",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("name", "text"),
        Column("number", "integer"),
        Column("versions", "jsonb", dump=_as_json),
    ),
    key=("id",),
    indexes=("UNIQUE secrets_name ON {table} (app, name)",),
)
SETTINGS: Final = Table(
    name="settings",
    columns=(
        Column("id", "uuid"),
        Column("app", "text"),
        Column("name", "text"),
        Column("number", "integer"),
        Column("kind", "text", nullable=True),
        Column("value", "text", nullable=True),
        Column("changed_at", "timestamptz"),
        Column("changed_by", "text"),
    ),
    key=("id",),
    indexes=("UNIQUE settings_name ON {table} (app, name)",),
)
TOKENS: Final = Table(
    name="tokens",
    columns=(
        Column("id", "uuid"),
        Column("name", "text"),
        Column("role", "text"),
        Column("apps", "text[]", dump=array_literal),
        Column("sha256", "text"),
        Column("issued_at", "timestamptz"),
        Column("revoked_at", "timestamptz", nullable=True),
    ),
    key=("id",),
    indexes=("tokens_sha256 ON {table} (sha256)",),
)
NODES: Final = Table(
    name="nodes",
    columns=(
        Column("id", "uuid"),
        Column("host", "text"),
        Column("pid", "integer"),
        Column("capacity", "integer"),
        Column("state", "text"),
        Column("started_at", "timestamptz"),
        Column("ended_at", "timestamptz", nullable=True),
    ),
    key=("id",),
    indexes=("nodes_state ON {table} (state)",),
)


@dataclass(slots=True)
class AppRow:
    """An app; a removed one keeps its row. ``egress`` is None where nobody set anything."""

    id: UUID
    name: str
    created_at: datetime
    removed_at: datetime | None = None
    egress: Any = None


@dataclass(slots=True)
class ScriptRow:
    """A script; ``current`` and ``sha256`` are None before the first deploy and after a removal."""

    id: UUID
    app: str
    name: str
    current: int | None
    sha256: str | None
    disabled: str | None
    updated_at: datetime
    stream_version: int


@dataclass(slots=True)
class VersionRow:
    """One numbered version of a script; ``imports`` are the versions that it imports, None where they aren't pinned."""

    id: UUID
    number: int
    app: str
    script: str
    sha256: str
    size: int
    deployed_at: datetime
    deployed_by: str
    imports: Any = None


@dataclass(slots=True)
class RouteRow:
    """A route; a removed one has no row. ``settings`` are None where nobody set anything."""

    id: UUID
    app: str
    method: str
    path: str
    shape: str
    script: str
    durability: str
    settings: Any = None


@dataclass(slots=True)
class TriggerRow:
    """A trigger; a removed one has no row. ``since`` is when it became as it is: made, changed or resumed."""

    id: UUID
    app: str
    name: str
    kind: str
    script: str
    config: dict[str, Any]
    delivery: Any
    paused: str | None
    since: datetime


@dataclass(slots=True)
class SecretRow:
    """A secret; ``versions`` are those that were readable at its latest change, newest first, each with who set it.

    A removed one keeps its row, with none; ``number`` is the latest that was given.
    """

    id: UUID
    app: str
    name: str
    number: int
    versions: list[dict[str, Any]]


@dataclass(slots=True)
class SettingRow:
    """A setting; ``value`` is JSON text. A removed one keeps its row, without type and value."""

    id: UUID
    app: str
    name: str
    number: int
    kind: str | None
    value: str | None
    changed_at: datetime
    changed_by: str


@dataclass(slots=True)
class TokenRow:
    """A token; a revoked one keeps its row."""

    id: UUID
    name: str
    role: str
    apps: list[str]
    sha256: str
    issued_at: datetime
    revoked_at: datetime | None = None


@dataclass(slots=True)
class NodeRow:
    """A node; ``state`` is live, stopped or lost."""

    id: UUID
    host: str
    pid: int
    capacity: int
    state: str
    started_at: datetime
    ended_at: datetime | None = None


_APP_TYPES: Final = ("AppCreated", "AppRemoved", "AppRestored", "AppEgressChanged")
_SCRIPT_TYPES: Final = (
    "ScriptCreated",
    "ScriptDeployed",
    "ScriptRolledBack",
    "ScriptDisabled",
    "ScriptEnabled",
    "ScriptRemoved",
)
_ROUTE_TYPES: Final = ("RouteAdded", "RouteChanged", "RouteConfigured", "RouteRemoved")
_TRIGGER_TYPES: Final = ("TriggerCreated", "TriggerChanged", "TriggerPaused", "TriggerResumed", "TriggerRemoved")
_SECRET_TYPES: Final = ("SecretCreated", "SecretSet", "SecretExpired", "SecretResealed", "SecretRemoved")
_SETTING_TYPES: Final = ("SettingCreated", "SettingSet", "SettingRemoved")
_TOKEN_TYPES: Final = ("TokenIssued", "TokenRevoked")
_SITE_TYPES: Final = ("SiteConfigured", "SiteRemoved")
"""They leave no rows here, the append writes them; who keeps apps in memory is told."""
_NODE_TYPES: Final = ("NodeStarted", "NodeStopped", "NodeLost")


class Catalog(Projection):
    """See the module."""

    name = "catalog"
    version = 6
    types = frozenset(
        (
            *_APP_TYPES,
            *_SCRIPT_TYPES,
            *_ROUTE_TYPES,
            *_TRIGGER_TYPES,
            *_SECRET_TYPES,
            *_SETTING_TYPES,
            *_SITE_TYPES,
            *_TOKEN_TYPES,
            *_NODE_TYPES,
        )
    )
    tables = (APPS, SCRIPTS, VERSIONS, ROUTES, TRIGGERS, SECRETS, SETTINGS, TOKENS, NODES)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        if not facts:
            return None
        rows = _Rows(self.schema)
        rows.load(connection, facts)
        changed: set[str] = set()
        for recorded, event in facts:
            if recorded.type in _APP_TYPES:
                _fold_app(rows, recorded, event)
            elif recorded.type in _SCRIPT_TYPES:
                _fold_script(rows, recorded, event)
            elif recorded.type in _ROUTE_TYPES:
                _fold_route(rows, recorded, event)
            elif recorded.type in _TRIGGER_TYPES:
                _fold_trigger(rows, recorded, event)
            elif recorded.type in _SECRET_TYPES:
                _fold_secret(rows, recorded, event)
            elif recorded.type in _SETTING_TYPES:
                _fold_setting(rows, recorded, event)
            elif recorded.type in _TOKEN_TYPES:
                _fold_token(rows, recorded, event)
            elif recorded.type in _NODE_TYPES:
                _fold_node(rows, recorded, event)
            changed.add(recorded.app or EVERYTHING)
        rows.write(connection)
        return Change(frozenset(changed))


class _Rows:
    """The rows that a page touches, and the founding events of removed routes and triggers that came back in it."""

    def __init__(self, schema: str) -> None:
        self.apps = RowSet(APPS, AppRow, schema)
        self.scripts = RowSet(SCRIPTS, ScriptRow, schema)
        self.versions = RowSet(VERSIONS, VersionRow, schema)
        self.routes = RowSet(ROUTES, RouteRow, schema)
        self.triggers = RowSet(TRIGGERS, TriggerRow, schema)
        self.secrets = RowSet(SECRETS, SecretRow, schema)
        self.settings = RowSet(SETTINGS, SettingRow, schema)
        self.tokens = RowSet(TOKENS, TokenRow, schema)
        self.nodes = RowSet(NODES, NodeRow, schema)
        self.founding: dict[UUID, RecordedEvent] = {}

    def load(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> None:
        self.apps.load(connection, _streams(facts, _APP_TYPES))
        self.scripts.load(connection, _streams(facts, _SCRIPT_TYPES))
        self.versions.load(connection, _streams(facts, ("ScriptRolledBack",)))
        self.routes.load(connection, _streams(facts, _ROUTE_TYPES))
        self.triggers.load(connection, _streams(facts, _TRIGGER_TYPES))
        self.secrets.load(connection, _streams(facts, _SECRET_TYPES))
        self.settings.load(connection, _streams(facts, _SETTING_TYPES))
        self.tokens.load(connection, _streams(facts, _TOKEN_TYPES))
        self.nodes.load(connection, _streams(facts, _NODE_TYPES))
        returning = _streams(facts, ("RouteChanged", "TriggerChanged"))
        if returning:
            self.founding = read_first_events(connection, list(returning))

    def write(self, connection: psycopg.Connection) -> None:
        small = (self.secrets, self.settings, self.tokens, self.nodes)
        for rows in (self.apps, self.scripts, self.versions, self.routes, self.triggers, *small):
            rows.write(connection)


def _streams(facts: Iterable[Fact], types: Sequence[str]) -> set[UUID]:
    return {recorded.stream_id for recorded, _ in facts if recorded.type in types}


Found = TypeVar("Found")


def _there(row: Found | None) -> Found:
    if row is None:
        raise LookupError("its row is missing")
    return row


def _fold_app(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    match event:
        case app.AppCreated(name=name):
            rows.apps.put(AppRow(recorded.stream_id, name, recorded.at))
        case app.AppRemoved():
            row = _there(rows.apps.get(recorded.stream_id))
            row.removed_at = recorded.at
            rows.apps.put(row)
        case app.AppRestored():
            row = _there(rows.apps.get(recorded.stream_id))
            row.created_at, row.removed_at, row.egress = recorded.at, None, None
            rows.apps.put(row)
        case app.AppEgressChanged(egress=egress):
            row = _there(rows.apps.get(recorded.stream_id))
            row.egress = None if egress == PLAIN_EGRESS else egress
            rows.apps.put(row)


def _fold_script(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    if isinstance(event, script.ScriptCreated):
        row = ScriptRow(recorded.stream_id, event.app, event.name, None, None, None, recorded.at, recorded.version)
    else:
        row = _there(rows.scripts.get(recorded.stream_id))
    match event:
        case script.ScriptDeployed(number=number, sha256=sha256, size=size):
            row.current, row.sha256 = number, sha256
            deployed = (size, recorded.at, storable(recorded.actor), event.imports)
            rows.versions.put(VersionRow(row.id, number, row.app, row.name, sha256, *deployed))
        case script.ScriptRolledBack(number=number):
            row.current, row.sha256 = number, _there(rows.versions.get(row.id, number)).sha256
        case script.ScriptDisabled(reason=reason):
            row.disabled = storable(reason)
        case script.ScriptEnabled():
            row.disabled = None
        case script.ScriptRemoved():
            row.current = row.sha256 = row.disabled = None
    row.updated_at, row.stream_version = recorded.at, recorded.version
    rows.scripts.put(row)


def _fold_route(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    match event:
        case route.RouteAdded(app=name, method=method, path=path):
            shape = Pattern.parse(f"{method} {path}").shape
            rows.routes.put(RouteRow(recorded.stream_id, name, method, path, shape, event.script, event.durability))
        case route.RouteChanged(path=path):
            row = rows.routes.get(recorded.stream_id) or _again(rows.founding[recorded.stream_id])
            row.path, row.script, row.durability = path, event.script, event.durability
            rows.routes.put(row)
        case route.RouteConfigured(settings=settings):
            row = _there(rows.routes.get(recorded.stream_id))
            row.settings = None if settings == PLAIN else settings
            rows.routes.put(row)
        case route.RouteRemoved():
            rows.routes.remove(_there(rows.routes.get(recorded.stream_id)))


def _again(founding: RecordedEvent) -> RouteRow:
    """The row of a removed route that is back: what never changes of it stands in its first event."""
    event = founding.event
    assert isinstance(event, route.RouteAdded)
    shape = Pattern.parse(f"{event.method} {event.path}").shape
    return RouteRow(founding.stream_id, event.app, event.method, event.path, shape, event.script, event.durability)


def _fold_trigger(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    match event:
        case trigger.TriggerCreated(app=app_name, name=name, kind=kind, script=leads_to):
            made = (recorded.stream_id, app_name, name, kind, leads_to, event.config, event.delivery, None, recorded.at)
            rows.triggers.put(TriggerRow(*made))
            return
        case trigger.TriggerRemoved():
            rows.triggers.remove(_there(rows.triggers.get(recorded.stream_id)))
            return
    row = rows.triggers.get(recorded.stream_id)
    match event:
        case trigger.TriggerChanged(kind=kind, script=leads_to, config=config, delivery=delivery):
            if row is None:
                row = _trigger_again(rows.founding[recorded.stream_id])
            row.kind, row.script, row.config, row.delivery = kind, leads_to, config, delivery
        case trigger.TriggerPaused(note=note):
            row = _there(row)
            row.paused = storable(note)
        case trigger.TriggerResumed():
            row = _there(row)
            row.paused = None
    row = _there(row)
    row.since = recorded.at
    rows.triggers.put(row)


def _trigger_again(founding: RecordedEvent) -> TriggerRow:
    event = founding.event
    assert isinstance(event, trigger.TriggerCreated)
    return TriggerRow(
        founding.stream_id, event.app, event.name, event.kind, event.script, {}, event.delivery, None, founding.at
    )


def _fold_secret(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    if isinstance(event, secret.SecretCreated):
        rows.secrets.put(SecretRow(recorded.stream_id, event.app, event.name, 0, []))
        return
    row = _there(rows.secrets.get(recorded.stream_id))
    was = [msgspec.convert(version, SealedVersion) for version in row.versions]
    setters = {version["number"]: version["set_by"] for version in row.versions}
    match event:
        case secret.SecretSet(number=number, sealed=sealed, fingerprint=fingerprint, before_until=until):
            now = secret.with_version(was, SealedVersion(number, sealed, fingerprint, recorded.at), until)
            row.number = number
            setters[number] = storable(recorded.actor)
        case secret.SecretResealed(versions=anew):
            now = secret.resealed(was, anew)
        case secret.SecretExpired():
            now = was[:1]
        case _:
            now = []
    row.versions = [msgspec.to_builtins(version) | {"set_by": setters[version.number]} for version in now]
    rows.secrets.put(row)


def _fold_setting(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    if isinstance(event, setting.SettingCreated):
        row = SettingRow(recorded.stream_id, event.app, event.name, 0, None, None, recorded.at, "")
    else:
        row = _there(rows.settings.get(recorded.stream_id))
    match event:
        case setting.SettingSet(number=number, kind=kind, value=value):
            row.number, row.kind, row.value = number, kind, value
        case setting.SettingRemoved():
            row.kind = row.value = None
    row.changed_at, row.changed_by = recorded.at, storable(recorded.actor)
    rows.settings.put(row)


def _fold_token(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    match event:
        case access.TokenIssued(name=name, role=role, apps=apps, sha256=sha256):
            rows.tokens.put(TokenRow(recorded.stream_id, name, role, apps, sha256, recorded.at))
        case access.TokenRevoked():
            row = _there(rows.tokens.get(recorded.stream_id))
            row.revoked_at = recorded.at
            rows.tokens.put(row)


def _fold_node(rows: _Rows, recorded: RecordedEvent, event: object) -> None:
    if isinstance(event, node.NodeStarted):
        host = storable(event.host)
        rows.nodes.put(NodeRow(recorded.stream_id, host, event.pid, event.capacity, "live", recorded.at))
        return
    row = _there(rows.nodes.get(recorded.stream_id))
    row.state = "stopped" if isinstance(event, node.NodeStopped) else "lost"
    row.ended_at = recorded.at
    rows.nodes.put(row)
