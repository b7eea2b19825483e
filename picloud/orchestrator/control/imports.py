"""What a script imports, in which versions: pinned when it is deployed, so that a library that changes changes nobody.

A name that the source imports as a literal, and what the imported sources import in turn, each stand for the version
that is deployed at that time. What isn't deployed then, and what a script imports by a computed name, isn't pinned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from picloud.domain.script import Pin, Script
from picloud.log.contents import get_content
from picloud.log.repository import load
from picloud.orchestrator.control.control import Control
from picloud.projections.queries import dependents_of, scripts_of
from picloud.rhai import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.parser import parse
from picloud.rhai.syntax import Import, Literal
from picloud.rhai.tools.tree import walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependent:
    """A script that imports another one: its ``version``, and which one of the other it ``uses``.

    ``was`` is its version before it was deployed again; None if it wasn't.
    """

    script: str
    version: int
    uses: int
    was: int | None = None


def imported_by(source: str) -> tuple[str, ...]:
    """The names that a source imports as literals, in order, each once."""
    paths = [node.path for node in walk(parse(source, Limits())) if isinstance(node, Import)]
    names = [path.value for path in paths if isinstance(path, Literal) and isinstance(path.value, str)]
    return tuple(dict.fromkeys(names))


class Deployable:
    """The scripts of an app as they are deployed, or are about to be."""

    def __init__(self, connection: psycopg.Connection, app: str) -> None:
        self._connection = connection
        self._app = app
        self._imported: dict[str, tuple[str, ...]] = {}
        """What sources import, by their hashes."""
        self.deployed = {
            row["name"]: Pin(number=row["current"], sha256=row["sha256"]) for row in scripts_of(connection, app)
        }

    def put(self, script: Script) -> None:
        """Take in what has become of a script."""
        if script.current is not None:
            version = script.versions[script.current]
            self.deployed[script.name] = Pin(number=version.number, sha256=version.sha256)

    def pins(self, name: str, source: str) -> dict[str, Pin]:
        """What the imports of the script called ``name`` stand for, those of what it imports included."""
        return self._resolved(name, imported_by(source))

    def _resolved(self, name: str, names: Sequence[str]) -> dict[str, Pin]:
        found: dict[str, Pin] = {}
        waiting = [*names]
        while waiting:
            imported = waiting.pop()
            pin = self.deployed.get(imported)
            if pin is not None and imported != name and imported not in found:
                found[imported] = pin
                waiting += self._imported_by(pin)
        return dict(sorted(found.items()))

    def _again(self, name: str) -> dict[str, Pin]:
        """What the imports of a deployed script would stand for if it were deployed now."""
        return self._resolved(name, self._imported_by(self.deployed[name]))

    def _imported_by(self, pin: Pin) -> tuple[str, ...]:
        known = self._imported.get(pin.sha256)
        if known is None:
            try:
                known = imported_by(get_content(self._connection, pin.sha256).decode())
            except RhaiError:
                # It was deployed by an earlier version that took it: that it can't be compiled is told when it runs.
                known = ()
            self._imported[pin.sha256] = known
        return known

    def deploy_again(self, control: Control, changed: Script) -> tuple[list[Script], list[Dependent]]:
        """Deploy the scripts that use another version of a changed one again, as they are, on what is deployed now.

        Those that others import come before these.
        """
        self.put(changed)
        scripts, told = [], []
        for name in self._in_order([dependent.script for dependent in self.dependents(changed)]):
            script = load(self._connection, Script, Script.id_of(self._app, name))
            if script is None or script.current is None:
                continue
            was = script.versions[script.current]
            pins = self._again(name)
            number = script.deploy(was.sha256, was.size, imports=pins, at=control.now())
            self.put(script)
            scripts.append(script)
            uses = pins[changed.name].number if changed.name in pins else 0
            told.append(Dependent(script=name, version=number, uses=uses, was=was.number))
        return scripts, told

    def dependents(self, changed: Script) -> list[Dependent]:
        """The scripts that use another version of ``changed`` than its current one."""
        rows = dependents_of(self._connection, self._app, changed.name, changed.current or 0)
        return [Dependent(script=row["name"], version=row["version"], uses=row["uses"]) for row in rows]

    def _in_order(self, names: Sequence[str]) -> list[str]:
        needs: Mapping[str, set[str]] = {
            name: self._again(name).keys() & set(names) for name in names if name in self.deployed
        }
        done: list[str] = []
        while left := [name for name in needs if name not in done]:
            ready = [name for name in left if needs[name] <= {*done, name}]
            # Scripts that import each other can't run anyway; any order will do.
            done += ready or left
        return done
