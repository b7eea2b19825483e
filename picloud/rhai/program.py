"""A compiled script, ready to be run any number of times."""

from __future__ import annotations

import marshal
import sys
from collections.abc import Callable, Mapping
from dataclasses import astuple
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from picloud.rhai.codegen import FunctionEntry, Symbols
from picloud.rhai.codegen.types import PYTHON
from picloud.rhai.errors import RhaiError
from picloud.rhai.runtime.calls import boxed
from picloud.rhai.runtime.functions import FunctionKey, Module, ScriptFunction
from picloud.rhai.runtime.places import Catchable, FunctionInfo, settled
from picloud.rhai.runtime.run import DefaultHost, Host, Run
from picloud.rhai.runtime.scopes import close
from picloud.rhai.runtime.support import HELPERS
from picloud.rhai.runtime.tracing import helpers
from picloud.rhai.values import Shared

if TYPE_CHECKING:
    from picloud.rhai.engine import Engine

_FRAMES_PER_LEVEL: Final = 12
_FRAMES: Final = 1000
_MOST_FRAMES: Final = 7500
"""A thread's stack of 8 MB holds so many frames even if each level goes through a native that calls back; a script that
goes deeper ends with ErrorStackOverflow, whatever its limit on levels."""


class Constant:
    """A value that the host gives a script as a constant."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Program:
    """A compiled script. It belongs to the engine that compiled it; runs of one program don't know of each other."""

    __slots__ = ("_code", "_engine", "_infos", "_opened", "_source", "_symbols", "operations")

    def __init__(
        self,
        engine: Engine,
        code: CodeType,
        symbols: Symbols,
        source: str,
    ) -> None:
        self._engine = engine
        self._source = source
        self._opened: dict[bool, Program] = {}
        self._code = code
        self._symbols = symbols
        self._infos = self._named("")
        self.operations = 0
        """Operations that the last run used."""

    @property
    def function_names(self) -> list[str]:
        """Names of the functions and closures in it."""
        return [entry.name for entry in self._symbols.functions]

    def run(self, scope: Mapping[str, Any] | None = None, host: Host | None = None) -> Any:
        """Run the script and return its value.

        ``scope`` holds variables for it, or constants (:class:`Constant`). Raises :class:`RhaiError`, and what the
        host's hooks raise.
        """
        run = self._engine.new_run(host or DefaultHost())
        if scope:
            run.scope = [
                (name, Shared(value.value, constant=True) if type(value) is Constant else Shared(value))
                for name, value in scope.items()
            ]
        allow_levels(run.limits.max_call_levels)
        names = self.linked(run)
        failure: RhaiError | None = None
        try:
            return names["main"](run.scope, 0)
        except Catchable as error:
            settled_error = settled(error)
            if settled_error.kind == "Exit":
                return settled_error.payload[0]
            failure = settled_error.located()
            del settled_error
        finally:
            self.operations = run.operations
            # Functions and their module hold each other; a run is over, so they needn't wait for the garbage collector.
            for each in (names, *run.opened):
                each.clear()
            run.budget.close()
        try:
            raise failure
        finally:
            failure = None  # nor need the error and this frame

    def linked(self, run: Run, source: str = "", *, part: str = "") -> dict[str, Any]:
        """Return the generated module's names, tied to a run. ``part`` is what a trace calls the script."""
        infos = self._infos
        if source:
            infos = self._named(source)
        names = HELPERS | {
            "R": run,
            "T": run.budget.ticks,
            "M": run.limits.max_call_levels,
            "P": run.budget.pay,
            "SITES": self._symbols.sites,
            "INFOS": infos,
        }
        if self._engine.traced:
            names |= helpers(run, part or source)
        for python, (name, types) in self._symbols.natives.items():
            native = run.registry.resolve(name, tuple([PYTHON[each] for each in types]))
            assert native is not None
            names[python] = native.function
        exec(self._code, names)  # noqa: S102 - our own code, audited, without builtins
        for entry in self._symbols.functions:
            if entry.borrows:
                names["B" + entry.python] = boxed(run, names[entry.python])
        functions: dict[FunctionKey, ScriptFunction] = {}
        opened: dict[str, Any] = {}
        frozen: dict[str, Any] = {}
        for entry in self._symbols.functions:
            function = names["S" + entry.python] = ScriptFunction(
                entry.name,
                entry.parameters,
                self._open_code(run, source, entry, opened)
                if entry.closed
                else names["B" + entry.python if entry.borrows else entry.python],
                uses_this=entry.uses_this,
                frozen=self._open_code(run, source, entry, frozen, frozen=True)
                if entry.uses_this and self._source
                else None,
                private=entry.private,
                this_type=entry.this_type,
                gives_integers=entry.gives_integers,
            )
            if entry.name.startswith("anon$") and not entry.captures:
                names["P" + entry.python] = close(function, run)
            if not entry.name.startswith("anon$"):
                functions[entry.name, len(entry.parameters), entry.this_type] = function
        if functions:
            run.functions = functions
        return names

    def _open_code(
        self, run: Run, source: str, entry: FunctionEntry, general: dict[str, Any], *, frozen: bool = False
    ) -> Callable[..., Any]:
        """Return code of a function for calls with anything, or on constants if ``frozen``, made at the first such
        call.

        ``general`` are the names of the module of such code, as soon as it is there.
        """

        def call(*arguments: Any) -> Any:
            if not general:
                if frozen not in self._opened:
                    self._opened[frozen] = self._engine.compile_open(self._source, frozen=frozen)
                functions = run.functions
                general.update(self._opened[frozen].linked(run, source))
                run.functions = functions
                run.opened.append(general)
            return general[entry.python](*arguments)

        return call

    def _named(self, source: str) -> dict[str, FunctionInfo]:
        """Return what each generated function is, its special code too."""
        infos = {entry.python: FunctionInfo(entry.name, source) for entry in self._symbols.functions}
        return infos | {f"Q{python}": info for python, info in infos.items()}

    def as_module(self, parent: Run, level: int, name: str) -> Module:
        """Run the script as a module of another run and return what it offers."""
        run = parent.child()
        names = self.linked(run, name)
        names["main"](run.scope, level + 1)
        variables = {}
        for alias, variable in run.exports.items():
            for known, cell in reversed(run.scope):
                if known == variable:
                    variables[alias] = cell.value
                    break
        functions = {key: function for key, function in run.functions.items() if not function.private}
        modules = {alias: module for alias, module in run.imports if alias is not None}
        return Module(name, functions=functions, variables=variables, modules=modules)

    def dumped(self) -> bytes:
        """Return the program as bytes, to be kept; :meth:`loaded` makes a program of them in the same version of
        Python."""
        entries = tuple(astuple(entry) for entry in self._symbols.functions)
        needed = any(entry.closed or entry.uses_this for entry in self._symbols.functions)
        source = self._source if needed else ""
        return marshal.dumps((self._code, entries, self._symbols.sites, self._symbols.natives, source))

    @classmethod
    def loaded(cls, engine: Engine, data: bytes) -> Program:
        """Return the program of :meth:`dumped`. The bytes must come from there: they hold code."""
        code, entries, sites, natives, source = marshal.loads(data)  # noqa: S302 - our own cache
        return cls(engine, code, Symbols(tuple(FunctionEntry(*entry) for entry in entries), sites, natives), source)


def allow_levels(levels: int) -> None:
    """Let Python's stack grow as deep as so many levels of calls need."""
    needed = min(levels * _FRAMES_PER_LEVEL + _FRAMES, _MOST_FRAMES)
    if sys.getrecursionlimit() < needed:
        sys.setrecursionlimit(needed)
