"""The syntax tree.

Each node has the ``line`` and ``column`` that Rhai reports for an error in it: an operator's is that of its sign, a
call's that of the function's name, a property's that of its name, an index's that of the index expression (``at`` is
the bracket), everything else's is where it begins. Some errors of a run are about an expression as a whole: then Rhai
tells its :func:`position` or its :func:`start`. Line and column are 0 where Rhai gives no place. Names are as written;
what they mean is the resolver's business.

A script is a list of statements and the functions that it defines; a closure is an expression that holds its own body.
The value of a block is that of its last statement, with a semicolon behind it or without.

The tree that the parser hands out is the one that Rhai runs, that is, behind its optimiser (see ``parser/folding.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Node:
    """Something with a place."""

    line: int
    column: int


class Expression(Node):
    """Has a value."""

    __slots__ = ()


class Statement(Node):
    """Is done. A block's value is that of its last statement: that of the expression, or () for all other kinds."""

    __slots__ = ()


# ------------------------------------------------------------------------------------------------ literals


@dataclass(slots=True, eq=False)
class Literal(Expression):
    """An integer, float, string, boolean or () by its Python value; a character is a ``CharLiteral``.

    ``folded`` if it isn't written so: the optimiser put it in place of an operation or a constant's name.
    """

    value: Any
    folded: bool = False


@dataclass(slots=True, eq=False)
class CharLiteral(Expression):
    """``'x'``; ``folded`` as with a ``Literal``."""

    text: str
    folded: bool = False


@dataclass(slots=True, eq=False)
class Interpolation(Expression):
    """A text between backticks with ``${…}`` in it; ``parts`` are literals and what stands in the braces."""

    parts: list[Expression]


@dataclass(slots=True, eq=False)
class ArrayLiteral(Expression):
    """``[a, b]``."""

    items: list[Expression]


@dataclass(slots=True, eq=False)
class MapLiteral(Expression):
    """``#{a: 1}``; names are unique."""

    entries: list[tuple[str, Expression]]


@dataclass(slots=True, eq=False)
class RangeExpression(Expression):
    """``a..b`` or ``a..=b``; a missing start is None, a missing end too."""

    start: Expression | None
    end: Expression | None
    inclusive: bool


# ------------------------------------------------------------------------------------------------ names


@dataclass(slots=True, eq=False)
class Variable(Expression):
    """A name.

    ``copied`` if the optimiser put the value of a constant array or map in its place: it is no variable any more, so
    who changes it changes a copy.
    """

    name: str
    copied: bool = False


@dataclass(slots=True, eq=False)
class This(Expression):
    """``this``."""


@dataclass(slots=True, eq=False)
class QualifiedName(Expression):
    """``a::b::name``; ``global::name`` has the path ``["global"]``. ``root`` is the place of the path's first name."""

    path: list[str]
    name: str
    root: tuple[int, int]


# ------------------------------------------------------------------------------------------------ operators


@dataclass(slots=True, eq=False)
class Unary(Expression):
    """``-x``, ``+x`` or ``!x``."""

    operator: str
    operand: Expression


@dataclass(slots=True, eq=False)
class Binary(Expression):
    """``a op b`` for every operator that evaluates both sides; ``in`` and ``!in`` too."""

    operator: str
    left: Expression
    right: Expression


@dataclass(slots=True, eq=False)
class Logical(Expression):
    """``&&``, ``||`` or ``??``: the right side is evaluated only if needed."""

    operator: str
    left: Expression
    right: Expression


# ------------------------------------------------------------------------------------------------ access and calls


@dataclass(slots=True, eq=False)
class Property(Expression):
    """``base.name``, or ``base?.name`` (``optional``). ``dot`` is the place of the dot."""

    base: Expression
    name: str
    optional: bool
    dot: tuple[int, int]


@dataclass(slots=True, eq=False)
class Index(Expression):
    """``base[index]``, or ``base?[index]`` (``optional``). ``at`` is the place of the bracket."""

    base: Expression
    index: Expression
    optional: bool
    at: tuple[int, int]


@dataclass(slots=True, eq=False)
class Call(Expression):
    """``name(arguments)``, ``path::name(arguments)``; ``capture`` for ``name!(arguments)``, which lends the scope.

    ``root`` is the place of the path's first name, if there is one.
    """

    path: list[str]
    name: str
    arguments: list[Expression]
    capture: bool = False
    root: tuple[int, int] = (0, 0)


@dataclass(slots=True, eq=False)
class MethodCall(Expression):
    """``base.name(arguments)``, or ``base?.name(arguments)`` (``optional``)."""

    base: Expression
    name: str
    arguments: list[Expression]
    optional: bool
    dot: tuple[int, int]


