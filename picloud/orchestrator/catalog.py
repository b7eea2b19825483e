"""What a node knows of an app's routes, triggers and scripts: read on first use, forgotten when the catalog changes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from picloud.domain.egress import PLAIN, Egress
from picloud.domain.errors import Disabled, NotFound
from picloud.domain.firing import Target
from picloud.domain.route import Durability, Pattern, Route
from picloud.domain.route_settings import RouteSettings
from picloud.domain.secret import SealedVersion
from picloud.domain.site import SiteSettings
from picloud.domain.subject import Subscriptions
from picloud.domain.trigger import Delivery
from picloud.domain.trigger_config import Config, Cron, Topic, read_config
from picloud.log.listener import CATALOG_CHANNEL, Listener
from picloud.orchestrator.guards import Guard, Guards
from picloud.orchestrator.routing import RouteTable
from picloud.postgres.sessions import Sessions
from picloud.services.file_table import read_site

_APP: Final = "SELECT egress FROM catalog.apps WHERE name = %s AND removed_at IS NULL"
_SCRIPTS: Final = """
    SELECT name, current, sha256, disabled
    FROM catalog.scripts
    WHERE app = %s AND current IS NOT NULL
"""
_ROUTES: Final = "SELECT method, path, script, durability, settings FROM catalog.routes WHERE app = %s"
_TRIGGERS: Final = """
    SELECT name, kind, script, config, delivery, paused
    FROM catalog.triggers
    WHERE app = %s
    ORDER BY name
"""
_SECRETS: Final = "SELECT name, versions FROM catalog.secrets WHERE app = %s AND versions <> '[]'"
_SETTINGS: Final = "SELECT name, value FROM catalog.settings WHERE app = %s AND value IS NOT NULL ORDER BY name"

EVERY_APP: Final = "*"


@dataclass(frozen=True, slots=True)
class ScriptEntry:
    """A script's current version. ``disabled`` is the reason, or None while it takes calls."""

    app: str
    name: str
    number: int
    sha256: str
    disabled: str | None


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """Where a route leads. ``id`` is its stream, which stays when parameters get other names; ``title`` is its pattern
    as users write it; ``script`` is None if it is gone; ``guard`` is None where nothing stands before it."""

    id: UUID
    title: str
    script_name: str
    script: ScriptEntry | None
    durability: Durability
    guard: Guard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerEntry:
    """What a trigger leads to. ``paused`` is the note of its pause, or None; ``script`` is None if it is gone."""

    app: str
    name: str
    kind: str
    config: Config
    delivery: Delivery
    paused: str | None
    script_name: str
    script: ScriptEntry | None

    @property
    def off(self) -> str | None:
        """Why nothing comes of it now; None if something does."""
        if self.paused is not None:
            return f"it is paused: {self.paused}" if self.paused else "it is paused"
        try:
            self.target()
        except (NotFound, Disabled) as error:
            return error.message
        return None

    def target(self) -> Target:
        """What it leads to. Raises :class:`NotFound` or :class:`Disabled` for the script."""
        script = self.script
        if script is None:
            raise NotFound(f"there is no script {self.app}/{self.script_name}", field="script")
        if script.disabled is not None:
            raise Disabled(f"{self.app}/{script.name} is disabled: {script.disabled}")
        return Target(
            app=self.app,
            kind=self.kind,
            trigger=self.name,
            script=script.name,
            number=script.number,
            sha256=script.sha256,
            delivery=self.delivery,
            serial=isinstance(self.config, Cron) and self.config.overlap == "queue",
        )


