"""Tokens to the syntax tree, by recursive descent; each module begins with the rules of the grammar that it reads.

    stream.py      the tokens, what is expected of them, and how deep the source may nest
    scope.py       the names in sight
    base.py        what the parts below ask of each other
    operators.py   expressions of operators, by precedence climbing
    operands.py    literals, names, what is in brackets, access, calls
    control.py     blocks, conditions, loops, ``switch``, ``try``
    functions.py   functions and closures
    statements.py  statements, and the parser as a whole
    folding.py     what Rhai's optimiser does to the tree

Errors are those of Rust's parser: kind, text and place, and of several mistakes the one that it would tell. The parser
knows nothing of runs; what names mean beyond the few things said in scope.py is left to the resolver.
"""

from __future__ import annotations

from picloud.rhai.errors import RhaiError
from picloud.rhai.faults import bad_input, fault
from picloud.rhai.lexer import Token, one_by_one, tokens
from picloud.rhai.limits import Limits
from picloud.rhai.parser.statements import Parser
from picloud.rhai.syntax import Expression, Script
from picloud.rhai.texts import Pause

__all__ = ["parse", "parse_json"]


def parse(source: str, limits: Limits, *, optimize: bool = True, pause: Pause | None = None) -> Script:
    """Return the tree of a script. Raises a :class:`~picloud.rhai.errors.RhaiError` of stage "parse".

    Without ``optimize`` the tree is that of the source as written; so Rhai runs what is given to ``eval``. With a
    ``pause``, which is told of the work on the way, functions have no documentation.
    """
    if pause is None:
        found = tokens(source, limits.max_string_size)
        parser = Parser(found, limits, documents=found.documents, optimize=optimize)
    else:
        parser = Parser(one_by_one(source, limits.max_string_size, pause), limits, documents={}, optimize=optimize)
    try:
        return parser.script()
    except RecursionError:
        raise fault("ExprTooDeep", parser.token[2:]) from None


def parse_json(source: str, limits: Limits, pause: Pause | None = None) -> Expression:
    """Return the expression that a JSON text is for Rhai: ``{`` is ``#{``, ``null`` is ``()``, names are quoted.

    ``pause`` is told of the work on the way. Raises a :class:`~picloud.rhai.errors.RhaiError` of stage "parse".
    """
    found = map(_json_token, one_by_one(source, limits.max_string_size, pause))
    parser = Parser(found, limits, documents={}, optimize=False)
    parser.only_expressions = True
    try:
        expression = parser.expression(0)
    except RecursionError:
        raise fault("ExprTooDeep", parser.token[2:]) from None
    token = parser.token
    if token[0] != "end":
        shown = token[1].text if token[0] == "error" else str(token[1])
        raise bad_input("UnexpectedInput", token[2:], shown)
    return expression


def _json_token(token: Token) -> Token:
    kind, value, line, column = token
    if kind == "{":
        return "#{", "#{", line, column
    if kind == "reserved" and value == "null":
        return "()", "()", line, column
    if kind in ("()", "#{", "text"):
        sign = "interpolated string" if kind == "text" else kind
        error: RhaiError = bad_input("ImproperSymbol", (line, column), sign, "")
        return "error", error, line, column
    return token
