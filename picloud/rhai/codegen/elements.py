"""Assignments to elements and members."""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes, ranges
from picloud.rhai.codegen.chains import Chains, operand
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.ranges import ALL
from picloud.rhai.codegen.roots import Root, Way
from picloud.rhai.codegen.runs import Held
from picloud.rhai.codegen.shapes import OPEN, Shape, find
from picloud.rhai.codegen.types import ANY, ARRAY, FLOAT, INT, MAP, NUMBER, STRING
from picloud.rhai.runtime.ownership import DIRECT

_KINDS: Final = {"list": ARRAY, "dict": MAP}


class Elements(Chains):
    """The part of the generator for assignments through chains."""

    def assign_chain(self, node: syntax.Assign) -> None:
        """``chain = value`` and ``chain op= value``."""
        since = len(self.holders)
        base, steps = self.taken_apart(node.target)
        value, *keys = self.sequence([self.maker(node.value), *self._key_makers(steps)])
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
        if operand(value.node) == operand(root.value) is not None:
            value = self.stored(value)  # so that it is seen to be held twice
        if root.constant:
            # Rust finds out that it is a constant only when it has got to the element.
            tried = self._slow_assignment(root, steps, entries, value, node).value
            tried.func = nodes.name("assign_constant")
            self.out.append(nodes.statement(tried))
            raises = nodes.call("constant", [nodes.constant(root.name)], root.place)
            self.out.append(nodes.statement(raises))
            return
        if isinstance(root.value, nodes.Attribute) and not root.declared:
            # Only the cell knows whether a variable of the host is a constant.
            checks = nodes.call("variable", [root.value.value, nodes.constant(root.name)], root.place)
            self.out.append(nodes.statement(checks))
        if len(steps) <= 3 and self.hot and self._quick_assignment(root, steps, entries, value, node):
            return
        self.out += self.looked_up_again(root.value, [self._slow_assignment(root, steps, entries, value, node)])

    def _key_makers(self, steps: list[Any]) -> list[Any]:
        makers: list[Any] = []
        for step in steps:
            if type(step) is syntax.Index:
                makers.append(self.maker(step.index))
            elif type(step) is syntax.MethodCall:
                makers += [self.maker(argument) for argument in step.arguments]
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
        if root.owned:
            return nodes.statement(nodes.call("assign_owned", arguments, last))
        return nodes.assign_to(root.value, nodes.call("assign_chain", arguments, last))

    def way_down(self, root: Root, steps: list[Any], keys: list[Any]) -> tuple[Any, str, Value, list[Any]] | None:
        """Return the innermost container of a chain of plain steps, its Python type, the key in it, and the tests
        that hold where everything on the way is an array or map that nobody else holds. None if there is no quick
        way."""
        held = self.holding(root.node, steps) if root.node is not None and len(steps) == 2 else None
        if held is not None:
            return self._way_from(held, steps[1], keys[1])
        way = Way(root)
        if not isinstance(root.value, nodes.Name):
            way.take(self.temporary(ANY), root.value)
        for at, (step, given) in enumerate(zip(steps, keys, strict=True)):
            if step.optional or type(step) is syntax.MethodCall:
                return None
            found = self._container_kind(step, given, way.types)
            if found is None:
                return None
            python, key = found
            if way.types != _KINDS[python]:
                way.tests.append(nodes.is_type(way.read(), python))
            if way.own:
                way.tests.append(nodes.compare(nodes.call("references", [way.read()]), "<=", nodes.constant(way.own)))
            if key.types not in (INT, STRING):
                way.tests.append(nodes.is_type(key.node, "int" if python == "list" else "str"))
            self._settle(way)
            place = step.line, step.column
            if python == "list":
                self.sites[place] = (operand(way.container), operand(key.node))
            if at == len(steps) - 1:
                return way.container, python, key, way.tests
            if python == "dict" and not way.surely_has(key):
                way.tests.append(nodes.compare(key.node, "in", way.container))
            way.types, way.shape = self.seen(step)
            is_sole = at == 0 and root.sole_elements
            way.take(self.temporary(ANY), nodes.element(way.container, key.node, place))
            if is_sole:
                way.own = 0
        return None

    def _settle(self, way: Way) -> None:
        """See to it that the container is in its temporary, where no test has put it there."""
        if way.taken is not None and way.tests:
            way.tests.append(nodes.compare(way.read(), "is not", nodes.constant(None)))
        elif way.taken is not None:
            self.out.append(nodes.assign_to(way.container, way.read().value))

    def _way_from(self, held: Held, step: Any, key: Any) -> tuple[Any, str, Value, list[Any]] | None:
        """Return what ``way_down`` does, if the element is held that the chain begins with."""
        found = self._container_kind(step, key, MAP)
        if found is None or step.optional:
            return None
        python, key = found
        tests: list[Any] = []
        if not held.owned:
            references = nodes.call("references", [held.value.node])
            tests.append(nodes.compare(references, "<=", nodes.constant(DIRECT + 1)))
            held.owned = True
        if key.types != STRING:
            tests.append(nodes.is_type(key.node, "str"))
        return held.value.node, python, key, tests

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
        way = self.way_down(root, steps, keys)
        if way is None:
            return False
        container, python, key, tests = way
        last = steps[-1]
        present = (
            python == "list"
            or node.target in self.present
            or (
                isinstance(key.node, nodes.Constant)
                and key.node.value in (find(self._shape_before(root, steps)).sure or ())
            )
        )
        slow = self.looked_up_again(root.value, [self._slow_assignment(root, steps, keys, value, node)])
        target = nodes.element(container, key.node, (last.line, last.column))
        if node.operator == "=":
            most = self.options.limits.max_map_size
            if not present and most:
                has_room = nodes.compare(nodes.call("len", [container]), "<", nodes.constant(most))
                tests.append(nodes.either([has_room, nodes.compare(key.node, "in", container)]))
            self.guarded(tests, [nodes.assign_to(target, value.node)], slow)
            return True
        if not present:
            tests.append(nodes.compare(key.node, "in", container))
        return self._quick_operation(target, self._member_types(root, steps), tests, slow, value, node)

    def _member_types(self, root: Root, steps: list[Any]) -> int:
        """Return the types of what is there for the last step."""
        last = steps[-1]
        types_, shape = (root.types, root.shape) if len(steps) == 1 else self.seen(steps[-2])
        if types_ != MAP or shape is None:
            return self.seen(last)[0]
        if type(last) is syntax.Property:
            return self.facts.shapes.member(shape, last.name).types or ANY
        if type(last.index) is syntax.Literal and type(last.index.value) is str:
            return self.facts.shapes.member(shape, last.index.value).types or ANY
        return self.facts.shapes.any_member(shape).types or ANY

    def _shape_before(self, root: Root, steps: list[Any]) -> Shape:
        """Return the shape of what the last step is taken from."""
        types_, shape = (root.types, root.shape) if len(steps) == 1 else self.seen(steps[-2])
        return shape if types_ == MAP and shape is not None else OPEN

    def _quick_operation(
        self, target: Any, types_: int, tests: list[Any], slow: list[Any], value: Value, node: syntax.Assign
    ) -> bool:
        """``element op= value`` on numbers."""
        operator = node.operator[:-1]
        if operator not in ("+", "-", "*") or not value.types & NUMBER or not types_ & NUMBER:
            return False
        if types_ == FLOAT and not value.types & ~NUMBER:
            quick = nodes.assign_to(target, nodes.binary(operator, target, value.node))
            self.guarded(tests, [quick], slow)
            return True
        old = self.temporary(types_)
        taken = nodes.assign(old, target)
        result = nodes.binary(operator, nodes.name(old), value.node)
        old_value = Value(nodes.name(old), types_, simple=True, stable=True)
        branches: list[Any] = slow
        if self._may_be_mixed(old_value, value):
            on_floats = [nodes.assign_to(target, result)]
            branches = [nodes.branch(nodes.both(self._are_numbers(old_value, value)), on_floats, branches)]
        if value.types & INT and types_ & INT:
            new = self.temporary(INT)
            fits = self.fits(ranges.of_operation(operator, ALL, value.bounds), nodes.name(new))
            stores: list[Any] = [
                nodes.assign(new, result),
                nodes.branch(fits, [nodes.assign_to(target, nodes.name(new))], [*slow]),
            ]
            are = self._are(INT, old_value, value)
            branches = [nodes.branch(nodes.both(are), stores, branches)] if are else stores
        self.guarded(tests, [taken, *branches], slow)
        return True

    def guarded(self, tests: list[Any], quick: list[Any], slow: list[Any]) -> None:
        """Write what is to be done if all tests hold, and else."""
        self.out += [nodes.branch(nodes.both(tests), quick, slow)] if tests else quick
