"""The tokens as the parser reads them, one ahead, and the errors that every part of it raises.

Rhai counts how deep it is in the source by a *level* that is handed down: each rule of the grammar that goes deeper
adds one and fails at the limit, with a place that depends on the rule. The same levels are counted here, so a script is
too complex here exactly when it is there, and Python's stack is never at risk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

from picloud.rhai.errors import RhaiError
from picloud.rhai.faults import bad_input, fault
from picloud.rhai.lexer import Token
from picloud.rhai.limits import Limits
from picloud.rhai.parser.scope import Scope

UNLIMITED: Final = 1 << 30
"""The greatest level where the limits set none. Python's recursion limit is met before."""

Place = tuple[int, int]


class TokenStream:
    """The state of a parser."""

    def __init__(
        self, tokens: Iterable[Token], limits: Limits, *, documents: Mapping[Token, list[str]], optimize: bool
    ) -> None:
        self.documents = documents
        self.following = iter(tokens).__next__
        """Takes the token behind :attr:`token`."""
        self.token: Token = self.following()
        """The next token."""
        self.limits = limits
        self.optimize = optimize
        self.scope = Scope()
        self.max_level = limits.max_expr_depth or UNLIMITED
        self.is_global = True
        """Whether we are outside of all blocks and functions."""
        self.in_function = False
        self.in_loop = False
        self.in_pattern = False
        """Whether we are in a case of a ``switch``, where ``|`` is no operator."""
        self.only_expressions = False
        """Whether we read JSON: names in maps are quoted, and blocks hold an expression."""

    def take(self) -> Token:
        """Take the next token. The end may be taken, but the parser has to fail then."""
        token = self.token
        self.token = self.following()
        return token

    def accept(self, kind: str) -> bool:
        """Take the next token if it is of the kind."""
        if self.token[0] == kind:
            self.token = self.following()
            return True
        return False

    def require(self, kind: str, purpose: str) -> Token:
        """Take the next token, which has to be of the kind."""
        token = self.token
        if token[0] != kind:
            self.refuse(token)
            raise fault("MissingToken", token[2:], kind, purpose)
        self.token = self.following()
        return token

    def refuse(self, token: Token) -> None:
        """Raise the error of a token that is none."""
        if token[0] == "error":
            raise token[1]

    def unexpected(self, token: Token) -> NoReturn:
        """Raise that the token can't stand where it does."""
        self.refuse(token)
        if token[0] == "end":
            raise fault("UnexpectedEOF", token[2:])
        raise bad_input("UnexpectedInput", token[2:], str(token[1]))

    def name(self) -> Token:
        """Take the name of a variable."""
        token = self.take()
        if token[0] == "name":
            return token
        self.refuse(token)
        if token[0] == "reserved" and token[1][0].isalpha():
            raise fault("Reserved", token[2:], token[1])
        raise fault("VariableExpected", token[2:])

    def deeper(self, level: int, place: Place) -> int:
        """Return the level within; raise if that is too deep."""
        if level >= self.max_level:
            raise self.too_deep(place)
        return level + 1

    def too_deep(self, place: Place) -> RhaiError:
        """Return the error that the level is at its limit."""
        return fault("ExprTooDeep", place)
