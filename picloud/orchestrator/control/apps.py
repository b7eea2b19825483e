"""Apps: created by hand or by their first deploy, removed with everything in them."""

from __future__ import annotations

import psycopg

from picloud.domain.app import App
from picloud.domain.errors import Conflict, NotFound
from picloud.domain.names import check_app_name
from picloud.domain.route import Pattern, Route
from picloud.domain.script import Script
from picloud.domain.secret import Secret
from picloud.domain.setting import Setting
from picloud.domain.site import removal
from picloud.domain.trigger import Trigger
from picloud.log.appender import Entry
from picloud.log.repository import collect, load
from picloud.orchestrator.control.control import Command, Control
from picloud.projections.queries import routes_of, scripts_of
from picloud.projections.secrets import secrets_of
from picloud.projections.settings import settings_of
from picloud.projections.triggers import triggers_of
from picloud.services.file_table import read_site


def existing_app(connection: psycopg.Connection, name: str) -> App:
    """The app called ``name``. Raises :class:`NotFound`."""
    app = load(connection, App, App.id_of(name))
    if app is None or app.removed:
        raise NotFound(f"there is no app {name!r}", field="app", remedy="Deploy a script to it, or see picloud apps.")
    return app


def app_for_deploy(connection: psycopg.Connection, control: Control, name: str) -> App:
    """The app called ``name``, made if it isn't there."""
    app = load(connection, App, App.id_of(check_app_name(name)))
    if app is None:
        return App.create(name, at=control.now())
    if app.removed:
        app.restore(at=control.now())
    return app


def create_app(control: Control, command: Command, name: str) -> None:
    """Make an app. Raises :class:`Invalid` or :class:`Conflict`."""

    def use_case() -> None:
        with control.sessions.session() as connection:
            known = load(connection, App, App.id_of(check_app_name(name)))
            if known is not None and not known.removed:
                raise Conflict(f"there is an app {name!r} already", field="name")
            app = app_for_deploy(connection, control, name)
        control.append(collect([app], command.metadata(name)))

    control.decide(use_case)


def remove_app(control: Control, command: Command, name: str) -> None:
    """Take an app out of service, with everything that it has. Raises :class:`NotFound`."""

    def use_case() -> None:
        now = control.now()
        with control.sessions.session() as connection:
            app = existing_app(connection, name)
            app.remove(at=now)
            scripts = [
                load(connection, Script, Script.id_of(name, row["name"])) for row in scripts_of(connection, name)
            ]
            routes = [
                load(connection, Route, Route.id_of(name, Pattern.parse(f"{row['method']} {row['path']}")))
                for row in routes_of(connection, name)
            ]
            triggers = [
                load(connection, Trigger, Trigger.id_of(name, row["name"])) for row in triggers_of(connection, name)
            ]
            secrets = [
                load(connection, Secret, Secret.id_of(name, row["name"])) for row in secrets_of(connection, name)
            ]
            settings = [
                load(connection, Setting, Setting.id_of(name, row["name"])) for row in settings_of(connection, name)
            ]
            site = read_site(connection, name)
        for script in scripts:
            if script is not None and script.current is not None:
                script.remove(at=now)
        for route in routes:
            if route is not None and not route.removed:
                route.remove(at=now)
        for trigger in triggers:
            if trigger is not None and not trigger.removed:
                trigger.remove(at=now)
        for secret in secrets:
            if secret is not None and secret.current is not None:
                secret.remove(at=now)
        for setting in settings:
            if setting is not None and setting.value is not None:
                setting.remove(at=now)
        changed = [
            app,
            *(s for s in scripts if s is not None),
            *(r for r in routes if r is not None),
            *(t for t in triggers if t is not None),
            *(s for s in secrets if s is not None),
            *(s for s in settings if s is not None),
        ]
        metadata = command.metadata(name)
        unserved = [Entry(removal(name, site), metadata)] if site.settings is not None else []
        control.append([*collect(changed, metadata), *unserved])

    control.decide(use_case)
