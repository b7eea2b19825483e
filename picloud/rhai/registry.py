"""Native functions: what a package or a host offers, and which of several functions of one name answers a call.

A native has a name, the types of its parameters and a Python callable. Getters, setters and indexers are natives of
reserved names (:func:`getter`, :func:`setter`, :data:`INDEX_GET`, :data:`INDEX_SET`). A call is resolved by the types
of its arguments: first those types exactly, then with ``Dynamic`` (:data:`ANY`) in place of some of them, in the
order of bit masks in which the last argument is bit 0, as in Rust. Script functions are found before any native, and
Rhai's built-in operators on its own types before both; neither is seen here.

How a native is called: with the arguments, led by the running program (``runtime.run.Run``) if it asked for it. It
may not keep or change an argument, but for the first one if it is declared with ``changes``. An error that it raises
without a place gets the place of the call. It pays for what it goes through by ``run.pay``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from picloud.rhai.errors import FILL, Position, RhaiError
from picloud.rhai.values import TYPES, class_name

ANY: Final = "any"
"""A parameter that takes any value: Rust's ``Dynamic``."""

INDEX_GET: Final = "index$get$"
INDEX_SET: Final = "index$set$"
MOST_WILDCARDS: Final = 16
"""So many leading arguments of a call may meet an :data:`ANY` parameter."""


def getter(name: str) -> str:
    """Return the name under which ``value.name`` is looked up."""
    return f"get${name}"


def setter(name: str) -> str:
    """Return the name under which ``value.name = x`` is looked up."""
    return f"set${name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """One native function: a name, the Rhai types of its parameters and the Python function that does it."""

    name: str
    parameters: tuple[str, ...]
    """Names of Rhai types, or :data:`ANY`."""
    function: Callable[..., Any]
    changes: bool = False
    """The first argument is changed, so it may not be a constant. Arrays, maps, blobs and custom types are changed in
    place."""
    replaces: bool = False
    """The function returns (new first argument, result): for types that Python can't change in place. Goes with
    ``changes``."""
    run: bool = False
    """The running program comes as first Python argument."""
    volatile: bool = False
    """Two calls with the same arguments may answer differently: the optimiser may not call it."""
    getter: bool = False
    """It answers ``value.name`` too."""
    setter: bool = False
    """It answers ``value.name = x`` and nothing else."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names under which it is looked up."""
        if self.setter:
            return (setter(self.name),)
        return (self.name, getter(self.name)) if self.getter else (self.name,)

    @property
    def is_standard(self) -> bool:
        """Whether it is of a standard package, and not the host's."""
        # Some callables, as str.upper, are of no module.
        return str(getattr(self.function, "__module__", "")).startswith("picloud.rhai.packages.")


_Types = tuple[type, ...]


