"""Literals, names and operators.

Where the types of operands are certain, or code is hot (in a loop or function) and they can be tested, operators are
Python's own; all else goes to the runtime's slow path, which knows every type. An operation on integers whose result
leaves 64 bits is done once more by the slow path, which raises the error.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes, ranges, types
from picloud.rhai.codegen.emitter import Destination, Emitter, Value, is_temporary
from picloud.rhai.codegen.ranges import ALL, Bounds
from picloud.rhai.codegen.shapes import UNKNOWN, Known
from picloud.rhai.codegen.types import ANY, BOOL, FLOAT, FN, INT, MAP, NUMBER, RANGE, STRING, UNIT
from picloud.rhai.resolver import Variable
from picloud.rhai.syntax import Node, position
from picloud.rhai.values import I64_MAX, I64_MIN

_INLINE: Final = frozenset({"+", "-", "*"})
_BITS: Final = frozenset({"&", "|", "^"})
_LONG_TEXT: Final = 64
_SMALL: Final = (1 << 30) - 1
"""Python keeps such a number in one digit."""
_LONGEST_NUMBER: Final = 20


class Expressions(Emitter):
    """The part of the generator for what has no control flow."""

    # Parts that other modules bring.

    def control(self, node: Node, destination: Destination) -> bool:
        """Write a control structure that brings its value to a destination; False if the node is none."""
        raise NotImplementedError

    def chain(self, node: Any) -> Value:
        """Return the value of a chain of properties, indexes and methods."""
        raise NotImplementedError

    def call(self, node: syntax.Call) -> Value:
        """Return the value of a call."""
        raise NotImplementedError

    def closure(self, node: syntax.Closure) -> Value:
        """Return a closure."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------------------- what is known

    def seen(self, node: Node) -> Known:
        """Return what is known of a node's value; anything where nothing was found out."""
        types_, shape = self.facts.seen(node)
        return (types_, shape) if types_ else UNKNOWN

    def valued(self, code: Any, node: Node) -> Value:
        """Return the value of a node that comes by this Python expression."""
        ready = isinstance(code, nodes.Name) and is_temporary(code.id)
        return Value(code, *self.seen(node), simple=ready, stable=ready)

    # ---------------------------------------------------------------------------------------- dispatch

    def expression(self, node: Node) -> Value:
        """Return the value of an expression."""
        handler = _HANDLERS.get(type(node))
        self.weight += 1
        if handler is not None:
            value: Value = handler(self, node)
            return value
        result = self.temporary(ANY)
        self.collected.pop(result, None)
        if not self.control(node, result):
            raise AssertionError(f"no code for {type(node).__name__}")
        return self.fresh(result, self.collected.get(result, ANY) or ANY)

    def into(self, node: Node, destination: Destination) -> None:
        """Evaluate an expression and bring its value to a destination."""
        if type(node) in _HANDLERS:
            self.finish(self.expression(node), destination)
        else:
            self.control(node, destination)

    # ---------------------------------------------------------------------------------------- literals

    def literal(self, node: syntax.Literal) -> Value:
        """A literal."""
        value = node.value
        if type(value) not in (type(None), bool, int, float, str):
            return Value(self.object_constant(value), ANY)
        bounds = (value, value) if type(value) is int else ALL
        return Value(nodes.constant(value), types.of_literal(value), simple=True, stable=True, bounds=bounds)

    def object_constant(self, value: Any) -> Any:
        """Return a literal that the parser put together."""
        kind = type(value)
        if kind is list:
            return nodes.List([self.object_constant(item) for item in value], nodes.LOAD)
        if kind is dict:
            return nodes.Dict([nodes.constant(key) for key in value], [self.object_constant(v) for v in value.values()])
        if hasattr(value, "text"):
            return self.character(value.text).node
        if hasattr(value, "start"):
            helper = "closed_range" if value.rhai_type == "range=" else "open_range"
            return nodes.call(helper, [nodes.constant(value.start), nodes.constant(value.end)])
        return nodes.constant(value)

    def character_literal(self, node: syntax.CharLiteral) -> Value:
        """A character."""
        return self.character(node.text)

    def interpolation(self, node: syntax.Interpolation) -> Value:
        """A text with values in it."""
        values = self.sequence([self._part(part) for part in node.parts])
        pieces: list[Any] = []
        for part, value in zip(node.parts, values, strict=True):
            if type(part) is syntax.Literal and type(part.value) is str:
                pieces.append(nodes.constant(part.value))
                continue
            shown = value.node
            if value.types not in (STRING, INT):
                # Rust puts a text of constants together before it runs, and shows their characters in quotes.
                helper = "shown_constant" if all(map(_is_constant, node.parts)) else "shown"
                shown = nodes.call(helper, [nodes.name("R"), shown], position(part))
            pieces.append(nodes.FormattedValue(shown, -1, None))
        longest = 0
        for part, value in zip(node.parts, values, strict=True):
            if type(part) is syntax.Literal and type(part.value) is str:
                longest += len(part.value)
            else:
                longest += _LONGEST_NUMBER if value.types == INT else _LONG_TEXT
        if longest <= _LONG_TEXT and not 0 < self.options.limits.max_string_size < 4 * _LONG_TEXT:
            return Value(nodes.JoinedStr(pieces), STRING, bounds=(0, longest))
        text = self.stored(Value(nodes.JoinedStr(pieces), STRING))
        test = nodes.compare(nodes.call("len", [text.node]), ">", nodes.constant(_LONG_TEXT))
        check = nodes.statement(nodes.call("long_text", [nodes.name("R"), text.node], position(node)))
        self.out.append(nodes.branch(test, [check]))
        return text

    def _part(self, part: Node) -> Any:
        return lambda: self.expression(part)

    def array(self, node: syntax.ArrayLiteral) -> Value:
        """An array."""
        values = self.sequence([self._part(item) for item in node.items])
        value = self.valued(nodes.List([value.node for value in values], nodes.LOAD), node)
        return self.within_limits(value, node, values)

    def map_literal(self, node: syntax.MapLiteral) -> Value:
        """An object map."""
        values = self.sequence([self._part(item) for _, item in node.entries])
        keys: list[Any] = [nodes.constant(key) for key, _ in node.entries]
        value = self.valued(nodes.Dict(keys, [value.node for value in values]), node)
        return self.within_limits(value, node, values)

    def within_limits(self, value: Value, node: Any, items: list[Value]) -> Value:
        """Return an array or map of these items, whose size is checked unless it surely is small."""
        limits = self.options.limits
        least = min(
            (most for most in (limits.max_string_size, limits.max_array_size, limits.max_map_size) if most), default=0
        )
        held = [_held(item) for item in items]
        total = None if None in held else len(items) + sum(each or 0 for each in held)
        if not least or (total is not None and total <= least):
            value.held = total
            return value
        limited = nodes.call("within_limits", [nodes.name("R"), value.node], position(node))
        return Value(limited, value.types, value.shape)

    def range(self, node: syntax.RangeExpression) -> Value:
        """A range."""
        start, end = node.start, node.end
        first = (lambda: self.expression(start)) if start is not None else zero
        last = (lambda: self.expression(end)) if end is not None else _nothing
        low, high = self.sequence([first, last])
        operator = "..=" if node.inclusive else ".."
        if low.types == INT and high.types == INT:
            helper = "closed_range" if node.inclusive else "open_range"
            return Value(nodes.call(helper, [low.node, high.node]), RANGE)
        result = RANGE if low.types == INT and high.types == UNIT else ANY
        return Value(self._slow(operator, low, high, node), result)

    # ---------------------------------------------------------------------------------------- names

    def variable(self, node: syntax.Variable) -> Value:
        """The value of a variable, or a function by its name."""
        found = self.resolution.bindings.get(node)
        place = node.line, node.column
        if self.scope.dynamic:
            return Value(nodes.cell(self.found(node)), ANY)
        if found is not None:
            return self.read(found)
        function = self.function_named(node.name)
        if function is not None:
            return Value(function, FN)
        if type(self.scope.node) is syntax.Script:
            return Value(nodes.cell(self.found(node)), ANY)
        return Value(nodes.call("missing", [nodes.constant(node.name)], place), ANY)

    def found(self, node: syntax.Variable, helper: str = "find") -> Any:
        """Return the cell of a variable that is looked up by its name."""
        arguments = [nodes.name("Z"), nodes.constant(node.name)]
        if helper == "find" and self.scope.dynamic and self.resolution.bindings.get(node) is None:
            helper, arguments = "named", [nodes.name("R"), *arguments]
        return nodes.call(helper, arguments, (node.line, node.column))

    def function_named(self, name: str) -> Any:
        """Return a pointer to the script function of that name; None if there is none."""
        raise NotImplementedError

    def read(self, variable: Variable) -> Value:
        """Return the value of a declared variable."""
        if variable.captured:
            return Value(nodes.cell(nodes.name(variable.python)), variable.types or ANY, variable.shape)
        bounds = self.ranges.of_variable(variable)
        return Value(nodes.name(variable.python), variable.types or ANY, variable.shape, simple=True, bounds=bounds)

    def is_declared(self, variable: Variable) -> bool:
        """Whether a variable is one that the script declares, and not one that the host gave."""
        scope: Any = self.scope
        while scope is not None and not scope.dynamic:
            capture = next((each for each in scope.captures if each.inner is variable), None)
            if capture is None:
                return True
            if capture.outer is None:
                return False
            variable, scope = capture.outer, scope.enclosing
        return False

    def this(self, node: syntax.This) -> Value:
        """The value of ``this``."""
        if self.borrows:
            return Value(nodes.name("this"), *self.seen(node), simple=True, stable=True)
        return self.valued(nodes.element(nodes.name("this"), nodes.constant(0), (node.line, node.column)), node)

    def qualified(self, node: syntax.QualifiedName) -> Value:
        """A constant of the script, or a variable of a module."""
        path = nodes.constant("::".join(node.path))
        arguments = [nodes.name("R"), path, nodes.constant(node.name)]
        return Value(nodes.call("module_variable", arguments, node.root), ANY)

    # ---------------------------------------------------------------------------------------- operators

    def unary(self, node: syntax.Unary) -> Value:
        """An operator of one operand."""
        operand = self.expression(node.operand)
        place = node.line, node.column
        if node.operator == "!" and operand.types == BOOL:
            return Value(nodes.negate(operand.node), BOOL)
        result = types.of_unary(node.operator, operand.types)
        if operand.types == FLOAT and node.operator != "!":
            return Value(nodes.negative(operand.node) if node.operator == "-" else operand.node, FLOAT)
        if not (self.hot and node.operator == "-"):
            return Value(self._slow_unary(node.operator, operand.node, place), result)
        operand = self.kept(operand)
        bounds = ranges.cut(ranges.of_operation("-", (0, 0), operand.bounds))
        if operand.types == INT and operand.bounds[0] > I64_MIN:
            return Value(nodes.negative(operand.node), INT, bounds=bounds)
        tests: list[Any] = [] if operand.types == INT else [nodes.is_type(operand.node, "int")]
        tests.append(nodes.compare(operand.node, "!=", nodes.constant(I64_MIN)))
        slow = self._slow_unary("-", operand.node, place)
        return Value(nodes.IfExp(nodes.both(tests), nodes.negative(operand.node), slow), result)

    def _slow_unary(self, operator: str, operand: Any, place: Any) -> Any:
        return nodes.call("unary", [nodes.name("R"), self.level, nodes.constant(operator), operand], place)

    def binary(self, node: syntax.Binary) -> Value:
        """Operators of two operands, a long sum without recursion."""
        spine: list[syntax.Binary] = []
        left: Any = node
        while type(left) is syntax.Binary and left.operator not in ("in", "!in"):
            spine.append(left)
            left = left.left
        if not spine:
            return self._contained(node)
        value = self.expression(left)
        for each in reversed(spine):
            value = self._operated(each, value)
        return value

    def _operated(self, node: syntax.Binary, left: Value) -> Value:
        first, second = self.sequence([lambda: left, lambda: self.expression(node.right)])
        return self.operation(node.operator, first, second, node)

    def operation(self, operator: str, left: Value, right: Value, node: Node) -> Value:
        """Return ``left operator right``."""
        result = types.of_binary(operator, left.types, right.types)
        if operator in types.COMPARISONS:
            return Value(self._comparison(operator, left, right, node), BOOL)
        if left.types == INT and right.types == INT:
            return self._on_integers(operator, left, right, node)
        if not (left.types | right.types) & ~NUMBER and FLOAT in (left.types, right.types) and operator in _INLINE:
            return Value(nodes.binary(operator, left.node, right.node), FLOAT)
        if not (left.types | right.types) & ~NUMBER and FLOAT in (left.types, right.types) and operator == "/":
            left, right = self.kept(left), self.kept(right)
            slow = self._slow(operator, left, right, node)
            return Value(nodes.IfExp(right.node, nodes.binary("/", left.node, right.node), slow), FLOAT)
        if self.hot and operator in ("+", "-", "*", "/") and FLOAT in (left.types, right.types):
            return self._on_float(operator, left, right, node, result)
        if self.hot and operator in _INLINE and self._may_be(INT, left, right):
            return self._tested(operator, left, right, node, result)
        if self.hot and operator in ("/", "%") and self._may_be(INT, left, right):
            return self.divided(operator, left, right, node, result)
        if self.hot and operator in _BITS and self._may_be(INT, left, right):
            left, right = self.kept(left), self.kept(right)
            quick = nodes.binary(operator, left.node, right.node)
            slow = self._slow(operator, left, right, node)
            return Value(nodes.IfExp(nodes.both(self._are(INT, left, right)), quick, slow), result)
        return Value(self._slow(operator, left, right, node), result)

    def _on_float(self, operator: str, left: Value, right: Value, node: Node, types_: int) -> Value:
        """An operation on a float, and what may be one too."""
        if not self._may_be_mixed(left, right):
            return Value(self._slow(operator, left, right, node), types_)
        left, right = self.kept(left), self.kept(right)
        tests = self._are_numbers(left, right)
        if operator == "/":
            tests.append(right.node)
        slow = self._slow(operator, left, right, node)
        return Value(nodes.IfExp(nodes.both(tests), nodes.binary(operator, left.node, right.node), slow), types_)

    def _may_be(self, kind: int, left: Value, right: Value) -> bool:
        return bool(left.types & kind and right.types & kind)

    def _may_be_mixed(self, left: Value, right: Value) -> bool:
        """Whether both may be numbers, and one a float."""
        return bool(left.types & NUMBER and right.types & NUMBER and (left.types | right.types) & FLOAT)

    def _are_numbers(self, left: Value, right: Value) -> list[Any]:
        """Return tests that are left to be done to be sure that both are numbers; Python goes on in floats if one is,
        as the language does."""
        return [
            nodes.compare(nodes.call("type", [value.node]), "in", nodes.name("NUMBERS"))
            for value in (left, right)
            if value.types & ~NUMBER
        ]

    def _are(self, kind: int, left: Value, right: Value) -> list[Any]:
        """Return tests that are left to be done to be sure of both types."""
        name = {INT: "int", FLOAT: "float", STRING: "str"}[kind]
        return [nodes.is_type(value.node, name) for value in (left, right) if value.types != kind]

    def _slow(self, operator: str, left: Value, right: Value, node: Node) -> Any:
        arguments = [nodes.name("R"), nodes.constant(operator), left.node, right.node]
        return nodes.call("binary", arguments, (node.line, node.column))

    def _on_integers(self, operator: str, left: Value, right: Value, node: Node) -> Value:
        if operator in _BITS:
            bounds = ranges.of_operation(operator, left.bounds, right.bounds)
            return Value(nodes.binary(operator, left.node, right.node), INT, bounds=bounds)
        if operator in _INLINE:
            return self._bounded(operator, left, right, node)
        if operator in ("/", "%"):
            return self.divided(operator, left, right, node, INT)
        return Value(self._slow(operator, left, right, node), INT)

    def _bounded(self, operator: str, left: Value, right: Value, node: Node) -> Value:
        """An operation on integers, with the error of one whose result is too big."""
        bounds = ranges.of_operation(operator, left.bounds, right.bounds)
        if ranges.within(bounds):
            return Value(nodes.binary(operator, left.node, right.node), INT, bounds=bounds)
        left, right = self.kept(left), self.kept(right)
        result = self.stored(Value(nodes.binary(operator, left.node, right.node), INT, bounds=ranges.cut(bounds)))
        raises = nodes.statement(self._slow(operator, left, right, node))
        self.out.append(nodes.branch(nodes.negate(self.fits(bounds, result.node)), [raises]))
        return result

    def fits(self, bounds: Bounds, result: Any) -> Any:
        """Return the test whether a result between such bounds is within 64 bits: a side that can't be passed needs no
        look."""
        low, high = nodes.constant(I64_MIN), nodes.constant(I64_MAX)
        above, below = bounds[0] >= I64_MIN, bounds[1] <= I64_MAX
        wide = (
            nodes.compare(result, "<=", high)
            if above
            else nodes.compare(result, ">=", low)
            if below
            else nodes.between(low, result, high)
        )
        if not self.hot:
            return wide
        # Python compares small numbers much quicker, and nearly all are.
        small = [] if below else [nodes.compare(result, "<=", nodes.constant(_SMALL))]
        if not above:
            small.append(nodes.compare(result, ">=", nodes.constant(-_SMALL)))
        return nodes.either([nodes.both(small), wide])

    def _tested(self, operator: str, left: Value, right: Value, node: Node, types_: int) -> Value:
        """An operation that is Python's if both turn out to be integers, or floats."""
        left, right = self.kept(left), self.kept(right)
        name = self.temporary(types_)
        target = self.fresh(name, types_)
        quick = nodes.assign(name, nodes.binary(operator, left.node, right.node))
        slow = nodes.assign(name, self._slow(operator, left, right, node))
        raises = nodes.statement(self._slow(operator, left, right, node))
        bounds = ranges.of_operation(operator, left.bounds, right.bounds)
        check = [] if ranges.within(bounds) else [nodes.branch(nodes.negate(self.fits(bounds, target.node)), [raises])]
        branches: list[Any] = [slow]
        if self._may_be_mixed(left, right):
            again = nodes.assign(name, nodes.binary(operator, left.node, right.node))
            branches = [nodes.branch(nodes.both(self._are_numbers(left, right)), [again], branches)]
        self.out.append(nodes.branch(nodes.both(self._are(INT, left, right)), [quick, *check], branches))
        return target

    def divided(self, operator: str, left: Value, right: Value, node: Node, types_: int) -> Value:
        """A division that is Python's where both are integers, and none negative."""
        bounds = ranges.cut(ranges.of_operation(operator, left.bounds, right.bounds))
        sign = "//" if operator == "/" else "%"
        if left.types == INT == right.types and left.bounds[0] >= 0 and right.bounds[0] > 0:
            return Value(nodes.binary(sign, left.node, right.node), INT, bounds=bounds)
        left, right = self.kept(left), self.kept(right)
        tests = self._are(INT, left, right)
        if left.bounds[0] < 0:
            tests.append(nodes.compare(left.node, ">=", nodes.constant(0)))
        if right.bounds[0] <= 0:
            tests.append(nodes.compare(right.node, ">", nodes.constant(0)))
        quick = nodes.binary(sign, left.node, right.node)
        slow = self._slow(operator, left, right, node)
        return Value(nodes.IfExp(nodes.both(tests), quick, slow), types_, bounds=bounds)

    def _comparison(self, operator: str, left: Value, right: Value, node: Node) -> Any:
        for kind in (INT, STRING):
            if left.types == kind and right.types == kind:
                return nodes.compare(left.node, operator, right.node)
        if (
            operator in ("==", "!=")
            and UNIT in (left.types, right.types)
            and not (left.types | right.types) & types.OTHER
        ):
            other = right if left.types == UNIT else left
            unit = left if left.types == UNIT else right
            if isinstance(unit.node, nodes.Constant) and not isinstance(other.node, nodes.Constant):
                return nodes.compare(other.node, "is" if operator == "==" else "is not", nodes.constant(None))
        if left.types == FLOAT == right.types:
            return nodes.call(_ON_FLOATS[operator], [left.node, right.node])
        if not self.hot:
            return self._slow(operator, left, right, node)
        left, right = self.kept(left), self.kept(right)
        result = self._slow(operator, left, right, node)
        if STRING not in (left.types, right.types) and self._may_be_mixed(left, right):
            on_floats = nodes.call(_ON_FLOATS[operator], [left.node, right.node])
            result = nodes.IfExp(nodes.both(self._are_numbers(left, right)), on_floats, result)
        kind = STRING if STRING in (left.types, right.types) else INT
        if self._may_be(kind, left, right):
            quick = nodes.compare(left.node, operator, right.node)
            result = nodes.IfExp(nodes.both(self._are(kind, left, right)), quick, result)
        return result

    def _contained(self, node: syntax.Binary) -> Value:
        """``item in container``: the container's ``contains``."""
        if type(node.right) is syntax.Variable and node.operator == "in":
            item, container = self.sequence([lambda: self.expression(node.left), lambda: self.expression(node.right)])
            item = item if container.simple else self.kept(item)
        else:
            container, item = self.sequence([lambda: self.expression(node.right), lambda: self.expression(node.left)])
            container, item = self.kept(container), self.kept(item)
        place = node.line, node.column
        if container.types == MAP and item.types == STRING:
            found: Any = nodes.compare(item.node, "in", container.node)
        else:
            arguments = [nodes.name("R"), self.level, nodes.constant("contains"), container.node, item.node]
            found = nodes.call("call_native", arguments, place)
            if self.hot and item.types & STRING and container.types & MAP:
                container, item = self.kept(container), self.kept(item)
                tests = [] if container.types == MAP else [nodes.is_type(container.node, "dict")]
                tests += [] if item.types == STRING else [nodes.is_type(item.node, "str")]
                arguments[3:] = [container.node, item.node]
                found = nodes.IfExp(nodes.both(tests), nodes.compare(item.node, "in", container.node), found)
        if node.operator == "!in":
            return Value(nodes.negate(found), BOOL)
        return Value(found, BOOL)

    # ---------------------------------------------------------------------------------------- conditions

    def condition(self, node: Any) -> Any:
        """Return a Python test of an expression that must be a boolean."""
        if type(node) is syntax.Logical and node.operator != "??":
            return self._logical(node)
        value = self.expression(node)
        if value.types == BOOL:
            return value.node
        return self._tested_boolean(value, position(node))

    def _tested_boolean(self, value: Value, place: Any) -> Any:
        if not self.hot:
            return nodes.call("boolean", [value.node], place)
        value = self.kept(value)
        return nodes.IfExp(nodes.is_type(value.node, "bool"), value.node, nodes.call("boolean", [value.node], place))

    def _logical(self, node: syntax.Logical) -> Any:
        """``&&`` and ``||`` as a Python test."""
        left = self.condition(node.left)
        tests: list[Any] = []
        is_and = node.operator == "&&"
        self.ranges.drop(node.right)
        before = dict(self.ranges.here)
        self.ranges.learn(node.left, is_and)
        statements = self.collect(lambda: tests.append(self.condition(node.right)))
        self.ranges.here = before
        if not statements:
            return nodes.both([left, tests[0]]) if is_and else nodes.either([left, tests[0]])
        name = self.temporary(BOOL)
        self.out.append(nodes.assign(name, left))
        test = nodes.name(name) if is_and else nodes.negate(nodes.name(name))
        self.out.append(nodes.branch(test, [*statements, nodes.assign(name, tests[0])]))
        return nodes.name(name)

    def logical(self, node: syntax.Logical) -> Value:
        """``&&``, ``||`` or ``??`` as a value."""
        if node.operator != "??":
            return Value(self._logical(node), BOOL)
        left = self.stored(self.expression(node.left))
        self.ranges.drop(node.right)
        name = left.node.id
        self.collected[name] = 0
        statements = self.collect(lambda: self.into(node.right, name))
        self.out.append(nodes.branch(nodes.compare(left.node, "is", nodes.constant(None)), statements))
        result = left.types & ~UNIT | (self.collected.get(name, ANY) or ANY)
        if result & types.HOLDERS and name not in self.holders:
            self.holders.append(name)
        return self.fresh(name, result)


