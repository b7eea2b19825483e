"""What Rhai's optimiser does to a script that a script can tell, or that makes it faster here too.

Rhai optimises each script before it runs it. Most of that can't be told from outside, but some can, and belongs to the
language:

- operators on literals, and on constants whose value is a literal, are done at once: ``const A = 2; A * 3`` is ``6``;
- ``true && x`` is ``x``, whatever ``x`` is, and ``() ?? ()`` is ``false``;
- statements without effect vanish, and with them the error that an unknown variable would have raised: ``y; 1`` is 1;
- an ``if`` with nothing to do vanishes but for its condition, which then needs to be no boolean;
- ``x = x + y`` becomes ``x += y``, so ``y`` is evaluated before ``x``;
- the value of a ``try`` block is that of its last statement that has an effect.

The functions here are told of each operation and each list of statements when the parser has read it whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai.syntax import (
    ArrayLiteral,
    Assign,
    Binary,
    Block,
    Break,
    Call,
    CharLiteral,
    Closure,
    Continue,
    DoWhile,
    Export,
    Expression,
    ExpressionStatement,
    For,
    If,
    Import,
    Index,
    Interpolation,
    Let,
    Literal,
    Logical,
    MapLiteral,
    MethodCall,
    Property,
    QualifiedName,
    RangeExpression,
    Return,
    Statement,
    Switch,
    This,
    Throw,
    Try,
    Unary,
    Variable,
    While,
)
from picloud.rhai.values import CHARS

_I64_MAX: Final = (1 << 63) - 1
_ASSIGNED: Final = frozenset(("+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^"))
_BREAKS: Final = frozenset((Return, Throw, Break, Continue))
_LITERALS: Final = frozenset((ArrayLiteral, MapLiteral, Interpolation, Closure))
_WITHOUT_VALUE: Final = (While, DoWhile, For, Try)
_NAMES: Final = frozenset((Variable, QualifiedName))
_NEVER_PURE: Final = frozenset((Binary, Call, Index, MethodCall, Property, QualifiedName, This, Unary))
_CONTROL: Final = frozenset((Block, If, While, DoWhile, For, Try))

# ------------------------------------------------------------------------------------------------ operators


def _quotient(left: int, right: int) -> int | None:
    if not right:
        return None
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int | None:
    if not right:
        return None
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def _power(left: int, right: int) -> int | None:
    return left**right if 0 <= right < 64 else None


_INTEGERS: Final[dict[str, Callable[[int, int], Any]]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": _quotient,
    "%": _remainder,
    "**": _power,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "<<": lambda x, y: ((x << y) + (1 << 63)) % (1 << 64) - (1 << 63) if 0 <= y < 64 else None,
    ">>": lambda x, y: x >> y if 0 <= y < 64 else None,
}
_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
_FLOATS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
}
_BOOLEANS: Final[dict[str, Callable[[bool, bool], bool]]] = {
    "==": lambda x, y: x is y,
    "!=": lambda x, y: x is not y,
    "&": lambda x, y: x and y,
    "|": lambda x, y: x or y,
    "^": lambda x, y: x is not y,
}
_STRINGS: Final[dict[str, Callable[[str, str], Any]]] = {"+": lambda x, y: x + y, **_ORDERS}
_BY_TYPE: Final[dict[type, dict[str, Callable[[Any, Any], Any]]]] = {
    int: {**_INTEGERS, **_ORDERS},
    float: _FLOATS,  # their order isn't that of numbers, so it is left to the run
    bool: _BOOLEANS,
    str: _STRINGS,
}


def binary(operation: Binary) -> Expression:
    """Return the operation, or its value if both sides are known and Rhai's own operator does it without an error."""
    left, right = operation.left, operation.right
    if type(left) is not Literal or type(right) is not Literal:
        return operation
    kind = type(left.value)
    if kind is not type(right.value):
        return _comparison_of_kinds(operation, kind, type(right.value))
    operator = _BY_TYPE.get(kind, {}).get(operation.operator)
    value = operator(left.value, right.value) if operator else None
    if value is None or (type(value) is int and not -_I64_MAX - 1 <= value <= _I64_MAX):
        return operation
    return Literal(operation.line, operation.column, value, True)


_NUMBERS: Final = frozenset({int, float})
_PLAIN: Final = frozenset({type(None), bool, int, float, str})


