"""Properties and indexes: reading chains of them.

Rust evaluates all indexes and arguments of a chain before its root, and so do we. A chain that only reads becomes one
step after the other. A method may change the element that it is called on, wherever in a variable that lies; then the
variable is the *root*: something that can be read and assigned (a Python variable, a cell's value, ``this[0]``). The
quick way is written out for steps on arrays and maps that nobody else holds; all else goes to
:mod:`picloud.rhai.runtime.chains`. Methods stand in ``methods.py``, assignments in ``elements.py``.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes, types
from picloud.rhai.codegen.emitter import CALL, Value, stored_names
from picloud.rhai.codegen.ranges import SIZES
from picloud.rhai.codegen.roots import Root
from picloud.rhai.codegen.runs import Runs
from picloud.rhai.codegen.shapes import UNKNOWN, find
from picloud.rhai.codegen.types import ANY, ARRAY, BLOB, INT, MAP, STRING, UNIT
from picloud.rhai.errors import Position
from picloud.rhai.syntax import Node, position

_INDEX, _PROPERTY, _METHOD = 0, 1, 2


class Chains(Runs):
    """The part of the generator for chains."""

    # ---------------------------------------------------------------------------------------- taking apart

    def taken_apart(self, node: Any) -> tuple[Node, list[Any]]:
        """Return the root of a chain, and its steps in order."""
        steps: list[Any] = []
        while isinstance(node, syntax.Property | syntax.Index | syntax.MethodCall):
            steps.append(node)
            self.weight += CALL if type(node) is syntax.MethodCall else 2
            node = node.base
        steps.reverse()
        return node, steps

    def root(self, node: Node) -> Root | None:
        """Return the variable that a chain begins at; None if it begins at something else."""
        place = node.line, node.column
        if type(node) is syntax.This:
            known = self.seen(node)
            if self.frozen:
                return Root(self.this(node).node, known, "", place, constant=True)
            root = Root(self.this(node).node, known, "this", place)
            root.owned = self.borrows
            root.node = node
            return root
        if type(node) is not syntax.Variable or node.copied:
            return None
        variable = self.resolution.bindings.get(node)
        if self.scope.dynamic or (
            variable is None and type(self.scope.node) is syntax.Script and not self.function_named(node.name)
        ):
            cell = self.stored(Value(self.found(node), types.OTHER))
            root = Root(nodes.cell(cell.node), UNKNOWN, node.name, place)
            root.cell = cell.node
            return root
        if variable is None:
            return None
        self.ranges.forget(variable)
        if variable.captured:
            value: Any = nodes.cell(nodes.name(variable.python))
        else:
            value = nodes.name(variable.python)
        root = Root(value, (variable.types, variable.shape), node.name, place, constant=variable.constant)
        root.declared = not variable.captured or self.is_declared(variable)
        root.sole = node in self.sole
        root.sole_elements = node in self.sole_elements
        root.node = node
        return root

    def keys(self, steps: list[Any]) -> list[Any]:
        """Evaluate the indexes and arguments of a chain. Returns one entry a step: a Value, a list of Values, or
        None."""
        makers: list[Any] = []
        for step in steps:
            if type(step) is syntax.Index:
                makers.append(self.maker(step.index))
            elif type(step) is syntax.MethodCall:
                makers += [self.maker(argument) for argument in step.arguments]
        values = iter(self.sequence(makers))
        found: list[Any] = []
        for step in steps:
            if type(step) is syntax.Index:
                found.append(next(values))
            elif type(step) is syntax.MethodCall:
                found.append([next(values) for _ in step.arguments])
            else:
                found.append(None)
        return found

    def maker(self, node: Node) -> Any:
        return lambda: self.expression(node)

    def settled_keys(self, keys: list[Any], *, all_of_them: bool) -> list[Any]:
        """Return keys that are evaluated before what follows: all, or all but plain ones if there is but one step."""
        if not all_of_them and len(keys) == 1:
            return keys
        return [
            None if key is None else [self.kept(each) for each in key] if type(key) is list else self.kept(key)
            for key in keys
        ]

    def step_constant(self, step: Any) -> Any:
        """Return a step as the runtime sees it."""
        if type(step) is syntax.Index:
            place, dot, first = (step.line, step.column), step.at, step.at
            kind, name = _INDEX, None
        else:
            place, dot = (step.line, step.column), step.dot
            kind, name = (_PROPERTY, step.name) if type(step) is syntax.Property else (_METHOD, step.name)
            arguments = getattr(step, "arguments", None)
            first = position(arguments[0]) if arguments else dot
        return nodes.constant((kind, name, step.optional, place, dot, first))

    def steps_tuple(self, steps: list[Any]) -> Any:
        """Return the steps of a chain as the runtime sees them: one literal."""
        return nodes.constant(tuple(self.step_constant(step).value for step in steps))

    def keys_tuple(self, keys: list[Any]) -> Any:
        """Return the evaluated keys as the runtime sees them."""
        elements = [
            nodes.constant(None)
            if key is None
            else nodes.Tuple([each.node for each in key], nodes.LOAD)
            if type(key) is list
            else key.node
            for key in keys
        ]
        return nodes.Tuple(elements, nodes.LOAD)

    # ---------------------------------------------------------------------------------------- reading

    def chain(self, node: Any) -> Value:
        """Return the value of a chain."""
        since = len(self.holders)
        base, steps = self.taken_apart(node)
        if _asks_whether_shared(base, steps[0]):
            return self.read_steps(self.captured(base), steps[1:], self.keys(steps[1:]))
        keys = self.keys(steps)
        last = self.last_change(steps)
        if self._is_captured(base) and any(
            type(step) is syntax.MethodCall and self.may_call(step, key) for step, key in zip(steps, keys, strict=True)
        ):
            return self._lending_chain(base, steps, self.settled_keys(keys, all_of_them=True), last)
        if last is not None:
            plain = self.is_local(base) and len(steps) == 1
            keys = self.settled_keys(keys, all_of_them=not plain)
            self._release_before_change(keys, since)
            root = self.root(base)
            if root is not None:
                return self.changing(root, steps, keys, last)
        held = self.holding(base, steps)
        if held is not None:
            return self.read_steps(held.value, steps[1:], keys[1:])
        if (
            not self.is_local(base)
            or any(step.optional for step in steps)
            or not all(_is_harmless(key.node) for later in keys[1:] if later is not None for key in listed(later))
        ):
            keys = self.settled_keys(keys, all_of_them=True)
        value = self._base(base, keys)
        return self.read_steps(value, steps, keys)

    def _is_captured(self, base: Node) -> bool:
        if type(base) is not syntax.Variable or base.copied or self.scope.dynamic:
            return False
        variable = self.resolution.bindings.get(base)
        return variable is not None and variable.captured and not variable.constant

    def _lending_chain(self, base: Node, steps: list[Any], keys: list[Any], last: int | None) -> Value:
        """A chain on a captured variable whose methods may run functions: to these the variable is locked, which a
        cell without a value is."""
        root = self.root(base)
        assert root is not None
        cell = root.value
        lent = self.temporary(types.INT)  # what it holds is given back at once
        result = self.temporary(ANY)
        self.out.append(nodes.assign(lent, nodes.call("lend", [cell.value])))
        root.value = nodes.name(lent)
        known: list[Value] = []

        def go_down() -> None:
            if last is None:
                found = self.read_steps(Value(root.value, root.types, root.shape), steps, keys)
            else:
                found = self.changing(root, steps, keys, last)
            self.out.append(nodes.assign(result, found.node))
            known.append(found)

        self.in_try += 1
        body = self.collect(go_down)
        self.in_try -= 1
        returned = nodes.call("give_back", [cell.value, nodes.name(lent)], (steps[-1].line, steps[-1].column))
        self.out.append(nodes.Try(body, [], [], [nodes.statement(returned)]))
        self.out.append(nodes.assign(lent, nodes.constant(None)))
        return self.fresh(result, known[0].types, known[0].shape)

    def _release_before_change(self, keys: list[Any], since: int) -> None:
        if self.holders and all(each.simple for key in keys if key is not None for each in listed(key)):
            self.release(keys, since)

    def is_local(self, base: Node) -> bool:
        """Whether looking at the root can't fail, and nothing that runs before can change it."""
        if type(base) is not syntax.Variable:
            return isinstance(base, syntax.Literal)
        variable = self.resolution.bindings.get(base)
        return variable is not None and not variable.captured and not self.scope.dynamic

    def _base(self, base: Node, keys: list[Any]) -> Value:
        """The root's value, evaluated after the keys."""
        start = len(self.out)
        value = self.expression(base)
        if len(self.out) > start:
            # The root has statements of its own: keys that aren't in temporaries would be evaluated after them.
            written = stored_names(self.out[start:])
            for index, key in enumerate(keys):
                if key is not None and type(key) is not list and not key.stable:
                    name = self.temporary_before(key.types, written)
                    self.out.insert(start, nodes.assign(name, key.node))
                    keys[index] = self.fresh(name, key.types)
                    start += 1
        return value

    def read_steps(self, value: Value, steps: list[Any], keys: list[Any]) -> Value:
        """Go down from a value that is in no variable."""
        for at, (step, key) in enumerate(zip(steps, keys, strict=True)):
            if step.optional:
                return self._optional(value, steps[at:], keys[at:])
            value = self._read_step(value, step, key)
        return value

    def _optional(self, value: Value, steps: list[Any], keys: list[Any]) -> Value:
        """``?.`` and ``?[``: () ends the chain."""
        name = self.temporary(ANY)
        self.out.append(nodes.assign(name, value.node))
        rest: list[Value] = []

        def go_on() -> None:
            inner = self._read_step(self.fresh(name, value.types & ~UNIT or ANY, value.shape), steps[0], keys[0])
            inner = self.read_steps(inner, steps[1:], keys[1:])
            rest.append(inner)
            self.out.append(nodes.assign(name, inner.node))

        statements = self.collect(go_on)
        self.out.append(nodes.branch(nodes.compare(nodes.name(name), "is not", nodes.constant(None)), statements))
        return self.fresh(name, rest[0].types | UNIT, rest[0].shape)

    def _read_step(self, value: Value, step: Any, key: Any) -> Value:
        if type(step) is syntax.Property:
            return self.read_property(value, step)
        if type(step) is syntax.Index:
            return self.read_index(value, key, step)
        return self.method_of_value(value, step, key)

    def read_property(self, value: Value, step: syntax.Property) -> Value:
        """``value.name``."""
        place = step.line, step.column
        name = nodes.constant(step.name)
        is_length = step.name == "len"
        arguments = [nodes.name("R"), self.level, value.node, name, nodes.constant(step.dot)]
        if is_length and value.types and not value.types & ~(ARRAY | STRING | BLOB):
            return Value(nodes.call("len", [value.node]), INT, bounds=SIZES)
        if value.types == MAP and self.surely_has(value, step.name):
            return self.valued(nodes.element(value.node, name), step)
        if not self.hot and value.types != MAP:
            return self.valued(nodes.call("read_property", arguments, place), step)
        value = self.kept(value)
        arguments[2] = value.node
        slow = nodes.call("read_property", arguments, place)
        if is_length and value.types & ARRAY:
            tests = nodes.either([nodes.is_type(value.node, "list"), nodes.is_type(value.node, "str")])
            return Value(nodes.IfExp(tests, nodes.call("len", [value.node]), slow), ANY)
        if not value.types & MAP:
            return self.valued(slow, step)
        present = nodes.compare(name, "in", value.node)
        found = nodes.element(value.node, name)
        if value.types == MAP:
            return self.valued(nodes.IfExp(present, found, nodes.constant(None)), step)
        return self.valued(nodes.IfExp(nodes.both([nodes.is_type(value.node, "dict"), present]), found, slow), step)

    def surely_has(self, value: Value, name: str) -> bool:
        """Whether a map has a member of that name for sure."""
        return value.shape is not None and name in (find(value.shape).sure or ())

    def read_index(self, value: Value, index: Value, step: syntax.Index) -> Value:
        """``value[index]``."""
        place = step.line, step.column
        sure = value.types == ARRAY and index.types == INT
        if sure:
            if operand(value.node) is None:
                value = self.kept(value)
            if operand(index.node) is None:
                index = self.kept(index)
            return self.valued(self.element(value.node, index.node, place), step)
        quick = self.hot and value.types & (ARRAY | MAP) and index.types & (INT | STRING)
        if quick:
            value, index = self.kept(value), self.kept(index)
        arguments = [
            nodes.name("R"),
            self.level,
            value.node,
            index.node,
            nodes.constant(place),
            nodes.constant(step.at),
        ]
        slow = nodes.call("read_index", arguments, place)
        if not quick:
            return self.valued(slow, step)
        if index.types == STRING and value.types & MAP:
            tests = [] if value.types == MAP else [nodes.is_type(value.node, "dict")]
            tests.append(nodes.compare(index.node, "in", value.node))
            otherwise = nodes.constant(None) if value.types == MAP else slow
            return self.valued(nodes.IfExp(nodes.both(tests), nodes.element(value.node, index.node), otherwise), step)
        found = self.element(value.node, index.node, place)
        if not (value.types & ARRAY and index.types & INT):
            return self.valued(slow, step)
        tests = [] if value.types == ARRAY else [nodes.is_type(value.node, "list")]
        tests += [] if index.types == INT else [nodes.is_type(index.node, "int")]
        return self.valued(nodes.IfExp(nodes.both(tests), found, slow), step)

    def element(self, array: Any, index: Any, place: Position) -> Any:
        """Return an element of what is surely an array; Python's error tells an index out of bounds."""
        self.sites[place] = (operand(array), operand(index))
        return nodes.element(array, index, place)

    # ---------------------------------------------------------------------------------------- methods

    def captured(self, argument: Any) -> Value:
        """Whether a closure captured what an expression names."""
        raise NotImplementedError

    def may_call(self, step: syntax.MethodCall, arguments: list[Value]) -> bool:
        """Whether a method may run functions of the script."""
        raise NotImplementedError

    def last_change(self, steps: list[Any]) -> int | None:
        """Return the number of the last step that may change what it is called on."""
        raise NotImplementedError

    def method_of_value(self, value: Value, step: syntax.MethodCall, arguments: list[Value]) -> Value:
        """Return what a method of a value that is in no variable gives."""
        raise NotImplementedError

    def changing(self, root: Root, steps: list[Any], keys: list[Any], last: int) -> Value:
        """Return the value of a chain whose step number ``last`` may change what it is called on."""
        raise NotImplementedError


