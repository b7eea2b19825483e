"""Elements that statements in a row go down through again and again, held in variables meanwhile.

A *run* is statements without control flow and without calls but of natives on plain values, so nothing happens in it
but what stands there. In a run, ``bodies[i]`` is looked up once if its members are read and changed thrice or more.
The array must be sole or borrowed (nobody else holds it), its elements are maps, and no statement of the run uses the
array, or one of these elements, in another way.

Before the first change of an element somebody looks whether it is shared; if so it is replaced by a copy, and all that
is held of the array is looked up again.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes
from picloud.rhai.codegen.effects import is_standard
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.expressions import Expressions
from picloud.rhai.codegen.ranges import children
from picloud.rhai.codegen.types import ARRAY, BOOL, CHAR, FLOAT, INT, MAP, STRING, UNIT

_LEAST_USES: Final = 3
_SCALARS: Final = UNIT | BOOL | INT | FLOAT | STRING | CHAR
_CHAINS: Final = (syntax.Property, syntax.Index, syntax.MethodCall)
_STATEMENTS: Final = (syntax.Let, syntax.Assign, syntax.ExpressionStatement)
_QUIET: Final = (
    syntax.Literal,
    syntax.CharLiteral,
    syntax.Interpolation,
    syntax.ArrayLiteral,
    syntax.MapLiteral,
    syntax.Variable,
    syntax.This,
    syntax.Unary,
    syntax.Binary,
)

_Prefix = tuple[str, str | int]
"""The Python variables of an array and of an index; the index itself, if that is a literal."""


class _NotQuiet(Exception):
    """A statement that is no part of a run."""


class Held:
    """An element that a run holds."""

    __slots__ = ("base", "index", "name", "owned", "value")

    def __init__(self) -> None:
        self.name = ""
        """The variable that holds it; empty as long as it wasn't looked up."""
        self.base: Any = None
        self.index: Any = None
        """What it was looked up with."""
        self.value: Any = None
        """The Value of the variable."""
        self.owned = False
        """It was found that nobody else has it."""


