"""Calls by name, and what the language makes of some names: ``call``, ``curry``, ``Fn``, ``eval``, ``type_of`` and so
on.

A script function is known when code is made, so its call is a Python call. Natives are found by the types of their
arguments at run time. A native that may change its first argument gets the variable itself if that argument is one,
as in Rust.
"""

from __future__ import annotations

from typing import Any

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes
from picloud.rhai.codegen.emitter import CALL, Value
from picloud.rhai.codegen.inlining import SPECIAL, Inlining
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.types import ANY, BOOL, FN, STRING
from picloud.rhai.errors import Position
from picloud.rhai.resolver import Variable
from picloud.rhai.syntax import start


class Calls(Inlining):
    """The part of the generator for calls."""

    plans: dict[tuple[str, int], list[FunctionPlan]]
    closures: dict[Any, FunctionPlan]
    wanted: list[FunctionPlan]
    """Functions that code is needed of, in the order of their first use."""

    def script_functions_named(self, name: str, count: int) -> list[FunctionPlan]:
        """Return the script functions of that name and number of parameters, one for each type of ``this``."""
        return self.plans.get((name, count), [])

    def want(self, plan: FunctionPlan) -> None:
        """The code of a function is needed."""
        if not plan.wanted:
            plan.wanted = True
            self.wanted.append(plan)

    def function_named(self, name: str) -> Any:
        """Return a pointer to the first script function of that name; None if there is none."""
        for (known, _), plans in self.plans.items():
            if known == name:
                self.want(plans[0])
                return nodes.call("close", [nodes.name("S" + plans[0].python), nodes.name("R")])
        return None

    # ---------------------------------------------------------------------------------------- calls

    def call(self, node: syntax.Call) -> Value:
        """Return the value of a call."""
        self.weight += CALL
        place = node.line, node.column
        if node.path:
            return self._qualified(node, place)
        if node.name in SPECIAL:
            special = self._special(node, place)
            if special is not None:
                return special
        arguments = self._arguments(node)
        plan = next(
            (plan for plan in self.script_functions_named(node.name, len(arguments)) if not plan.this_type), None
        )
        if plan is not None:
            return self.valued(self.direct_call(plan, None, arguments, place), node)
        name = nodes.constant(node.name)
        head = [nodes.name("R"), self.level, name]
        count = len(arguments)
        if not self.options.known(node.name, count):
            return Value(self.calling("call_function", [*head, *_nodes(arguments)], place), ANY)
        if count and self.options.changes(node.name, count):
            root = self._reference(node.arguments[0])
            if root is not None:
                rest = [each if each.simple else self.kept(each) for each in arguments[1:]]
                target = self.temporary(ANY)
                called = self.calling("call_native_on", [*head, root.value, *_nodes(rest)], place)
                self.out.append(nodes.assign_pair(nodes.name(target), root.value, called))
                return self.fresh(target, *self.seen(node))
        found = self.native(node.name, arguments)
        if found is not None and not found[1].changes:
            return self.valued(self.native_call(*found, _nodes(arguments), place), node)
        return self.valued(self.calling("call_native", [*head, *_nodes(arguments)], place), node)

    def _arguments(self, node: syntax.Call) -> list[Value]:
        """Return the arguments; a variable in first place is read after the others, as in Rust."""
        if not node.arguments:
            return []
        first, *rest = node.arguments
        if type(first) is syntax.Variable and rest:
            makers = [self.maker(argument) for argument in (*rest, first)]
            *others, last = self.sequence(makers)
            if not last.simple and not all(other.simple for other in others):
                others = [self.kept(other) for other in others]
            return [last, *others]
        return self.sequence([self.maker(argument) for argument in node.arguments])

    def _reference(self, node: Any) -> Any:
        """Return the variable that a native may change as its first argument; None if it gets a value."""
        if type(node) is not syntax.Variable and type(node) is not syntax.This:
            return None
        root = self.root(node)
        if root is None or root.constant:
            return None
        if isinstance(root.value, nodes.Attribute) and not self.scope.dynamic:
            return None  # a captured variable gives its value
        return root

    def direct_call(
        self,
        function: FunctionPlan,
        this: Any,
        arguments: list[Value],
        place: Position,
        cells: list[Any] | None = None,
        *,
        lent: bool = False,
    ) -> Any:
        """Return a call of a script function that is known.

        ``cells`` are what it captured, if it is a closure; ``lent`` says that ``this`` comes as it is, not in a box.
        """
        if not (function.escaped or function.passed):
            self.enter(place)
        passed = [self.deeper]
        if function.uses_this:
            passed.append(this if this is not None else nodes.name("U"))
        passed += cells or []
        self.want(function)
        python = function.python
        if function.borrows and not lent:
            python = f"B{python}"
        elif function.takes([argument.types for argument in arguments]):
            python = special_name(function)

        def called(values: list[Value]) -> Any:
            return self.calling(python, [*passed, *_nodes(values)], place)

        written = self.written_out(function, arguments, cells or [], place, called) if self.hot else None
        return called(arguments) if written is None else written

    def _qualified(self, node: syntax.Call, place: Position) -> Value:
        arguments = self._arguments(node)
        path = nodes.constant("::".join(node.path))
        head = [nodes.name("R"), self.level, path, nodes.constant(node.name), nodes.constant(node.root)]
        if arguments:
            root = self._reference(node.arguments[0])
            if root is not None:
                rest = [self.kept(each) for each in arguments[1:]]
                result = self.temporary(ANY)
                called = self.calling("call_module_on", [*head, root.value, *_nodes(rest)], place)
                self.out.append(nodes.assign_pair(nodes.name(result), root.value, called))
                return self.fresh(result, ANY)
        return Value(self.calling("call_module", [*head, *_nodes(arguments)], place), ANY)

    # ---------------------------------------------------------------------------------------- the language's own

    def _special(self, node: syntax.Call, place: Position) -> Value | None:
        count = len(node.arguments)
        match node.name:
            case "call" if count >= 1:
                return self._call_pointer(node, place)
            case "curry" if count > 1:
                values = self._pointer_first(node)
                place_of_it = nodes.constant(start(node.arguments[0]))
                return Value(nodes.call("curry", [nodes.name("R"), place_of_it, *_nodes(values)], place), FN)
            case "Fn" if count == 1:
                value = self.expression(node.arguments[0])
                where = start(node.arguments[0])
                return Value(nodes.call("pointer", [nodes.name("R"), value.node], where), FN)
            case "eval" if count == 1:
                return self._eval(node)
            case "is_def_var" if count == 1:
                return self._is_defined(node)
            case "is_shared" if count == 1:
                return self.captured(node.arguments[0])
            case "type_of" if count == 1:
                value = self.expression(node.arguments[0])
                return Value(nodes.call("type_name", [value.node], place), STRING)
        return None

    def _pointer_first(self, node: syntax.Call) -> list[Value]:
        """Return the arguments of a call whose first one must be a function pointer before the others are evaluated."""
        first, *rest = node.arguments

        def pointer() -> Value:
            value = self.expression(first)
            if value.types == FN or all(isinstance(argument, syntax.Literal) for argument in rest):
                return value
            where = start(first)
            return self.stored(Value(nodes.call("must_be_pointer", [value.node], where), FN))

        return self.sequence([pointer, *(self.maker(argument) for argument in rest)])

    def _call_pointer(self, node: syntax.Call, place: Position) -> Value:
        values = self._pointer_first(node)
        plan = self.pointed(values[0], len(values) - 1)
        if plan is not None:
            return self.through_pointer(plan, values[0], values[1:], node)
        where = nodes.constant(start(node.arguments[0]))
        arguments = [nodes.name("R"), self.level, where, *_nodes(values)]
        return self.valued(self.calling("call_value", arguments, place), node)

    def _eval(self, node: syntax.Call) -> Value:
        value = self.expression(node.arguments[0])
        where = start(node.arguments[0])
        return self.stored(
            Value(self.calling("evaluate", [nodes.name("R"), self.level, nodes.name("Z"), value.node], where), ANY)
        )

    def _is_defined(self, node: syntax.Call) -> Value:
        value = self.expression(node.arguments[0])
        where = start(node.arguments[0])
        known = () if self.scope.dynamic else self.resolution.visible.get(node, ())
        in_script = self.scope.dynamic or type(self.scope.node) is syntax.Script
        scope: Any = nodes.name("Z") if in_script else nodes.constant(())
        return Value(nodes.call("is_defined", [value.node, nodes.constant(known), scope], where), BOOL)

    def captured(self, argument: Any) -> Value:
        """Whether a closure captured what an expression names."""
        if type(argument) is syntax.Variable:
            variable = self.resolution.bindings.get(argument)
            cell: Any = None
            if self.scope.dynamic:
                cell = self.found(argument)
            elif variable is not None and variable.captured:
                cell = nodes.name(variable.python)
            if cell is not None:
                return Value(nodes.call("is_captured", [cell], start(argument)), BOOL)
        value = self.expression(argument)
        if not value.simple:
            self.stored(value)
        return Value(nodes.constant(False), BOOL, simple=True, stable=True)

    # ---------------------------------------------------------------------------------------- closures

    def closure(self, node: syntax.Closure) -> Value:
        """Return a closure: a pointer with the cells of what it captures."""
        plan = self.closures[node]
        self.want(plan)
        if not plan.scope.captures:
            return Value(nodes.name(f"P{plan.python}"), *self.seen(node), simple=True, stable=True)
        cells = [self._captured_cell(capture) for capture in plan.scope.captures]
        return self.valued(nodes.call("close", [nodes.name(f"S{plan.python}"), nodes.name("R"), *cells]), node)

    def _captured_cell(self, capture: Any) -> Any:
        """Return the cell of a captured variable; the value of one that the optimiser found to be a constant."""
        variable: Variable | None = capture.outer
        if capture.copied:
            if variable is not None and not self.scope.dynamic:
                return self.read(variable).node
            return nodes.cell(self._looked_up(capture))
        if self.scope.dynamic or (variable is None and type(self.scope.node) is syntax.Script):
            return self._looked_up(capture)
        if variable is None:
            return nodes.call("missing", [nodes.constant(capture.name)], capture.place)
        return nodes.name(variable.python)

    def _looked_up(self, capture: Any) -> Any:
        arguments = [nodes.name("Z"), nodes.constant(capture.name)]
        if self.scope.dynamic and capture.outer is None:
            return nodes.call("named", [nodes.name("R"), *arguments], capture.place)
        return nodes.call("find", arguments, capture.place)


def _nodes(values: list[Value]) -> list[Any]:
    return [value.node for value in values]


def special_name(function: FunctionPlan) -> str:
    """Return the name of the Python function for parameters of guessed types."""
    return "Q" + function.python
