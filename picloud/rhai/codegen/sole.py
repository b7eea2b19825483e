"""Which variables are the only ones to hold their arrays and maps, so that changes need no look at who else does.

A variable is *sole* where it is used if every value that it was given was made for it, and if nothing that may keep
the value has got it before: another variable, an array, a function, a closure. What comes before is what stands
before it, and, where both stand in a loop that goes on with the variable's value, what stands behind it too. An array
that a loop goes through is held by the loop until that ends. So the whole analysis is a walk in the order of evaluation
that notes where each variable is used, and how.

So it is with the elements of a sole variable's array or map: they are *sole* too if each was made for it, and if none
was taken out as a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen.effects import is_standard
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.ranges import children
from picloud.rhai.codegen.types import ARRAY, BOOL, CHAR, FLOAT, INT, MAP, RANGE, STRING, UNIT
from picloud.rhai.resolver import Variable
from picloud.rhai.syntax import Node

_CHAINS: Final = (syntax.Property, syntax.Index, syntax.MethodCall)
_LOOPS: Final = (syntax.While, syntax.DoWhile, syntax.For)
_CONTAINERS: Final = ARRAY | MAP
_FRESH: Final = frozenset(
    {"split", "split_rev", "keys", "values", "filter", "map", "extract", "chop", "drain", "retain", "to_chars"}
)
"""Natives whose results nobody else holds."""
_DISCREET: Final = _FRESH | frozenset(
    {
        *("len", "is_empty", "contains", "get", "index_of", "find", "find_map", "some", "all", "reduce", "reduce_rev"),
        *("push", "pop", "shift", "insert", "remove", "set", "clear", "truncate", "reverse", "sort", "dedup", "append"),
        *("for_each", "to_json", "order", "order_desc", "pad", "splice", "mixin", "fill_with"),
    }
)
"""Natives that neither keep nor give back what they are called on."""
_TAKING: Final = frozenset({"push", "insert"})
_SILENT: Final = _TAKING | frozenset(
    {"len", "is_empty", "clear", "truncate", "reverse", "contains", "pop", "shift", "remove"}
)
"""Natives that hand no element on that stays where it is; some of them take elements in."""
_PLAIN: Final = UNIT | BOOL | INT | FLOAT | STRING | CHAR | RANGE


class _Uses:
    """What happens to one variable, by when it happens and in which loops."""

    __slots__ = ("bases", "fresh", "fresh_elements", "loops", "passing", "shared", "taken")

    def __init__(self) -> None:
        self.fresh = True
        """Nobody else holds what it is given."""
        self.fresh_elements = True
        """Nor the elements that it, or its array, is given."""
        self.loops: tuple[Any, ...] | None = None
        """The loops around the declaration; None if none was seen."""
        self.shared: list[tuple[int, tuple[Any, ...]]] = []
        self.taken: list[tuple[int, tuple[Any, ...]]] = []
        """When an element was used as a value."""
        self.passing: list[tuple[int, int]] = []
        """From when until when loops hold it."""
        self.bases: list[tuple[int, tuple[Any, ...], Node]] = []

    def is_sole(self, at: int, loops: tuple[Any, ...]) -> bool:
        """Whether nobody else can hold the value at a time, in these loops."""
        return self.fresh and self._is_before(self.shared, at, loops)

    def has_sole_elements(self, at: int, loops: tuple[Any, ...]) -> bool:
        """Whether nobody else can hold one of its elements at a time, in these loops."""
        return self.fresh_elements and self._is_before(self.taken, at, loops) and self.is_sole(at, loops)

    def _is_before(self, events: list[tuple[int, tuple[Any, ...]]], at: int, loops: tuple[Any, ...]) -> bool:
        """Whether none of these events can have happened at a time, in these loops."""
        if self.loops is None:
            return False
        inner = len(self.loops) + 1
        for when, within in events:
            if when < at or (len(within) >= inner and within[:inner] == loops[:inner]):
                return False
        return not any(begin < at < end for begin, end in self.passing)


class _Walk:
    """Goes through the code of one function."""

    def __init__(self, finder: Finder, statements: list[syntax.Statement]) -> None:
        self.finder = finder
        self.bindings = finder.generator.resolution.bindings
        self.uses: dict[Variable, _Uses] = {}
        self.results: list[tuple[Node, int, tuple[Any, ...]]] = []
        """What the function gives, when, in which loops."""
        self.exported: set[str] = set()
        self.loops: tuple[Any, ...] = ()
        self.now = 0
        self._all(statements, last=True)

    def variable(self, node: Any) -> Variable | None:
        """Return the variable of the function that a name is."""
        if type(node) is not syntax.Variable or node.copied:
            return None
        variable: Variable | None = self.bindings.get(node)
        return None if variable is None or variable.captured or not variable.types & _CONTAINERS else variable

    def of(self, variable: Variable) -> _Uses:
        return self.uses.setdefault(variable, _Uses())

    def _all(self, statements: list[Any], *, last: bool = False) -> None:
        for statement in statements[:-1]:
            self._visit(statement)
        if statements:
            self._visit(statements[-1], last=last)

    def _visit(self, node: Any, *, last: bool = False) -> None:
        """Note what happens in a node; ``last`` if its value is what the function gives."""
        self.now += 1
        kind = type(node)
        if kind is syntax.Variable:
            variable = self.variable(node)
            if last:
                self._gives(node)
            elif variable is not None:
                self.of(variable).shared.append((self.now, self.loops))
        elif kind is syntax.Let:
            self._let(node)
        elif kind is syntax.Assign:
            self._assign(node)
        elif kind in _CHAINS:
            self._chain(node)
            if last:
                self._gives(node)
        elif kind is syntax.Binary and node.operator in ("in", "!in"):
            self._visit(node.left)
            self._looks(node.right)
        elif kind in _LOOPS:
            self._loop(node)
        elif kind is syntax.Return:
            if node.value is not None:
                self._visit(node.value, last=True)
        elif kind is syntax.ExpressionStatement:
            self._visit(node.expression, last=last)
        elif kind is syntax.Block:
            self._all(node.statements, last=last)
        elif kind is syntax.If:
            self._visit(node.condition)
            self._visit(node.then, last=last)
            if node.otherwise is not None:
                self._visit(node.otherwise, last=last)
        elif kind is syntax.Export:
            self.exported.add(node.name)
        else:
            for child in children(node):
                self._visit(child)
            if last:
                self._gives(node)

    def _gives(self, node: Node) -> None:
        self.results.append((node, self.now, self.loops))

    def _looks(self, node: Any) -> None:
        """Visit what is only looked into."""
        variable = self.variable(node)
        if variable is None:
            self._visit(node)
        else:
            self._base(variable, node)

    def _base(self, variable: Variable, node: Node) -> None:
        self.now += 1
        self.of(variable).bases.append((self.now, self.loops, node))

    def _let(self, node: syntax.Let) -> None:
        if node.value is not None:
            self._visit(node.value)
        variable = self.bindings.get(node)
        if variable is not None and not variable.captured and variable.types & _CONTAINERS:
            uses = self.of(variable)
            if uses.loops is not None and uses.loops != self.loops:
                uses.fresh = False
            uses.loops = self.loops
            uses.fresh &= not node.exported and self.finder.is_fresh(node.value)
            uses.fresh_elements &= self.finder.has_fresh_elements(node.value)

    def _assign(self, node: syntax.Assign) -> None:
        self._visit(node.value)
        variable = self.variable(node.target)
        if variable is not None:
            # What is added to an array or map is copied into it.
            self.of(variable).fresh &= node.operator == "+=" or self.finder.is_fresh(node.value)
            self.of(variable).fresh_elements &= node.operator == "=" and self.finder.has_fresh_elements(node.value)
        elif isinstance(node.target, _CHAINS):
            self._chain(node.target, node)
        else:
            self._visit(node.target)

    def _chain(self, node: Any, assignment: syntax.Assign | None = None) -> None:
        base, steps = self.finder.generator.taken_apart(node)
        for step in steps:
            if type(step) is syntax.Index:
                self._visit(step.index)
            elif type(step) is syntax.MethodCall:
                for argument in step.arguments:
                    self._visit(argument)
        variable = self.variable(base)
        if variable is None:
            self._visit(base)
            return
        self._base(variable, base)
        uses, first = self.of(variable), steps[0]
        self.now += 1
        if type(first) is syntax.MethodCall:
            if not self.finder.is_discreet(first):
                uses.shared.append((self.now, self.loops))
            if first.name not in _SILENT:
                uses.taken.append((self.now, self.loops))
            elif first.name in _TAKING:
                uses.fresh_elements &= all(map(self.finder.is_plain_or_fresh, first.arguments))
        elif len(steps) == 1:
            if assignment is not None:
                uses.fresh_elements &= self.finder.is_plain_or_fresh(assignment.value)
            elif not self.finder.is_plain(node):
                uses.taken.append((self.now, self.loops))
        elif type(steps[1]) is syntax.MethodCall and not self.finder.is_discreet(steps[1]):
            uses.taken.append((self.now, self.loops))

    def _loop(self, node: Any) -> None:
        held = None
        if type(node) is syntax.For:
            held = self.variable(node.iterable)
            if held is None:
                self._visit(node.iterable)
        begin = self.now
        outer = self.loops
        self.loops = (*outer, node)
        if type(node) is syntax.While and node.condition is not None:
            self._visit(node.condition)
        self._visit(node.body)
        if type(node) is syntax.DoWhile:
            self._visit(node.condition)
        self.loops = outer
        if held is not None:
            self.now += 1
            self.of(held).passing.append((begin, self.now))
            if self._is_kept(node):
                self.of(held).taken.append((self.now, outer))

    def _is_kept(self, node: syntax.For) -> bool:
        """Whether a loop's variable may hand an element on."""
        element = self.bindings.get(node)
        if element is None or element.captured:
            return True
        uses = self.uses.get(element)
        return uses is not None and bool(uses.shared or uses.passing)


