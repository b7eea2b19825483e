"""Going through a syntax tree."""

from __future__ import annotations

from collections.abc import Iterator

from picloud.rhai import syntax
from picloud.rhai.resolver import CHILDREN
from picloud.rhai.syntax import Node, Script, Statement


def children(node: Node) -> Iterator[Node]:
    """Return the nodes right below one, in the order of the source but for a few (an assignment's value is first)."""
    if isinstance(node, syntax.MapLiteral):
        for _, value in node.entries:
            yield value
        return
    for name in CHILDREN[type(node)]:
        child = getattr(node, name)
        if isinstance(child, list):
            yield from child
        elif child is not None:
            yield child


def walk(script: Script) -> Iterator[Node]:
    """Return all nodes of a script and its functions, each before what is below it."""
    stack: list[Node] = [function.body for function in reversed(script.functions)]
    stack += reversed(script.statements)
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(list(children(node)))


def statement_lists(script: Script) -> Iterator[list[Statement]]:
    """Return the statements of the script, and those of each block and function."""
    yield script.statements
    for node in walk(script):
        if isinstance(node, syntax.Block):
            yield node.statements
