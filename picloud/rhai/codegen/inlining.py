"""Small functions, written out where they are called.

A *sketch* of a function says what may be written out: an expression of numbers and truth values, a choice between such
expressions, or one change of a captured number in front of one. What it leaves out is done by the function itself: a
branch that does more, and any result that doesn't fit, for an error must come out of the function that made it. So
nothing may have been done yet where the function is called after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes, ranges, types
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.methods import Methods
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.types import BOOL, COMPARISONS, FLOAT, FN, INT, UNIT
from picloud.rhai.errors import Position
from picloud.rhai.resolver import Variable

_MOST_NODES: Final = 14
_MOST_CALLS: Final = 3
SPECIAL: Final = frozenset({"call", "curry", "Fn", "eval", "is_def_var", "is_shared", "type_of", "is_def_fn"})
"""Functions that the language makes something of."""
_ARITHMETIC: Final = frozenset({"+", "-", "*"})
_PLAIN: Final = (INT, FLOAT, BOOL)


@dataclass(frozen=True, slots=True)
class Choice:
    """``if``: two sketches; None where the function is to be called."""

    condition: Any
    then: Sketch | None
    otherwise: Sketch | None


@dataclass(frozen=True, slots=True)
class Change:
    """``captured op= value``, and what is the result then."""

    assign: syntax.Assign
    result: Any


@dataclass(frozen=True, slots=True)
class Result:
    """An expression."""

    node: Any


Sketch = Choice | Change | Result


class _Elsewhere(Exception):
    """Types or operations that only the function itself can do."""


def sketch(plan: FunctionPlan) -> Sketch | None:
    """Return what may be written out of a function; None if that is nothing."""
    scope = plan.scope
    if plan.uses_this or scope.dynamic or plan.special is not None or plan.this_type is not None:
        return None
    if any(capture.copied for capture in scope.captures) or any(variable.captured for variable in scope.parameters):
        return None
    statements = plan.node.body.statements
    if len(statements) == 2 and scope.captures and _is_change(statements):
        return Change(statements[0], statements[1].expression)
    return _of_statements(statements)


def _is_change(statements: list[Any]) -> bool:
    first, second = statements
    return (
        type(first) is syntax.Assign
        and type(first.target) is syntax.Variable
        and first.operator in ("+=", "-=", "*=")
        and _nodes(first.value) < _MOST_NODES
        and type(second) is syntax.ExpressionStatement
        and type(second.expression) in (syntax.Variable, syntax.Literal)
    )


def _of_statements(statements: list[Any]) -> Sketch | None:
    if not statements:
        return None
    first = statements[0]
    if type(first) is syntax.Return and first.value is not None:
        return _of_expression(first.value)
    if type(first) is not syntax.ExpressionStatement:
        return None
    if len(statements) == 1:
        return _of_expression(first.expression)
    if type(first.expression) is not syntax.If or first.expression.otherwise is not None:
        return None
    then = first.expression.then.statements
    if not then or type(then[-1]) is not syntax.Return:
        return None
    return _choice(first.expression.condition, _of_statements(then), _of_statements(statements[1:]))


def _of_expression(node: Any) -> Sketch | None:
    if type(node) is syntax.If:
        return _choice(node.condition, _of_expression(node.then), _of_expression(node.otherwise))
    if type(node) is syntax.Block:
        return _of_statements(node.statements) if len(node.statements) == 1 else None
    return Result(node) if _nodes(node) < _MOST_NODES else None


def _choice(condition: Any, then: Sketch | None, otherwise: Sketch | None) -> Sketch | None:
    if (then is None and otherwise is None) or _nodes(condition) >= _MOST_NODES:
        return None
    return Choice(condition, then, otherwise)


def _nodes(node: Any) -> int:
    """Return how many nodes an expression has; too many if it is of another kind than can be written out."""
    kind = type(node)
    if kind is syntax.Literal:
        return 1 if types.of_literal(node.value) in _PLAIN else _MOST_NODES
    if kind is syntax.Variable:
        return _MOST_NODES if node.copied else 1
    if kind is syntax.Binary and (node.operator in _ARITHMETIC or node.operator in COMPARISONS):
        return 1 + _nodes(node.left) + _nodes(node.right)
    if kind is syntax.Binary and node.operator in ("/", "%"):
        return 1 + _nodes(node.left) + _nodes(node.right) if _is_divisor(node.right) else _MOST_NODES
    if kind is syntax.Unary and node.operator == "!":
        return 1 + _nodes(node.operand)
    if kind is syntax.Logical and node.operator != "??":
        return 1 + _nodes(node.left) + _nodes(node.right)
    if (kind is syntax.Call and not node.path and not node.capture) or (
        kind is syntax.MethodCall and node.name == "call" and not node.optional and type(node.base) is syntax.Variable
    ):
        return 2 + sum(map(_nodes, node.arguments))
    return _MOST_NODES


def _is_divisor(node: Any) -> bool:
    return type(node) is syntax.Literal and type(node.value) is int and node.value > 0


class Inlining(Methods):
    """The part of the generator that writes small functions out."""

    depth = 0
    """How many calls we are in of a function that is written out."""

    def written_out(
        self, plan: FunctionPlan, arguments: list[Value], cells: list[Any], place: Position, called: Any
    ) -> Any:
        """Write a function out, as far as that goes, and return its result; None if it can't be.

        ``called`` makes the call for the rest, given the arguments.
        """
        drawn = plan.sketch
        if drawn is None:
            return None
        known: dict[Variable, Value] = {}
        for capture, cell in zip(plan.scope.captures, cells, strict=True):
            if capture.inner.types in _PLAIN or capture.inner.types == FN:
                known[capture.inner] = Value(nodes.cell(cell), capture.inner.types, capture.inner.shape)
        for variable, argument in zip(plan.scope.parameters, arguments, strict=True):
            if argument.types in _PLAIN:
                known[variable] = argument
        if not self._would_help(drawn, known) or (type(drawn) is Change and not self._may_change_it(plan, drawn)):
            return None
        self.enter(place)
        kept = [self.kept(argument) for argument in arguments]
        for variable, argument in zip(plan.scope.parameters, kept, strict=True):
            if variable in known:
                known[variable] = argument
        result = self.temporary(plan.result.types or types.ANY)
        calls = [nodes.assign(result, called(kept))]
        self._draw(drawn, known, result, calls)
        return nodes.name(result)

    def _may_change_it(self, plan: FunctionPlan, drawn: Change) -> bool:
        """Whether what a function changes is surely a variable, that it captured from the script."""
        variable = self.resolution.bindings.get(drawn.assign.target)
        scope: Any = plan.scope
        if variable is None or all(capture.inner is not variable for capture in scope.captures):
            return False
        while scope is not None and not scope.dynamic:
            if variable.constant:
                return False
            capture = next((each for each in scope.captures if each.inner is variable), None)
            if capture is None:
                return True
            if capture.outer is None:
                return False
            variable, scope = capture.outer, scope.enclosing
        return False

    def _would_help(self, drawn: Sketch | None, known: dict[Variable, Value]) -> bool:
        """Whether something of a sketch can be written out with what is known of these variables."""
        if drawn is None:
            return False
        if type(drawn) is Choice:
            return self._sketch_type(drawn.condition, known) == BOOL and (
                self._would_help(drawn.then, known) or self._would_help(drawn.otherwise, known)
            )
        if type(drawn) is Change:
            return (
                self._sketch_type(drawn.assign.target, known) == INT == self._sketch_type(drawn.assign.value, known)
                and self._sketch_type(drawn.result, known) in _PLAIN
            )
        return self._sketch_type(drawn.node, known) in _PLAIN  # type: ignore[union-attr]

    def _sketch_type(self, node: Any, known: dict[Variable, Value]) -> int:
        """Return the one type that an expression has; 0 if that isn't sure, or another than can be written out."""
        kind = type(node)
        if kind is syntax.Literal:
            return types.of_literal(node.value)
        if kind is syntax.Variable:
            variable = self.resolution.bindings.get(node)
            value = known.get(variable) if variable is not None else None
            return 0 if value is None else value.types
        if kind is syntax.Unary:
            return BOOL if self._sketch_type(node.operand, known) == BOOL else 0
        if kind is syntax.Call or kind is syntax.MethodCall:
            return self._type_of_call(node, known)
        left, right = self._sketch_type(node.left, known), self._sketch_type(node.right, known)
        if kind is syntax.Logical:
            return BOOL if left == BOOL == right else 0
        if node.operator in COMPARISONS:
            return BOOL if left == INT == right else 0
        if left == INT == right:
            return INT
        return FLOAT if left == FLOAT == right and node.operator in _ARITHMETIC else 0

    def _draw(self, drawn: Sketch | None, known: dict[Variable, Value], result: str, calls: list[Any]) -> None:
        if drawn is None or not self._would_help(drawn, known):
            self.out += calls
            return
        tests: list[Any] = []
        if type(drawn) is Choice:
            condition = self._sketch_value(drawn.condition, known, tests)
            then = self.collect(lambda: self._draw(drawn.then, known, result, calls))
            otherwise = self.collect(lambda: self._draw(drawn.otherwise, known, result, calls))
            done: list[Any] = [nodes.branch(condition.node, then, otherwise)]
        elif type(drawn) is Change:
            target = known[self.resolution.bindings[drawn.assign.target]]  # type: ignore[index]
            value = self._sketch_value(drawn.assign.value, known, tests)
            changed = self._sketch_number(drawn.assign.operator[:-1], target, value, tests)
            outcome = self.collect(lambda: self._draw(Result(drawn.result), known, result, calls))
            done = [nodes.assign_to(target.node, changed.node), *outcome]
        else:
            value = self._sketch_value(drawn.node, known, tests)  # type: ignore[union-attr]
            done = [nodes.assign(result, value.node)]
        self.out += [nodes.branch(nodes.both(tests), done, calls)] if tests else done

    def _sketch_value(self, node: Any, known: dict[Variable, Value], tests: list[Any]) -> Value:
        """Return an expression; ``tests`` gets what must hold for it to be the value."""
        kind = type(node)
        if kind is syntax.Literal:
            kind_of_it = types.of_literal(node.value)
            bounds = (node.value, node.value) if kind_of_it == INT else ranges.ALL
            return Value(nodes.constant(node.value), kind_of_it, simple=True, stable=True, bounds=bounds)
        if kind is syntax.Variable:
            return known[self.resolution.bindings[node]]  # type: ignore[index]
        if kind is syntax.Call or kind is syntax.MethodCall:
            return self._value_of_call(node, known, tests)
        if kind is syntax.Unary:
            return Value(nodes.negate(self._sketch_value(node.operand, known, tests).node), BOOL)
        left = self._sketch_value(node.left, known, tests)
        right = self._sketch_value(node.right, known, tests)
        if kind is syntax.Logical:
            join = nodes.both if node.operator == "&&" else nodes.either
            return Value(join([left.node, right.node]), BOOL)
        if node.operator in COMPARISONS:
            return Value(nodes.compare(left.node, node.operator, right.node), BOOL)
        return self._sketch_number(node.operator, left, right, tests)

    def _within(self, node: Any, known: dict[Variable, Value]) -> FunctionPlan | None:
        """Return the function that a call within a sketch means, if all of it may be written out."""
        plan: FunctionPlan | None = None
        if type(node) is syntax.MethodCall:
            pointer = known.get(self.resolution.bindings.get(node.base))  # type: ignore[arg-type]
            plan = None if pointer is None else self.pointed(pointer, len(node.arguments))
        elif node.name not in SPECIAL:
            named = self.script_functions_named(node.name, len(node.arguments))
            plan = named[0] if len(named) == 1 and not named[0].scope.captures else None
        if plan is None or type(plan.sketch) is not Result or plan is self.facts.function:
            return None
        return plan

    def _type_of_call(self, node: Any, known: dict[Variable, Value]) -> int:
        plan = self._within(node, known)
        if plan is None or self.depth >= _MOST_CALLS:
            return 0
        given: dict[Variable, Value] = {
            capture.inner: Value(None, capture.inner.types, capture.inner.shape) for capture in plan.scope.captures
        }
        for variable, argument in zip(plan.scope.parameters, node.arguments, strict=True):
            type_ = self._sketch_type(argument, known)
            if type_ not in _PLAIN:
                return 0
            given[variable] = Value(None, type_)
        self.depth += 1
        found = self._sketch_type(plan.sketch.node, given)
        self.depth -= 1
        return found

    def _value_of_call(self, node: Any, known: dict[Variable, Value], tests: list[Any]) -> Value:
        plan = self._within(node, known)
        assert plan is not None, "its type was found"
        arguments = [self.kept(self._sketch_value(argument, known, tests)) for argument in node.arguments]
        given = dict(zip(plan.scope.parameters, arguments, strict=True))
        if plan.scope.captures:
            pointer = known[self.resolution.bindings[node.base]]  # type: ignore[index]
            curry = self.stored(Value(nodes.curry(pointer.node), UNIT)).node
            for at, capture in enumerate(plan.scope.captures):
                cell = nodes.cell(nodes.element(curry, nodes.constant(at)))
                given[capture.inner] = Value(cell, capture.inner.types, capture.inner.shape)
        level = nodes.binary("+", self.deeper, nodes.constant(self.depth)) if self.depth else self.deeper
        if all(getattr(test, "left", None) is not level for test in tests):
            tests.append(nodes.compare(level, "<", nodes.name("M")))
        self.depth += 1
        value = self._sketch_value(plan.sketch.node, given, tests)
        self.depth -= 1
        return value

    def _sketch_number(self, operator: str, left: Value, right: Value, tests: list[Any]) -> Value:
        if left.types == FLOAT:
            return Value(nodes.binary(operator, left.node, right.node), FLOAT)
        bounds = ranges.of_operation(operator, left.bounds, right.bounds)
        if operator in ("/", "%"):
            if left.bounds[0] < 0:
                left = self.kept(left)
                tests.append(nodes.compare(left.node, ">=", nodes.constant(0)))
                bounds = ranges.of_operation(operator, (0, left.bounds[1]), right.bounds)
            sign = "//" if operator == "/" else "%"
            return Value(nodes.binary(sign, left.node, right.node), INT, bounds=bounds)
        value = Value(nodes.binary(operator, left.node, right.node), INT, bounds=ranges.cut(bounds))
        if ranges.within(bounds):
            return value
        value = self.stored(value)
        tests.append(self.fits(bounds, value.node))
        return value
