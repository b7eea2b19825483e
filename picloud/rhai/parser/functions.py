"""Functions and closures.

    function  = [ "private" ] "fn" [ type "." ] name "(" [ name { "," name } [ "," ] ] ")" block
    closure   = ( "||" | "|" [ name { "," name } [ "," ] ] "|" ) statement

A function sees nothing of the script around it. A closure sees everything; what it uses and doesn't declare it
captures.
"""

from __future__ import annotations

from typing import Final

from picloud.rhai.faults import fault
from picloud.rhai.lexer import KEYWORDS, Token
from picloud.rhai.parser import folding
from picloud.rhai.parser.base import Base
from picloud.rhai.parser.scope import Scope
from picloud.rhai.parser.stream import UNLIMITED
from picloud.rhai.syntax import Block, Capture, Closure, Expression, ExpressionStatement, Function

_TYPE_NAMES: Final = {"int": "i64", "float": "f64"}
_NO_NAMES: Final = KEYWORDS - {"switch"}
"""Keywords that are told apart where a parameter is expected."""


class Functions(Base):
    """The part of the parser that reads functions."""

    functions: dict[tuple[str, int, str | None], Function]
    function_names: set[str]
    closures = 0
    """How many closures there are."""

    def function(self, first: Token) -> None:
        """Read a function, of which ``fn`` or ``private`` was taken, and keep it."""
        word = self.take() if first[0] == "private" else first
        if word[0] != "fn":
            raise fault("MissingToken", word[2:], "fn", "following 'private'")
        if not self.is_global:
            raise fault("WrongFnDefinition", first[2:])
        self._ensure_room(word)
        this_type, name = self._function_name()
        outer = self.scope, self.max_level, self.is_global, self.in_function, self.in_loop
        self.scope = Scope()
        self.max_level = self.limits.max_function_expr_depth or UNLIMITED
        self.is_global, self.in_function, self.in_loop = False, True, False
        parameters = self._parameters(name)
        if self.token[0] != "{":
            raise fault("FnMissingBody", self.token[2:], name)
        body = self.block(self.deeper(0, word[2:]), word[2:])
        self.scope, self.max_level, self.is_global, self.in_function, self.in_loop = outer
        if self.optimize:
            body.statements = folding.body(body.statements)
        key = (name, len(parameters), this_type)
        if key in self.functions:
            raise fault("FnDuplicatedDefinition", word[2:], name, len(parameters))
        documents = self.documents.get(first, [])
        function = Function(*word[2:], name, parameters, body, this_type, first[0] == "private", documents)
        self.functions[key] = function
        self.function_names.add(name)

    def _ensure_room(self, token: Token) -> None:
        limit = self.limits.max_functions
        if limit and len(self.functions) + self.closures >= limit:
            raise fault("TooManyFunctions", token[2:])

    def _function_name(self) -> tuple[str | None, str]:
        """Read the type in front of a dot, if there is one, and the name."""
        token = self.take()
        this_type: str | None = None
        if token[0] == "str" or (token[0] == "name" and self.token[0] == "."):
            if not self.accept("."):
                raise fault("MissingToken", self.token[2:], ".", "after the type name for 'this'")
            this_type = _TYPE_NAMES.get(token[1], token[1])
            token = self.take()
        if token[0] == "name":
            return this_type, token[1]
        if token[0] == "reserved":
            raise fault("Reserved", token[2:], token[1])
        raise fault("FnMissingName", token[2:])

    def _parameters(self, name: str) -> list[str]:
        """Read the parameters of a function and declare them."""
        if self.accept("()"):
            return []
        if not self.accept("("):
            raise fault("FnMissingParams", self.token[2:], name)
        if self.accept(")"):
            return []
        return self._names(
            name,
            ")",
            f"to close the parameters list of function '{name}'",
            f"to separate the parameters of function '{name}'",
        )

    def _names(self, function: str, closing: str, to_close: str, to_separate: str) -> list[str]:
        """Read names up to the closing sign, and declare them."""
        names: dict[str, None] = {}
        while True:
            token = self.take()
            kind = token[0]
            if kind == closing:
                return list(names)
            if kind != "name":
                self._refuse_parameter(token)
                raise fault("MissingToken", token[2:], closing, to_close)
            name = str(token[1])
            if name in names:
                raise fault("FnDuplicatedParam", token[2:], function, name)
            self.scope.declare(name)
            names[name] = None
            if self.accept(closing):
                return list(names)
            self.require(",", to_separate)

    def _refuse_parameter(self, token: Token) -> None:
        self.refuse(token)
        if token[0] == "reserved":
            raise fault("Reserved", token[2:], token[1])
        if token[0] in _NO_NAMES:
            raise fault("VariableExpected", token[2:])

    def closure(self, token: Token, level: int) -> Expression:
        """Read a closure, whose first sign was taken."""
        if self.in_pattern and token[0] == "|":
            self.unexpected(token)
        self._ensure_room(token)
        place = token[2:]
        outer = self.scope, self.is_global, self.in_function, self.in_loop, self.in_pattern
        self.scope = scope = Scope()
        parameters: list[str] = []
        if token[0] == "|" and not self.accept("|"):
            parameters = self._names(
                "",
                "|",
                "to close the parameters list of anonymous function or closure",
                "to separate the parameters of anonymous function",
            )
        self.is_global, self.in_function, self.in_loop, self.in_pattern = False, True, False, False
        body = self._closure_body(token, self.deeper(level, place))
        self.scope, self.is_global, self.in_function, self.in_loop, self.in_pattern = outer
        captures = [self._capture(name, *first_use) for name, first_use in scope.captures.items()]
        self.closures += 1
        return Closure(*place, parameters, body, captures)

    def _closure_body(self, token: Token, level: int) -> Block:
        first = self.token
        statement = self.statement(level)
        if statement is None:
            return Block(*token[2:], [])
        if type(statement) is ExpressionStatement and type(statement.expression) is Block:
            body = statement.expression
        else:
            body = Block(*first[2:], [statement])
        if self.optimize:
            body.statements = folding.body(body.statements)
        return body

    def _capture(self, name: str, line: int, column: int) -> Capture:
        """Look for a name that the closure uses in the function around it, which may be a closure itself."""
        found = self.scope.find(name)
        if found is None:
            if name not in self.function_names:
                self.scope.captures.setdefault(name, (line, column))
            return Capture(line, column, name)
        is_copied = self.optimize and found.value is not None and self.scope.propagates
        return Capture(line, column, name, is_copied)
