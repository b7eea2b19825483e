"""Whether two scripts are the same but for where things stand."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from picloud.rhai.syntax import Node, Script

_PLACES: Final = frozenset({"line", "column", "root", "dot", "at"})


def same(left: Script, right: Script) -> bool:
    """Return whether two trees are equal apart from places."""
    stack: list[tuple[Any, Any]] = [(left, right)]
    while stack:
        one, other = stack.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, Node | Script):
            stack += [
                (getattr(one, each.name), getattr(other, each.name)) for each in fields(one) if each.name not in _PLACES
            ]
        elif isinstance(one, list | tuple):
            if len(one) != len(other):
                return False
            stack += zip(one, other, strict=True)
        elif one != other and not (one != one and other != other):
            return False
    return True
