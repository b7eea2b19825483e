"""What a script can ask about its own functions and those of the modules that it imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from picloud.rhai.packages.budget import check_array
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.functions import Module, ScriptFunction
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("reflection")

_Entry = dict[str, Any]


def _described(function: ScriptFunction, namespace: str) -> _Entry:
    entry: _Entry = {
        "name": function.name,
        "access": "private" if function.private else "public",
        "is_anonymous": function.name.startswith("anon$"),
        "params": list(function.parameters),
    }
    if namespace:
        entry["namespace"] = namespace
    if function.this_type is not None:
        entry["this_type"] = function.this_type
    return entry


def _in_module(module: Module, namespace: str) -> Iterator[tuple[ScriptFunction, str]]:
    waiting = [(module, namespace)]
    while waiting:
        present, path = waiting.pop()
        yield from ((function, path) for function in _in_order(present.functions.values()))
        waiting += [(inner, f"{path}::{name}") for name, inner in sorted(present.modules.items(), reverse=True)]


def _in_order(functions: Iterable[ScriptFunction]) -> list[ScriptFunction]:
    return sorted(functions, key=lambda function: (function.name, function.arity))


def _collected(run: Run, wanted: Callable[[ScriptFunction], bool]) -> list[_Entry]:
    found = [(function, "") for function in _in_order(run.script_functions())]
    for alias, module in run.imports:
        found += _in_module(module, alias or "")
    check_array(run, 8 * len(found))
    return [_described(function, namespace) for function, namespace in found if wanted(function)]


@PACKAGE.function("get_fn_metadata_list", run=True, volatile=True)
def all_functions(run: Run) -> list[_Entry]:
    """Return a description of each script function: name, access, params and, if there are, namespace and this_type."""
    return _collected(run, lambda _: True)


@PACKAGE.function("get_fn_metadata_list", "string", run=True, volatile=True)
def functions_named(run: Run, name: str) -> list[_Entry]:
    """Return a description of each script function of that name."""
    return _collected(run, lambda function: function.name == name)


@PACKAGE.function("get_fn_metadata_list", "string", "i64", run=True, volatile=True)
def functions_named_with(run: Run, name: str, parameters: int) -> list[_Entry]:
    """Return a description of each script function of that name and number of parameters."""
    return _collected(run, lambda function: function.name == name and function.arity == parameters)
