"""What is certain of the types of expressions and variables.

A type here is a set of types of the language, as bits; :data:`ANY` is all of them, and 0 says that nothing was
assigned yet. :mod:`picloud.rhai.codegen.inference` finds those of variables. Certainty is what saves checks in
generated code: where both operands are integers, ``+`` is Python's with a look at the bounds.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai.values import Char, FnPtr

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
PYTHON: Final[dict[int, type]] = {
    UNIT: type(None),
    BOOL: bool,
    INT: int,
    FLOAT: float,
    STRING: str,
    CHAR: Char,
    ARRAY: list,
    MAP: dict,
    BLOB: bytearray,
    FN: FnPtr,
}
"""Python's type for each type that it tells for sure."""


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


def of_assignment(operator: str, left: int, right: int) -> int:
    """Return the types that a variable may have after ``variable operator= right``."""
    if left in (ARRAY, BLOB) and operator == "+":
        return left
    return of_binary(operator, left, right)
