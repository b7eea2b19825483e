"""Blocks, control flow, declarations and functions."""

from __future__ import annotations

from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.lexer import Token
from picloud.rhai.parser.expressions import Expressions
from picloud.rhai.parser.stream import fault, place_of
from picloud.rhai.syntax import (
    ArrayLiteral,
    Assign,
    Block,
    Break,
    Case,
    CharLiteral,
    Continue,
    DoWhile,
    Export,
    Expression,
    ExpressionStatement,
    For,
    Function,
    If,
    Import,
    Index,
    Interpolation,
    Let,
    Literal,
    MapLiteral,
    Property,
    QualifiedName,
    RangeExpression,
    Return,
    Script,
    Statement,
    Switch,
    This,
    Throw,
    Try,
    Unary,
    Variable,
    While,
)

ASSIGNMENTS: Final = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="})

_ENDS_ITSELF: Final = (Block, If, Switch, While, For, Try)
_DECLARATIONS: Final = frozenset({"let", "const", "fn", "private", "import", "export"})
_CONSTANTS: Final = (Literal, CharLiteral, ArrayLiteral, MapLiteral, Interpolation)


class Parser(Expressions):
    """The whole parser of one script."""

    loops = 0
    """How many loops of the present function we are in."""
    blocks = 0
    """How many blocks we are in: functions stand outside of all."""

    def script(self) -> Script:
        """The whole script."""
        self.functions: list[Function] = []
        self.signatures: set[tuple[str, int, str | None]] = set()
        statements = self.statements(None)
        return Script(statements, self.functions)

    def statements(self, closing: str | None) -> list[Statement]:
        """Statements up to the closing sign, which is taken, or to the end."""
        found: list[Statement] = []
        while True:
            token = self.token
            if token[0] == "eof":
                if closing is not None:
                    raise self.missing(closing, "to terminate this block", token)
                return found
            if closing is not None and self.accept(closing):
                return found
            if self.accept(";"):
                continue
            documentation = self._documentation()
            if self.is_word("fn") or self.is_word("private"):
                self._function(documentation)
                continue
            if documentation:
                raise fault(
                    "WrongDocComment",
                    "Doc-comment must be followed immediately by a function definition",
                    place_of(token),
                )
            found.append(self._terminated(self.statement(), closing))

    def _terminated(self, statement: Statement, closing: str | None) -> Statement:
        """The statement, with its semicolon taken if it needs one."""
        token = self.token
        expression = isinstance(statement, ExpressionStatement)
        if self.accept(";"):
            pass
        elif token[0] == "eof" or (closing is not None and self.is_sign(closing)):
            pass
        elif expression and isinstance(statement.expression, _ENDS_ITSELF):  # type: ignore[attr-defined]
            pass
        else:
            raise self._unterminated(token)
        return statement

    def _unterminated(self, token: Token) -> RhaiError:
        if token[0] == "reserved" and not str(token[1])[0].isalpha():
            return fault("UnknownOperator", f"Unknown operator: '{token[1]}'", place_of(token), str(token[1]))
        return self.missing(";", "to terminate this statement", token)

    def _documentation(self) -> list[str]:
        texts: list[str] = []
        while self.token[0] == "doc":
            texts.append(str(self.take()[1]))
        return texts

    def statement(self) -> Statement:
        """A statement, without its semicolon."""
        token = self.token
        kind, word, line, column = token
        if kind == "kw":
            match word:
                case "let" | "const":
                    return self._let(exported=False)
                case "return" | "throw":
                    self.index += 1
                    value = self._optional_value()
                    return Return(line, column, value) if word == "return" else Throw(line, column, value)
                case "break" | "continue":
                    return self._leave(token)
                case "import":
                    return self._import(token)
                case "export":
                    return self._export(token)
                case "fn" | "private":
                    raise fault(
                        "WrongFnDefinition",
                        "Function definitions must be at global level and cannot be inside a block or another function",
                        (line, column),
                    )
        expression = self.expression()
        operator = self.token
        if operator[0] == "sym" and operator[1] in ASSIGNMENTS:
            self.index += 1
            _check_target(expression)
            return Assign(*place_of(operator), str(operator[1]), expression, self.expression())
        return ExpressionStatement(line, column, expression)

    def _optional_value(self) -> Expression | None:
        token = self.token
        if token[0] == "eof" or (token[0] == "sym" and token[1] in (";", "}", ",")):
            return None
        return self.expression()

    def _leave(self, token: Token) -> Statement:
        if not self.loops:
            raise fault("LoopBreak", "Break statement should only be used inside a loop", place_of(token))
        self.index += 1
        if token[1] == "continue":
            return Continue(*place_of(token))
        return Break(*place_of(token), self._optional_value())

    def _let(self, *, exported: bool) -> Statement:
        constant = self.take()[1] == "const"
        name = self.variable_name()
        value = self.expression() if self.accept("=") else None
        return Let(*place_of(name), str(name[1]), value, constant, exported)

    def _import(self, token: Token) -> Statement:
        self.index += 1
        path = self.expression()
        alias = str(self.variable_name()[1]) if self.accept_word("as") else None
        return Import(*place_of(token), path, alias)

    def _export(self, token: Token) -> Statement:
        if self.blocks or self.in_function:
            raise fault("WrongExport", "Export statement can only appear at global level", place_of(token))
        self.index += 1
        if self.is_word("let") or self.is_word("const"):
            return self._let(exported=True)
        name = str(self.variable_name()[1])
        alias = str(self.variable_name()[1]) if self.accept_word("as") else name
        return Export(*place_of(token), name, alias)

    # ---------------------------------------------------------------------------------------- blocks and control

    def block(self) -> Block:
        """A block."""
        token = self.require("{", "to start a statement block")
        self.deeper(token)
        self.blocks += 1
        statements = self.statements("}")
        self.blocks -= 1
        self.depth -= 1
        return Block(*place_of(token), statements)

    def control(self, token: Token) -> Expression | None:
        """The control expression that the keyword, which was taken, begins; None if it begins none."""
        line, column = place_of(token)
        match token[1]:
            case "if":
                return self._if(token)
            case "switch":
                return self._switch(token)
            case "while":
                condition = self.expression()
                return While(line, column, condition, self._loop_body())
            case "loop":
                return While(line, column, None, self._loop_body())
            case "do":
                return self._do(token)
            case "for":
                return self._for(token)
            case "try":
                return self._try(token)
        return None

    def _loop_body(self) -> Block:
        self.loops += 1
        body = self.block()
        self.loops -= 1
        return body

    def _if(self, token: Token) -> Expression:
        self.deeper(token)
        condition = self.expression()
        then = self.block()
        otherwise: Expression | None = None
        if self.accept_word("else"):
            otherwise = self._if(self.take()) if self.is_word("if") else self.block()
        self.depth -= 1
        return If(*place_of(token), condition, then, otherwise)

    def _do(self, token: Token) -> Expression:
        body = self._loop_body()
        word = self.take()
        if word[0] != "kw" or word[1] not in ("while", "until"):
            raise self.missing("while", "for the do statement", word)
        return DoWhile(*place_of(token), body, self.expression(), word[1] == "until")

    def _for(self, token: Token) -> Expression:
        counter: str | None = None
        if self.accept("("):
            name = self.variable_name()
            self.require(",", "after the iteration variable name")
            second = self.variable_name()
            counter = str(second[1])
            if counter == name[1]:
                raise fault("DuplicatedVariable", f"Duplicated variable name: {counter}", place_of(second), counter)
            self.require(")", "to close the iteration variable")
        else:
            name = self.variable_name()
        if not self.accept_word("in"):
            raise self.missing("in", "after the iteration variable", self.token)
        iterable = self.expression()
        _check_iterable(iterable)
        return For(*place_of(token), str(name[1]), counter, iterable, self._loop_body())

    def _try(self, token: Token) -> Expression:
        body = self.block()
        if not self.accept_word("catch"):
            raise self.missing("catch", "for the 'try' statement", self.token)
        name: str | None = None
        if self.accept("("):
            name = str(self.variable_name()[1])
            self.require(")", "to enclose the catch variable")
        return Try(*place_of(token), body, name, self.block())

    def _switch(self, token: Token) -> Expression:
        subject = self.expression()
        self.require("{", "to start a switch block")
        cases: list[Case] = []
        default: tuple[int, int] | None = None
        ranges = False
        self.deeper(token)
        while not self.accept("}"):
            start = self.token
            if start[0] == "eof":
                raise self.missing("}", "to end this switch block", start)
            if default is not None:
                raise fault("WrongSwitchDefaultCase", "Default switch case must be the last", default)
            case = self._case(start)
            if not case.patterns:
                default = place_of(start)
            for pattern in case.patterns:
                if isinstance(pattern, RangeExpression):
                    ranges = True
                elif ranges and isinstance(pattern, Literal) and type(pattern.value) in (int, float):
                    text = "Numeric switch case cannot follow a range case"
                    raise fault("WrongSwitchIntegerCase", text, place_of(pattern))
            cases.append(case)
        self.depth -= 1
        return Switch(*place_of(token), subject, cases)

    def _case(self, start: Token) -> Case:
        patterns: list[Expression] = []
        guard: Expression | None = None
        if start[0] == "id" and start[1] == "_":
            self.index += 1
            if self.is_word("if"):
                text = "This switch case cannot have a condition"
                raise fault("WrongSwitchCaseCondition", text, place_of(self.token))
        else:
            patterns = self._patterns()
            guard = self.expression() if self.accept_word("if") else None
        self.require("=>", "in this switch case")
        # A break in here belongs to the loop around the switch.
        body = self.statement()
        token = self.token
        ends_itself = isinstance(body, ExpressionStatement) and isinstance(body.expression, _ENDS_ITSELF)
        if not self.accept(",") and not self.is_sign("}") and not ends_itself:
            if token[0] == "eof":
                raise self.missing(")", "to end this switch block", token)
            raise self.missing(",", "to separate the items in this switch block", token)
        return Case(*place_of(start), patterns, guard, body)

    def _patterns(self) -> list[Expression]:
        patterns: list[Expression] = []
        while True:
            token = self.token
            try:
                pattern = self.pattern()
            except RhaiError as error:
                place = (error.line, error.column)
                raise fault("ExprExpected", "Expecting literal expression", place, "literal") from None
            if not _is_constant(pattern):
                raise fault("ExprExpected", "Expecting a literal expression", place_of(token), "a literal")
            patterns.append(pattern)
            if not self.accept("|"):
                return patterns

    # ---------------------------------------------------------------------------------------- functions

    def _function(self, documentation: list[str]) -> None:
        first = self.take()
        private = first[1] == "private"
        word = self.take() if private else first
        if word[0] != "kw" or word[1] != "fn":
            raise self.missing("fn", "following 'private'", word)
        if self.blocks or self.in_function:
            text = "Function definitions must be at global level and cannot be inside a block or another function"
            raise fault("WrongFnDefinition", text, place_of(first))
        if self.limits.max_functions and len(self.functions) >= self.limits.max_functions:
            text = "Number of functions defined exceeds maximum limit"
            raise fault("TooManyFunctions", text, place_of(word))
        this_type, name = self._function_name()
        parameters = self._parameters(name)
        if not self.is_sign("{"):
            text = f"Expecting body statement block for function {name}"
            raise fault("FnMissingBody", text, place_of(self.token), name)
        signature = (name, len(parameters), this_type)
        body = self._function_body()
        if signature in self.signatures:
            count = len(parameters)
            many = {0: "no parameters", 1: "1 parameter"}.get(count, f"{count} parameters")
            text = f"Function {name} with {many} already exists"
            raise fault("FnDuplicatedDefinition", text, place_of(word), name, count)
        self.signatures.add(signature)
        self.functions.append(Function(*place_of(word), name, parameters, body, this_type, private, documentation))

    def _function_name(self) -> tuple[str | None, str]:
        """The type before a dot, if there is one, and the name."""
        token = self.take()
        if token[0] == "str" or (token[0] == "id" and self.is_sign(".")):
            this_type = str(token[1])
            if not self.accept("."):
                raise self.missing(".", "after the type name for 'this'", self.token)
            token = self.take()
        else:
            this_type = None
        if token[0] == "id":
            return this_type, str(token[1])
        if token[0] == "reserved":
            raise self.reserved(token)
        raise fault("FnMissingName", "Expecting function name in function declaration", place_of(token))

    def _parameters(self, name: str) -> list[str]:
        if not self.accept("("):
            text = f"Expecting parameters for function {name}"
            raise fault("FnMissingParams", text, place_of(self.token), name)
        names: list[str] = []
        while not self.accept(")"):
            token = self.token
            if token[0] == "eof":
                raise self.missing(")", f"to close the parameters list of function '{name}'", token)
            parameter = str(self.variable_name()[1])
            if parameter in names:
                text = f"Duplicated parameter {parameter} for function {name}"
                raise fault("FnDuplicatedParam", text, place_of(token), name, parameter)
            names.append(parameter)
            if self.accept(",") or self.is_sign(")"):
                continue
            token = self.token
            if token[0] == "eof":
                raise self.missing(")", f"to close the parameters list of function '{name}'", token)
            raise self.missing(",", f"to separate the parameters of function '{name}'", token)
        return names

    def _function_body(self) -> Block:
        outer = self.depth, self.max_depth, self.loops
        self.loops = 0
        self.depth, self.max_depth = self._function_depth()
        self.in_function += 1
        body = self.block()
        self.in_function -= 1
        self.depth, self.max_depth, self.loops = outer
        return body

    def _closure_body(self) -> Block:
        loops, self.loops = self.loops, 0
        blocks, self.blocks = self.blocks, self.blocks + 1
        token = self.token
        statement = self.statement()
        self.loops, self.blocks = loops, blocks
        if isinstance(statement, ExpressionStatement) and isinstance(statement.expression, Block):
            return statement.expression
        return Block(*place_of(token), [statement])