def _held(value: Value) -> int | None:
    """Return how many elements and bytes of texts a value holds at most; None if that isn't known."""
    if isinstance(value.node, nodes.Constant) and type(value.node.value) is str:
        return 4 * len(value.node.value)
    if value.types and not value.types & ~_SCALARS:
        return 0
    if value.types == STRING and value.bounds[1] <= _LONG_TEXT:
        return 4 * value.bounds[1]
    return value.held


_SCALARS: Final = UNIT | BOOL | NUMBER | types.CHAR
_ON_FLOATS: Final = {
    "==": "float_equal",
    "!=": "float_unequal",
    "<": "float_less",
    "<=": "float_less_or_equal",
    ">": "float_greater",
    ">=": "float_greater_or_equal",
}
"""Floats are compared with a tolerance."""


def _is_constant(node: Any) -> bool:
    if isinstance(node, syntax.ArrayLiteral):
        return all(map(_is_constant, node.items))
    if isinstance(node, syntax.MapLiteral):
        return all(_is_constant(value) for _, value in node.entries)
    if isinstance(node, syntax.Block) and len(node.statements) == 1:
        return _is_constant(node.statements[0])
    if isinstance(node, syntax.ExpressionStatement):
        return _is_constant(node.expression)
    return isinstance(node, syntax.Literal | syntax.CharLiteral)


def zero() -> Value:
    return Value(nodes.constant(0), INT, simple=True, stable=True, bounds=(0, 0))


def _nothing() -> Value:
    return Value(nodes.constant(None), UNIT, simple=True, stable=True)


_HANDLERS: Final[dict[type, Any]] = {
    syntax.Literal: Expressions.literal,
    syntax.CharLiteral: Expressions.character_literal,
    syntax.Interpolation: Expressions.interpolation,
    syntax.ArrayLiteral: Expressions.array,
    syntax.MapLiteral: Expressions.map_literal,
    syntax.RangeExpression: Expressions.range,
    syntax.Variable: Expressions.variable,
    syntax.This: Expressions.this,
    syntax.QualifiedName: Expressions.qualified,
    syntax.Unary: Expressions.unary,
    syntax.Binary: Expressions.binary,
    syntax.Logical: Expressions.logical,
    syntax.Property: lambda self, node: self.chain(node),
    syntax.Index: lambda self, node: self.chain(node),
    syntax.MethodCall: lambda self, node: self.chain(node),
    syntax.Call: lambda self, node: self.call(node),
    syntax.Closure: lambda self, node: self.closure(node),
}
