"""The syntax tree.

Each node has the ``line`` and ``column`` that Rhai reports for an error in it: an operator's is that of its sign, a call's
that of the function's name, a property's that of its name, an index's that of the index expression (``at`` is the
bracket), everything else's is where it begins. Names are as written; what they mean is the resolver's business.

A program is a list of statements and the functions that it defines. ``Program`` and ``Function`` are what the parser
returns; a closure is an expression that holds its own body.
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
    """Is done. A block's last statement is its value if it is an ``ExpressionStatement`` without semicolon."""

    __slots__ = ()


# ------------------------------------------------------------------------------------------------ literals


@dataclass(slots=True, eq=False)
class Literal(Expression):
    """An integer, float, string, boolean or () by its Python value; a character is a ``CharLiteral``."""

    value: Any


@dataclass(slots=True, eq=False)
class CharLiteral(Expression):
    """``'x'``."""

    text: str


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
    """A name."""

    name: str


@dataclass(slots=True, eq=False)
class This(Expression):
    """``this``."""


@dataclass(slots=True, eq=False)
class QualifiedName(Expression):
    """``a::b::name``; ``global::name`` has the path ``["global"]``."""

    path: list[str]
    name: str


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
    """``name(arguments)``, ``path::name(arguments)``; ``capture`` for ``name!(arguments)``, which lends the scope."""

    path: list[str]
    name: str
    arguments: list[Expression]
    capture: bool = False


@dataclass(slots=True, eq=False)
class MethodCall(Expression):
    """``base.name(arguments)``, or ``base?.name(arguments)`` (``optional``)."""

    base: Expression
    name: str
    arguments: list[Expression]
    optional: bool
    dot: tuple[int, int]


@dataclass(slots=True, eq=False)
class Closure(Expression):
    """``|parameters| body``."""

    parameters: list[str]
    body: Block


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
    """An expression; ``discarded`` if a semicolon, or further statements, throw its value away."""

    expression: Expression
    discarded: bool = False


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
    """``export name as alias``; ``alias`` equals the name if none is given."""

    name: str
    alias: str


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
    """A parsed source."""

    statements: list[Statement]
    functions: list[Function]
