"""One run of a program: its limits, its budget of operations, its way to the host and to functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from picloud.rhai.limits import Limits
from picloud.rhai.registry import Native, Registry, not_found
from picloud.rhai.runtime.budget import Budget
from picloud.rhai.runtime.functions import UNBOUND, FunctionKey, Functions, Module, ScriptFunction
from picloud.rhai.values import FnPtr, Shared


class Host(Protocol):
    """What a run needs from outside."""

    def on_print(self, text: str) -> None:
        """``print`` was called."""

    def on_debug(self, text: str, line: int, column: int) -> None:
        """``debug`` was called at this place."""

    def on_slice(self, operations: int) -> int | None:
        """So many operations were used so far. It may raise to end the run, or switch to another greenlet.

        It may return after how many operations it wants to be called again.
        """

    def resolve(self, path: str) -> Any:
        """The module called ``path``: its source as text, a ``Module``, or None if there is none."""


class DefaultHost:
    """Prints nowhere, never interrupts, knows no module."""

    def on_print(self, text: str) -> None:
        """Drop it."""

    def on_debug(self, text: str, line: int, column: int) -> None:
        """Drop it."""

    def on_slice(self, operations: int) -> int | None:
        """Go on."""
        return None

    def resolve(self, path: str) -> Any:
        """There is none."""
        return None


class Run:
    """See the module. Natives use ``limits``, ``host``, ``pay``, ``call``, ``native``, ``find`` and ``nanoseconds``."""

    __slots__ = (
        "budget",
        "compile_module",
        "compile_text",
        "compile_tree",
        "constants",
        "depth",
        "exports",
        "functions",
        "host",
        "imports",
        "libraries",
        "limits",
        "modules",
        "nanoseconds",
        "opened",
        "pay",
        "registry",
        "scope",
        "ticks",
    )

    def __init__(
        self,
        limits: Limits,
        host: Host,
        registry: Registry,
        modules: Mapping[str, Module],
        budget: Budget | None = None,
    ) -> None:
        self.limits = limits
        self.host = host
        self.budget = budget or Budget(limits.max_operations, limits.slice_operations, host.on_slice)
        self.ticks = self.budget.ticks
        """Whoever takes one has paid an operation."""
        self.pay = self.budget.pay
        """Take so many operations. Raises ErrorTooManyOperations, or what the host's hook raises."""
        self.nanoseconds: Callable[[], int] = getattr(host, "on_clock", time.monotonic_ns)
        """The clock behind ``timestamp``: the host's, if it has one."""
        self.registry = registry
        self.modules = modules
        """Modules that are there without an import."""
        self.depth = 0
        """Levels of calls, up to date wherever a native may call back."""
        self.functions: Functions = {}
        """The script functions of the program."""
        self.libraries: list[Functions] = []
        """Script functions of modules whose functions are running, innermost last."""
        self.scope: list[tuple[str, Shared]] = []
        """Variables that the host gave, and those of functions that ``eval`` may look into."""
        self.constants: dict[str, Any] = {}
        """Constants of the script's top level, for ``global::NAME``."""
        self.imports: list[tuple[str | None, Module]] = []
        self.exports: dict[str, str] = {}
        self.opened: list[dict[str, Any]] = []
        """Names of modules that were generated for calls from outside."""
        self.compile_text: Callable[[Run, str], Callable[[Run, int, Any], Any]] | None = None
        """What ``eval`` compiles its text with."""
        self.compile_tree: Callable[[Run, Any], Any] | None = None
        """What runs an expression that a native parsed."""
        self.compile_module: Callable[[Run, int, str, str], Module] | None = None
        """What ``import`` makes a module of a source with."""

    # ---------------------------------------------------------------------------------------- the budget

    @property
    def operations(self) -> int:
        """Operations used so far."""
        return self.budget.used

    def child(self) -> Run:
        """Return a run for a module: with functions and variables of its own, on the same budget."""
        run = Run(self.limits, self.host, self.registry, self.modules, self.budget)
        run.compile_text = self.compile_text
        run.compile_tree = self.compile_tree
        run.compile_module = self.compile_module
        return run

    def direct(self, pointer: FnPtr, count: int) -> Callable[..., Any] | None:
        """Return a Python function of ``count`` arguments that is the quick way to call a pointer; None if there is
        none.

        What it raises need not be a :class:`RhaiError` yet, and has no place: whoever catches it calls
        ``places.returned``. It stays good until the native that asked for it returns.
        """
        function = pointer.function
        if function is None or function.arity != len(pointer.curry) + count:
            return None
        if function.uses_this:
            return partial(function.code, self.depth + 1, UNBOUND, *pointer.curry)
        return partial(function.code, self.depth + 1, *pointer.curry)

    def evaluate(self, expression: Any) -> Any:
        """Return the value of an expression of the syntax tree that sees no variables."""
        assert self.compile_tree is not None
        return self.compile_tree(self, expression)

    # ---------------------------------------------------------------------------------------- functions

    def find(self, key: str, types: tuple[type, ...]) -> Native | None:
        """Return the native that answers a call with arguments of these types."""
        native = self.registry.resolve(key, types)
        if native is None and self.imports:
            return self._imported(key, types)
        return native

    def _imported(self, key: str, types: tuple[type, ...]) -> Native | None:
        return None

    def native(self, name: str, arguments: Sequence[Any]) -> Any:
        """Call a native by name with arguments by value. Raises ErrorFunctionNotFound."""
        types = tuple(map(type, arguments))
        native = self.find(name, types)
        if native is None:
            raise not_found(name, types)
        result = native.function(self, *arguments) if native.run else native.function(*arguments)
        return result[1] if native.replaces else result

    def script_function(self, key: FunctionKey) -> ScriptFunction | None:
        """Return a script function of the program, or of the module whose function is running."""
        for functions in reversed(self.libraries):
            found = functions.get(key)
            if found is not None:
                return found
        return self.functions.get(key)

    def script_functions(self) -> Iterable[ScriptFunction]:
        """Return the functions that the script defines, without closures."""
        return [function for function in self.functions.values() if not function.name.startswith("anon$")]

    def call(self, pointer: FnPtr, arguments: Sequence[Any], this: list[Any] | None = None) -> Any:
        """Call a function pointer.

        ``this`` is a list of one element, the value that ``this`` is bound to; look into it after the call, for the
        function may have changed it.
        """
        from picloud.rhai.runtime.calls import call_back

        return call_back(self, pointer, tuple(arguments), this)
