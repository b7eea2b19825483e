"""Routes: added, pointed to another script, given settings and credentials, removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import psycopg

from picloud.domain.errors import Invalid, NotFound
from picloud.domain.route import Durability, Pattern, Route
from picloud.domain.route_auth import Scheme
from picloud.domain.route_settings import RouteSettings
from picloud.domain.script import Script
from picloud.log.repository import collect, load
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.orchestrator.guards.issuing import Asked, Issued, issue
from picloud.orchestrator.vault import Vault, known_keys

DEFAULT_CREDENTIAL: Final = "default"


@dataclass(frozen=True, slots=True)
class _Target:
    app: str
    script: str
    durability: str | None


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
            _check_deployed(connection, target.app, target.script)
            route = pointed_route(connection, control, target, pattern)
        control.append(collect([route], command.metadata(target.app)))

    control.decide(use_case)
    return pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to become of a route. ``settings`` makes the new ones of those that it has; ``asked`` are credentials to
    be added; ``script`` and ``durability`` are None to stay as they are."""

    app: str
    pattern: Pattern
    settings: Callable[[RouteSettings], RouteSettings] = lambda was: was
    asked: Sequence[Asked] = ()
    script: str | None = None
    durability: str | None = None


def set_route(control: Control, command: Command, vault: Vault, change: Change) -> list[Issued]:
    """Change a route, or make it if a script is named; return the credentials that were made, told this once.

    Where callers are to show a credential and there is none, one called ``default`` is made.
    Raises :class:`NotFound`, :class:`Invalid`, :class:`Conflict`, or :class:`VaultError`.
    """
    if change.durability is not None:
        Durability.named(change.durability)

    def use_case() -> list[Issued]:
        with control.sessions.session() as connection:
            existing_app(connection, change.app)
            route = load(connection, Route, Route.id_of(change.app, change.pattern))
            script = change.script or (route.script if route is not None and not route.removed else None)
            if script is None:
                raise _no_route(change.app, change.pattern)
            if change.script is not None:
                _check_deployed(connection, change.app, change.script)
            target = _Target(change.app, script, change.durability)
            pattern = change.pattern if change.script is not None or route is None else route.pattern
            route = pointed_route(connection, control, target, pattern)
            known = known_keys(connection)
        settings, issued = _settings(change, route, vault)
        if _seals(settings, route.settings):
            vault.check_newest(known)
        route.configure(settings, at=control.now())
        control.append(collect([route], command.metadata(change.app)))
        return issued

    return control.decide(use_case)


def revoke_credential(control: Control, command: Command, app: str, pattern: Pattern, name: str) -> None:
    """Let a credential of a route open nothing any more. Raises :class:`NotFound`."""

    def without(was: RouteSettings) -> RouteSettings:
        if was.auth is None:
            raise NotFound(f"{pattern} of {app} is open to all and has no credentials", field="route")
        return replace(was, auth=was.auth.without_credential(name))

    def use_case() -> None:
        with control.sessions.session() as connection:
            existing_app(connection, app)
            route = load(connection, Route, Route.id_of(app, pattern))
        if route is None or route.removed:
            raise _no_route(app, pattern)
        route.configure(without(route.settings), at=control.now())
        control.append(collect([route], command.metadata(app)))

    control.decide(use_case)


def _seals(settings: RouteSettings, before: RouteSettings) -> bool:
    """Whether there is something new that others must be able to open."""
    had = before.auth.credentials if before.auth is not None else ()
    return settings.auth is not None and settings.auth.signs and settings.auth.credentials != had


def _settings(change: Change, route: Route, vault: Vault) -> tuple[RouteSettings, list[Issued]]:
    settings = change.settings(route.settings).check()
    auth = settings.auth
    if auth is None or not auth.takes_credentials:
        if change.asked:
            raise Invalid(
                "there is nobody to name: the route is open, or checks tokens by a public key",
                field="auth.credentials",
                remedy="Set how callers show who they are: picloud routes set --auth.",
            )
        if auth is not None and auth.token is not None:
            from picloud.orchestrator.guards.tokens import public_part

            settings = replace(settings, auth=replace(auth, token=replace(auth.token, key=public_part(auth.token))))
        return settings, []
    asked = change.asked
    if not asked and not auth.credentials and auth.scheme is not Scheme.BASIC:
        asked = [Asked(DEFAULT_CREDENTIAL)]
    made = [issue(each, auth, route.id, vault) for each in asked]
    with_all = auth.with_credentials(tuple(credential for credential, _ in made))
    return replace(settings, auth=with_all), [issued for _, issued in made if issued is not None]


def _check_deployed(connection: psycopg.Connection, app: str, name: str) -> None:
    script = load(connection, Script, Script.id_of(app, name))
    if script is None or script.current is None:
        raise NotFound(f"there is no script {app}/{name}", field="script", remedy="Deploy it first.")


def _no_route(app: str, pattern: Pattern) -> NotFound:
    return NotFound(f"there is no route {pattern} in {app}", field="route", remedy=f"See picloud routes {app}.")


def remove_route(control: Control, command: Command, app: str, text: str) -> None:
    """Take a route away. Raises :class:`NotFound` or :class:`Invalid`."""
    pattern = Pattern.parse(text)

    def use_case() -> None:
        with control.sessions.session() as connection:
            existing_app(connection, app)
            route = load(connection, Route, Route.id_of(app, pattern))
        if route is None:
            raise _no_route(app, pattern)
        route.remove(at=control.now())
        control.append(collect([route], command.metadata(app)))

    control.decide(use_case)
