"""The proof that generated code holds nothing but what it is meant to hold.

Whatever a script says, the Python tree made of it may have only the node kinds of
:data:`picloud.rhai.codegen.nodes.ALLOWED`, names of the generator's own making or of helpers, two attributes
(``value`` of a cell, ``curry`` of a function pointer), and literals of plain types. Tests run it on
everything that they compile.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import Any, Final

from picloud.rhai.codegen.nodes import ALLOWED

_OURS: Final = re.compile(r"[vtwKN][0-9]+|[QB]?F[0-9]+|B?A[0-9]+|S[FA][0-9]+|PA[0-9]+|[DEMPRTUZ_]|this|main")
_CALLED: Final = re.compile(r"P|[QB]?F[0-9]+|B?A[0-9]+|N[0-9]+")
_ATTRIBUTES: Final = frozenset({"value", "curry"})
_LITERALS: Final = (str, int, float, bool, type(None))


class Unclean(Exception):
    """Generated code holds what it may not."""


def audit(tree: ast.AST, helpers: Collection[str]) -> None:
    """Look at all of a generated module. Raises :class:`Unclean` for the first thing that doesn't belong there."""
    for node in ast.walk(tree):
        kind = next(each.__name__ for each in type(node).__mro__ if each.__module__ == "ast")
        if kind not in ALLOWED:
            raise Unclean(f"a node of kind {kind}")
        if isinstance(node, ast.Name):
            _check_name(node.id, helpers, stored=isinstance(node.ctx, ast.Store))
        elif isinstance(node, ast.arg):
            _check_name(node.arg, (), stored=True)
        elif isinstance(node, ast.FunctionDef):
            _check_name(node.name, (), stored=True)
        elif isinstance(node, ast.Attribute) and node.attr not in _ATTRIBUTES:
            raise Unclean(f"the attribute {node.attr}")
        elif isinstance(node, ast.Call):
            _check_call(node, helpers)
        elif isinstance(node, ast.Constant):
            _check_literal(node.value)


def _check_name(name: str, helpers: Collection[str], *, stored: bool) -> None:
    if _OURS.fullmatch(name) is None and (stored or name not in helpers):
        raise Unclean(f"the name {name!r}")


def _check_call(node: ast.Call, helpers: Collection[str]) -> None:
    function = node.func
    if not isinstance(function, ast.Name) or not (function.id in helpers or _CALLED.fullmatch(function.id)):
        raise Unclean(f"a call of {ast.dump(function)}")


def _check_literal(value: Any) -> None:
    if type(value) is tuple:
        for each in value:
            _check_literal(each)
    elif type(value) not in _LITERALS:
        raise Unclean(f"a literal of type {type(value).__name__}")