def _comparison_of_kinds(operation: Binary, left: type, right: type) -> Expression:
    """Values of different types are not equal, and none is less than the other, unless both are numbers."""
    known = left in _PLAIN and right in _PLAIN and not (left in _NUMBERS and right in _NUMBERS)
    if not known or operation.operator not in _ORDERS:
        return operation
    return Literal(operation.line, operation.column, operation.operator == "!=", True)


def negation(operand: Expression) -> Expression | None:
    """Return ``!operand`` if that is known."""
    if type(operand) is Literal and type(operand.value) is bool:
        return Literal(operand.line, operand.column, not operand.value, True)
    return None


def logical(operation: Logical) -> Expression:
    """Return the operation without what doesn't matter."""
    if operation.operator == "??":
        return _unwritten(_coalescence(operation), operation)
    return _unwritten(_connection(operation), operation)


def _unwritten(result: Expression, original: Expression) -> Expression:
    """Return what comes in place of ``original``, so that it isn't taken for a literal of the source.

    The parser's checks are on what is written.
    """
    if type(result) is Literal:
        return Literal(result.line, result.column, result.value, True)
    if type(result) is CharLiteral:
        return CharLiteral(result.line, result.column, result.text, True)
    return original if type(result) in _LITERALS else result


def _connection(operation: Logical) -> Expression:
    left, right = operation.left, operation.right
    dropped = operation.operator == "&&"  # the value that changes nothing
    if _is_boolean(left, dropped):
        return right
    if _is_boolean(left, not dropped) or (
        type(left) is Logical and left.operator == operation.operator and _is_boolean(left.right, not dropped)
    ):
        return left
    if _is_boolean(right, dropped) or (_is_boolean(right, not dropped) and is_pure(left)):
        return left if _is_boolean(right, dropped) else right
    return operation


def _is_boolean(expression: Expression, value: bool) -> bool:
    return type(expression) is Literal and expression.value is value


def _coalescence(operation: Logical) -> Expression:
    left, right = operation.left, operation.right
    nothing = type(right) is Literal and right.value is None
    if type(left) is Literal and left.value is None:
        return Literal(operation.line, operation.column, False, True) if nothing else right
    return left if nothing or is_constant(left) else operation


def assignment(statement: Assign) -> Assign:
    """Return ``x += y`` for ``x = x + y``."""
    target, value = statement.target, statement.value
    if (
        statement.operator == "="
        and type(target) is Variable
        and type(value) is Binary
        and value.operator in _ASSIGNED
        and type(value.left) is Variable
        and value.left.name == target.name
    ):
        return Assign(value.line, value.column, f"{value.operator}=", target, value.right)
    return statement


def text(interpolation: Interpolation) -> Expression:
    """Return a text between backticks as a string if all that is between its braces is known.

    Then Rhai shows each value as in an error's text, not as ``to_string`` does: ``${['c']}`` is ``['c']``.
    """
    try:
        parts = [_value(part) for part in interpolation.parts]
    except _Unknown:
        return interpolation
    from picloud.rhai.printing import display  # natives, which show values, need the parser

    shown = Literal(interpolation.line, interpolation.column, "".join(map(display, parts)), True)
    return Interpolation(interpolation.line, interpolation.column, [shown])


class _Unknown(Exception):
    """The value of an expression is known to the run alone."""


def _value(expression: Expression) -> Any:
    match expression:
        case Literal(value=value):
            return value
        case CharLiteral(text=text):
            return CHARS[text]
        case ArrayLiteral(items=items):
            return [_value(item) for item in items]
        case MapLiteral(entries=entries):
            return {name: _value(value) for name, value in entries}
        case Interpolation(parts=[Literal(value=value)]):
            return value
        case Block(statements=[ExpressionStatement(expression=inner)]):
            return _value(inner)
    raise _Unknown


# ------------------------------------------------------------------------------------------------ what is known


def is_constant(expression: Expression | None) -> bool:
    """Whether the value of the expression is known."""
    match expression:
        case Literal() | CharLiteral():
            return True
        case Variable(copied=copied):
            return copied
        case ArrayLiteral(items=items) | Interpolation(parts=items):
            return all(map(is_constant, items))
        case MapLiteral(entries=entries):
            return all(is_constant(value) for _, value in entries)
        case Closure(captures=captures):
            return all(capture.copied for capture in captures)
        case RangeExpression(start=start, end=end):
            return _is_integer(start) and (end is None or _is_integer(end))
    return False


def _is_integer(expression: Expression | None) -> bool:
    return type(expression) is Literal and type(expression.value) is int


