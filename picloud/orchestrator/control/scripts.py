"""Scripts: deployed, rolled back, switched off and on, removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from picloud.domain.errors import NotFound
from picloud.domain.route import Durability, Pattern
from picloud.domain.script import Script, ScriptVersion, check_source_size
from picloud.log.appender import StreamConflict
from picloud.log.contents import get_content, put_content
from picloud.log.repository import collect, load
from picloud.orchestrator.control.apps import app_for_deploy, existing_app
from picloud.orchestrator.control.compiling import check_source
from picloud.orchestrator.control.control import Command, Control
from picloud.orchestrator.control.imports import Dependent, Deployable
from picloud.orchestrator.control.routes import pointed_route

MAX_SOURCE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is to be deployed. ``expected`` is the version that must be current (0: none; None: whichever).

    With ``dependents`` the scripts that import it are deployed again in the same commit, on the new version.
    """

    app: str
    script: str
    source: str
    routes: Sequence[str] = ()
    durability: str | None = None
    expected: int | None = None
    dependents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What came of it: ``changed`` is false if the same source, on the same imports, was current already.

    ``dependents`` are the scripts that were deployed again, or, without that, those that use an older version.
    """

    version: ScriptVersion
    changed: bool
    routes: list[Pattern]
    dependents: list[Dependent]


def deploy(control: Control, command: Command, deployment: Deployment) -> Deployed:
    """Make the source the script's current version, and point the routes to it, in one commit.

    Raises :class:`SyntaxFault`, :class:`Invalid`, :class:`Conflict` or :class:`VersionMismatch`; then nothing changed.
    """
    content = deployment.source.encode()
    check_source_size(len(content), MAX_SOURCE_BYTES)
    patterns = [Pattern.parse(text) for text in deployment.routes]
    if deployment.durability is not None:
        Durability.named(deployment.durability)
    Script.id_of(deployment.app, deployment.script)
    check_source(deployment.source, control.programs)

    def use_case() -> Deployed:
        with control.sessions.session() as connection:
            app = app_for_deploy(connection, control, deployment.app)
            script = load(connection, Script, Script.id_of(deployment.app, deployment.script))
            if script is None:
                script = Script.create(deployment.app, deployment.script, at=control.now())
            script.expect(deployment.expected)
            sha256 = put_content(connection, content)
            before = script.current
            scripts = Deployable(connection, deployment.app)
            pins = scripts.pins(deployment.script, deployment.source)
            number = script.deploy(sha256, len(content), imports=pins, at=control.now())
            again, dependents = _dependents(control, scripts, script, again=deployment.dependents)
            routes = [pointed_route(connection, control, deployment, pattern) for pattern in patterns]
        control.append(collect([app, script, *again, *routes], command.metadata(deployment.app)))
        version = script.versions[number]
        return Deployed(version=version, changed=number != before, routes=patterns, dependents=dependents)

    if deployment.expected is None:
        return control.decide(use_case)
    try:
        return use_case()
    except StreamConflict:
        # Whoever named a version gets told that it moved on, not a silent second try on top of it.
        return use_case()


def _dependents(
    control: Control, scripts: Deployable, script: Script, *, again: bool
) -> tuple[list[Script], list[Dependent]]:
    return scripts.deploy_again(control, script) if again else ([], scripts.dependents(script))


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """What is to be rolled back, and to which version; ``expected`` and ``dependents`` as in :class:`Deployment`."""

    app: str
    script: str
    number: int
    expected: int | None = None
    dependents: bool = False


def roll_back(control: Control, command: Command, wanted: RollBack) -> tuple[int, list[Dependent]]:
    """Make an earlier version current; return the one that was, and who imports it, as :class:`Deployed` does.

    Raises :class:`NotFound` or :class:`Conflict`.
    """

    def use_case() -> tuple[int, list[Dependent]]:
        with control.sessions.session() as connection:
            script = existing_script(connection, wanted.app, wanted.script)
            script.expect(wanted.expected)
            was = script.current or 0
            script.roll_back(wanted.number, at=control.now())
            scripts = Deployable(connection, wanted.app)
            again, dependents = _dependents(control, scripts, script, again=wanted.dependents)
        control.append(collect([script, *again], command.metadata(wanted.app)))
        return was, dependents

    return control.decide(use_case)


def disable(control: Control, command: Command, app: str, name: str, reason: str) -> None:
    """Refuse calls, giving the reason."""
    _change(control, command, app, name, lambda script: script.disable(reason, at=control.now()))


def enable(control: Control, command: Command, app: str, name: str) -> None:
    """Take calls again."""
    _change(control, command, app, name, lambda script: script.enable(at=control.now()))


def remove(control: Control, command: Command, app: str, name: str) -> None:
    """Take the script out of service; routes to it stay and answer 404."""
    _change(control, command, app, name, lambda script: script.remove(at=control.now()))


def source_of(connection: psycopg.Connection, app: str, name: str, number: int | None) -> tuple[ScriptVersion, str]:
    """A version and its source; the current one if ``number`` is None. Raises :class:`NotFound`."""
    script = existing_script(connection, app, name)
    version = script.version_numbered(number if number is not None else script.current or 0)
    return version, get_content(connection, version.sha256).decode()


def existing_script(connection: psycopg.Connection, app: str, name: str) -> Script:
    """The script, deployed or not any more. Raises :class:`NotFound`."""
    existing_app(connection, app)
    script = load(connection, Script, Script.id_of(app, name))
    if script is None:
        raise NotFound(f"there is no script {app}/{name}", field="script", remedy=f"See picloud scripts {app}.")
    return script


def _change(control: Control, command: Command, app: str, name: str, change: Callable[[Script], None]) -> None:
    def use_case() -> None:
        with control.sessions.session() as connection:
            script = existing_script(connection, app, name)
        change(script)
        control.append(collect([script], command.metadata(app)))

    control.decide(use_case)
