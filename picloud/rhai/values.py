"""How values of the language are represented in Python.

==========  =============================  ==========================================================
Rhai        Python                         remarks
==========  =============================  ==========================================================
()          None
bool        bool
i64         int                            always within 64 bits
f64         float
string      str
char        Char                           a type of its own: never equal to a str by accident
array       list                           owned by one variable or element: copied when it is assigned
map         dict with str keys             printed and compared in the order of its keys
blob        Blob (a bytearray)
range       Range, InclusiveRange
Fn          FnPtr
timestamp   Timestamp
==========  =============================  ==========================================================

Values are copied on assignment: ``copied`` is what generated code calls where Rust clones. Everything but arrays, maps,
blobs and host objects is immutable, so it is its own copy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Array = list[Any]
Map = dict[str, Any]


class Char:
    """One character."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is Char and other.text == self.text

    def __hash__(self) -> int:
        return hash((Char, self.text))

    def __lt__(self, other: Char) -> bool:
        return self.text < other.text

    def __le__(self, other: Char) -> bool:
        return self.text <= other.text

    def __repr__(self) -> str:
        return f"Char({self.text!r})"


class Blob(bytearray):
    """A byte array."""

    __slots__ = ()


class Range:
    """``start..end``."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (other.start, other.end) == (self.start, self.end)

    def __hash__(self) -> int:
        return hash((type(self), self.start, self.end))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.start}, {self.end})"


class InclusiveRange(Range):
    """``start..=end``."""

    __slots__ = ()


class Timestamp:
    """A point on a clock that only goes forward, in nanoseconds."""

    __slots__ = ("nanoseconds",)

    def __init__(self, nanoseconds: int) -> None:
        self.nanoseconds = nanoseconds

    def __eq__(self, other: object) -> bool:
        return type(other) is Timestamp and other.nanoseconds == self.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)


class Cell:
    """A variable that closures share with the scope that declared it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class FnPtr:
    """A function by name, with the arguments that are already given (curried), or an anonymous function.

    ``function`` is the Python function of a closure, taking the captured cells first; None for a function by name.
    ``captured`` are those cells.
    """

    __slots__ = ("captured", "curried", "environment", "function", "name", "parameters")

    def __init__(
        self,
        name: str,
        curried: tuple[Any, ...] = (),
        *,
        function: Callable[..., Any] | None = None,
        captured: tuple[Cell, ...] = (),
        parameters: int = 0,
        environment: bool = True,
    ) -> None:
        self.name = name
        self.curried = curried
        self.function = function
        self.captured = captured
        self.parameters = parameters
        self.environment = environment

    @property
    def is_anonymous(self) -> bool:
        """Whether it is a closure."""
        return self.function is not None

    def __eq__(self, other: object) -> bool:
        return type(other) is FnPtr and other.name == self.name and other.curried == self.curried

    def __hash__(self) -> int:
        return hash(self.name)


STRING_TYPES: Final = "&str | ImmutableString | String"

_NAMES: Final[dict[type, str]] = {
    type(None): "()",
    bool: "bool",
    int: "i64",
    float: "f64",
    str: "string",
    Char: "char",
    list: "array",
    dict: "map",
    Blob: "blob",
    Range: "range",
    InclusiveRange: "range=",
    FnPtr: "Fn",
    Timestamp: "timestamp",
}
_RAW_NAMES: Final[dict[type, str]] = {
    Range: "core::ops::range::Range<i64>",
    InclusiveRange: "core::ops::range::RangeInclusive<i64>",
}


def type_name(value: Any) -> str:
    """What ``type_of`` answers."""
    found = _NAMES.get(type(value))
    return found if found is not None else str(getattr(type(value), "rhai_name", type(value).__name__))


def raw_type_name(value: Any) -> str:
    """The name as it stands in ``ErrorMismatchDataType`` and in tagged values."""
    return _RAW_NAMES.get(type(value)) or type_name(value)


def signature_name(value: Any) -> str:
    """The name as it stands in ``Function not found``."""
    return STRING_TYPES if type(value) is str else type_name(value)


def copied(value: Any) -> Any:
    """A value of its own: what Rust's clone gives. Depth is bounded by how deep the script could build it."""
    kind = type(value)
    if kind is list:
        return [copied(item) if type(item) in _COPIED else item for item in value]
    if kind is dict:
        return {key: copied(item) if type(item) in _COPIED else item for key, item in value.items()}
    if kind is Blob:
        return Blob(value)
    if hasattr(value, "rhai_copy"):
        return value.rhai_copy()
    return value


_COPIED: Final = frozenset({list, dict, Blob})
