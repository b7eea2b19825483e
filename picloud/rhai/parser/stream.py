"""The tokens as the parser reads them, and the errors that every part of it raises."""

from __future__ import annotations

from typing import Final

from picloud.rhai.errors import RhaiError, parse_error
from picloud.rhai.lexer import RESERVED_SIGNS, Token, bad_input, rust_debug
from picloud.rhai.limits import Limits
from picloud.rhai.syntax import Node

UNLIMITED_DEPTH: Final = 500
"""The deepest nesting where the limits set none: our own recursion has to end somewhere."""


def fault(kind: str, text: str, place: tuple[int, int], *arguments: str | int) -> RhaiError:
    """A parse error with its detail as Rust's debug format shows it."""
    shown = ", ".join(rust_debug(a) if isinstance(a, str) else str(a) for a in arguments)
    return parse_error(kind, text, *place, f"{kind}({shown})" if arguments else kind)


def place_of(thing: Token | Node) -> tuple[int, int]:
    """Line and column."""
    return (thing[2], thing[3]) if isinstance(thing, tuple) else (thing.line, thing.column)


class TokenStream:
    """See the module. ``depth`` counts nested expressions and blocks within the present function."""

    def __init__(self, tokens: list[Token], limits: Limits) -> None:
        self.tokens = tokens
        self.index = 0
        self.limits = limits
        self.depth = 0
        self.max_depth = limits.max_expr_depth or UNLIMITED_DEPTH

    @property
    def token(self) -> Token:
        """The next token, still there."""
        return self.tokens[self.index]

    def take(self) -> Token:
        """The next token; the end is never taken."""
        token = self.tokens[self.index]
        if token[0] != "eof":
            self.index += 1
        return token

    def is_sign(self, sign: str) -> bool:
        """Whether the next token is this sign."""
        token = self.tokens[self.index]
        return token[1] == sign and token[0] == "sym"

    def is_word(self, word: str) -> bool:
        """Whether the next token is this keyword."""
        token = self.tokens[self.index]
        return token[1] == word and token[0] == "kw"

    def accept(self, sign: str) -> bool:
        """Take the next token if it is this sign."""
        if self.is_sign(sign):
            self.index += 1
            return True
        return False

    def accept_word(self, word: str) -> bool:
        """Take the next token if it is this keyword."""
        if self.is_word(word):
            self.index += 1
            return True
        return False

    def require(self, sign: str, purpose: str) -> Token:
        """Take the next token, which has to be this sign."""
        token = self.token
        if not self.is_sign(sign):
            raise self.missing(sign, purpose, token)
        self.index += 1
        return token

    def missing(self, sign: str, purpose: str, token: Token) -> RhaiError:
        """``Expecting 'sign' purpose``."""
        return fault("MissingToken", f"Expecting '{sign}' {purpose}", place_of(token), sign, purpose)

    def unexpected(self, token: Token) -> RhaiError:
        """The token can't begin what is expected here."""
        kind, value = token[0], token[1]
        place = place_of(token)
        if kind == "eof":
            return fault("UnexpectedEOF", "Script is incomplete", place)
        if kind == "reserved":
            return self.reserved(token)
        shown = str(value)
        return bad_input("UnexpectedInput", f"Unexpected '{shown}'", *place, shown)

    def reserved(self, token: Token) -> RhaiError:
        """A word or sign that can't be used."""
        what = "symbol" if token[1] in RESERVED_SIGNS else "keyword"
        return fault("Reserved", f"'{token[1]}' is a reserved {what}", place_of(token), str(token[1]))

    def variable_name(self) -> Token:
        """Take a name of a variable."""
        token = self.take()
        if token[0] == "id" and token[1] != "_":
            return token
        if token[0] == "reserved" and token[1] not in RESERVED_SIGNS:
            raise self.reserved(token)
        raise fault("VariableExpected", "Expecting name of a variable", place_of(token))

    def deeper(self, token: Token) -> None:
        """One level more; the caller takes it back by ``self.depth -= 1``."""
        self.depth += 1
        if self.depth > self.max_depth:
            raise fault("ExprTooDeep", "Expression exceeds maximum complexity", place_of(token))
