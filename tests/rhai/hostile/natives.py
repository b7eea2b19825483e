"""Every native, called with the largest values that it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Final

from picloud.rhai import Engine
from picloud.rhai.registry import ANY, Native
from tests.rhai.hostile.values import LITERALS, MAKERS

_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_UNARY: Final = ("+", "-", "!")
_LEFT_OUT: Final = frozenset({"sleep", "exit", "eval"})
_ANYTHING: Final = ("array", "map", "string", "i64")


@dataclass(frozen=True, slots=True)
class Call:
    """A script, and the large values (type and kind) that it finds in its scope as ``a``, ``b`` and so on."""

    name: str
    source: str
    values: tuple[tuple[str, str], ...]


def calls(engine: Engine, most: int) -> Iterator[Call]:
    """Return scripts for each native with large values that fit, at most so many for each."""
    for name in sorted(engine.registry.names() - _LEFT_OUT):
        for native in engine.registry.named(name):
            found = list(_calls(name, native))
            yield from Random(name).sample(found, min(len(found), most))


def _calls(name: str, native: Native) -> Iterator[Call]:
    choices = [list(_choices(parameter)) for parameter in native.parameters]
    if not any(type(choice) is tuple for each in choices for choice in each):
        return
    for chosen in product(*choices):
        values: list[tuple[str, str]] = []
        arguments = []
        for choice in chosen:
            if type(choice) is tuple:
                arguments.append("abcdefgh"[len(values)])
                values.append(choice)
            else:
                arguments.append(str(choice))
        source = _call(name, arguments)
        if source is not None and values and (name != "+=" or type(chosen[0]) is tuple):
            yield Call(f"{name}({', '.join(native.parameters)})", source, tuple(values))


def _choices(parameter: str) -> Iterator[str | tuple[str, str]]:
    for kind in _ANYTHING if parameter == ANY else (parameter,):
        yield from ((kind, made) for made in MAKERS.get(kind, ()))
        yield from LITERALS.get(kind, ())
    if parameter == "string":
        yield from ('"a"', '""')


def _call(name: str, arguments: list[str]) -> str | None:
    if _NAME.fullmatch(name):
        return f"{name}({', '.join(arguments)})"
    if len(arguments) == 2:
        return f"{arguments[0]} {name} {arguments[1]}"
    return f"{name}{arguments[0]}" if len(arguments) == 1 and name in _UNARY else None
