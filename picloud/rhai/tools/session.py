"""A script that is told piece by piece: variables, functions and imports of one input are there for the next.

The variables of an input live in a scope by name, as those of a text that ``eval`` runs, so they outlive it. The
functions of all inputs are compiled again with each: a function calls the newest of each name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picloud.rhai.engine import Engine
from picloud.rhai.parser import parse
from picloud.rhai.program import Program, allow_levels
from picloud.rhai.runtime.budget import Budget
from picloud.rhai.runtime.places import Catchable, settled
from picloud.rhai.runtime.run import Host
from picloud.rhai.syntax import Closure, Function, Script
from picloud.rhai.tools.tree import walk

_Key = tuple[str, int, str | None]


class Session:
    """See the module."""

    def __init__(self, engine: Engine, host: Host) -> None:
        self.engine = engine
        self._host = host
        self._run = engine.new_run(host)
        self._functions: dict[_Key, Function] = {}
        self._modules: list[dict[str, Any]] = []
        """The names of the generated modules whose functions may still be called."""
        self.texts: dict[str, str] = {}
        """The input that defined each function, by its name."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables and constants in sight."""
        return {name: cell.value for name, cell in self._run.scope}

    @property
    def constants(self) -> frozenset[str]:
        """Names of those that are constants."""
        return frozenset(name for name, cell in dict(self._run.scope).items() if cell.constant)

    @property
    def functions(self) -> list[Function]:
        """The functions that were defined."""
        return list(self._functions.values())

    def evaluate(self, source: str) -> Any:
        """Run an input and return its value.

        An input that fails leaves what it has changed, but declares nothing. Raises :class:`RhaiError`, and what the
        host's hooks raise.
        """
        script = parse(source, self.engine.limits)
        functions = {(each.name, len(each.parameters), each.this_type): each for each in script.functions}
        known = {**self._functions, **functions}
        program = self.engine.compile_part(Script(script.statements, list(known.values()), script.closures), source)
        run = self._run
        allow_levels(run.limits.max_call_levels)
        names = program.linked(run)
        self._modules.append(names)
        before = len(run.scope), len(run.imports)
        done = False
        try:
            value = names["main"](run.scope, 0)
            done = True
        except Catchable as error:
            failure = settled(error).located()
            if failure.kind != "Exit":
                raise failure from None
            value = failure.payload[0]
        finally:
            if not done:
                del run.scope[before[0] :], run.imports[before[1] :]
            self._refresh()
        self._note(program, script.functions, source)
        self._functions = known
        return value

    def _note(self, program: Program, functions: list[Function], source: str) -> None:
        """Note which text defined the functions of an input.

        Closures of earlier functions are compiled again, under new names; so if there are any, nothing is said of
        where closures are.
        """
        self.texts.update(dict.fromkeys((function.name for function in functions), source))
        before = Script([], list(self._functions.values()))
        known = not any(isinstance(node, Closure) for node in walk(before))
        closures = [name for name in program.function_names if name.startswith("anon$")]
        self.texts.update(dict.fromkeys(closures, source if known else ""))

    def _refresh(self) -> None:
        """Give the run a new budget: an input that was stopped may have left half of one."""
        run = self._run
        budget = Budget(run.limits.max_operations, run.limits.slice_operations, run.host.on_slice)
        budget.resolved = run.budget.resolved
        run.budget = budget
        run.depth = 0
        run.libraries.clear()
        for names in self._modules:
            names["T"] = budget.ticks
        for name, cell in run.scope:
            if cell.constant:
                run.constants[name] = cell.value