class Finder:
    """Finds the sole uses of variables in all functions."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self._walks: dict[FunctionPlan, _Walk] = {}
        self._gives: dict[FunctionPlan, bool] = {}

    def find(self, statements: list[syntax.Statement], plans: Iterable[FunctionPlan]) -> tuple[set[Node], set[Node]]:
        """Return the names, as bases of chains and behind ``in``, where their variable is sole, and those of them where
        its elements are too."""
        walks = []
        if not self.generator.resolution.functions[self.generator.script].dynamic:
            self._enter(None)
            walks.append(_Walk(self, statements))
        walks += [self._walk(plan) for plan in plans if not plan.scope.dynamic]
        sole: set[Node] = set()
        elements: set[Node] = set()
        for walk in walks:
            for variable, uses in walk.uses.items():
                if variable.name in walk.exported:
                    continue
                for at, loops, node in uses.bases:
                    if uses.is_sole(at, loops):
                        sole.add(node)
                    if uses.has_sole_elements(at, loops):
                        elements.add(node)
        return sole, elements

    def is_plain(self, node: Any) -> bool:
        """Whether the value of an expression is surely none that holds others."""
        types = self.generator.seen(node)[0]
        return bool(types) and not types & ~_PLAIN

    def is_plain_or_fresh(self, node: Any) -> bool:
        """Whether nobody else can hold the value of an expression, or need not care."""
        return self.is_plain(node) or self.is_fresh(node)

    def has_fresh_elements(self, node: Any) -> bool:
        """Whether nobody else can hold an element of the value of an expression."""
        if node is None:
            return True
        if type(node) is syntax.ArrayLiteral:
            return all(map(self.is_plain_or_fresh, node.items))
        if type(node) is syntax.MapLiteral:
            return all(self.is_plain_or_fresh(value) for _, value in node.entries)
        return False

    def is_fresh(self, node: Any) -> bool:
        """Whether nobody else can hold the value of an expression."""
        kind = type(node)
        if node is None or kind in (syntax.ArrayLiteral, syntax.MapLiteral):
            return True
        facts = self.generator.facts
        if kind is syntax.MethodCall:
            types = self.generator.seen(node.base)[0]
            return (
                node.name in _FRESH and types in (ARRAY, MAP, STRING) and not node.optional and self.is_discreet(node)
            )
        if kind is syntax.Call and not node.path and not node.capture:
            plans = facts.plans.get((node.name, len(node.arguments)), ())
            return len(plans) == 1 and self._is_maker(plans[0])
        return False

    def is_discreet(self, step: syntax.MethodCall) -> bool:
        """Whether a method surely neither keeps nor gives back what it is called on."""
        if step.optional:
            return False
        callee = self.generator.callee(step)
        if callee is not None:
            return not callee[0].uses_this or bool(callee[0].borrows)
        base = Value(None, *self.generator.seen(step.base))
        if base.types not in (ARRAY, MAP, STRING):
            return False
        return (
            step.name in _DISCREET
            and bool(self.generator.may_be_native(base, step))
            and is_standard(self.generator.options, step.name, len(step.arguments) + 1)
        )

    def _enter(self, plan: FunctionPlan | None) -> None:
        facts = self.generator.facts
        facts.function = plan
        facts.scope = self.generator.resolution.functions[self.generator.script] if plan is None else plan.scope

    def _walk(self, plan: FunctionPlan) -> _Walk:
        walk = self._walks.get(plan)
        if walk is None:
            before = self.generator.facts.function, self.generator.facts.scope
            self._enter(plan)
            walk = self._walks[plan] = _Walk(self, plan.node.body.statements)
            self.generator.facts.function, self.generator.facts.scope = before
        return walk

    def _is_maker(self, plan: FunctionPlan) -> bool:
        """Whether nobody else can hold what a function of the script gives."""
        if plan not in self._gives:
            self._gives[plan] = False  # while we look, for it may call itself
            if not plan.scope.dynamic and plan.this_type is None:
                walk = self._walk(plan)
                self._gives[plan] = bool(walk.results) and all(self._is_made(walk, *each) for each in walk.results)
        return self._gives[plan]

    def _is_made(self, walk: _Walk, node: Any, at: int, loops: tuple[Any, ...]) -> bool:
        if type(node) is syntax.Literal:
            return True
        variable = walk.variable(node)
        if variable is None:
            return self.is_fresh(node)
        return variable in walk.uses and walk.uses[variable].is_sole(at, loops)
