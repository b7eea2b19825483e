"""Modules: ``import``, ``export``, and names with a path in front of them."""

from __future__ import annotations

from sys import getrefcount
from typing import Any, Final

from picloud.rhai.errors import FILL, Position, RhaiError, mismatch, parsing
from picloud.rhai.registry import signature
from picloud.rhai.runtime.calls import enter
from picloud.rhai.runtime.functions import Module
from picloud.rhai.runtime.ownership import MUTABLE, copied
from picloud.rhai.runtime.places import returned
from picloud.rhai.runtime.run import Run
from picloud.rhai.runtime.scopes import Scope, find
from picloud.rhai.values import type_name


def find_module(run: Run, path: str, place: Position = FILL) -> Module:
    """Return the module at a path of names joined by ``::``. Raises ErrorModuleNotFound."""
    root, *rest = path.split("::")
    module: Module | None = None
    for alias, imported_module in reversed(run.imports):
        if alias == root:
            module = imported_module
            break
    else:
        module = run.modules.get(root)
    if module is None:
        raise RhaiError("ErrorModuleNotFound", path, position=place)
    return module.submodule(rest) or Module(path)


def call_module(run: Run, level: int, path: str, name: str, root: Position, *arguments: Any) -> Any:
    """Call ``path::name(arguments)``; ``root`` is the place of the path."""
    module = find_module(run, path, root)
    function = module.functions.get((name, len(arguments), None))
    if function is not None:
        return enter(run, function, level + 1, None, arguments)
    types = tuple(map(type, arguments))
    native = module.natives.resolve(name, types)
    if native is None:
        raise RhaiError("ErrorFunctionNotFound", f"{path}::{signature(name, types)}")
    run.depth = level + 1
    if native.changes and type(arguments[0]) in MUTABLE:
        arguments = (copied(run, arguments[0]), *arguments[1:])
    result = native.function(run, *arguments) if native.run else native.function(*arguments)
    return result[1] if native.replaces else result


def call_module_on(
    run: Run, level: int, path: str, name: str, root: Position, first: Any, *arguments: Any
) -> tuple[Any, Any]:
    """Call ``path::name(variable, arguments)``. Returns result and new value of the variable."""
    module = find_module(run, path, root)
    function = module.functions.get((name, len(arguments) + 1, None))
    if function is not None:
        return enter(run, function, level + 1, None, (first, *arguments)), first
    types = (type(first), *map(type, arguments))
    native = module.natives.resolve(name, types)
    if native is None:
        raise RhaiError("ErrorFunctionNotFound", f"{path}::{signature(name, types)}")
    run.depth = level + 1
    if native.changes and type(first) in MUTABLE and getrefcount(first) > _FIRST:
        first = copied(run, first)
    result = native.function(run, first, *arguments) if native.run else native.function(first, *arguments)
    return (result[1], result[0]) if native.replaces else (result, first)


def _measure_first(run: Any, level: Any, path: Any, name: Any, root: Any, first: Any, *arguments: Any) -> int:
    return getrefcount(first)


def _as_first() -> int:
    variable: list[Any] = []
    return _measure_first(None, None, None, None, None, variable, 1)


_FIRST: Final = _as_first()


def module_variable(run: Run, path: str, name: str) -> Any:
    """Return ``path::name``: a constant of the script for the path ``global``."""
    try:
        module = find_module(run, path)
    except RhaiError:
        if path != "global":
            raise
        if name not in run.constants:
            raise RhaiError("ErrorVariableNotFound", f"global::{name}") from None
        return run.constants[name]
    if name not in module.variables:
        raise RhaiError("ErrorVariableNotFound", f"{path}::{name}")
    return module.variables[name]


def import_module(run: Run, level: int, path: Any, alias: str | None, place: Position) -> None:
    """Import the module of a path under a name."""
    most = run.limits.max_modules
    if most and run.budget.modules >= most:
        raise RhaiError("ErrorTooManyModules", position=place)
    if type(path) is not str:
        raise mismatch("string", type_name(path))
    run.imports.append((alias, resolved(run, level, path)))
    run.budget.modules += 1


def resolved(run: Run, level: int, path: str) -> Module:
    """Return the module of a path, as the host gives it. Raises ErrorModuleNotFound, ErrorInModule."""
    known = run.budget.resolved.get(path)
    if known is not None:
        return known
    if path in run.budget.resolving:
        raise RhaiError("ErrorModuleNotFound", path)
    found = run.host.resolve(path)
    if found is None:
        raise RhaiError("ErrorModuleNotFound", path)
    if isinstance(found, str):
        assert run.compile_module is not None
        run.budget.resolving.add(path)
        try:
            found = run.compile_module(run, level, path, found)
        except RhaiError as error:
            cause = parsing(error) if error.stage == "parse" else returned(error, None)
            raise cause if cause.is_system_exception and error.stage == "run" else _in_module(path, cause) from None
        finally:
            run.budget.resolving.discard(path)
    assert isinstance(found, Module)
    run.budget.resolved[path] = found
    return found


def _in_module(path: str, cause: RhaiError) -> RhaiError:
    return RhaiError("ErrorInModule", path, cause=cause)


def imported(run: Run) -> int:
    """Return how many modules are imported."""
    return len(run.imports)


def forget_imports(run: Run, size: int) -> None:
    """Forget the modules that a block imported."""
    del run.imports[size:]


def export(run: Run, scope: Scope, name: str, alias: str) -> None:
    """Export a variable."""
    find(scope, name)
    run.exports[alias] = name