def is_pure(expression: Expression) -> bool:
    """Whether the expression does nothing but have a value. A variable might be unknown, so it does more."""
    kind = type(expression)
    if kind in _NEVER_PURE:
        return False
    if kind is Literal:
        return True
    match expression:
        case ArrayLiteral(items=items) | Interpolation(parts=items):
            return all(map(is_pure, items))
        case MapLiteral(entries=entries):
            return all(is_pure(value) for _, value in entries)
        case Logical(left=left, right=right):
            return is_pure(left) and is_pure(right)
        case Block(statements=statements):
            return all(map(_is_pure, statements))
        case If(condition=condition, then=then, otherwise=otherwise):
            return is_pure(condition) and is_pure(then) and (otherwise is None or is_pure(otherwise))
        case For(iterable=iterable, body=body):
            return is_pure(iterable) and is_pure(body)
        case While(condition=Literal(value=False)):
            return True
        case DoWhile(condition=Literal(value=bool() as value), until=until, body=body):
            return value is until and is_pure(body)
        case Try(body=body, handler=handler):
            return is_pure(body) and is_pure(handler)
        case Switch(subject=subject, cases=cases):
            return (
                is_pure(subject)
                and bool(cases)
                and not cases[-1].patterns
                and all((case.guard is None or is_pure(case.guard)) and _is_pure(case.body) for case in cases)
            )
    return is_constant(expression)


def _is_pure(statement: Statement) -> bool:
    return type(statement) is ExpressionStatement and is_pure(statement.expression)


def _is_pure_within(statement: Statement) -> bool:
    """Whether all that the statement does ends with the block around it."""
    if type(statement) is ExpressionStatement:
        return is_pure(statement.expression)
    match statement:
        case Let(value=value):
            return value is None or is_pure(value)
        case Import(path=path):
            return is_pure(path)
        case Export():
            return True
    return _is_pure(statement)


def _belongs_to_block(statement: Statement) -> bool:
    """Whether the statement would do something else in the block around its own."""
    match statement:
        case Let() | Import() | Export():
            return True
        case ExpressionStatement(expression=Call(path=[], name="eval")):
            return True
    return False


def _has_value(statement: Statement) -> bool:
    return (
        type(statement) is ExpressionStatement
        and not isinstance(statement.expression, _WITHOUT_VALUE)
        and not _is_nothing(statement)
    )


def _is_name(statement: Statement) -> bool:
    return type(statement) is ExpressionStatement and type(statement.expression) in _NAMES


def _nothing(line: int, column: int) -> ExpressionStatement:
    return ExpressionStatement(line, column, Literal(line, column, None, True))


def _is_nothing(statement: Statement) -> bool:
    return (
        type(statement) is ExpressionStatement
        and type(statement.expression) is Literal
        and statement.expression.value is None
        and statement.expression.folded
    )


# ------------------------------------------------------------------------------------------------ statements


def body(statements: list[Statement]) -> list[Statement]:
    """Return the statements of a script or a function without those that do nothing."""
    kept = cleaned(statements, keep_value=True, within=False)
    if kept and type(kept[-1]) is Return:
        last = kept[-1]
        if last.value is not None:
            kept[-1] = ExpressionStatement(last.line, last.column, last.value)
        elif len(kept) == 1 or not _has_value(kept[-2]):
            kept.pop()
    return kept


def expression(control: Expression) -> Expression:
    """Return a block, ``if``, … that stands as an expression, without the statements in it that do nothing."""
    statement = ExpressionStatement(control.line, control.column, control)
    kept = cleaned([statement], keep_value=True, within=True)
    if not kept:
        return Literal(control.line, control.column, None, True)
    block = Block(control.line, control.column, kept)
    if len(kept) == 1 and type(kept[0]) is ExpressionStatement:
        return _unwritten(kept[0].expression, block)
    return block


def cleaned(statements: list[Statement], *, keep_value: bool, within: bool) -> list[Statement]:
    """Return the statements without those that do nothing.

    ``keep_value`` if somebody uses the value of the last one, ``within`` if the block around them ends with them.
    """
    kept: list[Statement] = []
    controls = []
    for statement in _flattened(statements):
        kind = type(statement)
        if kind is ExpressionStatement:
            if type(statement.expression) in _CONTROL:  # type: ignore[attr-defined]
                controls.append(len(kept))
        elif kind in _BREAKS:
            kept.append(statement)
            break
        kept.append(statement)
    last = len(kept) - 1
    for index in controls:
        kept[index] = _control(kept[index], keep_value=keep_value and index == last)  # type: ignore[arg-type]
    is_idle = _is_pure_within if within else _is_pure
    return _without_idle(kept, is_idle, keep_value=keep_value)


