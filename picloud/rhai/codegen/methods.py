"""Methods, on variables and on elements of them.

What is called is known when code is made if a method is a script function, a closure that a map surely holds under
that name, or a native for arguments of these types; then it is a Python call. A function that uses ``this`` gets its
value in a box, a list of one element, from which the variable or element takes it back.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes
from picloud.rhai.codegen.chains import operand
from picloud.rhai.codegen.elements import Elements
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.ranges import SIZES
from picloud.rhai.codegen.roots import Root
from picloud.rhai.codegen.types import ANY, ARRAY, BLOB, FN, INT, MAP, PYTHON, STRING, UNIT
from picloud.rhai.errors import Position
from picloud.rhai.runtime.ownership import DIRECT

_LANGUAGE_METHODS: Final = frozenset({"call", "curry", "is_shared", "type_of"})


_SHORT: Final = 64


class Methods(Elements):
    """The part of the generator for methods."""

    # ---------------------------------------------------------------------------------------- what is called

    def script_functions_named(self, name: str, count: int) -> list[FunctionPlan]:
        """Return the script functions of that name and number of parameters."""
        raise NotImplementedError

    def callee(self, step: syntax.MethodCall) -> tuple[FunctionPlan, bool] | None:
        """Return the function of the script that a method surely is, and whether it is a member of the map that it is
        called on."""
        functions = self.script_functions_named(step.name, len(step.arguments))
        if functions and self.facts.may_be_member(self.seen(step.base), step.name):
            return None  # a function in the map comes first
        if functions:
            return (functions[0], False) if len(functions) == 1 and functions[0].this_type is None else None
        base = self.seen(step.base)
        members = None if step.optional else self.facts.method_of_member(base, step.name)
        if members is None or len(members) != 1 or len(members[0].parameters) != len(step.arguments):
            return None
        return members[0], True

    def pointed(self, pointer: Value, count: int) -> FunctionPlan | None:
        """Return the closure that a value surely is, if it takes so many arguments."""
        plans = self.facts.pointed((pointer.types, pointer.shape))
        if not plans or len(plans) != 1 or len(plans[0].parameters) != count:
            return None
        return plans[0]

    def may_be_native(self, base: Value | Root, step: syntax.MethodCall) -> bool:
        """Whether a method is surely none of the script's, nor of the language itself."""
        if step.name in _LANGUAGE_METHODS or self.script_functions_named(step.name, len(step.arguments)):
            return False
        return not self.facts.may_be_member((base.types, base.shape), step.name)

    def native(self, name: str, arguments: list[Value]) -> tuple[str, Any] | None:
        """Return the Python name of the native for arguments of these types, and what is known of it; None if that
        isn't sure."""
        types = [PYTHON.get(argument.types) for argument in arguments]
        if None in types:
            return None
        native = self.options.resolve(name, tuple(types))
        if native is None or name in ("print", "debug") or not native.is_standard:
            return None
        key = name, tuple(argument.types for argument in arguments)
        python = self.natives.setdefault(key, f"N{len(self.natives) + 1}")
        if name in ("starts_with", "ends_with") and types == [str, str]:
            self.in_c[python] = name
        return python, native

    def native_call(self, python: str, native: Any, arguments: list[Any], place: Position) -> Any:
        """Return a call of a native."""
        name = self.in_c.get(python)
        if name is not None and _is_short(arguments[1]):
            return nodes.call(name, arguments, place)
        if native.run and "Fn" in native.parameters:
            return self.calling(
                "call_with_function", [nodes.name("R"), self.level, nodes.name(python), *arguments], place
            )
        return nodes.call(python, [nodes.name("R"), *arguments] if native.run else arguments, place)

    def cells(self, plan: FunctionPlan, pointer: Any) -> list[Any]:
        """Return what a closure captured, out of its pointer."""
        count = len(plan.scope.captures)
        if not count:
            return []
        curry = self.stored(Value(nodes.curry(pointer), UNIT)).node
        return [nodes.element(curry, nodes.constant(at)) for at in range(count)]

    # ---------------------------------------------------------------------------------------- on values

    def last_change(self, steps: list[Any]) -> int | None:
        """Return the number of the last step that may change what it is called on."""
        for at in range(len(steps) - 1, -1, -1):
            step = steps[at]
            if type(step) is syntax.MethodCall and self.may_change(step):
                return at
        return None

    def may_call(self, step: syntax.MethodCall, arguments: list[Value]) -> bool:
        """Whether a method may run functions of the script."""
        if step.name in _LANGUAGE_METHODS:
            # A pointer is called all the time, and what it runs seldom sees the variable that holds it.
            given = arguments[0].types if arguments else ANY
            return step.name == "call" and (given == FN or not self.seen(step.base)[0] & FN)
        count = len(step.arguments)
        if self.script_functions_named(step.name, count):
            return True
        natives = list(self.options.natives(step.name, count + 1))
        if not natives:
            return True  # a function in a map
        return any(argument.types & FN for argument in arguments) and any("Fn" in each.parameters for each in natives)

    def may_change(self, step: syntax.MethodCall) -> bool:
        """Whether a method may change what it is called on."""
        if step.name in ("curry", "is_shared", "type_of"):
            return False
        if step.name == "call":
            base = Value(None, *self.seen(step.base))
            return self.pointed(base, len(step.arguments)) is None
        callee = self.callee(step)
        if callee is not None:
            return callee[0].uses_this or not callee[1]
        count = len(step.arguments)
        if self.script_functions_named(step.name, count):
            return True
        return self.options.changes(step.name, count + 1) or not self.options.known(step.name, count + 1)

    def method_of_value(self, value: Value, step: syntax.MethodCall, arguments: list[Value]) -> Value:
        """A method of a value that is in no variable: what it changes is lost."""
        place = step.line, step.column
        if (
            step.name == "len"
            and not arguments
            and value.types
            and not value.types & ~(ARRAY | STRING | BLOB)
            and not self.script_functions_named("len", 0)
        ):
            return Value(nodes.call("len", [value.node]), INT, bounds=SIZES)
        if step.name == "call":
            plan = self.pointed(value, len(arguments))
            if plan is not None:
                return self.through_pointer(plan, value, arguments, step)
        callee = self.callee(step)
        if callee is not None and (callee[0].uses_this or callee[1]):
            return self._called_on_value(callee, value, step, arguments)
        if self.may_be_native(value, step):
            found = self.native(step.name, [value, *arguments])
            if found is not None and not found[1].changes:
                passed = [value.node, *(argument.node for argument in arguments)]
                return self.valued(self.native_call(*found, passed, place), step)
        first = self.step_constant(step).value[5]
        head = [nodes.name("R"), self.level, nodes.constant(step.name)]
        if step.name not in _LANGUAGE_METHODS and not self.script_functions_named(step.name, len(arguments)):
            likely = self._likely_native(value, step, arguments) if self.hot else None
            if likely is not None:
                value = self.kept(value)
            given_nodes = [argument.node for argument in arguments]
            passed = [nodes.constant(first), value.node, *given_nodes]
            called: Any = self.calling("call_method_of", [*head, *passed], place)
            if likely is not None:
                quick = self.native_call(*likely, [value.node, *given_nodes], place)
                called = nodes.IfExp(nodes.is_type(value.node, "list"), quick, called)
            return self.valued(called, step)
        given = nodes.Tuple([argument.node for argument in arguments], nodes.LOAD)
        box = nodes.List([value.node], nodes.LOAD)
        return self.valued(self.calling("call_method", [*head, box, given, nodes.constant(first)], place), step)

    def _likely_native(self, value: Value, step: syntax.MethodCall, arguments: list[Value]) -> tuple[str, Any] | None:
        """Return the native that answers if the value is an array, which it may well be if it is given a function."""
        if not arguments or arguments[0].types != FN or not all(argument.simple for argument in arguments):
            return None
        if value.types & ARRAY == 0:
            return None
        found = self.native(step.name, [Value(value.node, ARRAY), *arguments])
        return None if found is None or found[1].changes else found

    def _called_on_value(
        self, callee: tuple[FunctionPlan, bool], value: Value, step: syntax.MethodCall, arguments: list[Value]
    ) -> Value:
        plan, is_member = callee
        place = step.line, step.column
        cells: list[Any] = []
        if is_member and plan.scope.captures:
            value = self.kept(value)
            cells = self.cells(plan, nodes.element(value.node, nodes.constant(step.name)))
        elif not plan.uses_this and not value.simple:
            self.out.append(nodes.statement(value.node))
        box = nodes.List([value.node], nodes.LOAD) if plan.uses_this else None
        return self.valued(self.direct_call(plan, box, arguments, place, cells), step)

    def through_pointer(self, plan: FunctionPlan, pointer: Value, arguments: list[Value], node: Any) -> Value:
        """Return the value of a call of a pointer to a closure that is known."""
        place = node.line, node.column
        if plan.scope.captures:
            cells = self.cells(plan, pointer.node)
        else:
            cells = []
            if not pointer.simple and not isinstance(pointer.node, nodes.Attribute):
                self.out.append(nodes.statement(pointer.node))
        return self.valued(self.direct_call(plan, None, arguments, place, cells), node)

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
        """Return a call of a script function that is known."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------------------- on elements

    def changing(self, root: Root, steps: list[Any], keys: list[Any], last: int) -> Value:
        """Return the value of a chain whose step number ``last`` may change what it is called on."""
        if root.cell is not None:
            return self._changing_unless_constant(root, steps, keys, last)
        if last == 0:
            step = steps[0]
            if step.optional:
                return self._optional_method(root, steps, keys)
            value = self._method_of_root(root, step, keys[0])
            return self.read_steps(value, steps[1:], keys[1:])
        if root.constant:
            return self._steps_of_constant(root, steps, keys)
        result = self.temporary(self.seen(steps[last])[0])
        arguments = [
            nodes.name("R"),
            self.level,
            root.value,
            self.steps_tuple(steps[: last + 1]),
            self.keys_tuple(keys[: last + 1]),
        ]
        place = steps[last].line, steps[last].column
        if root.owned:
            slow: Any = nodes.assign(result, self.calling("call_owned_chain", arguments, place))
        else:
            slow = nodes.assign_pair(nodes.name(result), root.value, self.calling("call_chain", arguments, place))
        quick = self._quick_element_method(root, steps[: last + 1], keys[: last + 1], result) if self.hot else None
        if quick is None:
            self.out.append(slow)
        else:
            self.guarded(quick[0], quick[1], [slow])
        return self.read_steps(self.fresh(result, *self.seen(steps[last])), steps[last + 1 :], keys[last + 1 :])

    def _changing_unless_constant(self, root: Root, steps: list[Any], keys: list[Any], last: int) -> Value:
        """The same for a variable that is looked up by its name: only at run time it is known to be a constant."""
        result = self.temporary(ANY)
        cell, root.cell = root.cell, None
        found = Root(root.value, (root.types, root.shape), root.name, root.place, constant=True)
        ways = []
        for each in (found, root):
            emit = partial(self._changed_into, result, each, steps, keys, last)
            ways.append(self.collect(emit))
        self.out.append(nodes.branch(nodes.call("is_constant", [cell]), *ways))
        return self.fresh(result, ANY)

    def _changed_into(self, result: str, root: Root, steps: list[Any], keys: list[Any], last: int) -> None:
        self.out.append(nodes.assign(result, self.changing(root, steps, keys, last).node))

    def _steps_of_constant(self, root: Root, steps: list[Any], keys: list[Any]) -> Value:
        """A chain on a constant: what belongs to it is constant too, up to the result of the first method."""
        value = Value(root.value, root.types, root.shape)
        at = next(at for at, step in enumerate(steps) if type(step) is syntax.MethodCall)
        step = steps[at]
        if any(each.optional for each in steps[: at + 1]):
            return self.read_steps(value, steps, keys)
        value = self.read_steps(value, steps[:at], keys[:at])
        first = nodes.constant(self.step_constant(step).value[5])
        given = nodes.Tuple([argument.node for argument in keys[at]], nodes.LOAD)
        passed = [nodes.name("R"), self.level, nodes.constant(step.name), value.node, given, first]
        called = self.calling("call_constant", passed, (step.line, step.column))
        return self.read_steps(Value(called, ANY), steps[at + 1 :], keys[at + 1 :])

    def _quick_element_method(
        self, root: Root, steps: list[Any], keys: list[Any], result: str
    ) -> tuple[list[Any], list[Any]] | None:
        """A method on an element of arrays and maps that nobody else holds: the tests for that, and what to do then."""
        step, arguments = steps[-1], keys[-1]
        callee = self.callee(step)
        if step.optional or len(steps) > 4:
            return None
        if callee is None:
            return self._native_on_element(root, steps, keys, result)
        function, is_member = callee
        way = self.way_down(root, steps[:-1], keys[:-1])
        if way is None:
            return None
        container, python, key, tests = way
        if python == "dict":
            tests.append(nodes.compare(key.node, "in", container))
        before = steps[-2]
        place = step.line, step.column
        target = nodes.element(container, key.node, (before.line, before.column))
        box = self.temporary(ANY)
        cells: list[Any] = []
        first: list[Any] = []
        if is_member:
            first = self.collect(lambda: cells.extend(self.cells(function, self._member(target, step))))
        if not function.uses_this:
            looks = nodes.statement(target)
            called = self.direct_call(function, None, arguments, place, cells)
            return tests, [looks, *first, nodes.assign(result, called)]
        if function.borrows and isinstance(root.value, nodes.Name):
            is_own = root.sole_elements and len(steps) == 2
            return tests, self._lent_element(function, container, key, target, arguments, step, result, is_own=is_own)
        called = nodes.assign(result, self.direct_call(function, nodes.name(box), arguments, place, cells))
        gives = nodes.assign(box, nodes.List([target], nodes.LOAD))
        empties = nodes.assign_to(target, nodes.constant(None))
        takes = nodes.assign_to(target, nodes.element(nodes.name(box), nodes.constant(0)))
        return tests, [*first, gives, empties, nodes.Try([called], [], [], [takes])]

    def _lent_element(
        self,
        function: FunctionPlan,
        container: Any,
        key: Value,
        target: Any,
        arguments: list[Value],
        step: syntax.MethodCall,
        result: str,
        *,
        is_own: bool,
    ) -> list[Any]:
        """Lend an element to a function, after making it the container's own unless it is that surely."""
        place = step.line, step.column
        item = self.temporary(ANY)
        is_shared = nodes.compare(nodes.call("references", [nodes.name(item)]), ">", nodes.constant(DIRECT + 1))
        copied = nodes.assign(item, nodes.call("own_item", [nodes.name("R"), container, key.node]))
        called = self.direct_call(function, nodes.name(item), arguments, place, lent=True)
        makes_own = nodes.branch(is_shared, [nodes.assign(item, nodes.constant(None)), copied])
        return [nodes.assign(item, target), *([] if is_own else [makes_own]), nodes.assign(result, called)]

    def _member(self, target: Any, step: syntax.MethodCall) -> Any:
        return nodes.element(target, nodes.constant(step.name))

    def _native_on_element(
        self, root: Root, steps: list[Any], keys: list[Any], result: str
    ) -> tuple[list[Any], list[Any]] | None:
        """A native that changes an array or map in place."""
        step, arguments = steps[-1], keys[-1]
        value = Value(None, *self.seen(step.base))
        if value.types not in (ARRAY, MAP) or not self.may_be_native(value, step):
            return None
        found = self.native(step.name, [value, *arguments])
        if found is None or found[1].replaces:
            return None
        way = self.way_down(root, steps[:-1], keys[:-1])
        if way is None:
            return None
        container, python, key, tests = way
        if python == "dict":
            tests.append(nodes.compare(key.node, "in", container))
        before = steps[-2]
        item = self.temporary(value.types)
        taken = nodes.NamedExpr(
            nodes.Name(item, nodes.STORE), nodes.element(container, key.node, (before.line, before.column))
        )
        if root.sole_elements and len(steps) == 2:
            element = nodes.element(container, key.node, (before.line, before.column))
            quick = self._in_place(found, element, arguments, step)
            return tests, [nodes.assign(result, quick)]
        tests.append(nodes.compare(nodes.call("references", [taken]), "<=", nodes.constant(DIRECT + 1)))
        called = self._in_place(found, nodes.name(item), arguments, step)
        return tests, [nodes.assign(result, called)]

    def _in_place(self, found: tuple[str, Any], value: Any, arguments: list[Value], step: syntax.MethodCall) -> Any:
        """Return a call of a native that changes what nobody else holds."""
        passed = [value, *(argument.node for argument in arguments)]
        return self.native_call(*found, passed, (step.line, step.column))

    # ---------------------------------------------------------------------------------------- on variables

    def _optional_method(self, root: Root, steps: list[Any], keys: list[Any]) -> Value:
        name = self.temporary(ANY)

        def go_on() -> None:
            value = self._method_of_root(root, steps[0], keys[0])
            value = self.read_steps(value, steps[1:], keys[1:])
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
            return Value(self.calling("call_constant", [*head, root.value, passed, first], place), ANY)
        arguments = [self._held(root, argument) for argument in arguments]
        callee = self.callee(step)
        if callee is not None:
            return self._called_on_root(callee, root, step, arguments)
        functions = self.script_functions_named(step.name, len(arguments))
        if not functions and step.name not in _LANGUAGE_METHODS and self.options.known(step.name, len(arguments) + 1):
            quick = self._native_on_root(root, step, arguments)
            if quick is not None:
                return quick
            result = self.temporary(ANY)
            if root.owned:
                given = [root.value, *(argument.node for argument in arguments)]
                return self.valued(self.calling("call_owned_method", [*head, *given], place), step)
            called = self.calling("call_method_on", [*head, root.value, passed, first], place)
            self.out.append(nodes.assign_pair(nodes.name(result), root.value, called))
            return self.fresh(result, *self.seen(step))
        arguments = [each if each.stable else self.stored(each) for each in arguments]
        passed = nodes.Tuple([argument.node for argument in arguments], nodes.LOAD)
        box, result = self.temporary(ANY), self.temporary(ANY)
        called = self.calling("call_method", [*head, nodes.name(box), passed, first], place)
        if step.name == "call" and self.hot:
            quick_call = self.calling("call_pointer", [nodes.name("R"), self.level, root.value, passed], place)
            boxed = self.collect(lambda: self._in_box(root, box, result, called))
            is_pointer = nodes.is_type(root.value, "FnPtr")
            self.out.append(nodes.branch(is_pointer, [nodes.assign(result, quick_call)], boxed))
        else:
            self._in_box(root, box, result, called)
        return self.fresh(result, *self.seen(step))

    def _called_on_root(
        self, callee: tuple[FunctionPlan, bool], root: Root, step: syntax.MethodCall, arguments: list[Value]
    ) -> Value:
        """A function of the script: the variable gives its value away in a box, and takes it back."""
        plan, is_member = callee
        place = step.line, step.column
        cells: list[Any] = []
        if is_member:
            cells = self.cells(plan, self._member(root.value, step))
        if not plan.uses_this:
            return self.valued(self.direct_call(plan, None, arguments, place, cells), step)
        arguments = [each if each.stable else self.stored(each) for each in arguments]
        if plan.borrows and isinstance(root.value, nodes.Name):
            if not root.owned and not root.sole:
                is_shared = nodes.compare(nodes.call("references", [root.value]), ">", nodes.constant(DIRECT))
                self.out.append(
                    nodes.branch(
                        is_shared, [nodes.assign_to(root.value, nodes.call("own", [nodes.name("R"), root.value]))]
                    )
                )
            return self.valued(self.direct_call(plan, root.value, arguments, place, lent=True), step)
        box, result = self.temporary(ANY), self.temporary(self.seen(step)[0])
        self._in_box(root, box, result, self.direct_call(plan, nodes.name(box), arguments, place, cells))
        return self.fresh(result, *self.seen(step))

    def _in_box(self, root: Root, box: str, result: str, called: Any) -> None:
        if isinstance(root.value, nodes.Attribute):
            self.out.append(nodes.assign(box, nodes.List([nodes.call("lend", [root.value.value])], nodes.LOAD)))
        else:
            self.out.append(nodes.assign(box, nodes.List([root.value], nodes.LOAD)))
            self.out.append(nodes.assign_to(root.value, nodes.constant(None)))
        taken_back = nodes.assign_to(root.value, nodes.element(nodes.name(box), nodes.constant(0)))
        if self.in_try or not isinstance(root.value, nodes.Name):
            self.out.append(nodes.Try([nodes.assign(result, called)], [], [], [taken_back]))
        else:
            self.out += [nodes.assign(result, called), taken_back]

    def _native_on_root(self, root: Root, step: syntax.MethodCall, arguments: list[Value]) -> Value | None:
        """A native on a variable, where it is known which one; None if it isn't."""
        place = step.line, step.column
        if step.name == "len" and not arguments and root.types and not root.types & ~(ARRAY | STRING | BLOB):
            return Value(nodes.call("len", [root.value]), INT, bounds=SIZES)
        if step.name == "push" and len(arguments) == 1 and root.types & ARRAY and self.hot:
            return self._pushed(root, step, arguments[0])
        value = Value(root.value, root.types, root.shape)
        if not self.may_be_native(root, step):
            return None
        found = self.native(step.name, [value, *arguments])
        if found is None:
            return None
        python, native = found
        if not native.changes:
            passed = [value.node, *(argument.node for argument in arguments)]
            return self.valued(self.native_call(python, native, passed, place), step)
        result = self.temporary(self.seen(step)[0])
        if native.replaces:
            if root.types & (ARRAY | MAP | BLOB):
                return None
            called = self._in_place(found, root.value, arguments, step)
            self.out.append(nodes.assign_pair(root.value, nodes.name(result), called))
            return self.fresh(result, *self.seen(step))
        if root.owned:
            return self.valued(self._in_place(found, root.value, arguments, step), step)
        if root.types not in (ARRAY, MAP) or not isinstance(root.value, nodes.Name):
            return None
        arguments = [self._held(root, self.kept(argument)) for argument in arguments]
        first = nodes.constant(self.step_constant(step).value[5])
        passed_on = nodes.Tuple([argument.node for argument in arguments], nodes.LOAD)
        head = [nodes.name("R"), self.level, nodes.constant(step.name), root.value, passed_on, first]
        slow = nodes.assign_pair(nodes.name(result), root.value, self.calling("call_method_on", head, place))
        quick = nodes.assign(result, self._in_place(found, root.value, arguments, step))
        self.guarded(self._owned(root, PYTHON_NAMES[root.types]), [quick], [slow])
        return self.fresh(result, *self.seen(step))

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
        called = self.calling("call_method_on", [*head, root.value, passed, nodes.constant(place)], place)
        unused = nodes.name(self.temporary(ANY))
        # What is lent is never copied: the slow path is for the error of an array that is too big.
        slow = nodes.statement(called) if root.owned else nodes.assign_pair(unused, root.value, called)
        self.guarded(tests, [quick], [slow])
        return Value(nodes.constant(None), UNIT, simple=True, stable=True)

    def _held(self, root: Root, value: Value) -> Value:
        """Return a value that goes into a variable's own array or map.

        The variable itself comes in a temporary, so that it is seen to be held twice.
        """
        return self.stored(value) if operand(value.node) == operand(root.value) is not None else value

    def _owned(self, root: Root, python: str) -> list[Any]:
        """Return the tests that a variable holds a list or dict that nobody else holds."""
        kind = {"list": ARRAY, "dict": MAP}[python]
        tests = [] if root.types == kind else [nodes.is_type(root.value, python)]
        if root.owned or root.sole:
            return tests
        tests.append(nodes.compare(nodes.call("references", [root.value]), "<=", nodes.constant(DIRECT)))
        return tests


def _is_short(argument: Any) -> bool:
    """Whether something is a text so short that nobody need pay for looking for it."""
    return isinstance(argument, nodes.Constant) and type(argument.value) is str and len(argument.value) < _SHORT


PYTHON_NAMES: Final = {ARRAY: "list", MAP: "dict"}
