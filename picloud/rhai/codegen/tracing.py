"""What a traced program tells of itself: each statement before it is done, and what variables hold behind it.

Only an engine that was made for it compiles so (``Engine(traced=True)``); other programs hold nothing of this. A
traced program is the same but for the calls of four more helpers (:mod:`picloud.rhai.runtime.tracing`), for small
functions, which are called instead of written out, and for guesses at types, which are left out. A helper gets
the level of calls, the line, the names in sight and their values, and keeps none of the values: a reference too many
would make the next change copy.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.switches import Switches
from picloud.rhai.errors import Position
from picloud.rhai.resolver import Variable
from picloud.rhai.steps import LENT_THIS, SCOPE, THIS
from picloud.rhai.syntax import Node, start

_LEAVING: Final = (syntax.Return, syntax.Throw, syntax.Break, syntax.Continue)
STRUCTURES: Final = (
    syntax.Block,
    syntax.If,
    syntax.Switch,
    syntax.While,
    syntax.DoWhile,
    syntax.For,
    syntax.Try,
)
"""What is made of statements that tell of themselves."""


class Tracing(Switches):
    """The part of the generator that makes statements tell of themselves; see the module."""

    traced = False
    in_sight: list[Variable]
    """Variables that are declared on every way to here, the innermost last."""
    this_name = ""
    """How the function that is made has ``this``; empty if it doesn't use it."""

    def trace_entry(self, plan: FunctionPlan | None, place: Position) -> None:
        """Write what tells that a function was entered, or a script begun."""
        self.in_sight = []
        self.this_name = ""
        name = ""
        if plan is not None:
            name = plan.name
            self.in_sight = [*(capture.inner for capture in plan.scope.captures), *plan.scope.parameters]
            if plan.uses_this:
                self.this_name = LENT_THIS if plan.borrows else THIS
        self._tell("trace_enter", place, [nodes.constant(name)])

    def trace_step(self, node: Node) -> None:
        """Write what tells that a statement, or a condition, is about to be done."""
        if _tells_of_its_condition(node):
            return
        place = first_place(node)
        if place[0]:
            self._tell("trace_step", place, [])

    def trace_change(self, statement: Node) -> None:
        """Write what tells that a statement was done, or a loop has its next element, if that may have changed what
        isn't told of otherwise."""
        if isinstance(statement, _LEAVING):
            return
        if isinstance(statement, syntax.ExpressionStatement) and isinstance(statement.expression, STRUCTURES):
            return
        self._tell("trace_change", first_place(statement), [])

    def trace_exits(self, body: list[Any]) -> None:
        """Make every ``return`` of a function tell what it returns."""
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Return):
                    value = node.value if node.value is not None else nodes.constant(None)
                    node.value = nodes.call("trace_leave", [self.level, value])

    def _tell(self, helper: str, place: Position, told: list[Any]) -> None:
        """Write a call of a helper, with the variables in sight."""
        names, values = [], []
        if self.this_name:
            names.append(self.this_name)
            values.append(nodes.name("this"))
        if self.scope.dynamic:
            names.append(SCOPE)
            values.append(nodes.name("Z"))
        else:
            # Of one name the last is the one that the script sees.
            shown = {variable.name: variable.python for variable in self.in_sight}
            names += shown
            values += [nodes.name(python) for python in shown.values()]
        line = nodes.constant(place[0])
        call = nodes.call(helper, [self.level, line, *told, nodes.constant(tuple(names)), *values], place)
        self.out.append(nodes.statement(call))


def _tells_of_its_condition(node: Node) -> bool:
    """Whether it is a loop that does so at each turn."""
    loop = node.expression if isinstance(node, syntax.ExpressionStatement) else node
    return isinstance(loop, syntax.While) and loop.condition is not None


def first_place(node: Node) -> Position:
    """Return where a statement begins: its operator may stand on a later line."""
    if isinstance(node, syntax.ExpressionStatement):
        return first_place(node.expression)
    if isinstance(node, syntax.Assign):
        return first_place(node.target)
    if isinstance(node, syntax.Binary | syntax.Logical):
        return first_place(node.left)
    if isinstance(node, syntax.Property | syntax.Index | syntax.MethodCall):
        return first_place(node.base)
    if isinstance(node, syntax.Expression):
        return start(node)
    return node.line, node.column
