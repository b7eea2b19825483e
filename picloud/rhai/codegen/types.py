"""What is certain of the types of expressions and variables.

A type here is a set of types of the language, as bits; :data:`ANY` is all of them, and 0 says that nothing was
assigned yet. A variable that no closure shares has the types of all that is assigned to it, wherever that stands:
:func:`infer` goes through a function until nothing changes. Certainty is what saves checks in generated code: where
both operands are integers, ``+`` is Python's with a look at the bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.resolver import FunctionScope, Resolution
from picloud.rhai.syntax import Node

UNIT: Final = 1
BOOL: Final = 2
INT: Final = 4
FLOAT: Final = 8
STRING: Final = 16
CHAR: Final = 32
ARRAY: Final = 64
MAP: Final = 128
BLOB: Final = 256
FN: Final = 512
RANGE: Final = 1024
OTHER: Final = 2048
ANY: Final = 4095
NUMBER: Final = INT | FLOAT
HOLDERS: Final = ARRAY | MAP | BLOB | OTHER | FN
"""Types whose values hold others, or are changed in place."""

_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%", "**"})
_BITWISE: Final = frozenset({"<<", ">>", "&", "|", "^"})
COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_PYTHON: Final = {type(None): UNIT, bool: BOOL, int: INT, float: FLOAT, str: STRING}
_BUILT_IN: Final = ANY & ~OTHER


def of_literal(value: Any) -> int:
    """Return the type of a literal's value."""
    return _PYTHON[type(value)]


def of_binary(operator: str, left: int, right: int) -> int:
    """Return the types that ``left operator right`` may have."""
    if operator in COMPARISONS or operator in ("in", "!in"):
        return BOOL
    if not left or not right:
        return 0
    if left == INT and right == INT and (operator in _ARITHMETIC or operator in _BITWISE):
        return INT
    if operator in _ARITHMETIC:
        if not (left | right) & ~NUMBER:
            return FLOAT if FLOAT in (left, right) else NUMBER
        if operator == "+" and (left == STRING or right == STRING) and not (left | right) & OTHER:
            return STRING if not (left | right) & BLOB else ANY
    if operator in _BITWISE and left == BOOL and right == BOOL:
        return BOOL
    return ANY


def of_unary(operator: str, operand: int) -> int:
    """Return the types that ``operator operand`` may have."""
    if operator == "!":
        return BOOL if not operand & OTHER else ANY
    return operand if not operand & ~NUMBER else ANY


Replacing = Callable[[str, int], bool]
ResultOf = Callable[[str, list[int]], int]


class _Inference:
    def __init__(self, scope: FunctionScope, resolution: Resolution, replacing: Replacing, result_of: ResultOf) -> None:
        self.scope = scope
        self.replacing = replacing
        self.bindings = resolution.bindings
        self.counters = resolution.counters
        self.changed = False
        self.returned = 0
        self.result_of = result_of

    def widen(self, variable: Any, types: int) -> None:
        if variable is not None and types & ~variable.types:
            variable.types |= types
            self.changed = True

    # Each method returns the types that the node's value may have.

    def of(self, node: Node | None) -> int:
        if node is None:
            return UNIT
        handler = _OF.get(type(node))
        if handler is None:
            return ANY
        return int(handler(self, node))

    def block(self, statements: list[syntax.Statement]) -> int:
        types = UNIT
        for statement in statements:
            types = self.of(statement)
        return types

    def variable(self, node: syntax.Variable) -> int:
        variable = self.bindings.get(node)
        if variable is None or variable.captured:
            return ANY
        return variable.types

    def interpolation(self, node: syntax.Interpolation) -> int:
        for part in node.parts:
            self.of(part)
        return STRING

    def array(self, node: syntax.ArrayLiteral) -> int:
        for item in node.items:
            self.of(item)
        return ARRAY

    def map(self, node: syntax.MapLiteral) -> int:
        for _, item in node.entries:
            self.of(item)
        return MAP

    def range(self, node: syntax.RangeExpression) -> int:
        start, end = self.of(node.start), self.of(node.end)
        return RANGE if start == INT and end in (INT, UNIT) else ANY

    def unary(self, node: syntax.Unary) -> int:
        return of_unary(node.operator, self.of(node.operand))

    def binary(self, node: syntax.Binary) -> int:
        spine = []
        left: Any = node
        while type(left) is syntax.Binary:
            spine.append(left)
            left = left.left
        types = self.of(left)
        for each in reversed(spine):
            types = of_binary(each.operator, types, self.of(each.right))
        return types

    def logical(self, node: syntax.Logical) -> int:
        left, right = self.of(node.left), self.of(node.right)
        if node.operator == "??":
            return left & ~UNIT | right
        return BOOL

    def property(self, node: syntax.Property) -> int:
        base = self.of(node.base)
        if node.name == "len" and not base & ~(ARRAY | STRING | BLOB) and base:
            return INT
        return ANY

    def index(self, node: syntax.Index) -> int:
        self.of(node.index)
        base = self.of(node.base)
        return CHAR | STRING if base == STRING else ANY

    def call(self, node: syntax.Call) -> int:
        arguments = [self.of(argument) for argument in node.arguments]
        if node.path:
            return ANY
        if node.arguments and type(node.arguments[0]) is syntax.Variable:
            variable = self.bindings.get(node.arguments[0])
            if variable is not None and self.replacing(node.name, len(node.arguments)):
                self.widen(variable, ANY)
        return self.result_of(node.name, arguments)

    def method(self, node: syntax.MethodCall) -> int:
        for argument in node.arguments:
            self.of(argument)
        base = self.of(node.base)
        self.changed_by_method(node)
        if node.name == "len" and not node.arguments and base and not base & ~(ARRAY | STRING | BLOB):
            return INT
        return ANY

    def changed_by_method(self, node: syntax.MethodCall) -> None:
        """A method may make its value one of another type: a script function that sets ``this``, or ``take``."""
        if type(node.base) is not syntax.Variable:
            return
        variable = self.bindings.get(node.base)
        if variable is not None and (
            variable.types & (MAP | OTHER) or self.replacing(node.name, len(node.arguments) + 1)
        ):
            self.widen(variable, ANY)

    def if_else(self, node: syntax.If) -> int:
        self.of(node.condition)
        then = self.of(node.then)
        return then | self.of(node.otherwise)

    def switch(self, node: syntax.Switch) -> int:
        self.of(node.subject)
        types = 0
        default = False
        for case in node.cases:
            default = default or not case.patterns
            self.of(case.guard)
            types |= self.of(case.body)
        return types if default else types | UNIT

    def loop(self, node: syntax.While | syntax.DoWhile) -> int:
        self.of(node.condition)
        self.of(node.body)
        return ANY

    def for_loop(self, node: syntax.For) -> int:
        over = self.of(node.iterable)
        types = {RANGE: INT, STRING: CHAR}.get(over, ANY)
        self.widen(self.bindings[node], types)
        if node.counter is not None:
            self.widen(self.counters[node], INT)
        self.of(node.body)
        return ANY

    def try_catch(self, node: syntax.Try) -> int:
        body = self.of(node.body)
        if node.name is not None:
            self.widen(self.bindings[node], ANY)
        self.of(node.handler)
        return body | UNIT

    def expression(self, node: syntax.ExpressionStatement) -> int:
        return self.of(node.expression)

    def let(self, node: syntax.Let) -> int:
        self.widen(self.bindings[node], self.of(node.value))
        return UNIT

    def assign(self, node: syntax.Assign) -> int:
        value = self.of(node.value)
        target = node.target
        if type(target) is syntax.Variable:
            variable = self.bindings.get(target)
            if variable is not None:
                if node.operator != "=":
                    value = of_assignment(node.operator[:-1], variable.types, value)
                self.widen(variable, value)
            return UNIT
        self.of(target)
        root: Any = target
        while type(root) in (syntax.Property, syntax.Index):
            root = root.base
        if type(root) is syntax.Variable:
            variable = self.bindings.get(root)
            # An element set in a string or an integer gives another string or integer.
            if variable is not None and variable.types & ~(ARRAY | MAP | BLOB | STRING | INT):
                self.widen(variable, ANY)
        return UNIT

    def leave_function(self, node: syntax.Return) -> int:
        self.returned |= self.of(node.value)
        return 0

    def leave(self, node: Any) -> int:
        self.of(node.value)
        return 0


