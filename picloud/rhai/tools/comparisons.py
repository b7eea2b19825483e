"""Comparisons that tell nothing, for what the types of their sides are known to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from picloud.rhai import syntax
from picloud.rhai.engine import Engine
from picloud.rhai.syntax import Expression, Script
from picloud.rhai.tools.foreign import TYPES
from picloud.rhai.tools.remark import Remark
from picloud.rhai.tools.tree import walk
from picloud.rhai.values import Char

_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "in", "!in"})
_EQUALITY: Final = frozenset({"==", "!="})
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_NAMES: Final[dict[type, str]] = {
    type(None): "`()`",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    Char: "a string",
    list: "an array",
    dict: "a map",
}
"""What a type is called here; types that may be equal share a name."""


def never_equal(script: Script, engine: Engine) -> Iterator[Remark]:
    """Return the comparisons by ``==`` and ``!=`` of types that are never equal."""
    for node in walk(script):
        if not isinstance(node, syntax.Binary) or node.operator not in _EQUALITY:
            continue
        left, right = _type(node.left), _type(node.right)
        answer = "false" if node.operator == "==" else "true"
        if left is not None and right is not None and _NAMES[left] != _NAMES[right]:
            if engine.registry.resolve(node.operator, (left, right)) is None:
                text = f"always {answer}: {_NAMES[left]} is never equal to {_NAMES[right]}"
                yield Remark("never-equal", node.line, node.column, text)
            continue
        for call, literal in ((node.left, node.right), (node.right, node.left)):
            if _is_type_of(call) and isinstance(literal, syntax.Literal) and literal.value in TYPES:
                text = f'always {answer}: `type_of` calls that type "{TYPES[literal.value]}"'
                yield Remark("never-equal", literal.line, literal.column, text)


def _is_type_of(expression: Expression) -> bool:
    return isinstance(expression, syntax.Call | syntax.MethodCall) and expression.name == "type_of"


def _type(expression: Expression) -> type | None:
    """Return the type of an expression's value; None if it isn't known."""
    match expression:
        case syntax.Literal(value=value):
            return type(value)
        case syntax.CharLiteral():
            return Char
        case syntax.Interpolation():
            return str
        case syntax.ArrayLiteral():
            return list
        case syntax.MapLiteral():
            return dict
        case syntax.Logical(operator="&&" | "||"):
            return bool
        case syntax.Binary(operator=operator) if operator in _EQUALITY | {"in", "!in"}:
            return bool
    return str if _is_type_of(expression) else None


def pure(expression: Expression) -> bool:
    """Whether an expression only has a value: it is made of literals, names and operators."""
    match expression:
        case syntax.Literal(value=value):
            return value is not None
        case syntax.CharLiteral() | syntax.Variable() | syntax.QualifiedName() | syntax.This():
            return True
        case syntax.Unary(operand=operand):
            return pure(operand)
        case syntax.Binary(operator=operator, left=left, right=right):
            return operator in _ARITHMETIC | _EQUALITY | _ORDER and _operand(left) and _operand(right)
        case syntax.Logical(operator="&&" | "||", left=left, right=right):
            return pure(left) and pure(right)
    return False


def _operand(expression: Expression) -> bool:
    if isinstance(expression, syntax.Property):
        return _operand(expression.base)
    if isinstance(expression, syntax.Index):
        return _operand(expression.base) and _operand(expression.index)
    return pure(expression) or (isinstance(expression, syntax.Literal) and expression.value is None)
