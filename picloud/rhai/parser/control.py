"""Blocks, conditions, loops and ``switch``, which stand as statements and as expressions.

block   = "{" { statement } "}"
if      = "if" expression block [ "else" ( if | block ) ]
while   = "while" expression block | "loop" block | "do" block ( "while" | "until" ) expression
for     = "for" ( name | "(" name "," name ")" ) "in" expression block
switch  = "switch" expression "{" { case [ "," ] } "}"
case    = ( "_" | literal { "|" literal } [ "if" expression ] ) "=>" statement
try     = "try" block "catch" [ "(" name ")" ] block
"""

from __future__ import annotations

from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.faults import bad_input, fault
from picloud.rhai.lexer import Token
from picloud.rhai.parser import folding
from picloud.rhai.parser.base import Base
from picloud.rhai.parser.operators import ensure_boolean, ensure_iterable, is_written_constant
from picloud.rhai.parser.stream import Place
from picloud.rhai.syntax import (
    Block,
    Call,
    Case,
    DoWhile,
    Expression,
    ExpressionStatement,
    For,
    If,
    Literal,
    RangeExpression,
    Statement,
    Switch,
    Try,
    While,
    start,
)

_NUMBERS: Final = (int, float)


class Control(Base):
    """The part of the parser that reads blocks and what governs them."""

    def control(self, token: Token, level: int, place: Place) -> Expression:
        """Read a block, ``if``, ``switch`` or loop; ``place`` is that of the level before."""
        kind = token[0]
        if kind == "{":
            return self._block(token, level, place)
        if kind == "if":
            return self._if(token, level, place)
        level = self.deeper(level, place)
        match kind:
            case "switch":
                return self._switch(token, level)
            case "for":
                return self._for(token, level)
            case "do":
                return self._do(token, level)
            case "while":
                condition = self._condition(level)
                return While(*token[2:], condition, self._loop_body(level, token))
        return While(*token[2:], None, self._loop_body(level, token))

    # ---------------------------------------------------------------------------------------- blocks

    def block(self, level: int, place: Place) -> Block:
        """Read a block."""
        return self._block(self.require("{", "to start a statement block"), level, place)

    def _block(self, brace: Token, level: int, place: Place) -> Block:
        level = self.deeper(level, place)
        block = Block(brace[2], brace[3], [])
        if self.only_expressions:
            found = self.expression(level)
            block.statements.append(ExpressionStatement(*start(found), found))
            self._close_expression()
            return block
        scope = self.scope
        outer = self.is_global, scope.block, scope.propagates
        self.is_global, scope.block = False, len(scope.declared)
        add = block.statements.append
        while True:
            kind = self.token[0]
            if kind == "}":
                break
            if kind == "end":
                raise fault("MissingToken", self.token[2:], "}", "to terminate this block")
            statement = self.statement(level)
            if statement is None:
                continue
            add(statement)
            kind = self.token[0]
            if kind == "}":
                break
            if kind == ";":
                self.token = self.following()
            elif not self.ends_itself:
                self.require(";", "to terminate this statement")
        self.token = self.following()
        scope.rewind(scope.block)
        self.is_global, scope.block, scope.propagates = outer
        return block

    def _close_expression(self) -> None:
        """Take the brace that closes a block that holds an expression."""
        if not self.accept("}"):
            self.refuse(self.token)
            raise fault("MissingToken", self.token[2:], "{", "to start a statement block")

    # ---------------------------------------------------------------------------------------- conditions and loops

    def _condition(self, level: int) -> Expression:
        self._ensure_no_block("a boolean")
        condition = ensure_boolean(self.expression(level))
        if self.token[0] == "=":
            raise bad_input("ImproperSymbol", self.token[2:], "=", "Possibly a typo of '=='?")
        return condition

    def _ensure_no_block(self, wanted: str) -> None:
        if self.token[0] == "{":
            raise fault("ExprExpected", self.token[2:], wanted)

    def _if(self, token: Token, level: int, place: Place) -> If:
        level = self.deeper(level, place)
        here = token[2:]
        condition = self._condition(level)
        then = self.block(level, here)
        otherwise: Expression | None = None
        if self.accept("else"):
            otherwise = self._if(self.take(), level, here) if self.token[0] == "if" else self.block(level, here)
        return If(*here, condition, then, otherwise)

    def _loop_body(self, level: int, token: Token) -> Block:
        outer, self.in_loop = self.in_loop, True
        body = self.block(level, token[2:])
        self.in_loop = outer
        return body

    def _do(self, token: Token, level: int) -> Expression:
        body = self._loop_body(level, token)
        word = self.take()
        if word[0] not in ("while", "until"):
            raise fault("MissingToken", word[2:], "while", "for the do statement")
        return DoWhile(*token[2:], body, self._condition(level), word[0] == "until")

    def _for(self, token: Token, level: int) -> Expression:
        counter: str | None = None
        if self.accept("("):
            name = self.name()[1]
            self._require(",", "after the iteration variable name")
            second = self.name()
            counter = str(second[1])
            if counter == name:
                raise fault("DuplicatedVariable", second[2:], counter)
            self._require(")", "to close the iteration variable")
        else:
            name = self.name()[1]
        self.require("in", "after the iteration variable")
        self._ensure_no_block("a boolean")
        iterable = ensure_iterable(self.expression(level))
        scope = self.scope
        count = len(scope.declared)
        if counter is not None:
            scope.declare(counter)
        scope.declare(name)
        body = self._loop_body(level, token)
        scope.rewind(count)
        return For(*token[2:], name, counter, iterable, body)

    def _require(self, kind: str, purpose: str) -> None:
        """Take the next token, which has to be of the kind; what it is instead doesn't matter, even if it is none."""
        if not self.accept(kind):
            raise fault("MissingToken", self.token[2:], kind, purpose)

    def try_catch(self, token: Token, level: int) -> Expression:
        """Read a ``try`` statement."""
        level = self.deeper(level, token[2:])
        body = self.block(level, token[2:])
        self._require("catch", "for the 'try' statement")
        name: str | None = None
        scope = self.scope
        count = len(scope.declared)
        if self.accept("("):
            name = str(self.name()[1])
            self._require(")", "to enclose the catch variable")
            scope.declare(name)
        handler = self.block(level, token[2:])
        scope.rewind(count)
        return Try(*token[2:], body, name, handler)

    # ---------------------------------------------------------------------------------------- switch

    def _switch(self, token: Token, level: int) -> Expression:
        subject = self.expression(level)
        self.require("{", "to start a switch block")
        cases: list[Case] = []
        default: Place | None = None
        has_ranges = False
        purpose = "to end this switch block"
        while not self.accept("}"):
            first = self.token
            if first[0] == "end":
                raise fault("MissingToken", first[2:], "}", purpose)
            if default is not None:
                raise fault("WrongSwitchDefaultCase", default)
            case = self._case(level)
            if not case.patterns:
                default = first[2:]
            has_ranges = self._check_patterns(case.patterns, has_ranges=has_ranges)
            cases.append(case)
            if self.accept(",") or self.token[0] == "}":
                continue
            if self.token[0] == "end":
                raise fault("MissingToken", self.token[2:], ")", purpose)
            if self.token[0] == "error" or not self.ends_itself:
                self.require(",", "to separate the items in this switch block")
        return Switch(*token[2:], subject, cases)

    def _case(self, level: int) -> Case:
        first = self.token
        patterns: list[Expression] = []
        guard: Expression | None = None
        if self.accept("_"):
            if self.token[0] == "if":
                raise fault("WrongSwitchCaseCondition", self.token[2:])
        else:
            patterns = self._patterns(level)
            guard = self._condition(level) if self.accept("if") else None
        self.require("=>", "in this switch case")
        body = self._case_body(level, first)
        return Case(*first[2:], patterns, guard, body)

    def _case_body(self, level: int, first: Token) -> Statement:
        if self.only_expressions:
            found = self.expression(level)
            self.ends_itself = False
            return ExpressionStatement(*start(found), found)
        statement = self.statement(level)
        if statement is None:
            self.ends_itself = False
            return ExpressionStatement(*first[2:], Block(*first[2:], []))
        if not self.optimize:
            return statement
        kept = folding.cleaned([statement], keep_value=True, within=True)
        if len(kept) == 1:
            return kept[0]
        block = Block(statement.line, statement.column, kept)
        return ExpressionStatement(statement.line, statement.column, block)

    def _patterns(self, level: int) -> list[Expression]:
        patterns = []
        while True:
            outer, self.in_pattern = self.in_pattern, True
            try:
                patterns.append(self.expression(level))
            except RhaiError as error:
                place = (error.line, error.column)
                raise fault("ExprExpected", place, "literal") from None
            self.in_pattern = outer
            if not self.accept("|"):
                return patterns

    def _check_patterns(self, patterns: list[Expression], *, has_ranges: bool) -> bool:
        """Raise for a pattern that is no literal, or a number behind a range. Returns whether there was a range."""
        for pattern in patterns:
            if not _is_pattern(pattern):
                raise fault("ExprExpected", start(pattern), "a literal")
            if isinstance(pattern, RangeExpression):
                has_ranges = has_ranges or not _is_empty(pattern)
            elif has_ranges and type(pattern) is Literal and type(pattern.value) in _NUMBERS:
                raise fault("WrongSwitchIntegerCase", start(pattern))
        return has_ranges


def _is_pattern(expression: Expression) -> bool:
    match expression:
        case RangeExpression(start=first, end=end):
            if end is None:
                return _is_integer(first)
            return _is_integer(end) and (_is_integer(first) or _is_nothing(first))
        case Call(path=[], name="Fn", arguments=[Literal(value=str(), folded=False)]):
            return True
    return is_written_constant(expression)


def _is_integer(expression: Expression | None) -> bool:
    return type(expression) is Literal and type(expression.value) is int and not expression.folded


def _is_nothing(expression: Expression | None) -> bool:
    return type(expression) is Literal and expression.value is None and not expression.folded


def _is_empty(pattern: RangeExpression) -> bool:
    first = pattern.start.value if isinstance(pattern.start, Literal) and pattern.start.value is not None else 0
    end = pattern.end.value if isinstance(pattern.end, Literal) else (1 << 63) - 1
    return bool(first > end if pattern.inclusive else first >= end)
