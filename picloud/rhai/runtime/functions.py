"""Script functions as the runtime sees them, and modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from picloud.rhai.errors import RhaiError
from picloud.rhai.registry import Native, Registry


class Unbound:
    """``this`` of a function that was not called as a method."""

    __slots__ = ()

    def __getitem__(self, index: int) -> NoReturn:
        raise RhaiError("ErrorUnboundThis")

    def __setitem__(self, index: int, value: Any) -> NoReturn:
        raise RhaiError("ErrorUnboundThis")


UNBOUND: Final = Unbound()


class ConstantThis(list[Any]):
    """``this`` of a method that is called on a constant: a list of one element, the value."""


class ScriptFunction:
    """A function of a script, ready to be called: ``code(level, *arguments)``, led by ``this`` after the level if it
    uses it.

    ``this`` is a list of one element, the value; None when it is not bound.
    """

    __slots__ = ("arity", "code", "frozen", "gives_integers", "name", "parameters", "private", "this_type", "uses_this")

    def __init__(
        self,
        name: str,
        parameters: tuple[str, ...],
        code: Callable[..., Any],
        *,
        uses_this: bool,
        frozen: Callable[..., Any] | None = None,
        private: bool = False,
        this_type: str | None = None,
        gives_integers: bool = False,
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.arity = len(parameters)
        self.code = code
        self.frozen = frozen or code
        """The code for calls on a constant."""
        self.uses_this = uses_this
        self.private = private
        self.this_type = this_type
        self.gives_integers = gives_integers
        """Surely, and has no effects: it may be called again for nothing."""

    @property
    def params(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return self.parameters


FunctionKey = tuple[str, int, str | None]
"""Name, number of parameters, and type of ``this`` for a method of one type."""

Functions = Mapping[FunctionKey, ScriptFunction]


@dataclass(slots=True)
class Module:
    """A namespace: what ``import`` gives, or what a host offers under a name."""

    name: str
    """Shown in errors of its functions; empty for the host's own modules."""
    natives: Registry = field(default_factory=Registry)
    functions: dict[FunctionKey, ScriptFunction] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)

    def add(self, native: Native) -> None:
        """Take in a native function."""
        self.natives.add(native)

    def submodule(self, path: list[str]) -> Module | None:
        """Return the module at a path of names within this one; itself for an empty path."""
        module: Module | None = self
        for name in path:
            if module is None:
                return None
            module = module.modules.get(name)
        return module