class Registry:
    """The natives of an engine or of a module."""

    __slots__ = ("_candidates", "_iterators", "_resolved", "_types", "found")

    def __init__(self, natives: Iterable[Native] = ()) -> None:
        self._candidates: dict[tuple[str, int], dict[tuple[type | str, ...], Native]] = {}
        self._resolved: dict[tuple[str, _Types], Native | None] = {}
        self._iterators: dict[type, Callable[..., Iterator[Any]]] = {}
        self._types: dict[str, type] = {}
        self.found: dict[tuple[Any, ...], Any] = {}
        """What others have found out about the natives; it is forgotten when one comes."""
        for native in natives:
            self.add(native)

    def add(self, native: Native) -> None:
        """Take in a native; one of the same name and types takes the place of an earlier one.

        Raises ValueError for a type whose name nobody registered.
        """
        types = tuple(name if name == ANY else self._class(name) for name in native.parameters)
        for key in native.keys:
            self._candidates.setdefault((key, len(types)), {})[types] = native
        self._resolved.clear()
        self.found.clear()

    def add_type(self, type_: type, name: str) -> None:
        """Say which class the parameters of natives mean by a name, for natives that come from now on."""
        self._types[name] = type_

    def _class(self, name: str) -> type:
        found = self._types.get(name) or TYPES.get(name)
        if found is None:
            raise ValueError(f"no type is called {name!r}: register it first")
        return found

    def add_iterator(self, type_: type, iterate: Callable[..., Iterator[Any]]) -> None:
        """Say how ``for`` goes through values of a type: ``iterate(run, value)`` gives the elements."""
        self._iterators[type_] = iterate

    def iterator(self, type_: type) -> Callable[..., Iterator[Any]] | None:
        """Return how ``for`` goes through values of a type; None if it can't."""
        return self._iterators.get(type_)

    def overloads(self, key: str, count: int) -> Iterable[Native]:
        """Return all natives of a name and number of parameters."""
        return self._candidates.get((key, count), {}).values()

    def named(self, name: str) -> list[Native]:
        """Return all functions of a name, whatever they take."""
        return [native for (key, _), natives in self._candidates.items() if key == name for native in natives.values()]

    def names(self) -> set[str]:
        """Return the names of all functions, without getters, setters and indexers."""
        return {name for name, _ in self._candidates if "$" not in name}

    def fingerprint(self) -> str:
        """Return a text that tells the host's functions: programs compiled for others may not be right for these."""
        own = {
            f"{key}{native.parameters}{native.changes}{native.replaces}{native.run}{native.volatile}"
            for (key, _), natives in self._candidates.items()
            for native in natives.values()
            if not native.is_standard
        }
        return "\n".join(sorted(own))

    def resolve(self, key: str, types: _Types) -> Native | None:
        """Return the native that answers a call of ``key`` with arguments of these Python types; None if there is
        none."""
        asked = (key, types)
        try:
            return self._resolved[asked]
        except KeyError:
            found = self._resolved[asked] = self._search(key, types)
            return found

    def _search(self, key: str, types: _Types) -> Native | None:
        candidates = self._candidates.get((key, len(types)))
        if not candidates:
            return None
        exact = candidates.get(types)
        if exact is not None:
            return exact
        wild = min(len(types), MOST_WILDCARDS)
        by_mask = [
            (sum(1 << (wild - place - 1) for place, wanted in enumerate(wanted_types) if wanted == ANY), native)
            for wanted_types, native in candidates.items()
            if all(
                wanted is given or (wanted == ANY and place < wild)
                for place, (wanted, given) in enumerate(zip(wanted_types, types, strict=True))
            )
        ]
        return min(by_mask, key=itemgetter(0))[1] if by_mask else None


def signature(name: str, types: Iterable[type]) -> str:
    """Return a call as error texts show it: ``name (type, type)``."""
    shown = ("&str | ImmutableString | String" if type_ is str else class_name(type_) for type_ in types)
    return f"{name} ({', '.join(shown)})"


def not_found(key: str, types: _Types, position: Position | None = FILL) -> RhaiError:
    """Return the error that no function answers a call of ``key`` with arguments of these Python types."""
    if key == INDEX_GET:
        return RhaiError("ErrorIndexingType", f"{class_name(types[0])} [{class_name(types[1])}]", position=position)
    if key == INDEX_SET:
        names = [class_name(type_) for type_ in types]
        return RhaiError("ErrorIndexingType", f"{names[0]} [{names[1]}] = {names[2]}", position=position)
    if key.startswith("get$"):
        text = f"Unknown property '{key[4:]}' - a getter is not registered for type '{class_name(types[0])}'"
        return RhaiError("ErrorDotExpr", text, position=position)
    if key.startswith("set$"):
        text = (
            f"No writable property '{key[4:]}' - a setter is not registered for type '{class_name(types[0])}'"
            f" to handle '{class_name(types[1])}'"
        )
        return RhaiError("ErrorDotExpr", text, position=position)
    return RhaiError("ErrorFunctionNotFound", signature(key, types), position=position)