@dataclass(slots=True, eq=False)
class Capture(Node):
    """An outer name that a closure uses, where it first does; ``copied`` if it is a constant, handed over by value."""

    name: str
    copied: bool = False


@dataclass(slots=True, eq=False)
class Closure(Expression):
    """``|parameters| body``. ``captures`` are its outer names; in Rhai they come before the parameters."""

    parameters: list[str]
    body: Block
    captures: list[Capture] = field(default_factory=list)


# ------------------------------------------------------------------------------------------------ control


@dataclass(slots=True, eq=False)
class Block(Expression):
    """``{ … }``, with a scope of its own."""

    statements: list[Statement]


@dataclass(slots=True, eq=False)
class If(Expression):
    """``if condition { } else …``; ``otherwise`` is a Block, an If or None."""

    condition: Expression
    then: Block
    otherwise: Expression | None


@dataclass(slots=True, eq=False)
class Case(Node):
    """One arm of a switch: literal ``patterns`` (ranges too; empty for ``_``), ``guard`` and ``body``."""

    patterns: list[Expression]
    guard: Expression | None
    body: Statement


@dataclass(slots=True, eq=False)
class Switch(Expression):
    """``switch subject { … }``; the default, if there is one, is the last case."""

    subject: Expression
    cases: list[Case]


@dataclass(slots=True, eq=False)
class While(Expression):
    """``while condition { }``; ``loop { }`` has no condition."""

    condition: Expression | None
    body: Block


@dataclass(slots=True, eq=False)
class DoWhile(Expression):
    """``do { } while condition``, or ``until`` it."""

    body: Block
    condition: Expression
    until: bool


@dataclass(slots=True, eq=False)
class For(Expression):
    """``for name in iterable { }``, or ``for (name, counter) in …``."""

    name: str
    counter: str | None
    iterable: Expression
    body: Block


@dataclass(slots=True, eq=False)
class Try(Expression):
    """``try { } catch (name) { }``."""

    body: Block
    name: str | None
    handler: Block


# ------------------------------------------------------------------------------------------------ statements


@dataclass(slots=True, eq=False)
class ExpressionStatement(Statement):
    """An expression."""

    expression: Expression


@dataclass(slots=True, eq=False)
class Let(Statement):
    """``let name = value`` or ``const``; ``exported`` for ``export let``. The place is that of the name."""

    name: str
    value: Expression | None
    constant: bool
    exported: bool


@dataclass(slots=True, eq=False)
class Assign(Statement):
    """``target operator value``, with the operator ``=``, ``+=`` …; the place is that of the operator."""

    operator: str
    target: Expression
    value: Expression


@dataclass(slots=True, eq=False)
class Return(Statement):
    """``return value``."""

    value: Expression | None


@dataclass(slots=True, eq=False)
class Throw(Statement):
    """``throw value``."""

    value: Expression | None


@dataclass(slots=True, eq=False)
class Break(Statement):
    """``break value``."""

    value: Expression | None


@dataclass(slots=True, eq=False)
class Continue(Statement):
    """``continue``."""


@dataclass(slots=True, eq=False)
class Import(Statement):
    """``import path as alias``."""

    path: Expression
    alias: str | None


@dataclass(slots=True, eq=False)
class Export(Statement):
    """``export name as alias``; ``alias`` equals the name if none is given, ``place`` is the name's line and column."""

    name: str
    alias: str
    place: tuple[int, int]


# ------------------------------------------------------------------------------------------------ the whole


@dataclass(slots=True, eq=False)
class Function(Node):
    """``fn name(parameters) { }``; ``this_type`` for ``fn type.name()``, ``doc`` the comments in front of it."""

    name: str
    parameters: list[str]
    body: Block
    this_type: str | None
    private: bool
    doc: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Script:
    """A parsed source; ``closures`` counts those in it."""

    statements: list[Statement]
    functions: list[Function]
    closures: int = 0


# ------------------------------------------------------------------------------------------------ places


def position(expression: Expression) -> tuple[int, int]:
    """The place of an expression as a whole: its sign's, a chain's first dot's or bracket's, else its beginning."""
    while isinstance(expression, Property | MethodCall | Index):
        place = expression.at if isinstance(expression, Index) else expression.dot
        expression = expression.base
        if not isinstance(expression, Property | MethodCall | Index):
            return place
    return expression.line, expression.column


def start(expression: Expression) -> tuple[int, int]:
    """The place where an expression begins; Rhai takes operators and calls to begin with their sign and name."""
    while True:
        if isinstance(expression, Property | MethodCall | Index):
            expression = expression.base
        elif isinstance(expression, Logical):
            expression = expression.left
        elif isinstance(expression, QualifiedName):
            return expression.root
        else:
            return expression.line, expression.column
