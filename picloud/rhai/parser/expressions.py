"""Expressions: operators by precedence climbing, literals, access, calls and closures."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final

from picloud.rhai.lexer import Token, bad_input
from picloud.rhai.parser.stream import TokenStream, fault, place_of
from picloud.rhai.syntax import (
    ArrayLiteral,
    Binary,
    Block,
    Call,
    CharLiteral,
    Closure,
    DoWhile,
    Expression,
    ExpressionStatement,
    For,
    If,
    Index,
    Interpolation,
    Literal,
    Logical,
    MapLiteral,
    MethodCall,
    Property,
    QualifiedName,
    RangeExpression,
    Statement,
    Switch,
    This,
    Try,
    Unary,
    Variable,
    While,
)

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
}  # fmt: skip
"""How tightly an operator binds (Rhai Book, chapter on operators); all but ``**`` bind to the left."""

_ALTERNATIVE: Final = PRECEDENCE["|"]
_ENDS_RANGE: Final = frozenset({"]", ")", "}", ",", ";", "=>"})
_LEAVES: Final = frozenset({"break", "continue", "return", "throw"})
_BLOCK_LIKE: Final = (Block, If, Switch, While, For, DoWhile, Try)
_KEYWORD_CALLS: Final = frozenset({"print", "debug", "type_of", "eval", "Fn", "call", "curry", "is_shared"})
MAX_LITERAL_ITEMS: Final = 1 << 20


class Expressions(TokenStream):
    """The part of the parser that reads expressions."""

    in_function = 0
    """How many functions and closures we are in: ``this`` needs one."""

    # What statements.py brings.

    @abstractmethod
    def statement(self) -> Statement:
        """A statement, without its semicolon."""

    @abstractmethod
    def statements(self, closing: str | None) -> list[Statement]:
        """Statements up to the closing sign, which is taken, or the end."""

    @abstractmethod
    def block(self) -> Block:
        """A block."""

    @abstractmethod
    def control(self, token: Token) -> Expression | None:
        """The control expression that the keyword, which was taken, begins."""

    def expression(self, above: int = 0) -> Expression:
        """An expression of operators that bind more tightly than ``above``."""
        self.deeper(self.token)
        result = self._operators(above)
        self.depth -= 1
        return result

    def pattern(self) -> Expression:
        """An expression that stops at ``|``."""
        return self.expression(_ALTERNATIVE)

    # ---------------------------------------------------------------------------------------- operators

    def _operators(self, above: int) -> Expression:
        left = self._unary()
        while True:
            token = self.token
            operator = self._operator(token)
            binds = PRECEDENCE.get(operator, 0)
            if binds <= above:
                return left
            self.index += 2 if operator == "!in" else 1
            left = self._operation(operator, binds, left, token)

    def _operator(self, token: Token) -> str:
        kind, sign = token[0], token[1]
        if kind == "sym":
            if sign == "!":
                following = self.tokens[self.index + 1]
                return "!in" if following[0] == "kw" and following[1] == "in" else ""
            return str(sign)
        if kind == "kw" and sign == "in":
            return "in"
        if kind == "reserved" and not str(sign)[0].isalpha():
            raise fault("UnknownOperator", f"Unknown operator: '{sign}'", place_of(token), str(sign))
        return ""

    def _operation(self, operator: str, binds: int, left: Expression, token: Token) -> Expression:
        line, column = place_of(token)
        following = self.token
        if operator in ("..", "..="):
            ends = following[0] == "eof" or (following[0] == "sym" and following[1] in _ENDS_RANGE)
            end = None if ends else self._right(binds, token)
            return RangeExpression(line, column, left, end, operator == "..=")
        if operator == "??" and following[0] == "kw" and following[1] in _LEAVES:
            leaving = ExpressionStatement(*place_of(following), Block(*place_of(following), [self.statement()]))
            return Logical(line, column, operator, left, leaving.expression)
        right = self._right(binds - 1 if operator == "**" else binds, token)
        if operator in ("&&", "||", "??"):
            return Logical(line, column, operator, left, right)
        return Binary(line, column, operator, left, right)

    def _right(self, above: int, token: Token) -> Expression:
        self.deeper(token)
        right = self._operators(above)
        self.depth -= 1
        return right

    def _unary(self) -> Expression:
        token = self.token
        sign = token[1]
        if token[0] == "sym" and sign in ("-", "+", "!"):
            self.index += 1
            self.deeper(token)
            result = self._signed(sign, token)
            self.depth -= 1
            return result
        if token[0] == "sym" and sign in ("..", "..="):
            self.index += 1
            return self._operation(str(sign), PRECEDENCE[sign], Literal(*place_of(token), 0), token)
        return self._postfix(self._primary())

    def _signed(self, sign: str, token: Token) -> Expression:
        line, column = place_of(token)
        following = self.token
        if sign == "-" and following[0] in ("int", "float", "huge"):
            self.index += 1
            value = following[1]
            literal: Expression = Literal(line, column, -value)
            return self._postfix(literal)
        operand = self._unary()
        return Unary(line, column, sign, operand)

    # ---------------------------------------------------------------------------------------- access and calls

    def _postfix(self, base: Expression) -> Expression:
        links = 0
        while True:
            token = self.token
            if token[0] != "sym":
                break
            sign = token[1]
            if sign == "." or sign == "?.":
                self.index += 1
                base = self._member(base, token, optional=sign == "?.")
            elif sign == "[" or sign == "?[":
                if isinstance(base, _BLOCK_LIKE):
                    break
                self.index += 1
                index = self.expression()
                self.require("]", "for a matching [ in this index expression")
                base = Index(index.line, index.column, base, index, sign == "?[", place_of(token))
            elif sign == "(" and isinstance(base, Variable | QualifiedName):
                self.index += 1
                path = base.path if isinstance(base, QualifiedName) else []
                root = base.root if isinstance(base, QualifiedName) else (0, 0)
                base = Call(base.line, base.column, path, base.name, self._arguments(base.name), root=root)
            elif sign == "!" and isinstance(base, Variable) and self._next_is_call():
                self.index += 2
                base = Call(base.line, base.column, [], base.name, self._arguments(base.name), capture=True)
            elif sign == "::" and isinstance(base, Variable | QualifiedName):
                self.index += 1
                name = self.variable_name()
                path = [*base.path, base.name] if isinstance(base, QualifiedName) else [base.name]
                root = base.root if isinstance(base, QualifiedName) else (base.line, base.column)
                base = QualifiedName(name[2], name[3], path, str(name[1]), root)
            else:
                break
            links += 1
            if links > 16:
                # A long chain nests as deep as it is long for whoever walks the tree.
                self.deeper(token)
        self.depth -= max(0, links - 16)
        return base

    def _next_is_call(self) -> bool:
        following = self.tokens[self.index + 1]
        return following[0] == "sym" and following[1] == "("

    def _member(self, base: Expression, dot: Token, *, optional: bool) -> Expression:
        token = self.take()
        kind, name = token[0], str(token[1])
        if kind == "reserved" and (name[0].isalpha()):
            raise self.reserved(token)
        is_call = self.is_sign("(")
        if kind != "id" and not (kind == "kw" and is_call and name not in ("true", "false", "this")):
            raise fault("PropertyExpected", "Expecting name of a property", place_of(token))
        if not is_call:
            return Property(*place_of(token), base, name, optional, place_of(dot))
        self.index += 1
        return MethodCall(*place_of(token), base, name, self._arguments(name), optional, place_of(dot))

    def _arguments(self, name: str) -> list[Expression]:
        arguments: list[Expression] = []
        purpose = f"to close the arguments list of this function call '{name}'"
        while not self.accept(")"):
            if self.token[0] == "eof":
                raise self.missing(")", purpose, self.token)
            arguments.append(self.expression())
            if self.accept(",") or self.is_sign(")"):
                continue
            token = self.token
            if token[0] == "eof":
                raise self.missing(")", purpose, token)
            raise self.missing(",", f"to separate the arguments to function call '{name}'", token)
        return arguments

    # ---------------------------------------------------------------------------------------- primaries

    def _primary(self) -> Expression:
        token = self.take()
        kind, value, line, column = token
        match kind:
            case "int" | "float" | "str":
                return Literal(line, column, value)
            case "id":
                return Variable(line, column, value)
            case "sym":
                found = self._bracketed(token)
                if found is not None:
                    return found
            case "kw":
                found = self._keyword(token)
                if found is not None:
                    return found
            case "char":
                return CharLiteral(line, column, value)
            case "interp":
                return Interpolation(line, column, [self._part(part, line, column) for part in value])
            case "huge":
                return Literal(line, column, float(value))
        raise self.unexpected(token)

    def _bracketed(self, token: Token) -> Expression | None:
        _, sign, line, column = token
        if sign == "(":
            if self.accept(")"):
                return Literal(line, column, None)
            inner = self.expression()
            self.require(")", "for a matching ( in this expression")
            return inner
        if sign == "[":
            return self._array(line, column)
        if sign == "#{":
            return self._map(line, column)
        if sign == "{":
            self.index -= 1
            return self.block()
        if sign == "|" or sign == "||":
            return self._closure(token)
        return None

    def _keyword(self, token: Token) -> Expression | None:
        _, word, line, column = token
        if word == "true" or word == "false":
            return Literal(line, column, word == "true")
        if word == "this":
            if not self.in_function:
                text = "'this' can only be used in functions"
                raise bad_input("ImproperSymbol", text, line, column, "this", text)
            return This(line, column)
        return self.control(token)

    def _part(self, part: Any, line: int, column: int) -> Expression:
        """One part of an interpolated text: a text, or the tokens between ``${`` and ``}``."""
        if isinstance(part, str):
            return Literal(line, column, part)
        outer = self.tokens, self.index
        self.tokens, self.index = part, 0
        self.deeper(part[0])
        statements = self.statements(None)
        self.depth -= 1
        self.tokens, self.index = outer
        if len(statements) == 1 and isinstance(statements[0], ExpressionStatement):
            return statements[0].expression
        return Block(line, column, statements)

    def _array(self, line: int, column: int) -> Expression:
        items: list[Expression] = []
        purpose = "to end this array literal"
        limit = self.limits.max_array_size or MAX_LITERAL_ITEMS
        while not self.accept("]"):
            token = self.token
            if token[0] == "eof":
                raise self.missing("]", purpose, token)
            if len(items) >= limit:
                text = f"Size of array literal exceeds the maximum limit ({limit})"
                raise fault("LiteralTooLarge", text, place_of(token), "Size of array literal", limit)
            items.append(self.expression())
            if self.accept(",") or self.is_sign("]"):
                continue
            token = self.token
            if token[0] == "eof":
                raise self.missing("]", purpose, token)
            raise self.missing(",", "to separate the items of this array literal", token)
        return ArrayLiteral(line, column, items)

    def _map(self, line: int, column: int) -> Expression:
        entries: dict[str, Expression] = {}
        limit = self.limits.max_map_size or MAX_LITERAL_ITEMS
        while not self.accept("}"):
            name = self._property_name()
            if name[1] in entries:
                text = f"Duplicated property for object map literal: {name[1]}"
                raise fault("DuplicatedProperty", text, place_of(name), str(name[1]))
            self.require(":", f"to follow the property '{name[1]}' in this object map literal")
            if len(entries) >= limit:
                text = f"Number of properties in object map literal exceeds the maximum limit ({limit})"
                raise fault(
                    "LiteralTooLarge", text, place_of(name), "Number of properties in object map literal", limit
                )
            entries[str(name[1])] = self.expression()
            if self.accept(",") or self.is_sign("}"):
                continue
            token = self.token
            if token[0] in ("id", "str", "interp"):
                raise self.missing(",", "to separate the items of this object map literal", token)
            raise self.missing("}", "to end this object map literal", token)
        return MapLiteral(line, column, list(entries.items()))

    def _property_name(self) -> Token:
        token = self.take()
        kind = token[0]
        if kind in ("id", "str"):
            return token
        if kind == "reserved":
            raise self.reserved(token)
        if kind == "eof" or (kind == "sym" and token[1] == ";"):
            raise self.missing("}", "to end this object map literal", token)
        raise fault("PropertyExpected", "Expecting name of a property", place_of(token))

    def _closure(self, token: Token) -> Expression:
        _, sign, line, column = token
        parameters = [] if sign == "||" else self._closure_parameters()
        outer = self.depth, self.max_depth
        self.depth, self.max_depth = self._function_depth()
        self.in_function += 1
        body = self._closure_body()
        self.in_function -= 1
        self.depth, self.max_depth = outer
        return Closure(line, column, parameters, body)

    def _function_depth(self) -> tuple[int, int]:
        """Depth and greatest depth at the start of a function's body; closures within closures go on counting."""
        most = self.limits.max_function_expr_depth or self.max_depth
        return (self.depth if self.in_function else 0), most

    @abstractmethod
    def _closure_body(self) -> Block:
        """A statement as the body of a closure."""

    def _closure_parameters(self) -> list[str]:
        names: list[str] = []
        while not self.accept("|"):
            token = self.variable_name()
            name = str(token[1])
            if name in names:
                text = f"Duplicated parameter {name} for function "
                raise fault("FnDuplicatedParam", text, place_of(token), "", name)
            names.append(name)
            if self.accept(",") or self.is_sign("|"):
                continue
            token = self.token
            if token[0] == "eof":
                raise self.missing("|", "to close the parameters list of anonymous function or closure", token)
            raise self.missing(",", "to separate the parameters of anonymous function", token)
        return names
