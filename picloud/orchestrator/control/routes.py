"""Routes: added, pointed to another script, removed."""

from __future__ import annotations

from typing import Protocol

import psycopg

from picloud.domain.errors import NotFound
from picloud.domain.route import Durability, Pattern, Route
from picloud.domain.script import Script
from picloud.log.repository import collect, load
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control


class Target(Protocol):
    """Where a route is to lead. ``durability`` is None to keep what the route has."""

    @property
    def app(self) -> str: ...
    @property
    def script(self) -> str: ...
    @property
    def durability(self) -> str | None: ...


def pointed_route(connection: psycopg.Connection, control: Control, target: Target, pattern: Pattern) -> Route:
    """The route for ``pattern``, leading to the target. Raises :class:`Conflict` if it leads elsewhere."""
    route = load(connection, Route, Route.id_of(target.app, pattern))
    if route is None:
        durability = target.durability or Durability.OUTBOX.value
        return Route.add(target.app, pattern, target.script, durability=durability, at=control.now())
    route.point(pattern, target.script, durability=target.durability or route.durability.value, at=control.now())
    return route


def add_route(control: Control, command: Command, target: Target, text: str) -> Pattern:
    """Point a route to a script that exists. Raises :class:`NotFound`, :class:`Invalid` or :class:`Conflict`."""
    pattern = Pattern.parse(text)

    def use_case() -> None:
        with control.sessions.session() as connection:
            existing_app(connection, target.app)
            script = load(connection, Script, Script.id_of(target.app, target.script))
            if script is None or script.current is None:
                raise NotFound(
                    f"there is no script {target.app}/{target.script}", field="script", remedy="Deploy it first."
                )
            route = pointed_route(connection, control, target, pattern)
        control.append(collect([route], command.metadata(target.app)))

    control.decide(use_case)
    return pattern


def remove_route(control: Control, command: Command, app: str, text: str) -> None:
    """Take a route away. Raises :class:`NotFound` or :class:`Invalid`."""
    pattern = Pattern.parse(text)

    def use_case() -> None:
        with control.sessions.session() as connection:
            existing_app(connection, app)
            route = load(connection, Route, Route.id_of(app, pattern))
        if route is None:
            raise NotFound(f"there is no route {pattern} in {app}", field="route", remedy=f"See picloud routes {app}.")
        route.remove(at=control.now())
        control.append(collect([route], command.metadata(app)))

    control.decide(use_case)