def _asks_whether_shared(base: Node, step: Any) -> bool:
    """Whether ``variable.is_shared()`` is asked for: the variable's cell tells, not its value."""
    if type(base) is not syntax.Variable or type(step) is not syntax.MethodCall:
        return False
    return step.name == "is_shared" and not step.arguments and not step.optional


def _is_harmless(node: Any) -> bool:
    """Whether an expression neither fails nor does anything, so that it may be evaluated later."""
    return all(isinstance(each, _HARMLESS) for each in ast.walk(node))


_HARMLESS: Final = (
    ast.Name,
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.BoolOp,
    ast.IfExp,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.boolop,
    ast.expr_context,
)


def listed(key: Any) -> list[Value]:
    return key if type(key) is list else [key]


def operand(node: Any) -> Any:
    """Return what a bounds error needs to find a value again, in the frame that asked for it (see
    ``runtime.places``); None if it can't."""
    if isinstance(node, nodes.Name):
        return node.id
    if isinstance(node, nodes.Constant):
        return ("literal", node.value)
    if isinstance(node, nodes.Attribute):
        return ("cell", operand(node.value))
    if isinstance(node, nodes.Subscript):
        array, index = operand(node.value), operand(node.slice)
        return None if array is None or index is None else ("element", array, index)
    return None
