"""Python's syntax tree, in the few forms that generated code has.

The classes are Python's own with a default place, so that only nodes that may fail need be given theirs.
:data:`ALLOWED` are all kinds of nodes that generated code is made of; :mod:`picloud.rhai.codegen.audit` checks it.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any, Final

from picloud.rhai.errors import Position

LOAD: Final = ast.Load()
STORE: Final = ast.Store()


class _Placed:
    """A place for nodes that are given none."""

    lineno: int = 1
    col_offset: int = 0
    end_lineno: int | None = 1
    end_col_offset: int | None = 0


class Name(_Placed, ast.Name):
    """A variable of ours."""


class Constant(_Placed, ast.Constant):
    """A literal."""


class Call(_Placed, ast.Call):
    """A call of a helper or of a generated function."""


class Attribute(_Placed, ast.Attribute):
    """The value of a cell, or what a function pointer holds; nothing else is ever asked for an attribute."""


class Subscript(_Placed, ast.Subscript):
    """An element."""


class List(_Placed, ast.List):
    """An array."""


class Dict(_Placed, ast.Dict):
    """A map."""


class Tuple(_Placed, ast.Tuple):
    """Arguments, or several targets."""


class BinOp(_Placed, ast.BinOp):
    """An operation that is sure to be on numbers, or tested."""


class UnaryOp(_Placed, ast.UnaryOp):
    """``-x`` or ``not x``."""


class BoolOp(_Placed, ast.BoolOp):
    """``and``, ``or``."""


class Compare(_Placed, ast.Compare):
    """A comparison."""


class IfExp(_Placed, ast.IfExp):
    """A choice."""


class JoinedStr(_Placed, ast.JoinedStr):
    """An interpolated text."""


class FormattedValue(_Placed, ast.FormattedValue):
    """A part of one."""


class NamedExpr(_Placed, ast.NamedExpr):
    """A temporary within an expression."""


class Assign(_Placed, ast.Assign):
    """An assignment to a variable, a cell or an element."""


class Expr(_Placed, ast.Expr):
    """A call for its effect."""


class If(_Placed, ast.If):
    """A branch."""


class For(_Placed, ast.For):
    """A loop."""


class Try(_Placed, ast.Try):
    """A catch."""


class ExceptHandler(_Placed, ast.ExceptHandler):
    """What it does."""


class Return(_Placed, ast.Return):
    """A function's value."""


class Break(_Placed, ast.Break):
    """Out of the loop."""


class Continue(_Placed, ast.Continue):
    """Next turn."""


class Pass(_Placed, ast.Pass):
    """Nothing."""


class FunctionDef(_Placed, ast.FunctionDef):
    """A function."""


class Arg(_Placed, ast.arg):
    """Its parameter."""


# fmt: off
ALLOWED: Final = frozenset([
    "Module", "FunctionDef", "arguments", "arg", "Name", "Constant", "Call", "Attribute", "Subscript", "List",
    "Dict", "Tuple", "BinOp", "UnaryOp", "BoolOp", "Compare", "IfExp", "JoinedStr", "FormattedValue", "NamedExpr",
    "Assign", "Expr", "If", "For", "Try", "ExceptHandler", "Return", "Break", "Continue", "Pass", "Load", "Store",
    "Add", "Sub", "Mult", "Div", "FloorDiv", "Mod", "BitAnd", "BitOr", "BitXor", "USub", "Not", "And", "Or", "Eq",
    "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot", "In",
])
# fmt: on
"""Names of the kinds of Python nodes that generated code may hold."""

_ADD, _SUB, _MULT = ast.Add(), ast.Sub(), ast.Mult()
OPERATORS: Final[dict[str, Any]] = {
    "+": _ADD,
    "-": _SUB,
    "*": _MULT,
    "/": ast.Div(),
    "//": ast.FloorDiv(),
    "%": ast.Mod(),
    "&": ast.BitAnd(),
    "|": ast.BitOr(),
    "^": ast.BitXor(),
    "==": ast.Eq(),
    "!=": ast.NotEq(),
    "<": ast.Lt(),
    "<=": ast.LtE(),
    ">": ast.Gt(),
    ">=": ast.GtE(),
    "is": ast.Is(),
    "is not": ast.IsNot(),
    "in": ast.In(),
}
_NOT, _USUB, _AND, _OR = ast.Not(), ast.USub(), ast.And(), ast.Or()


