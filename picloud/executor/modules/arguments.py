"""What a call of a platform's function is told whose arguments are of other types than it takes.

The language says no more than that there is no such function. Here each function gets a last form that takes anything
and says what it takes: ``url::join takes (string, string), not (string, i64)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picloud.rhai.errors import RhaiError, thrown
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.registry import Native
from picloud.rhai.values import type_name


def explained(package: Package) -> Package:
    """The package with a last form for each of its functions and each number of arguments."""
    forms: dict[tuple[str, int], list[tuple[str, ...]]] = {}
    for native in package.natives:
        forms.setdefault((native.name, len(native.parameters)), []).append(native.parameters)
    for (name, count), known in forms.items():
        anything = (ANY,) * count
        if anything not in known:
            function = _refusing(f"{package.name}::{name}", known)
            # Not to be called before the run: an error of it is for the script to catch.
            package.natives.append(Native(name=name, parameters=anything, function=function, volatile=True))
    return package


def _refusing(name: str, forms: list[tuple[str, ...]]) -> Callable[..., Any]:
    takes = " or ".join(f"({', '.join(parameters)})" for parameters in forms)

    def refuse(*given: Any) -> RhaiError:
        found = ", ".join(type_name(each) for each in given)
        raise thrown(f"{name} takes {takes}, not ({found})")

    return refuse
