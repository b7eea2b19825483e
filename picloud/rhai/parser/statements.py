"""Statements.

    statement   = let | assignment | expression | control | leave | import | export | function | ";"
    let         = ( "let" | "const" ) name [ "=" expression ]
    assignment  = expression ( "=" | "+=" | … ) expression
    leave       = ( "return" | "throw" | "break" ) [ expression ] | "continue"
    import      = "import" expression [ "as" name ]
    export      = "export" ( let | name [ "as" name ] )

A semicolon stands behind each but those that end with a block; the last one of a block, or of the script, needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.faults import bad_input, fault
from picloud.rhai.lexer import Token
from picloud.rhai.limits import Limits
from picloud.rhai.parser import folding
from picloud.rhai.parser.control import Control
from picloud.rhai.parser.functions import Functions
from picloud.rhai.parser.operands import Operands
from picloud.rhai.parser.operators import Operators, is_written_constant
from picloud.rhai.syntax import (
    Assign,
    Break,
    Continue,
    Export,
    Expression,
    ExpressionStatement,
    Import,
    Index,
    Let,
    Logical,
    MethodCall,
    Property,
    QualifiedName,
    Return,
    Script,
    Statement,
    This,
    Throw,
    Variable,
    position,
    start,
)

ASSIGNMENTS: Final = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="))
_CANNOT_BEGIN: Final = frozenset((";", "}", ")", "]", ",", "end"))
"""What ends a ``return`` without a value for sure."""


class Parser(Operands, Operators, Control, Functions):
    """The whole parser of one source."""

    def __init__(
        self, tokens: Iterable[Token], limits: Limits, *, documents: Mapping[Token, list[str]], optimize: bool
    ) -> None:
        super().__init__(tokens, limits, documents=documents, optimize=optimize)
        self.functions = {}
        self.function_names = set()

    def script(self) -> Script:
        """Read the whole script."""
        statements: list[Statement] = []
        while self.token[0] != "end":
            statement = self.statement(0)
            if statement is None:
                continue
            statements.append(statement)
            kind = self.token[0]
            if kind == ";":
                self.token = self.following()
            elif kind != "end" and not self.ends_itself:
                self.require(";", "to terminate this statement")
        if self.optimize:
            statements = folding.body(statements)
        return Script(statements, list(self.functions.values()), self.closures)

    def statement(self, level: int) -> Statement | None:
        """Read a statement without its semicolon; None for one that does nothing."""
        token = self.token
        read = _READERS.get(token[0])
        if read is None:
            self.ends_itself = False
            if token[0] == "end":
                return None
            statement = self._expression_statement(self.deeper(level, token[2:]))
            self.ends_itself = False
            return statement
        self.token = self.following()
        return read(self, token, level)

    # ---------------------------------------------------------------------------------------- expressions

    def _expression_statement(self, level: int) -> Statement:
        _, _, line, column = self.token
        expression = self.expression(level)
        operator = self.token
        if operator[0] not in ASSIGNMENTS:
            return ExpressionStatement(line, column, expression)
        self.token = self.following()
        target = self.written(expression)
        value = self.expression(level)
        self._check_target(target, operator)
        statement = Assign(operator[2], operator[3], operator[0], target, value)
        return folding.assignment(statement) if self.optimize else statement

    def _check_target(self, target: Expression, operator: Token) -> None:
        """Raise unless the expression can be assigned to."""
        if isinstance(target, This | QualifiedName):
            return
        if isinstance(target, Variable):
            found = self.scope.find(target.name)
            if found is not None and found.constant:
                raise fault("AssignmentToConstant", (target.line, target.column), target.name)
        elif isinstance(target, Property | Index | MethodCall):
            _check_chain(target)
        elif is_written_constant(target):
            raise fault("AssignmentToConstant", start(target), "")
        elif isinstance(target, Logical) and operator[0] == "=":
            raise bad_input("ImproperSymbol", operator[2:], "=", "Possibly a typo of '=='?")
        else:
            raise fault("AssignmentToInvalidLHS", position(target), "")

    # ---------------------------------------------------------------------------------------- control

    def _nothing(self, token: Token, level: int) -> Statement | None:
        self.ends_itself = False
        return None

    def _controlled(self, token: Token, level: int) -> Statement | None:
        """Read a block, ``if``, ``switch`` or loop that stands as a statement."""
        place = token[2:]
        control = self.control(token, self.deeper(level, place), place)
        self.ends_itself = token[0] != "do"
        return ExpressionStatement(*place, control)

    def _try(self, token: Token, level: int) -> Statement | None:
        found = self.try_catch(token, self.deeper(level, token[2:]))
        self.ends_itself = True
        return ExpressionStatement(*token[2:], found)

    def _define(self, token: Token, level: int) -> Statement | None:
        self.function(token)
        self.ends_itself = False
        return None

    def _leave(self, token: Token, level: int) -> Statement | None:
        """Read ``return``, ``throw``, ``break`` or ``continue``."""
        kind, _, line, column = token
        if kind in ("break", "continue") and not self.in_loop:
            raise fault("LoopBreak", (line, column))
        value = self._value(token, level) if kind != "continue" else None
        self.ends_itself = False
        match kind:
            case "return":
                return Return(line, column, value)
            case "throw":
                return Throw(line, column, value)
            case "break":
                return Break(line, column, value)
        return Continue(line, column)

    def _value(self, token: Token, level: int) -> Expression | None:
        """Read the expression behind ``return``, if there is one: what can't begin one isn't taken."""
        first = self.token
        if first[0] in _CANNOT_BEGIN:
            return None
        try:
            return self.expression(self.deeper(level, token[2:]))
        except RhaiError:
            if self.token is first:
                return None
            raise

    # ---------------------------------------------------------------------------------------- declarations

    def _let(self, token: Token, level: int) -> Statement | None:
        return self._declaration(token, self.deeper(level, token[2:]), exported=False)

    def _declaration(self, token: Token, level: int, *, exported: bool) -> Statement:
        constant = token[0] == "const"
        _, name, line, column = self.name()
        value: Expression | None = None
        if self.accept("="):
            value = self.expression(self.deeper(level, token[2:]))
        known = value if constant and self.optimize and value is not None and folding.is_constant(value) else None
        self.scope.let(name, known, constant=constant, exported=exported)
        self.ends_itself = False
        return Let(line, column, name, value, constant, exported)

    def _import(self, token: Token, level: int) -> Statement | None:
        place = token[2:]
        path = self.expression(self.deeper(self.deeper(level, place), place))
        alias = str(self.name()[1]) if self.accept("as") else None
        self.ends_itself = False
        return Import(*place, path, alias)

    def _export(self, token: Token, level: int) -> Statement | None:
        if not self.is_global:
            raise fault("WrongExport", token[2:])
        level = self.deeper(level, token[2:])
        if self.token[0] in ("let", "const"):
            return self._declaration(self.take(), self.deeper(level, token[2:]), exported=True)
        named = self.name()
        name = str(named[1])
        alias = str(self.name()[1]) if self.accept("as") else name
        found = self.scope.find(name)
        if found is not None:
            found.exported = True
        self.ends_itself = False
        return Export(*token[2:], name, alias, named[2:])


def _check_chain(target: Expression) -> None:
    """Raise unless the chain can be assigned to: it holds no calls, and begins with a variable or ``this``."""
    call: MethodCall | None = None
    while isinstance(target, Property | Index | MethodCall):
        if isinstance(target, MethodCall):
            call = target
        target = target.base
    if call is not None:
        raise fault("AssignmentToInvalidLHS", (call.line, call.column), "")
    if not isinstance(target, Variable | QualifiedName | This):
        raise fault("AssignmentToInvalidLHS", position(target), "")


_READERS: Final[dict[str, Callable[[Parser, Token, int], Statement | None]]] = {
    "let": Parser._let,
    "const": Parser._let,
    "{": Parser._controlled,
    "if": Parser._controlled,
    "switch": Parser._controlled,
    "while": Parser._controlled,
    "loop": Parser._controlled,
    "do": Parser._controlled,
    "for": Parser._controlled,
    "try": Parser._try,
    "return": Parser._leave,
    "throw": Parser._leave,
    "break": Parser._leave,
    "continue": Parser._leave,
    "fn": Parser._define,
    "private": Parser._define,
    "import": Parser._import,
    "export": Parser._export,
    ";": Parser._nothing,
}