def of_assignment(operator: str, left: int, right: int) -> int:
    """Return the types that a variable may have after ``variable operator= right``."""
    if left in (ARRAY, BLOB) and operator == "+":
        return left
    return of_binary(operator, left, right)


_OF: Final[dict[type, Any]] = {
    syntax.Literal: lambda self, node: of_literal(node.value),
    syntax.CharLiteral: lambda self, node: CHAR,
    syntax.Interpolation: _Inference.interpolation,
    syntax.ArrayLiteral: _Inference.array,
    syntax.MapLiteral: _Inference.map,
    syntax.RangeExpression: _Inference.range,
    syntax.Variable: _Inference.variable,
    syntax.Unary: _Inference.unary,
    syntax.Binary: _Inference.binary,
    syntax.Logical: _Inference.logical,
    syntax.Property: _Inference.property,
    syntax.Index: _Inference.index,
    syntax.Call: _Inference.call,
    syntax.MethodCall: _Inference.method,
    syntax.Closure: lambda self, node: FN,
    syntax.Block: lambda self, node: self.block(node.statements),
    syntax.If: _Inference.if_else,
    syntax.Switch: _Inference.switch,
    syntax.While: _Inference.loop,
    syntax.DoWhile: _Inference.loop,
    syntax.For: _Inference.for_loop,
    syntax.Try: _Inference.try_catch,
    syntax.ExpressionStatement: _Inference.expression,
    syntax.Let: _Inference.let,
    syntax.Assign: _Inference.assign,
    syntax.Return: _Inference.leave_function,
    syntax.Throw: _Inference.leave,
    syntax.Break: _Inference.leave,
    syntax.Continue: lambda self, node: 0,
    syntax.Import: lambda self, node: UNIT,
    syntax.Export: lambda self, node: UNIT,
}


def infer(
    scope: FunctionScope,
    resolution: Resolution,
    statements: list[syntax.Statement],
    replacing: Replacing,
    result_of: ResultOf,
    parameters: list[int] | None = None,
) -> int:
    """Find the types of all variables of a function. Returns those of its result.

    ``replacing`` tells whether a function of a name and number of arguments may put a value of another type in place
    of its first argument; ``result_of`` tells the types of the result of a function with arguments of certain types.
    ``parameters`` are the types of the function's parameters, if they are known.
    """
    for variable in scope.variables:
        variable.types = 0
    inference = _Inference(scope, resolution, replacing, result_of)
    for parameter, types in zip(scope.parameters, parameters or [ANY] * len(scope.parameters), strict=True):
        parameter.types = types
    for _ in range(6):
        inference.changed = False
        inference.returned = 0
        result = inference.block(statements) | inference.returned
        if not inference.changed:
            return result
    for variable in scope.variables:
        variable.types = ANY
    return ANY
