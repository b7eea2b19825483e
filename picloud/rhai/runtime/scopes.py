"""Variables by name: those that the host gave, and all of a function that calls ``eval``.

Such a scope is a list of names and cells, innermost last. Everything else are Python variables that nobody looks up.
"""

from __future__ import annotations

from typing import Any

from picloud.rhai.errors import FILL, Position, RhaiError
from picloud.rhai.runtime.functions import ScriptFunction
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import FnPtr, Shared, type_name

Scope = list[tuple[str, Shared]]


def find(scope: Scope, name: str) -> Shared:
    """Return the variable of that name. Raises ErrorVariableNotFound."""
    for known, cell in reversed(scope):
        if known == name:
            return cell
    raise RhaiError("ErrorVariableNotFound", name)


def named(run: Run, scope: Scope, name: str) -> Shared:
    """Return what a name means that the text doesn't declare: the script function of that name, else the variable.

    Raises ErrorVariableNotFound.
    """
    for function in run.functions.values():
        if function.name == name:
            return Shared(close(function, run))
    return find(scope, name)


def writable(scope: Scope, name: str) -> Shared:
    """Return the variable of that name for an assignment. Raises ErrorAssignmentToConstant, ErrorVariableNotFound."""
    cell = find(scope, name)
    if cell.constant:
        raise RhaiError("ErrorAssignmentToConstant", name)
    return cell


def variable(cell: Shared, name: str) -> Shared:
    """Return a cell for an assignment. Raises ErrorAssignmentToConstant."""
    if cell.constant:
        raise RhaiError("ErrorAssignmentToConstant", name)
    return cell


def constant(name: str) -> None:
    """Raise the error of an assignment to a constant."""
    raise RhaiError("ErrorAssignmentToConstant", name)


def declare(scope: Scope, name: str, value: Any, is_constant: bool) -> None:
    """Declare a variable."""
    scope.append((name, Shared(value, constant=is_constant)))


def declare_cell(scope: Scope, name: str, cell: Shared) -> None:
    """Declare a variable that is in a cell already."""
    scope.append((name, cell))


def rewind(scope: Scope, size: int) -> None:
    """Forget the variables of a block that ended."""
    del scope[size:]


def missing(name: str) -> None:
    """Raise the error of a variable that isn't there."""
    raise RhaiError("ErrorVariableNotFound", name)


def unbound() -> None:
    """Raise the error of ``this`` where there is none."""
    raise RhaiError("ErrorUnboundThis")


def is_defined(name: Any, known: tuple[str, ...], scope: Scope, position: Position = FILL) -> bool:
    """Whether a variable of that name is in sight: one of ``known``, or one of the scope."""
    if type(name) is not str:
        raise RhaiError("ErrorMismatchDataType", "string", type_name(name), position=position)
    return name in known or any(name == other for other, _ in scope)


def close(function: ScriptFunction, home: Run, *cells: Any) -> FnPtr:
    """Return a closure over these variables: cells, and values of constants."""
    for cell in cells:
        if type(cell) is Shared:
            cell.captured = True
    return FnPtr(function.name, cells, function=function, has_environment=True, home=home)
