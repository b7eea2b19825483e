"""Functions, and the whole module."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import borrowing, nodes
from picloud.rhai.codegen.calls import special_name
from picloud.rhai.codegen.emitter import RETURN, Options
from picloud.rhai.codegen.inference import Inference
from picloud.rhai.codegen.inlining import sketch
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.ranges import Ranges
from picloud.rhai.codegen.sole import Finder
from picloud.rhai.codegen.speculation import guess
from picloud.rhai.codegen.statements import Statements
from picloud.rhai.codegen.types import ANY, ARRAY, FLOAT, INT, MAP
from picloud.rhai.errors import Position
from picloud.rhai.resolver import FunctionScope, Resolution
from picloud.rhai.syntax import Node
from picloud.rhai.texts import Pause, go_on

MAIN = "main"
_PYTHON: Final = {INT: "int", FLOAT: "float", ARRAY: "list", MAP: "dict"}


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """What is to be known of a generated function at run time; plain data, so that it can be kept in a file."""

    python: str
    name: str
    parameters: tuple[str, ...]
    uses_this: bool
    private: bool
    this_type: str | None
    closed: bool
    """It is for the calls that stand in the script; any other call needs code that makes no assumptions."""
    borrows: bool
    """It gets ``this`` as it is, not in a box."""
    captures: int
    """So many variables are captured."""
    gives_integers: bool
    """It gives an integer and does nothing else."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """What a generated module needs to be run; plain data, so that it can be kept in a file."""

    functions: tuple[FunctionEntry, ...]
    sites: dict[Position, tuple[Any, Any]]
    """Array and index of each element that is read without a look at the bounds (see ``chains.operand``)."""
    natives: dict[str, tuple[str, tuple[int, ...]]]
    """Of the Python names of natives, what they are called and the types of arguments that they are for."""


class Generator(Statements):
    """Makes the module of one script."""

    def __init__(
        self,
        script: syntax.Script,
        resolution: Resolution,
        options: Options,
        identity: str,
        *,
        from_outside: bool,
        frozen: bool,
        pause: Pause | None,
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.traced = options.traced
        self.in_sight = []
        self.script = script
        self.resolution = resolution
        self.options = options
        self.plans = {}
        self.closures = {}
        self.loops = []
        self.wanted = []
        self.everything: list[FunctionPlan] = []
        self._plan(identity)
        self.facts = Inference(script, resolution, self.plans, self.closures, options)
        self.pause = self.facts.pause = pause or go_on
        self.facts.run(from_outside=from_outside)
        self.ranges = Ranges(self.facts)
        if not frozen:
            borrowing.mark(self, self.everything)
        self.sole, self.sole_elements = Finder(self).find(script.statements, self.everything)

    def _plan(self, identity: str) -> None:
        script = blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8)
        for node, scope in self.resolution.functions.items():
            number = len(self.everything) + 1
            if type(node) is syntax.Function:
                plan = FunctionPlan(f"F{number}", node.name, node, scope)
                self.plans.setdefault((node.name, len(node.parameters)), []).append(plan)
            elif type(node) is syntax.Closure:
                closure = script.copy()
                closure.update(f":{node.line}:{node.column}:{number}".encode())
                plan = FunctionPlan(f"A{number}", f"anon${closure.hexdigest()}", node, scope)
                self.closures[node] = plan
            else:
                continue
            self.everything.append(plan)

    def module(self) -> tuple[ast.Module, Symbols]:
        """Return the whole module, and what it needs."""
        for plan in self.everything:
            if self.traced:
                continue
            if plan.called or plan.escaped:
                plan.special = self._specialised(plan)
            plan.sketch = sketch(plan)
        functions = [self._main()]
        for plan in self.everything:
            if plan.escaped and type(plan.node) is syntax.Function:
                self.want(plan)
        for plan in self.wanted:  # which grows meanwhile
            if plan.special is not None:
                functions.append(self._function(plan, plan.special[0]))
            functions.append(self._function(plan, None))
        ready = [
            nodes.assign(name, nodes.element(nodes.name("CHARS"), nodes.constant(text)))
            for text, name in self.characters.items()
        ]
        tree = ast.Module([*ready, *functions], [])
        entries = tuple(
            FunctionEntry(
                plan.python,
                plan.name,
                (*(capture.name for capture in plan.scope.captures), *plan.parameters),
                plan.uses_this,
                plan.private,
                plan.this_type,
                plan.closed,
                plan.borrows and plan.wanted,
                len(plan.scope.captures),
                plan.result.types == INT and not plan.repeats and not plan.scope.captures and not self.traced,
            )
            for plan in self.everything
            if plan.wanted or plan.closed
        )
        natives = {python: key for key, python in self.natives.items()}
        return tree, Symbols(entries, self.sites, natives)

    def _specialised(self, plan: FunctionPlan) -> tuple[list[int], int] | None:
        """Return guesses at types of parameters that special code is worth, and the types of its result; None if it is
        not."""
        guesses = guess(plan.scope, self.resolution, self.resolution.calls.get((plan.name, len(plan.parameters)), []))
        if guesses is None or plan.scope.dynamic:
            return None
        types = [
            wanted if wanted & given and wanted != given else 0
            for wanted, (given, _) in zip(guesses, plan.given, strict=True)
        ]
        result = 0
        for _ in range(4):
            if not any(types):
                return None
            plan.special = types, result
            found = self.facts.again(plan, types)
            kept = [
                wanted if variable.types == wanted else 0
                for wanted, variable in zip(types, plan.scope.parameters, strict=True)
            ]
            if kept == types:
                return types, found
            types, result = kept, 0
        return types, ANY

    def _begin(self, plan: FunctionPlan | None, scope: FunctionScope) -> None:
        self.scope = scope
        self.facts.function, self.facts.scope = plan, scope
        self.ranges.begin(scope, self.script.statements if plan is None else plan.node.body.statements)
        self.out = []
        self.temporaries = self.weight = 0
        self.holders = []
        self.in_try = 0
        self.loops = []
        self.held, self.run_out = {}, None
        self.collected = {}
        self.returned = 0
        self.repeats = self.in_loop = self.uses_deeper = self.entered = self.has_deeper = False
        self.borrows = plan is not None and plan.borrows

    def _main(self) -> Any:
        scope = self.resolution.functions[self.script]
        self._begin(None, scope)
        self.hot = False
        self.keeps_constants = bool(self.plans) or bool(self.closures) or self.resolution.uses_global
        self.top_level: frozenset[Node] = frozenset(self.script.statements)
        if self.traced:
            self.trace_entry(None, (0, 0))
        self.statements(self.script.statements, RETURN)
        if self.traced:
            self.trace_exits(self.out)
        self.pay_at(0)
        if self.uses_deeper:
            self.out.insert(0, nodes.assign("E", nodes.binary("+", nodes.name("D"), nodes.constant(1))))
        self.top_level = frozenset()
        return nodes.function(MAIN, ["Z", "D"], self.out)

    def _function(self, plan: FunctionPlan, types: list[int] | None) -> Any:
        scope = plan.scope
        body: list[syntax.Statement] = plan.node.body.statements
        if plan.special is not None:
            self.facts.again(plan, types)
        self._begin(plan, scope)
        self.hot = plan.hot
        captured = [capture.inner.python for capture in scope.captures]
        parameters = ["D", *(["this"] if plan.uses_this else []), *captured]
        parameters += [variable.python for variable in scope.parameters]
        if plan.special is not None and types is None:
            self._turn_off(plan, plan.special[0], parameters)
        self._enter(plan)
        if self.traced:
            self.trace_entry(plan, (plan.node.line, plan.node.column))
        before = len(self.out)
        self.statements(body, RETURN)
        if self.traced:
            self.trace_exits(self.out)
        self.pay_at(before)
        deeper = nodes.assign("E", nodes.binary("+", nodes.name("D"), nodes.constant(1)))
        entry: list[Any] = [deeper] if self.uses_deeper else []
        self.out[before:before] = entry
        plan.repeats = self.repeats
        return nodes.function(plan.python if types is None else special_name(plan), parameters, self.out)

    def _turn_off(self, plan: FunctionPlan, types: list[int], parameters: list[str]) -> None:
        """Leave arguments of the guessed types to the special code."""
        tests = [
            nodes.is_type(nodes.name(variable.python), _PYTHON[wanted])
            for wanted, variable in zip(types, plan.scope.parameters, strict=True)
            if wanted
        ]
        passed = [nodes.name(parameter) for parameter in parameters]
        self.out.append(nodes.branch(nodes.both(tests), [nodes.Return(nodes.call(special_name(plan), passed))]))

    def _enter(self, plan: FunctionPlan) -> None:
        """Write the beginning of a function.

        If not all its callers are known it looks at its level and pays for the call; else they do.
        """
        if plan.escaped or plan.passed:
            too_deep = nodes.compare(nodes.name("D"), ">", nodes.name("M"))
            self.out += [nodes.branch(too_deep, [nodes.statement(nodes.call("overflow", []))]), nodes.tick()]
            self.entered = True
        most = self.options.limits.max_variables
        if most and plan.arity > most:
            self.out.append(nodes.statement(nodes.call("too_many_variables", [])))
        if plan.scope.dynamic:
            self.out.append(nodes.assign("Z", nodes.List([], nodes.LOAD)))
            for capture in plan.scope.captures:
                arguments = [nodes.name("Z"), nodes.constant(capture.name), nodes.name(capture.inner.python)]
                helper = "declare" if capture.copied else "declare_cell"
                if capture.copied:
                    arguments.append(nodes.constant(False))
                self.out.append(nodes.statement(nodes.call(helper, arguments)))
            for variable in plan.scope.parameters:
                arguments = [nodes.name("Z"), nodes.constant(variable.name), nodes.name(variable.python)]
                arguments.append(nodes.constant(False))
                self.out.append(nodes.statement(nodes.call("declare", arguments)))
            return
        copied = [capture.inner for capture in plan.scope.captures if capture.copied]
        for variable in (*copied, *plan.scope.parameters):
            if variable.captured:
                boxed = nodes.call("cell", [nodes.name(variable.python)])
                self.out.append(nodes.assign(variable.python, boxed))


def generate(
    script: syntax.Script,
    resolution: Resolution,
    options: Options,
    identity: str,
    *,
    from_outside: bool = False,
    frozen: bool = False,
    pause: Pause | None = None,
) -> tuple[ast.Module, Symbols]:
    """Return the module of a resolved script, and what it needs to be run.

    ``identity`` tells closures of different scripts apart by their names. ``from_outside`` says that its functions may
    be called with anything, ``frozen`` that ``this`` is a constant in all of them. ``pause`` is told of the work on the
    way.
    """
    return Generator(
        script, resolution, options, identity, from_outside=from_outside, frozen=frozen, pause=pause
    ).module()