def _check_target(target: Expression) -> None:
    """Raise unless it can be assigned to."""
    base = target
    while isinstance(base, Property | Index):
        base = base.base
    if isinstance(target, Variable | This | QualifiedName | Property | Index):
        return
    if isinstance(target, _CONSTANTS):
        raise fault("AssignmentToConstant", "Cannot assign to a constant value", place_of(target), "")
    raise fault("AssignmentToInvalidLHS", "Expression cannot be assigned to", place_of(target), "")


def _check_iterable(iterable: Expression) -> None:
    """Raise for a literal that nothing can go through."""
    if not isinstance(iterable, Literal):
        return
    kind = {bool: "a boolean", int: "a number", float: "a floating-point number"}.get(type(iterable.value))
    if kind is not None:
        text = f"Expecting an iterable value, not {kind}"
        raise fault("MismatchedType", text, place_of(iterable), "an iterable value", kind)


def _is_constant(expression: Expression | None) -> bool:
    """Whether the expression is a literal through and through."""
    match expression:
        case None | Literal() | CharLiteral():
            return True
        case ArrayLiteral(items=items):
            return all(map(_is_constant, items))
        case MapLiteral(entries=entries):
            return all(_is_constant(value) for _, value in entries)
        case RangeExpression(start=start, end=end):
            return _is_constant(start) and _is_constant(end)
        case Unary(operator="-", operand=operand):
            return isinstance(operand, Literal)
    return False
