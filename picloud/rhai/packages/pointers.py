"""Function pointers: what they tell of themselves, and pointers made of a name."""

from __future__ import annotations

import re
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.lexer import KEYWORDS, RESERVED_WORDS
from picloud.rhai.packages.declare import Package
from picloud.rhai.packages.faults import function_not_found
from picloud.rhai.values import FnPtr

PACKAGE: Final = Package("function pointers")

_NAME: Final = re.compile(r"_*[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_SIGN: Final = re.compile(
    r"===|!==|\*\*=?|<<=?|>>=?|\.\.=?|\.\.\.|::<|#\{|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.|\?\[|::|->|<-|:=|:;|<\||\|>|!\.|\(\*|\*\)"
    r"|\+\+|--|[-+*/%&|^]=|[-+*/%(){}\[\];,.:=<>!&|^~?@$#]|\(\)|!in|#!"
)
_SPECIAL: Final = frozenset(
    ["print", "debug", "type_of", "eval", "Fn", "call", "curry", "this", "is_def_var", "is_def_fn", "is_shared"]
)


_LONG: Final = 1024


def _is_long_name(name: str) -> bool:
    """Say of a long name, without the pattern, whether it is one."""
    bare = name.lstrip("_")
    return name.isascii() and bare[:1].isalpha() and (bare.replace("_", "").isalnum())


def named(name: str, *, has_environment: bool = False) -> FnPtr:
    """Return a pointer to the function of that name, which need not exist yet.

    Raise ErrorParsing for a word or sign that the language keeps for itself, ErrorFunctionNotFound for what else
    can't be a name.
    """
    if name in KEYWORDS or name in RESERVED_WORDS or name in _SPECIAL:
        raise RhaiError("ErrorParsing", f"'{name}' is a reserved keyword")
    if len(name) < 4 and _SIGN.fullmatch(name):
        raise RhaiError("ErrorParsing", f"'{name}' is a reserved symbol")
    if not (_NAME.fullmatch(name) if len(name) <= _LONG else _is_long_name(name)):
        raise function_not_found(name)
    return FnPtr(name, has_environment=has_environment)


@PACKAGE.property("name", "Fn")
def name_of(pointer: FnPtr) -> str:
    """Return the function's name."""
    return pointer.name


@PACKAGE.property("is_anonymous", "Fn")
def is_anonymous(pointer: FnPtr) -> bool:
    """Is it a closure?"""
    return pointer.is_closure