@lru_cache(2048)
def name(identifier: str) -> Name:
    """Return a variable to read. It is one node for all that read it, so it can't be given a place."""
    return Name(identifier, LOAD)


_NONE: Final = Constant(None)


def constant(value: Any) -> Constant:
    """Return a literal."""
    return _NONE if value is None else Constant(value)


def place(node: Any, position: Position) -> Any:
    """Return the node with its place."""
    node.lineno = node.end_lineno = position[0]
    node.col_offset = node.end_col_offset = position[1]
    return node


def call(function: str, arguments: list[Any], position: Position | None = None) -> Call:
    """Return a call of a helper or function."""
    node = Call(name(function), arguments, [])
    if position is not None:
        place(node, position)
    return node


def curry(pointer: Any) -> Attribute:
    """Return what was curried into a function pointer."""
    return Attribute(pointer, "curry", LOAD)


def assign(identifier: str, value: Any) -> Assign:
    """Return an assignment to a variable."""
    return Assign([Name(identifier, STORE)], value)


def assign_to(target: Any, value: Any) -> Assign:
    """Return an assignment to a variable, a cell or an element, given as it is read."""
    return Assign([as_target(target)], value)


def as_target(node: Any) -> Any:
    """Return a variable, cell or element as the target of an assignment."""
    if isinstance(node, ast.Name):
        return Name(node.id, STORE)
    if isinstance(node, ast.Attribute):
        return Attribute(node.value, node.attr, STORE)
    return place(Subscript(node.value, node.slice, STORE), (node.lineno, node.col_offset))


def assign_pair(first: Any, second: Any, value: Any) -> Assign:
    """Return an assignment of a pair to two targets."""
    return Assign([Tuple([as_target(first), as_target(second)], STORE)], value)


def element(value: Any, index: Any, position: Position | None = None) -> Subscript:
    """Return an element to read."""
    node = Subscript(value, index, LOAD)
    if position is not None:
        place(node, position)
    return node


def cell(node: Any) -> Attribute:
    """Return what is in a cell."""
    return Attribute(node, "value", LOAD)


def binary(operator: str, left: Any, right: Any) -> BinOp:
    """Return an operation."""
    return BinOp(left, OPERATORS[operator], right)


def negative(operand: Any) -> UnaryOp:
    """Return ``-operand``."""
    return UnaryOp(_USUB, operand)


def negate(operand: Any) -> UnaryOp:
    """Return ``not operand``."""
    return UnaryOp(_NOT, operand)


def both(tests: list[Any]) -> Any:
    """Return the conjunction of tests; true for none."""
    if not tests:
        return Constant(True)
    return tests[0] if len(tests) == 1 else BoolOp(_AND, tests)


def either(tests: list[Any]) -> Any:
    """Return the disjunction of tests."""
    return tests[0] if len(tests) == 1 else BoolOp(_OR, tests)


def compare(left: Any, operator: str, right: Any) -> Compare:
    """Return a comparison."""
    return Compare(left, [OPERATORS[operator]], [right])


def between(low: Any, value: Any, high: Any) -> Compare:
    """Return ``low <= value <= high``."""
    less = OPERATORS["<="]
    return Compare(low, [less, less], [value, high])


def is_type(value: Any, type_name: str) -> Compare:
    """Return the test whether a value is of a Python type."""
    return Compare(Call(name("type"), [value], []), [OPERATORS["is"]], [name(type_name)])


def statement(value: Any) -> Expr:
    """Return an expression for its effect."""
    return Expr(value)


def branch(test: Any, then: list[Any], otherwise: list[Any] | None = None) -> If:
    """Return a branch."""
    return If(test, then or [Pass()], otherwise or [])


def tick() -> For:
    """Return the payment for one operation: an element of the run's ticks is taken."""
    return For(Name("_", STORE), name("T"), [Break()], [])


def function(identifier: str, parameters: list[str], body: list[Any]) -> FunctionDef:
    """Return a function."""
    arguments = ast.arguments([], [Arg(parameter) for parameter in parameters], None, [], [], None, [])
    return FunctionDef(identifier, arguments, body or [Pass()], [], None)


def clear(identifiers: list[str]) -> Assign:
    """Return an assignment of () to several variables."""
    return Assign([Name(identifier, STORE) for identifier in identifiers], Constant(None))
