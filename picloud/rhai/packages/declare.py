"""How a package says which native functions it offers: as data, so that the registry and tests can read it.

A parameter is the name of a Rhai type (`"i64"`, `"string"`, `"array"`, …) or `ANY`. The forms of a declaration follow
Rust's:

- `function`: takes all arguments by value;
- `property`: a function of one argument that also answers `value.name`;
- `reader`: the first argument is the variable itself, but the function only looks at it;
- `method`: the first argument is the variable itself, which the function changes in place: it may not be a constant;
- `replacer`: a method on a type that Python can't change in place (integer, string, …): it returns the pair (new
  value of the variable, result).

`run=True` asks for the running program as first Python argument: limits, operations budget, calls of function pointers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from picloud.rhai.registry import ANY, Native

__all__ = ["ANY", "Package"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(slots=True)
class Package:
    """The native functions of one family."""

    name: str
    natives: list[Native] = field(default_factory=list)

    def function(
        self, names: str, *parameters: str, run: bool = False, volatile: bool = False
    ) -> Callable[[_Function], _Function]:
        """Declare a function under each of `names` (separated by spaces)."""
        return self._declare(names, parameters, run=run, volatile=volatile)

    def property(self, name: str, *parameters: str, run: bool = False) -> Callable[[_Function], _Function]:
        """Declare a function of one argument that is also a property: `value.name` and `value.name()`."""
        return self._declare(name, parameters, run=run, getter=True)

    def reader(self, names: str, *parameters: str, run: bool = False) -> Callable[[_Function], _Function]:
        """Declare a function that looks at its first argument without a copy."""
        return self._declare(names, parameters, run=run)

    def method(self, names: str, *parameters: str, run: bool = False) -> Callable[[_Function], _Function]:
        """Declare a function that changes its first argument in place."""
        return self._declare(names, parameters, run=run, changes=True)

    def replacer(self, names: str, *parameters: str, run: bool = False) -> Callable[[_Function], _Function]:
        """Declare a function that returns the first argument's new value and a result."""
        return self._declare(names, parameters, run=run, changes=True, replaces=True)

    def setter(self, name: str, *parameters: str) -> Callable[[_Function], _Function]:
        """Declare what `value.name = x` does, as a replacer."""
        return self._declare(name, parameters, changes=True, replaces=True, setter=True)

    def _declare(self, names: str, parameters: tuple[str, ...], **flags: bool) -> Callable[[_Function], _Function]:
        def declare(function: _Function) -> _Function:
            for name in names.split():
                self.natives.append(Native(name=name, parameters=parameters, function=function, **flags))
            return function

        return declare
