"""Expressions of operators, by precedence climbing.

    expression  = operand { operator operand }
    operand     = ( "-" | "+" | "!" ) operand | primary { access }

All operators bind to the left but ``**``. Each operator of a chain is one level deeper than the one before, as in Rhai.
"""

from __future__ import annotations

from typing import Final

from picloud.rhai.faults import fault
from picloud.rhai.lexer import Token
from picloud.rhai.parser import folding
from picloud.rhai.parser.base import Base
from picloud.rhai.parser.stream import Place
from picloud.rhai.syntax import (
    ArrayLiteral,
    Binary,
    Block,
    CharLiteral,
    Closure,
    Expression,
    Interpolation,
    Literal,
    Logical,
    MapLiteral,
    RangeExpression,
    Unary,
    position,
    start,
)

# fmt: off
PRECEDENCE: Final = {
    "||": 30, "|": 30, "^": 30,
    "&&": 60, "&": 60,
    "==": 90, "!=": 90,
    "in": 110, "!in": 110,
    "<": 130, "<=": 130, ">": 130, ">=": 130,
    "??": 135,
    "..": 140, "..=": 140,
    "+": 150, "-": 150,
    "*": 180, "/": 180, "%": 180,
    "**": 190,
    "<<": 210, ">>": 210,
}
# fmt: on
_LOWEST: Final = 1
_LOGICAL: Final = frozenset(("&&", "||", "??"))
_BEHIND_OPEN_RANGE: Final = frozenset(("]", ")", "}", ",", ";", "=>"))
_LEAVING: Final = frozenset(("break", "continue", "return", "throw"))


class Operators(Base):
    """The part of the parser that reads operators."""

    def expression(self, level: int) -> Expression:
        """Read an expression."""
        if level >= self.max_level:
            raise self.too_deep(self.token[2:])
        left = self.operand(level + 1)
        kind = self.token[0]
        if kind in PRECEDENCE or kind == "reserved":
            return self._operations(level + 1, _LOWEST, left)
        return left

    def _operations(self, level: int, below: int, left: Expression) -> Expression:
        """Read the operators behind ``left`` that bind more tightly than ``below``."""
        place: Place | None = None
        while True:
            token = self.token
            operator = token[0]
            binds = self._binding(token)
            if binds < below or (binds == below and operator != "**") or (self.in_pattern and operator == "|"):
                return left
            self.token = self.following()
            right = self._right(operator, level)
            next_binds = self._binding(self.token)
            if binds < next_binds or (binds == next_binds and operator == "**"):
                right = self._operations(self.deeper(level, place or position(left)), binds, right)
            level = self.deeper(level, place or position(left))
            place = token[2:]
            left = self._operation(token, left, right)

    def _binding(self, token: Token) -> int:
        if token[0] == "reserved" and not token[1][0].isalpha():
            raise fault("UnknownOperator", token[2:], token[1])
        return PRECEDENCE.get(token[0], 0)

    def _right(self, operator: str, level: int) -> Expression:
        """Read the operand behind an operator."""
        token = self.token
        if operator == "??" and token[0] in _LEAVING:
            statement = self.statement(level)
            return Block(*token[2:], [statement] if statement else [])
        if token[0] in _BEHIND_OPEN_RANGE and (operator == ".." or operator == "..="):
            return Literal(*token[2:], None)
        return self.operand(level)

    def _operation(self, token: Token, left: Expression, right: Expression) -> Expression:
        operator, _, line, column = token
        if operator in _LOGICAL:
            if operator != "??":
                ensure_boolean(left)
                ensure_boolean(right)
            logical = Logical(line, column, operator, left, right)
            return folding.logical(logical) if self.optimize else logical
        if operator == ".." or operator == "..=":
            end = None if type(right) is Literal and right.value is None else right
            return RangeExpression(line, column, left, end, operator == "..=")
        operation = Binary(line, column, operator, left, right)
        if type(right) is Literal and self.optimize:
            return folding.binary(operation)
        return operation

    def signed(self, token: Token, level: int) -> Expression:
        """Read what is behind a ``-``, ``+`` or ``!`` in front of an operand."""
        operator, _, line, column = token
        operand = self.operand(self.deeper(level, token[2:]))
        if operator == "!":
            known = folding.negation(operand) if self.optimize else None
            return known or Unary(line, column, operator, operand)
        if type(operand) is Literal and not operand.folded and type(operand.value) in (int, float):
            if operator == "+":
                return operand
            value = -operand.value
            return Literal(line, column, float(value) if value == 1 << 63 else value)
        return Unary(line, column, operator, operand)


def ensure_boolean(expression: Expression) -> Expression:
    """Return the expression. Raises if it is a literal of another type than ``bool``."""
    found = ""
    match expression:
        case Literal(value=value, folded=False) if type(value) is not bool:
            names = {int: "a number", float: "a floating-point number", str: "a string"}
            found = names.get(type(value), "()")
        case CharLiteral(folded=False):
            found = "a character"
        case Interpolation():
            found = "a string"
        case ArrayLiteral():
            found = "an array"
        case MapLiteral():
            found = "an object map"
        case Closure(captures=[]):
            found = "Fn"
    if found:
        raise fault("MismatchedType", start(expression), "a boolean expression", found)
    return expression


def ensure_iterable(expression: Expression) -> Expression:
    """Return the expression. Raises if it is a literal that can't be iterated."""
    found = ""
    match expression:
        case Literal(value=value, folded=False) if type(value) is not str:
            names = {bool: "a boolean", int: "a number", float: "a floating-point number"}
            found = names.get(type(value), "()")
        case CharLiteral(folded=False):
            found = "a character"
        case MapLiteral():
            found = "an object map"
    if found:
        raise fault("MismatchedType", start(expression), "an iterable value", found)
    return expression


def is_written_constant(expression: Expression | None) -> bool:
    """Whether the expression is a literal through and through, as written."""
    match expression:
        case Literal(folded=folded) | CharLiteral(folded=folded):
            return not folded
        case ArrayLiteral(items=items):
            return all(map(is_written_constant, items))
        case MapLiteral(entries=entries):
            return all(is_written_constant(value) for _, value in entries)
        case Closure(captures=captures):
            return not captures
    return False