def _flattened(statements: list[Statement]) -> list[Statement]:
    """Return the statements with those of blocks that declare nothing in place of the blocks."""
    for each in statements:
        if type(each) is ExpressionStatement and type(each.expression) is Block:
            break
    else:
        return statements
    flat: list[Statement] = []
    for each in statements:
        if (
            type(each) is ExpressionStatement
            and type(each.expression) is Block
            and not any(map(_belongs_to_block, each.expression.statements))
        ):
            flat += _flattened(each.expression.statements)
        else:
            flat.append(each)
    return flat


def _without_idle(
    statements: list[Statement], is_idle: Callable[[Statement], bool], *, keep_value: bool
) -> list[Statement]:
    if statements and not is_idle(statements[-1]):
        for statement in statements[:-1] if keep_value else statements:
            if _is_pure(statement) or _is_name(statement):
                break
        else:
            return statements  # as nearly always
    end = len(statements)
    while end and is_idle(statements[end - 1]):
        end -= 1
    last = len(statements) - 1
    kept = [
        statement
        for index, statement in enumerate(statements)
        if (keep_value and index == last)
        or not ((index >= end and is_idle(statement)) or _is_pure(statement) or _is_name(statement))
    ]
    while kept and is_idle(kept[-1]) and not (keep_value and _has_value(kept[-1])):
        idle = kept.pop()
        if keep_value and kept and _has_value(kept[-1]):
            kept.append(_nothing(idle.line, idle.column))
            break
    return kept


def _control(statement: ExpressionStatement, *, keep_value: bool) -> Statement:
    """Return a block, ``if``, loop or ``try`` that stands as a statement, cleaned."""
    control = statement.expression
    match control:
        case If():
            return _conditional(statement, control, keep_value=keep_value)
        case Block():
            control.statements = cleaned(control.statements, keep_value=keep_value, within=True)
            return _block(statement, control)
        case While(condition=Literal(value=False)):
            return _nothing(statement.line, statement.column)
        case Try(body=body, handler=handler):
            body.statements = cleaned(body.statements, keep_value=False, within=True)
            if not body.statements:
                return _nothing(statement.line, statement.column)
            handler.statements = cleaned(handler.statements, keep_value=False, within=True)
        case While(body=body) | DoWhile(body=body) | For(body=body):
            body.statements = cleaned(body.statements, keep_value=False, within=True)
    return statement


def _block(statement: ExpressionStatement, block: Block) -> Statement:
    if not block.statements:
        return _nothing(statement.line, statement.column)
    if len(block.statements) == 1 and not _belongs_to_block(block.statements[0]):
        return block.statements[0]
    statement.expression = block
    return statement


def _conditional(statement: ExpressionStatement, branch: If, *, keep_value: bool) -> Statement:
    branch.then.statements = cleaned(branch.then.statements, keep_value=keep_value, within=True)
    if isinstance(branch.otherwise, Block):
        branch.otherwise.statements = cleaned(branch.otherwise.statements, keep_value=keep_value, within=True)
        if not branch.otherwise.statements:
            branch.otherwise = None
    elif isinstance(branch.otherwise, If):
        inner = ExpressionStatement(branch.otherwise.line, branch.otherwise.column, branch.otherwise)
        branch.otherwise = _as_branch(_conditional(inner, branch.otherwise, keep_value=keep_value))
    condition = branch.condition
    if type(condition) is Literal and type(condition.value) is bool:
        taken = branch.then if condition.value else branch.otherwise
        if taken is None:
            return _nothing(statement.line, statement.column)
        if isinstance(taken, Block):
            return _block(statement, taken)
        statement.expression = taken
        return statement
    if branch.then.statements or branch.otherwise is not None:
        return statement
    if not keep_value:
        return ExpressionStatement(statement.line, statement.column, condition)
    if is_pure(condition) or isinstance(condition, Variable | QualifiedName):
        return _nothing(statement.line, statement.column)
    tested = ExpressionStatement(condition.line, condition.column, condition)
    statement.expression = Block(statement.line, statement.column, [tested, _nothing(branch.line, branch.column)])
    return statement


def _as_branch(statement: Statement) -> Expression | None:
    """Return the ``else`` branch that consists of the statement."""
    if _is_nothing(statement):
        return None
    if type(statement) is ExpressionStatement and isinstance(statement.expression, If | Block):
        return statement.expression
    return Block(statement.line, statement.column, [statement])
