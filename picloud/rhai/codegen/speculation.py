"""Guesses at the types of a function's parameters.

Nothing says of what type a parameter is, but how the function uses it is a good hint: what is counted with is mostly
an integer, what is indexed an array. A function with a loop, or one that calls itself, is made twice: once for
parameters of the guessed types, once for all others. The general one looks at its arguments first; calls whose
arguments are sure to be of these types go straight to the special one.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen.types import ARRAY, FLOAT, INT, MAP
from picloud.rhai.resolver import CHILDREN, FunctionScope, Resolution
from picloud.rhai.syntax import Node

_COUNTING: Final = frozenset({"+", "-", "*", "/", "%", "**", "<", "<=", ">", ">=", "&", "|", "^", "<<", ">>"})
_MOST_PARAMETERS: Final = 6


class _Uses:
    def __init__(self, resolution: Resolution, name: str, count: int) -> None:
        self.bindings = resolution.bindings
        self.name = name
        self.count = count
        self.votes: dict[Any, int] = {}
        self.repeats = False

    def vote(self, node: Node | None, types: int) -> None:
        if type(node) is syntax.Variable:
            variable = self.bindings.get(node)
            if variable is not None:
                self.votes[variable] = self.votes.get(variable, 0) | types

    def look(self, node: Any) -> None:
        kind = type(node)
        if kind is syntax.Binary and node.operator in _COUNTING:
            for one, other in ((node.left, node.right), (node.right, node.left)):
                is_float = type(other) is syntax.Literal and type(other.value) is float
                if not (type(other) is syntax.Literal and type(other.value) is str):
                    self.vote(one, FLOAT if is_float else INT)
        elif kind is syntax.RangeExpression:
            self.vote(node.start, INT)
            self.vote(node.end, INT)
        elif kind is syntax.Index:
            if not (type(node.index) is syntax.Literal and type(node.index.value) is str):
                self.vote(node.base, ARRAY)
                self.vote(node.index, INT)
        elif kind is syntax.Property and node.name != "len":
            self.vote(node.base, MAP)
        elif kind in (syntax.While, syntax.DoWhile, syntax.For) or (
            kind is syntax.Call and node.name == self.name and len(node.arguments) == self.count
        ):
            self.repeats = True


def guess(scope: FunctionScope, resolution: Resolution, calls: list[syntax.Call]) -> list[int] | None:
    """Return guesses at the types of a function's parameters (0 is no guess); None if code of its own isn't worth it.

    ``calls`` are the calls of functions of its name: a literal argument says more than any use.
    """
    node = scope.node
    if type(node) is not syntax.Function or scope.dynamic or not 0 < len(scope.parameters) <= _MOST_PARAMETERS:
        return None
    uses = _Uses(resolution, node.name, len(node.parameters))
    waiting: list[Any] = list(node.body.statements)
    while waiting:
        each = waiting.pop()
        uses.look(each)
        kind = type(each)
        if kind is syntax.Closure:
            continue
        if kind is syntax.MapLiteral:
            waiting += [value for _, value in each.entries]
            continue
        for name in CHILDREN[kind]:
            child = getattr(each, name)
            if type(child) is list:
                waiting += child
            elif child is not None:
                waiting.append(child)
    if not uses.repeats:
        return None
    types = [_decided(0 if variable.captured else uses.votes.get(variable, 0)) for variable in scope.parameters]
    for call in calls:
        for at, argument in enumerate(call.arguments):
            if type(argument) is syntax.Literal and type(argument.value) is float and not scope.parameters[at].captured:
                types[at] = FLOAT
    return types if any(types) else None


def _decided(votes: int) -> int:
    for kind in (FLOAT, ARRAY, MAP, INT):
        if votes & kind:
            return kind
    return 0
