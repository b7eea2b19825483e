"""The formatter: a script in the one way in which it is written.

    reader.py       lexemes and their comments, one after the other
    expressions.py  the grammar of expressions, each as a document
    statements.py   that of statements
    layout.py       documents, and their way to lines
    sameness.py     whether a tree is still what it was

Four blanks a level, lines of 100 cells where that can be, one empty line at most, a comma behind the last item of a
list that goes over several lines. A block, ``switch``, map or array that is written on one line stays there if it fits;
a map or array whose first item is on a new line stays open. Comments stay between the tokens where they are, and texts
as they are.

Nothing is given back that isn't the same script: the tree is compared, and so are the comments.
"""

from __future__ import annotations

from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.parser import parse
from picloud.rhai.tools.formatter.layout import printed
from picloud.rhai.tools.formatter.reader import FormatError
from picloud.rhai.tools.formatter.sameness import same
from picloud.rhai.tools.formatter.statements import Statements
from picloud.rhai.tools.lexemes import lexemes

__all__ = ["WIDTH", "FormatError", "formatted"]

WIDTH = 100
"""Cells that a line may take."""
_MOST_ROUNDS = 5
"""A comment in an odd place may move what is around it; then the result is formatted again until it stays."""


def formatted(source: str) -> str:
    """Return a script as it should be written; what was formatted is given back as it is.

    Raises :class:`~picloud.rhai.errors.RhaiError` for a script that can't be parsed, :class:`FormatError` for one that
    would not be the same afterwards.
    """
    tree = parse(source, Limits(), optimize=False)
    now = source
    for _ in range(_MOST_ROUNDS):
        before, now = now, printed(Statements(now).script(), WIDTH)
        if now == before:
            break
    else:
        raise FormatError("the result of formatting would change with each time")
    try:
        unchanged = same(tree, parse(now, Limits(), optimize=False))
    except RhaiError:
        unchanged = False
    if not unchanged:
        raise FormatError("the formatted script would not be the same")
    if comments(source) != comments(now):
        raise FormatError("a comment would be lost")
    return now


def comments(source: str) -> list[str]:
    """Return the comments of a script, in order."""
    return [comment.text for lexeme in lexemes(source) for comment in lexeme.comments]
