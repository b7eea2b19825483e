"""Properties, indexes and methods: reading, assigning, and methods that change what they are called on.

Rust evaluates all indexes and arguments of a chain before its root, and so do we. A chain that only reads becomes one
step after the other. A method may change the element that it is called on, wherever in a variable that lies; then the
variable is the *root*: something that can be read and assigned (a Python variable, a cell's value, ``this[0]``). The
quick way is written out for one step on arrays and maps that only the root holds; all else goes to
:mod:`picloud.rhai.runtime.chains`.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes, types
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.expressions import Expressions
from picloud.rhai.codegen.types import ANY, ARRAY, BLOB, FLOAT, INT, MAP, STRING, UNIT
from picloud.rhai.errors import Position
from picloud.rhai.runtime.ownership import DIRECT
from picloud.rhai.syntax import Node

_INDEX, _PROPERTY, _METHOD = 0, 1, 2
_LANGUAGE_METHODS: Final = frozenset({"call", "curry", "is_shared", "type_of"})


class Root:
    """A variable at the beginning of a chain."""

    __slots__ = ("constant", "name", "place", "types", "value")

    def __init__(self, value: Any, types_: int, name: str, place: Position, *, constant: bool = False) -> None:
        self.value = value
        """How it is read, and assigned."""
        self.types = types_
        self.name = name
        self.place = place
        self.constant = constant


class Chains(Expressions):
    """The part of the generator for chains."""

    # ---------------------------------------------------------------------------------------- taking apart

    def taken_apart(self, node: Any) -> tuple[Node, list[Any]]:
        """Return the root of a chain, and its steps in order."""
        steps: list[Any] = []
        while isinstance(node, syntax.Property | syntax.Index | syntax.MethodCall):
            steps.append(node)
            node = node.base
        steps.reverse()
        return node, steps

    def root(self, node: Node) -> Root | None:
        """Return the variable that a chain begins at; None if it begins at something else."""
        place = node.line, node.column
        if type(node) is syntax.This:
            return Root(nodes.element(nodes.name("this"), nodes.constant(0), place), ANY, "this", place)
        if type(node) is not syntax.Variable or node.copied:
            return None
        variable = self.resolution.bindings.get(node)
        if self.scope.dynamic or (
            variable is None and type(self.scope.node) is syntax.Script and not self.function_named(node.name)
        ):
            cell = self.stored(Value(self.found(node), types.OTHER))
            return Root(nodes.cell(cell.node), ANY, node.name, place)
        if variable is None:
            return None
        if variable.captured:
            return Root(nodes.cell(nodes.name(variable.python)), ANY, node.name, place, constant=variable.constant)
        value = nodes.name(variable.python)
        return Root(value, variable.types or ANY, node.name, place, constant=variable.constant)

    def keys(self, steps: list[Any]) -> list[Any]:
        """Evaluate the indexes and arguments of a chain. Returns one entry a step: a Value, a list of Values, or
        None."""
        makers: list[Any] = []
        for step in steps:
            if type(step) is syntax.Index:
                makers.append(self._maker(step.index))
            elif type(step) is syntax.MethodCall:
                makers += [self._maker(argument) for argument in step.arguments]
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

    def _maker(self, node: Node) -> Any:
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
            first = (arguments[0].line, arguments[0].column) if arguments else dot
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
        keys = self.keys(steps)
        last = self._last_change(steps)
        if last is not None:
            plain = self._is_local(base) and len(steps) == 1
            keys = self.settled_keys(keys, all_of_them=not plain)
            self._release_before_change(keys, since)
            root = self.root(base)
            if root is not None:
                return self._changing(root, steps, keys, last)
        if not self._is_local(base) or any(step.optional for step in steps):
            keys = self.settled_keys(keys, all_of_them=True)
        value = self._base(base, keys)
        return self._read_steps(value, steps, keys)

    def _release_before_change(self, keys: list[Any], since: int) -> None:
        if self.holders and all(each.simple for key in keys if key is not None for each in _listed(key)):
            self.release(keys, since)

    def _is_local(self, base: Node) -> bool:
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
            for index, key in enumerate(keys):
                if key is not None and type(key) is not list and not key.stable:
                    name = self.temporary(key.types)
                    self.out.insert(start, nodes.assign(name, key.node))
                    keys[index] = self.fresh(name, key.types)
                    start += 1
        return value

    def _read_steps(self, value: Value, steps: list[Any], keys: list[Any]) -> Value:
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
            inner = self._read_step(self.fresh(name, value.types & ~UNIT), steps[0], keys[0])
            inner = self._read_steps(inner, steps[1:], keys[1:])
            rest.append(inner)
            self.out.append(nodes.assign(name, inner.node))

        statements = self.collect(go_on)
        self.out.append(nodes.branch(nodes.compare(nodes.name(name), "is not", nodes.constant(None)), statements))
        return self.fresh(name, rest[0].types | UNIT)

    def _read_step(self, value: Value, step: Any, key: Any) -> Value:
        if type(step) is syntax.Property:
            return self.read_property(value, step)
        if type(step) is syntax.Index:
            return self.read_index(value, key, step)
        return self._method_of_value(value, step, key)

    def read_property(self, value: Value, step: syntax.Property) -> Value:
        """``value.name``."""
        place = step.line, step.column
        name = nodes.constant(step.name)
        is_length = step.name == "len"
        arguments = [nodes.name("R"), self.level, value.node, name, nodes.constant(step.dot)]
        if is_length and value.types and not value.types & ~(ARRAY | STRING | BLOB):
            return Value(nodes.call("len", [value.node]), INT)
        if not self.hot and value.types != MAP:
            return Value(nodes.call("read_property", arguments, place), ANY)
        value = self.kept(value)
        arguments[2] = value.node
        slow = nodes.call("read_property", arguments, place)
        if is_length and value.types & ARRAY:
            tests = nodes.either([nodes.is_type(value.node, "list"), nodes.is_type(value.node, "str")])
            return Value(nodes.IfExp(tests, nodes.call("len", [value.node]), slow), ANY)
        if not value.types & MAP:
            return Value(slow, ANY)
        present = nodes.compare(name, "in", value.node)
        found = nodes.element(value.node, name)
        if value.types == MAP:
            return Value(nodes.IfExp(present, found, nodes.constant(None)), ANY)
        return Value(nodes.IfExp(nodes.both([nodes.is_type(value.node, "dict"), present]), found, slow), ANY)

    def read_index(self, value: Value, index: Value, step: syntax.Index) -> Value:
        """``value[index]``."""
        place = step.line, step.column
        result = types.CHAR | STRING if value.types == STRING else ANY
        sure = value.types == ARRAY and index.types == INT
        quick = sure or (self.hot and value.types & (ARRAY | MAP) and index.types & (INT | STRING))
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
            return Value(slow, result)
        if index.types == STRING and value.types & MAP:
            tests = [] if value.types == MAP else [nodes.is_type(value.node, "dict")]
            tests.append(nodes.compare(index.node, "in", value.node))
            return Value(nodes.IfExp(nodes.both(tests), nodes.element(value.node, index.node), slow), ANY)
        found = self.element(value.node, index.node, place)
        if sure:
            return Value(found, ANY)
        if not (value.types & ARRAY and index.types & INT):
            return Value(slow, result)
        tests = [] if value.types == ARRAY else [nodes.is_type(value.node, "list")]
        tests += [] if index.types == INT else [nodes.is_type(index.node, "int")]
        return Value(nodes.IfExp(nodes.both(tests), found, slow), result)

    def element(self, array: Any, index: Any, place: Position) -> Any:
        """Return an element of what is surely an array; Python's error tells an index out of bounds."""
        self.sites[place] = (_operand(array), _operand(index))
        return nodes.element(array, index, place)

    # ---------------------------------------------------------------------------------------- methods

    def _last_change(self, steps: list[Any]) -> int | None:
        """Return the number of the last step that may change what it is called on."""
        for at in range(len(steps) - 1, -1, -1):
            step = steps[at]
            if type(step) is syntax.MethodCall and self.may_change(step.name, len(step.arguments)):
                return at
        return None

    def may_change(self, name: str, count: int) -> bool:
        """Whether a method of that name and number of arguments may change what it is called on."""
        if name in ("curry", "is_shared", "type_of"):
            return False
        if name == "call":
            return True
        if self.script_functions_named(name, count):
            return True
        return self.options.changes(name, count + 1) or not self.options.known(name, count + 1)

    def script_functions_named(self, name: str, count: int) -> list[Any]:
        """Return the script functions of that name and number of parameters."""
        raise NotImplementedError

    def _method_of_value(self, value: Value, step: syntax.MethodCall, arguments: list[Value]) -> Value:
        """A method of a value that is in no variable: what it changes is lost."""
        place = step.line, step.column
        if step.name == "len" and not arguments and value.types and not value.types & ~(ARRAY | STRING | BLOB):
            return Value(nodes.call("len", [value.node]), INT)
        first = self.step_constant(step).value[5]
        passed = nodes.Tuple([argument.node for argument in arguments], nodes.LOAD)
        box = nodes.List([value.node], nodes.LOAD)
        head = [nodes.name("R"), self.level, nodes.constant(step.name)]
        result = STRING if step.name == "type_of" else ANY
        return Value(nodes.call("call_method", [*head, box, passed, nodes.constant(first)], place), result)

    def _changing(self, root: Root, steps: list[Any], keys: list[Any], last: int) -> Value:
        """A chain whose step number ``last`` may change what it is called on."""
        if last == 0:
            step = steps[0]
            if step.optional:
                return self._optional_method(root, steps, keys)
            value = self._method_of_root(root, step, keys[0])
            return self._read_steps(value, steps[1:], keys[1:])
        if root.constant:
            value = Value(root.value, root.types)
            return self._read_steps(value, steps, keys)
        result = self.temporary(ANY)
        arguments = [
            nodes.name("R"),
            self.level,
            root.value,
            self.steps_tuple(steps[: last + 1]),
            self.keys_tuple(keys[: last + 1]),
        ]
        place = steps[last].line, steps[last].column
        called = nodes.call("call_chain", arguments, place)
        slow = nodes.assign_pair(nodes.name(result), root.value, called)
        quick = self._quick_element_method(root, steps[: last + 1], keys[: last + 1], result) if self.hot else None
        self.out.append(slow if quick is None else nodes.branch(quick[0], quick[1], [slow]))
        return self._read_steps(self.fresh(result, ANY), steps[last + 1 :], keys[last + 1 :])

    def _quick_element_method(
        self, root: Root, steps: list[Any], keys: list[Any], result: str
    ) -> tuple[Any, list[Any]] | None:
        """A method of the script on an element: the element leaves its container meanwhile."""
        step, arguments = steps[-1], keys[-1]
        functions = self.script_functions_named(step.name, len(arguments))
        if len(functions) != 1 or functions[0].node.this_type is not None or step.optional or len(steps) > 4:
            return None
        function = functions[0]
        way = self._way_down(root, steps[:-1], keys[:-1])
        if way is None:
            return None
        container, python, key, tests = way
        if python == "dict":
            tests.append(nodes.compare(key.node, "in", container))
        before = steps[-2]
        place = step.line, step.column
        target = nodes.element(container, key.node, (before.line, before.column))
        box = self.temporary(ANY)
        if not function.uses_this:
            looks = nodes.statement(target)
            return nodes.both(tests), [looks, nodes.assign(result, self.direct_call(function, None, arguments, place))]
        called = nodes.assign(result, self.direct_call(function, nodes.name(box), arguments, place))
        gives = nodes.assign(box, nodes.List([target], nodes.LOAD))
        empties = nodes.assign_to(target, nodes.constant(None))
        takes = nodes.assign_to(target, nodes.element(nodes.name(box), nodes.constant(0)))
        return nodes.both(tests), [gives, empties, nodes.Try([called], [], [], [takes])]

    def _optional_method(self, root: Root, steps: list[Any], keys: list[Any]) -> Value:
        name = self.temporary(ANY)

        def go_on() -> None:
            value = self._method_of_root(root, steps[0], keys[0])
            value = self._read_steps(value, steps[1:], keys[1:])
            self.out.append(nodes.assign(name, value.node))

        statements = self.collect(go_on)
        self.out.append(nodes.assign(name, nodes.constant(None)))
        self.out.append(nodes.branch(nodes.compare(root.value, "is not", nodes.constant(None)), statements))
        return self.fresh(name, ANY)

    def _method_of_root(self, root: Root, step: syntax.MethodCall, arguments: list[Value]) -> Value:
        """A method of a variable."""
        place = step.line, step.column
        first = nodes.constant(self.step_constant(step).value[5])
        name = nodes.constant(step.name)
        passed = nodes.Tuple([argument.node for argument in arguments], nodes.LOAD)
        head = [nodes.name("R"), self.level, name]
        if root.constant:
            return Value(nodes.call("call_constant", [*head, root.value, passed, first], place), ANY)
        functions = self.script_functions_named(step.name, len(arguments))
        by_language = step.name in _LANGUAGE_METHODS
        if not functions and not by_language and self.options.known(step.name, len(arguments) + 1):
            quick = self._quick_method(root, step, arguments)
            if quick is not None:
                return quick
            result = self.temporary(ANY)
            called = nodes.call("call_method_on", [*head, root.value, passed, first], place)
            self.out.append(nodes.assign_pair(nodes.name(result), root.value, called))
            return self.fresh(result, ANY)
        return self._boxed_method(root, step, functions, arguments, [*head, passed, first])

    def _boxed_method(
        self, root: Root, step: syntax.MethodCall, functions: list[Any], arguments: list[Value], call: list[Any]
    ) -> Value:
        """A method that may be the script's: the variable gives its value away in a box, and takes it back."""
        place = step.line, step.column
        head, first = call[:3], call[4]
        plain = len(functions) == 1 and functions[0].node.this_type is None
        if plain and not functions[0].uses_this:
            return Value(self.direct_call(functions[0], None, arguments, place), functions[0].result)
        arguments = [each if each.stable else self.stored(each) for each in arguments]
        passed = nodes.Tuple([argument.node for argument in arguments], nodes.LOAD)
        box = self.temporary(ANY)
        result = self.temporary(ANY)
        if step.name == "call" and self.hot:
            quick = nodes.call("call_pointer", [nodes.name("R"), self.level, root.value, passed], place)
            boxed = self.collect(
                lambda: self._in_box(root, box, result, plain, functions, arguments, head, passed, first, place)
            )
            is_pointer = nodes.is_type(root.value, "FnPtr")
            self.out.append(nodes.branch(is_pointer, [nodes.assign(result, quick)], boxed))
        else:
            self._in_box(root, box, result, plain, functions, arguments, head, passed, first, place)
        return self.fresh(result, ANY)

    def _in_box(
        self,
        root: Root,
        box: str,
        result: str,
        plain: bool,
        functions: list[Any],
        arguments: list[Value],
        head: list[Any],
        passed: Any,
        first: Any,
        place: Position,
    ) -> None:
        self.out.append(nodes.assign(box, nodes.List([root.value], nodes.LOAD)))
        self.out.append(nodes.assign_to(root.value, nodes.constant(None)))
        if plain:
            called = self.direct_call(functions[0], nodes.name(box), arguments, place)
        else:
            called = nodes.call("call_method", [*head, nodes.name(box), passed, first], place)
        taken_back = nodes.assign_to(root.value, nodes.element(nodes.name(box), nodes.constant(0)))
        if self.in_try or not isinstance(root.value, nodes.Name):
            self.out.append(nodes.Try([nodes.assign(result, called)], [], [], [taken_back]))
        else:
            self.out += [nodes.assign(result, called), taken_back]

    def direct_call(self, function: Any, this: Any, arguments: list[Value], place: Position) -> Any:
        """Return a call of a script function that is known."""
        raise NotImplementedError

    def _quick_method(self, root: Root, step: syntax.MethodCall, arguments: list[Value]) -> Value | None:
        """The few methods that are written out."""
        if step.name == "len" and not arguments and root.types and not root.types & ~(ARRAY | STRING | BLOB):
            return Value(nodes.call("len", [root.value]), INT)
        if step.name == "push" and len(arguments) == 1 and root.types & ARRAY and self.hot:
            return self._pushed(root, step, arguments[0])
        return None

    def _pushed(self, root: Root, step: syntax.MethodCall, item: Value) -> Value:
        """``array.push(item)``."""
        item = self._held(root, self.kept(item))
        tests = self._owned(root, "list")
        limit = self.options.limits.max_array_size
        if limit:
            tests.append(nodes.compare(nodes.call("len", [root.value]), "<", nodes.constant(limit)))
        quick = nodes.statement(nodes.call("append", [root.value, item.node]))
        head = [nodes.name("R"), self.level, nodes.constant("push")]
        passed = nodes.Tuple([item.node], nodes.LOAD)
        place = step.line, step.column
        called = nodes.call("call_method_on", [*head, root.value, passed, nodes.constant(place)], place)
        unused = nodes.name(self.temporary(ANY))
        self.out.append(nodes.branch(nodes.both(tests), [quick], [nodes.assign_pair(unused, root.value, called)]))
        return Value(nodes.constant(None), UNIT, simple=True, stable=True)

    def _held(self, root: Root, value: Value) -> Value:
        """Return a value that goes into a variable's own array or map.

        The variable itself comes in a temporary, so that it is seen to be held twice.
        """
        if isinstance(value.node, nodes.Name) and isinstance(root.value, nodes.Name) and value.node.id == root.value.id:
            return self.stored(value)
        return value

    def _owned(self, root: Root, python: str) -> list[Any]:
        """Return the tests that a variable holds a list or dict that nobody else holds."""
        kind = {"list": ARRAY, "dict": MAP}[python]
        tests = [] if root.types == kind else [nodes.is_type(root.value, python)]
        tests.append(nodes.compare(nodes.call("references", [root.value]), "<=", nodes.constant(DIRECT)))
        return tests

    # ---------------------------------------------------------------------------------------- assignment

    def assign_chain(self, node: syntax.Assign) -> None:
        """``chain = value`` and ``chain op= value``."""
        since = len(self.holders)
        base, steps = self.taken_apart(node.target)
        value, *keys = self.sequence([self._maker(node.value), *self._key_makers(steps)])
        found = iter(keys)
        entries: list[Any] = []
        for step in steps:
            if type(step) is syntax.Index:
                entries.append(next(found))
            elif type(step) is syntax.MethodCall:
                entries.append([next(found) for _ in step.arguments])
            else:
                entries.append(None)
        value = self.kept(value)
        entries = self.settled_keys(entries, all_of_them=True)
        self.release([value, *entries], since)
        root = self.root(base)
        if root is None:
            self.out.append(nodes.statement(self.expression(base).node))
            return
        value = self._held(root, value)
        if root.constant:
            # Rust finds out that it is a constant only when it has got to the element.
            tried = self._slow_assignment(root, steps, entries, value, node).value
            tried.func = nodes.name("assign_constant")
            self.out.append(nodes.statement(tried))
            raises = nodes.call("constant", [nodes.constant(root.name)], root.place)
            self.out.append(nodes.statement(raises))
            return
        if isinstance(root.value, nodes.Attribute):
            # Only the cell knows whether a variable of the host is a constant.
            checks = nodes.call("variable", [root.value.value, nodes.constant(root.name)], root.place)
            self.out.append(nodes.statement(checks))
        if len(steps) <= 3 and self.hot and self._quick_assignment(root, steps, entries, value, node):
            return
        self.out.append(self._slow_assignment(root, steps, entries, value, node))

    def _key_makers(self, steps: list[Any]) -> list[Any]:
        makers: list[Any] = []
        for step in steps:
            if type(step) is syntax.Index:
                makers.append(self._maker(step.index))
            elif type(step) is syntax.MethodCall:
                makers += [self._maker(argument) for argument in step.arguments]
        return makers

    def _slow_assignment(self, root: Root, steps: list[Any], keys: list[Any], value: Value, node: syntax.Assign) -> Any:
        place = node.line, node.column
        arguments = [
            nodes.name("R"),
            self.level,
            root.value,
            self.steps_tuple(steps),
            self.keys_tuple(keys),
            value.node,
            nodes.constant(node.operator),
            nodes.constant(place),
        ]
        last = steps[-1].line, steps[-1].column
        return nodes.assign_to(root.value, nodes.call("assign_chain", arguments, last))

    def _way_down(self, root: Root, steps: list[Any], keys: list[Any]) -> tuple[Any, str, Value, list[Any]] | None:
        """Return the innermost container of a chain of plain steps, its Python type, the key in it, and the tests
        that hold where everything on the way is an array or map that nobody else holds. None if there is no quick
        way."""
        if not isinstance(root.value, nodes.Name) and type(steps[0]) is syntax.Index:
            return None
        container, types_, own = root.value, root.types, DIRECT
        tests: list[Any] = []
        for at, (step, given) in enumerate(zip(steps, keys, strict=True)):
            if step.optional or type(step) is syntax.MethodCall:
                return None
            found = self._container_kind(step, given, types_)
            if found is None:
                return None
            python, key = found
            if types_ != {"list": ARRAY, "dict": MAP}[python]:
                tests.append(nodes.is_type(container, python))
            tests.append(nodes.compare(nodes.call("references", [container]), "<=", nodes.constant(own)))
            if key.types not in (INT, STRING):
                tests.append(nodes.is_type(key.node, "int" if python == "list" else "str"))
            place = step.line, step.column
            if python == "list":
                self.sites[place] = (_operand(container), _operand(key.node))
            if at == len(steps) - 1:
                if python == "dict" and self.options.limits.max_map_size:
                    # A new member is counted against the limit.
                    tests.append(nodes.compare(key.node, "in", container))
                return container, python, key, tests
            if python == "dict":
                tests.append(nodes.compare(key.node, "in", container))
            # The type test of the next round takes the element into a temporary.
            inner = self.temporary(ANY)
            taken = nodes.NamedExpr(nodes.Name(inner, nodes.STORE), nodes.element(container, key.node, place))
            following = self._container_kind(steps[at + 1], keys[at + 1], ANY)
            if following is None:
                return None
            tests.append(nodes.is_type(taken, following[0]))
            container, types_, own = nodes.name(inner), {"list": ARRAY, "dict": MAP}[following[0]], DIRECT + 1
        return None

    def _container_kind(self, step: Any, key: Any, types_: int) -> tuple[str, Value] | None:
        """Return the Python type that a step goes through, and its key."""
        if type(step) is syntax.Property:
            if not types_ & MAP:
                return None
            return "dict", Value(nodes.constant(step.name), STRING, simple=True, stable=True)
        if type(step) is not syntax.Index:
            return None
        if key.types & INT and types_ & ARRAY and not (types_ == ANY and key.types == STRING):
            return "list", key
        if key.types & STRING and types_ & MAP:
            return "dict", key
        return None

    def _quick_assignment(
        self, root: Root, steps: list[Any], keys: list[Any], value: Value, node: syntax.Assign
    ) -> bool:
        """Write out an assignment through plain steps; False if there is no quick way."""
        way = self._way_down(root, steps, keys)
        if way is None:
            return False
        container, python, key, tests = way
        last = steps[-1]
        slow = [self._slow_assignment(root, steps, keys, value, node)]
        target = nodes.element(container, key.node, (last.line, last.column))
        if node.operator == "=":
            self.out.append(nodes.branch(nodes.both(tests), [nodes.assign_to(target, value.node)], slow))
            return True
        return self._quick_operation(target, python, key, tests, slow, value, node)

    def _quick_operation(
        self, target: Any, python: str, key: Value, tests: list[Any], slow: list[Any], value: Value, node: syntax.Assign
    ) -> bool:
        """``element op= value`` on numbers and strings."""
        operator = node.operator[:-1]
        if operator not in ("+", "-", "*") or not value.types & (INT | FLOAT):
            return False
        if python == "dict":
            tests.append(nodes.compare(key.node, "in", target.value))
        old = self.temporary(ANY)
        taken = nodes.assign(old, target)
        result = nodes.binary(operator, nodes.name(old), value.node)
        old_value = Value(nodes.name(old), ANY, simple=True, stable=True)
        branches: list[Any] = slow
        if value.types & FLOAT:
            on_floats = [nodes.assign_to(target, result)]
            branches = [nodes.branch(nodes.both(self._are(FLOAT, old_value, value)), on_floats, branches)]
        if value.types & INT:
            new = self.temporary(INT)
            fits = self._fits(operator, old_value, value, Value(nodes.name(new), INT))
            stores: list[Any] = [
                nodes.assign(new, result),
                nodes.branch(fits, [nodes.assign_to(target, nodes.name(new))], [*slow]),
            ]
            branches = [nodes.branch(nodes.both(self._are(INT, old_value, value)), stores, branches)]
        self.out.append(nodes.branch(nodes.both(tests), [taken, *branches], slow))
        return True


def _listed(key: Any) -> list[Value]:
    return key if type(key) is list else [key]


def _operand(node: Any) -> Any:
    """Return the name of a Python variable, or a literal's value."""
    return node.id if isinstance(node, nodes.Name) else getattr(node, "value", None)