@dataclass(frozen=True, slots=True)
class AppEntry:
    """An app as requests need it. ``subscriptions`` are its topic triggers, ``egress`` is what scripts may call;
    ``secrets`` are sealed; ``site`` is None without a static site.
    """

    name: str
    scripts: dict[str, ScriptEntry]
    routes: RouteTable[RouteEntry]
    triggers: dict[str, TriggerEntry]
    subscriptions: Subscriptions[TriggerEntry]
    egress: Egress = PLAIN
    secrets: dict[str, list[SealedVersion]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    site: SiteSettings | None = None


class Catalog:
    """The node's cache of apps. An app that isn't there is not cached: asking again costs a query, and no memory."""

    def __init__(self, sessions: Sessions, listener: Listener, guards: Guards) -> None:
        self._sessions = sessions
        self._guards = guards
        self._apps: dict[str, AppEntry] = {}
        self._changes = 0
        listener.subscribe(CATALOG_CHANNEL, self._forget)

    def app(self, name: str) -> AppEntry | None:
        """The app called ``name``, or None. Raises :class:`psycopg.OperationalError` if it has to ask in vain."""
        entry = self._apps.get(name)
        return entry if entry is not None else self._load(name)

    def scripts(self, app: str) -> dict[str, ScriptEntry]:
        """The deployed scripts of the app, by name; none if there is no such app. Raises as :meth:`app` does."""
        entry = self.app(app)
        return entry.scripts if entry is not None else {}

    def egress(self, app: str) -> Egress:
        """Where the app's scripts may connect to. Raises as :meth:`app` does."""
        entry = self.app(app)
        return entry.egress if entry is not None else PLAIN

    def secrets(self, app: str) -> dict[str, list[SealedVersion]]:
        """The sealed secrets of the app, by name; none if there is no such app. Raises as :meth:`app` does."""
        entry = self.app(app)
        return entry.secrets if entry is not None else {}

    def settings(self, app: str) -> dict[str, Any]:
        """The settings of the app, by name; none if there is no such app. Raises as :meth:`app` does."""
        entry = self.app(app)
        return entry.settings if entry is not None else {}

    def forget(self) -> None:
        """Read everything again: something has changed."""
        self._forget(None)

    def _load(self, name: str) -> AppEntry | None:
        changes = self._changes
        with self._sessions.session() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            found = cursor.execute(_APP, (name,)).fetchone()
            if found is None:
                return None
            scripts = {
                row[0]: ScriptEntry(name, row[0], row[1], row[2], row[3])
                for row in cursor.execute(_SCRIPTS, (name,)).fetchall()
            }
            routes = cursor.execute(_ROUTES, (name,)).fetchall()
            secrets = cursor.execute(_SECRETS, (name,)).fetchall()
            settings = cursor.execute(_SETTINGS, (name,)).fetchall()
            triggers = [_trigger(name, row, scripts) for row in cursor.execute(_TRIGGERS, (name,)).fetchall()]
            site = read_site(connection, name).settings
        entry = AppEntry(
            name,
            scripts,
            RouteTable([self._route(name, row, scripts) for row in routes]),
            {trigger.name: trigger for trigger in triggers},
            Subscriptions((each.config.topic, each) for each in triggers if isinstance(each.config, Topic)),
            PLAIN if found[0] is None else msgspec.convert(found[0], Egress),
            {secret: msgspec.convert(versions, list[SealedVersion]) for secret, versions in secrets},
            {setting: json.loads(value) for setting, value in settings},
            site,
        )
        # A change that was notified while we read may not be in what we read.
        if changes == self._changes:
            self._apps[name] = entry
        return entry

    def _route(
        self, app: str, row: tuple[str, str, str, str, Any], scripts: dict[str, ScriptEntry]
    ) -> tuple[Pattern, RouteEntry]:
        method, path, script, durability, settings = row
        pattern = Pattern.parse(f"{method} {path}")
        route = Route.id_of(app, pattern)
        guard = None
        if settings is not None:
            guard = self._guards.guard(route, str(pattern), msgspec.convert(settings, RouteSettings))
        return pattern, RouteEntry(route, str(pattern), script, scripts.get(script), Durability(durability), guard)

    def _forget(self, payload: str | None) -> None:
        self._changes += 1
        names = payload.partition(" ")[2].split(",") if payload else [EVERY_APP]
        for name in names:
            if name == EVERY_APP:
                self._apps.clear()
            else:
                self._apps.pop(name, None)


def _trigger(
    app: str, row: tuple[str, str, str, dict[str, Any], dict[str, Any], str | None], scripts: dict[str, ScriptEntry]
) -> TriggerEntry:
    name, kind, script, config, delivery, paused = row
    return TriggerEntry(
        app=app,
        name=name,
        kind=kind,
        config=read_config(kind, config),
        delivery=msgspec.convert(delivery, Delivery),
        paused=paused,
        script_name=script,
        script=scripts.get(script),
    )
