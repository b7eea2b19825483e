"""What the parts of the parser ask of each other."""

from __future__ import annotations

from abc import abstractmethod

from picloud.rhai.lexer import Token
from picloud.rhai.parser.stream import Place, TokenStream
from picloud.rhai.syntax import Block, Expression, Statement


class Base(TokenStream):
    """A parser of which each part brings some rules of the grammar.

    A rule takes the level that it is on, and the place that a too deep level is reported at if that isn't the next
    token's.
    """

    ends_itself = False
    """Whether the statement read last needs no semicolon."""

    @abstractmethod
    def expression(self, level: int) -> Expression:
        """Read an expression."""

    @abstractmethod
    def operand(self, level: int) -> Expression:
        """Read an expression without operators but those in front of it."""

    @abstractmethod
    def signed(self, token: Token, level: int) -> Expression:
        """Read what is behind a ``-``, ``+`` or ``!`` in front of an operand."""

    @abstractmethod
    def statement(self, level: int) -> Statement | None:
        """Read a statement without its semicolon; None for one that does nothing."""

    @abstractmethod
    def block(self, level: int, place: Place) -> Block:
        """Read a block."""

    @abstractmethod
    def control(self, token: Token, level: int, place: Place) -> Expression:
        """Read the block, ``if``, ``switch`` or loop whose first token was taken."""

    @abstractmethod
    def closure(self, token: Token, level: int) -> Expression:
        """Read the closure whose first sign was taken."""
