"""Tokens to the syntax tree, by recursive descent.

    stream.py        the tokens, what is expected of them, and how deep an expression may nest
    expressions.py   operators by precedence climbing, literals, access, calls, closures
    statements.py    blocks, control flow, declarations, functions

Errors are those of Rust's parser: kind, text and place. What depends on declarations (constants, captured variables) is
left to the resolver.
"""

from __future__ import annotations

from picloud.rhai.lexer import tokens
from picloud.rhai.limits import Limits
from picloud.rhai.parser.statements import Parser
from picloud.rhai.syntax import Script

__all__ = ["parse"]


def parse(source: str, limits: Limits) -> Script:
    """The tree of ``source``. Raises a :class:`~picloud.rhai.errors.RhaiError` of stage "parse"."""
    return Parser(tokens(source), limits).script()
