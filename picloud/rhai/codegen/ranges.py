"""Between which bounds integers surely are.

Where the result of an operation can't leave 64 bits it needs no look at that. Two things tell so: what is assigned to
a variable anywhere (found once for each function, without regard to order), and the conditions that the code in
question stands under (kept up to date while code is made: ``while i < n`` leaves room for ``i += 1``).
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen.inference import Inference
from picloud.rhai.codegen.types import ARRAY, BLOB, INT, STRING
from picloud.rhai.resolver import CHILDREN, FunctionScope, Variable
from picloud.rhai.syntax import Node
from picloud.rhai.values import I64_MAX, I64_MIN

Bounds = tuple[int, int]
ALL: Final[Bounds] = (I64_MIN, I64_MAX)
SIZES: Final[Bounds] = (0, 1 << 40)
"""No array or string is longer."""
_ROUNDS: Final = 12
_PATIENCE: Final = 4
"""So often bounds may grow before they are let go."""
_DEPTH: Final = 6
_LEAVES: Final = frozenset((syntax.Variable, syntax.Literal, syntax.This, syntax.CharLiteral))
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def of_operation(operator: str, left: Bounds, right: Bounds) -> Bounds:
    """Return the bounds of the result of an operation on integers, as if there were no 64 bits to it."""
    if operator == "+":
        return left[0] + right[0], left[1] + right[1]
    if operator == "-":
        return left[0] - right[1], left[1] - right[0]
    if operator == "*":
        products = [one * other for one in left for other in right]
        return min(products), max(products)
    if operator == "%" and right[0] > 0:
        most = right[1] - 1
        return (0 if left[0] >= 0 else max(-most, left[0])), min(most, max(left[1], 0))
    if operator == "/" and right[0] > 0:
        return min(left[0], 0), max(left[1], 0)
    if operator == "&" and right[0] >= 0:
        return 0, right[1]
    if operator == "&" and left[0] >= 0:
        return 0, left[1]
    return ALL


def within(bounds: Bounds) -> bool:
    """Whether all of it is within 64 bits."""
    return bounds[0] >= I64_MIN and bounds[1] <= I64_MAX


def cut(bounds: Bounds) -> Bounds:
    """Return the part that is within 64 bits."""
    return max(bounds[0], I64_MIN), min(bounds[1], I64_MAX)


class Ranges:
    """The bounds of the integers of one function."""

    def __init__(self, facts: Inference) -> None:
        self.facts = facts
        self.everywhere: dict[Variable, Bounds] = {}
        """Of variables, whatever stands before."""
        self.here: dict[Variable, Bounds] = {}
        """Of variables, from the conditions that hold where we are."""
        self.assigned: dict[Node, frozenset[Variable]] = {}

    # ---------------------------------------------------------------------------------------- everywhere

    def begin(self, scope: FunctionScope, statements: list[syntax.Statement]) -> None:
        """Find the bounds of a function's variables."""
        self.here = {}
        self.everywhere = {}
        if scope.dynamic:
            return
        given: dict[Variable, list[Any]] = {}
        self._collect(statements, given)
        unknown = {*scope.parameters, *(capture.inner for capture in scope.captures)}
        found: dict[Variable, Bounds | None] = {
            variable: None for variable in given if variable not in unknown and _is_plain(variable)
        }
        if not found:
            return
        for turn in range(_ROUNDS):
            changed = False
            self.everywhere = {variable: bounds for variable, bounds in found.items() if bounds is not None}
            self.everywhere.update({variable: (0, 0) for variable, bounds in found.items() if bounds is None})
            for variable, before in found.items():
                bounds = before
                for value in given[variable]:
                    each = self._value(value)
                    bounds = each if bounds is None else (min(bounds[0], each[0]), max(bounds[1], each[1]))
                if bounds is not None and bounds != before:
                    changed = True
                    if before is not None and turn >= _PATIENCE:
                        # A side that grows may grow on and on.
                        low = bounds[0] if bounds[0] == before[0] else I64_MIN
                        high = bounds[1] if bounds[1] == before[1] else I64_MAX
                        bounds = low, high
                    found[variable] = self.everywhere[variable] = bounds
            if not changed:
                break
        else:
            self.everywhere = {}
            return
        self.everywhere = {variable: bounds for variable, bounds in found.items() if bounds not in (None, ALL)}

    def _collect(self, statements: list[Any], given: dict[Variable, list[Any]]) -> None:
        bindings: dict[Any, Any] = self.facts.bindings
        waiting: list[Any] = list(statements)
        while waiting:
            node = waiting.pop()
            kind = type(node)
            if kind in _LEAVES:
                continue
            if kind is syntax.Let:
                given.setdefault(bindings[node], []).append(node.value)
            elif kind is syntax.Assign:
                root = node.target
                while isinstance(root, syntax.Property | syntax.Index | syntax.MethodCall):
                    root = root.base
                variable = bindings.get(root)
                if variable is not None:
                    given.setdefault(variable, []).append(node if root is node.target else None)
            elif kind is syntax.For:
                given.setdefault(bindings[node], []).append(node)
                if node.counter is not None:
                    given.setdefault(self.facts.resolution.counters[node], []).append(SIZES)
            elif kind is syntax.Try and node.name is not None:
                given.setdefault(bindings[node], []).append(None)
            elif kind is syntax.Call or kind is syntax.MethodCall:
                # A native may put another value in place of its first argument.
                first = node.base if kind is syntax.MethodCall else node.arguments[0] if node.arguments else None
                if (
                    type(first) is syntax.Variable
                    and bindings.get(first) is not None
                    and (kind is syntax.MethodCall or self.facts.direct(node.name, len(node.arguments)) is None)
                ):
                    given.setdefault(bindings[first], []).append(None)
            waiting += children(node)

    def _value(self, value: Any) -> Bounds:
        """Return the bounds of what is assigned."""
        if type(value) is tuple:
            return value
        if type(value) is syntax.Assign:
            operand = self.of(value.value)
            if value.operator == "=":
                return operand
            return cut(of_operation(value.operator[:-1], self.of(value.target), operand))
        if type(value) is syntax.For:
            over = value.iterable
            if type(over) is syntax.RangeExpression and over.end is not None:
                low = self.of(over.start)[0] if over.start is not None else 0
                high = self.of(over.end)[1]
                return low, max(low, high if over.inclusive else high - 1)
            return ALL
        return self.of(value)

    def of(self, node: Any, depth: int = 0) -> Bounds:
        """Return the bounds of an expression that gives an integer; nested operations are looked at to some depth."""
        kind = type(node)
        if kind is syntax.Literal:
            return (node.value, node.value) if type(node.value) is int else ALL
        if kind is syntax.Variable:
            variable = self.facts.bindings.get(node)
            return ALL if variable is None else self.of_variable(variable)
        if kind is syntax.Binary:
            if depth > _DEPTH or self.facts.types_of(node) != INT:
                return ALL
            return cut(of_operation(node.operator, self.of(node.left, depth + 1), self.of(node.right, depth + 1)))
        if (kind is syntax.Property and node.name == "len") or (
            kind is syntax.MethodCall
            and node.name == "len"
            and not node.arguments
            and not self.facts.plans.get(("len", 0))
        ):
            types = self.facts.types_of(node.base)
            return SIZES if types and not types & ~(ARRAY | STRING | BLOB) else ALL
        return ALL

    def of_variable(self, variable: Variable) -> Bounds:
        """Return the bounds of a variable where we are."""
        if variable.captured or variable.types != INT:
            return ALL
        found = self.everywhere.get(variable, ALL)
        here = self.here.get(variable)
        return found if here is None else (max(found[0], here[0]), min(found[1], here[1]))

    # ---------------------------------------------------------------------------------------- here

    def learn(self, condition: Any, holds: bool) -> None:
        """From here on a condition holds, or doesn't.

        What is assigned to within the condition itself may have got another value since it was compared.
        """
        before = self.here
        self.here = dict(before)
        self._learn(condition, holds)
        for variable in self.changed_in(condition):
            if variable in before:
                self.here[variable] = before[variable]
            else:
                self.here.pop(variable, None)

    def _learn(self, condition: Any, holds: bool) -> None:
        kind = type(condition)
        if kind is syntax.Logical and condition.operator == ("&&" if holds else "||"):
            self._learn(condition.left, holds)
            self._learn(condition.right, holds)
        elif kind is syntax.Unary and condition.operator == "!":
            self._learn(condition.operand, not holds)
        elif kind is syntax.Binary and condition.operator in _OPPOSITE:
            operator = condition.operator if holds else _OPPOSITE[condition.operator]
            left, right = condition.left, condition.right
            if self.facts.types_of(left) == INT == self.facts.types_of(right):
                one, other = self.of(left), self.of(right)
                self._compared(left, operator, other)
                self._compared(right, _TURNED[operator], one)

    def _compared(self, node: Any, operator: str, other: Bounds) -> None:
        if type(node) is not syntax.Variable:
            return
        variable = self.facts.bindings.get(node)
        if variable is None or variable.captured or variable.types != INT:
            return
        low, high = self.of_variable(variable)
        if operator == "<":
            high = min(high, other[1] - 1)
        elif operator == "<=":
            high = min(high, other[1])
        elif operator == ">":
            low = max(low, other[0] + 1)
        elif operator == ">=":
            low = max(low, other[0])
        elif operator == "==":
            low, high = max(low, other[0]), min(high, other[1])
        if low <= high:
            self.here[variable] = low, high

    def forget(self, variable: Variable | None) -> None:
        """A variable gets another value."""
        if variable is not None:
            self.here.pop(variable, None)

    def changed_in(self, node: Any) -> frozenset[Variable]:
        """Return the variables that are assigned to somewhere in a node."""
        found = self.assigned.get(node)
        if found is None:
            given: dict[Variable, list[Any]] = {}
            self._collect([node], given)
            found = self.assigned[node] = frozenset(given)
        return found

    def enter(self, node: Any) -> dict[Variable, Bounds]:
        """Enter a loop: what is assigned to in it has any value from now on. Returns what :meth:`leave` needs."""
        changed = self.changed_in(node)
        before = {variable: bounds for variable, bounds in self.here.items() if variable not in changed}
        self.here = dict(before)
        return before

    def drop(self, node: Any) -> None:
        """Forget about everything that is assigned to in a node whose parts may run or not."""
        changed = self.changed_in(node)
        self.here = {variable: bounds for variable, bounds in self.here.items() if variable not in changed}

    def join(self, one: dict[Variable, Bounds] | None, other: dict[Variable, Bounds] | None) -> None:
        """Go on behind two branches, of which None is one that doesn't get there."""
        if one is None or other is None:
            self.here = dict(one or other or {})
            return
        self.here = {
            variable: (min(bounds[0], other[variable][0]), max(bounds[1], other[variable][1]))
            for variable, bounds in one.items()
            if variable in other
        }

    def leave(self, before: dict[Variable, Bounds]) -> None:
        """Leave it again."""
        self.here = before


def children(node: Any) -> list[Any]:
    """Return the nodes in a node, but not those in closures."""
    kind = type(node)
    if kind is syntax.Closure:
        return []
    if kind is syntax.MapLiteral:
        return [value for _, value in node.entries]
    found: list[Any] = []
    for name in CHILDREN[kind]:
        child = getattr(node, name)
        if type(child) is list:
            found += child
        elif child is not None:
            found.append(child)
    return found


def _is_plain(variable: Variable) -> bool:
    return variable.types == INT and not variable.captured