class _Look:
    """What statements do to the elements of arrays."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.uses: dict[_Prefix, int] = {}
        self.spoilt: set[str] = set()
        """Arrays and indexes that are used, or changed, in another way."""

    def statement(self, statement: Any) -> None:
        """Raises :class:`_NotQuiet`."""
        kind = type(statement)
        if kind is syntax.ExpressionStatement:
            self._expression(statement.expression)
        elif kind is syntax.Let:
            if statement.value is not None:
                self._expression(statement.value)
            self._spoil(statement)
        else:
            self._expression(statement.value)
            if isinstance(statement.target, _CHAINS):
                self._chain(statement.target, changes=True)
            else:
                self._spoil(statement.target)

    def _spoil(self, node: Any) -> None:
        name = self.runs.local(node)
        if name is None:
            raise _NotQuiet
        self.spoilt.add(name)

    def _expression(self, node: Any) -> None:
        if isinstance(node, _CHAINS):
            self._chain(node, changes=False)
        elif isinstance(node, syntax.Call):
            if not self.runs.is_quiet_call(node):
                raise _NotQuiet
            for argument in node.arguments:
                self._expression(argument)
        elif isinstance(node, _QUIET):
            name = self.runs.local(node)
            if name is not None and self.runs.facts.seen(node)[0] & ~_SCALARS:
                self.spoilt.add(name)
            for child in children(node):
                self._expression(child)
        else:
            raise _NotQuiet

    def _chain(self, node: Any, *, changes: bool) -> None:
        base, steps = self.runs.taken_apart(node)
        for step in steps:
            if step.optional:
                raise _NotQuiet
            if type(step) is syntax.Index:
                self._expression(step.index)
            elif type(step) is syntax.MethodCall:
                if changes or not self.runs.is_quiet_method(step):
                    raise _NotQuiet
                for argument in step.arguments:
                    self._expression(argument)
        name = self.runs.local(base)
        if name is None:
            self._expression(base)
            return
        prefix = self.runs.prefix(base, steps)
        if prefix is not None and (len(steps) == 2 or (not changes and len(steps) > 2)):
            self.uses[prefix] = self.uses.get(prefix, 0) + 1
        elif changes or (type(steps[0]) is syntax.Index and self.runs.facts.seen(node)[0] & ~_SCALARS):
            self.spoilt.add(name)


class Runs(Expressions):
    """The part of the generator for runs."""

    held: dict[_Prefix, Held]
    """What is, or will be, held in the run that code is made for."""
    run_out: Any = None
    """The block that the run stands in."""

    def local(self, node: Any) -> str | None:
        """Return the Python variable that a name is if only this function sees it; None for anything else."""
        if type(node) is syntax.This:
            return "this" if self.borrows else None
        if type(node) is not syntax.Variable and type(node) is not syntax.Let:
            return None
        if type(node) is syntax.Variable and node.copied:
            return None
        variable = self.resolution.bindings.get(node)
        return None if variable is None or variable.captured else variable.python

    def prefix(self, base: Any, steps: list[Any]) -> _Prefix | None:
        """Return what a chain begins with, if that may be held."""
        if len(steps) < 2 or type(steps[0]) is not syntax.Index or type(steps[1]) is syntax.MethodCall:
            return None
        if type(base) is syntax.Variable and base not in self.sole:
            return None
        array, index = self.local(base), steps[0].index
        if array is None or self.facts.seen(base)[0] != ARRAY or self.facts.seen(steps[0])[0] != MAP:
            return None
        if type(index) is syntax.Literal and type(index.value) is int:
            return array, index.value
        name = self.local(index)
        return None if name is None or self.facts.seen(index)[0] != INT else (array, name)

    def is_quiet_method(self, step: syntax.MethodCall) -> bool:
        """Whether a method is surely a native that gets and gives plain values."""
        types = self.facts.seen(step.base)[0]
        if not types or types & ~_SCALARS or self.callee(step) is not None:
            return False
        return self.may_be_native(Value(None, types), step) and self._is_quiet(step)

    def is_quiet_call(self, node: syntax.Call) -> bool:
        """Whether a call is surely one of a native that gets and gives plain values."""
        count = len(node.arguments)
        if node.path or node.capture or not count or self.facts.plans.get((node.name, count)):
            return False
        return self.options.known(node.name, count) and self._is_quiet(node)

    def _is_quiet(self, node: Any) -> bool:
        arguments = [self.facts.seen(argument)[0] for argument in node.arguments]
        count = len(arguments) + (type(node) is syntax.MethodCall)
        if node.name in ("print", "debug", "eval", "call") or any(not each or each & ~_SCALARS for each in arguments):
            return False
        return is_standard(self.options, node.name, count) and not self.options.changes(node.name, count)

    def callee(self, step: syntax.MethodCall) -> Any:
        """Return the function of the script that a method surely is."""
        raise NotImplementedError

    def may_be_native(self, base: Any, step: syntax.MethodCall) -> bool:
        """Whether a method is surely none of the script's."""
        raise NotImplementedError

    def taken_apart(self, node: Any) -> tuple[Any, list[Any]]:
        """Return the root of a chain, and its steps in order."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------------------- making code

    def find_runs(self, statements: list[Any]) -> dict[int, tuple[int, list[_Prefix]]]:
        """Return the runs that hold something: by where they begin, where they end and what they hold."""
        found: dict[int, tuple[int, list[_Prefix]]] = {}
        begin = 0
        while begin < len(statements):
            look = _Look(self)
            end = begin
            while end < len(statements) and type(statements[end]) in _STATEMENTS:
                try:
                    look.statement(statements[end])
                except _NotQuiet:
                    break
                end += 1
            if end == begin or (end < len(statements) and type(statements[end]) in _STATEMENTS):
                # What the statement behind has looked at doesn't matter, so we look again without it.
                look = _Look(self)
                for statement in statements[begin:end]:
                    look.statement(statement)
            held = [
                prefix
                for prefix, uses in look.uses.items()
                if uses >= _LEAST_USES and not look.spoilt.intersection(map(str, prefix))
            ]
            if held:
                found[begin] = end, held
            begin = max(end, begin + 1)
        return found

    def begin_run(self, prefixes: list[_Prefix]) -> None:
        """From here on a run's elements are held as soon as they are used."""
        self.held = {prefix: Held() for prefix in prefixes}
        self.run_out = self.out

    def end_run(self, jumps: tuple[Any, ...]) -> None:
        """Let go of what the run holds."""
        names = [held.name for held in self.held.values() if held.name]
        if names and not (self.out and isinstance(self.out[-1], jumps)):
            self.out.append(nodes.clear(names))
        self.held, self.run_out = {}, None

    def holding(self, base: Any, steps: list[Any]) -> Held | None:
        """Return what holds the element that a chain begins with; None if nothing does."""
        if not self.held:
            return None
        prefix = self.prefix(base, steps)
        held = None if prefix is None else self.held.get(prefix)
        if held is None or (not held.name and self.out is not self.run_out):
            return None
        if not held.name:
            assert prefix is not None
            # Of a name that no statement uses, for it lives longer than one.
            held.name = f"w{len([each for each in self.held.values() if each.name]) + 1}"
            array, index = prefix
            held.base = nodes.name(array)
            held.index = nodes.name(index) if type(index) is str else nodes.constant(index)
            place = steps[0].line, steps[0].column
            self.out.append(nodes.assign(held.name, self.element(held.base, held.index, place)))
            types, shape = self.seen(steps[0])
            held.owned = base in self.sole_elements
            held.value = Value(nodes.name(held.name), types, shape, simple=True, stable=True)
        return held

    def element(self, array: Any, index: Any, place: Any) -> Any:
        """Return an element of what is surely an array."""
        raise NotImplementedError

    def looked_up_again(self, array: Any, slow: list[Any]) -> list[Any]:
        """Return a way to change an element that may put another in its place, and what is to be done for that."""
        name = array.id if isinstance(array, nodes.Name) else ""
        again = [held for held in self.held.values() if held.name and held.base.id == name]
        if not again:
            return slow
        looks = [nodes.assign(held.name, nodes.element(held.base, held.index)) for held in again]
        return [nodes.clear([held.name for held in again]), *slow, *looks]
