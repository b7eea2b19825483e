"""Rhai's values as Python's.

==============  =====================================================================================================
Rhai            Python
==============  =====================================================================================================
``()``          ``None``
``bool``        ``bool``
``i64``         ``int``, within 64 bits (what makes one checks it)
``f64``         ``float``
``string``      ``str``
``char``        :class:`Char`, a type of its own
``array``       ``list``, exactly
``map``         ``dict`` with ``str`` keys, exactly; what shows or goes through a map sorts the keys, as Rust's does
``blob``        :data:`Blob`, which is ``bytearray``
``range``       :class:`Range` and :class:`InclusiveRange`
``Fn``          :class:`FnPtr`
``timestamp``   :class:`Timestamp`
custom types    any class with ``rhai_type`` (and ``rhai_raw_type``), or one that was registered with the engine
==============  =====================================================================================================

Values copy on assignment. Here an assignment shares the object, and whoever is about to change a list, dict or
bytearray first sees to it that nobody else holds it: CPython's reference count says so exactly, at the cost of one
call, with no flag to keep and no work for those who only read (see ``runtime/ownership.py``). So a native never
changes an argument, except the first one of a native declared with ``changes``: that object is handed over unshared.

A variable that a closure captured lives in a :class:`Shared` cell, which closures hold as curried arguments. Cells
never get into arrays, maps or natives.
"""

from __future__ import annotations

from typing import Any, Final

Blob = bytearray
I64_MIN: Final = -(2**63)
I64_MAX: Final = 2**63 - 1


class Char:
    """A character. :data:`CHARS` hands out one object for each, which is quicker than making one."""

    __slots__ = ("text",)

    rhai_type = "char"

    def __init__(self, text: str) -> None:
        """``text`` is one code point."""
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is Char and self.text == other.text

    def __hash__(self) -> int:
        return hash((Char, self.text))

    def __repr__(self) -> str:
        return f"Char({self.text!r})"


class _Chars(dict[str, Char]):
    def __missing__(self, text: str) -> Char:
        char = Char(text)
        if len(self) < 4096:
            self[text] = char
        return char


CHARS: Final = _Chars()
"""``CHARS[text]`` is the character of a text of one code point."""


class Range:
    """``start..end``, without the end."""

    __slots__ = ("end", "start")

    rhai_type = "range"
    rhai_raw_type = "core::ops::range::Range<i64>"

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.start == other.start and self.end == other.end

    def __hash__(self) -> int:
        return hash((type(self), self.start, self.end))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.start}, {self.end})"


class InclusiveRange(Range):
    """``start..=end``, with the end."""

    __slots__ = ()

    rhai_type = "range="
    rhai_raw_type = "core::ops::range::RangeInclusive<i64>"


class Timestamp:
    """A moment, in nanoseconds of a clock that never goes back."""

    __slots__ = ("nanoseconds",)

    rhai_type = "timestamp"

    def __init__(self, nanoseconds: int) -> None:
        self.nanoseconds = nanoseconds

    def __eq__(self, other: object) -> bool:
        return type(other) is Timestamp and self.nanoseconds == other.nanoseconds

    def __hash__(self) -> int:
        return hash((Timestamp, self.nanoseconds))


class Shared:
    """The cell of a variable that a closure captured."""

    __slots__ = ("captured", "constant", "value")

    def __init__(self, value: Any, *, captured: bool = False, constant: bool = False) -> None:
        self.value = value
        self.captured = captured
        """Whether a closure was made of it yet: ``is_shared`` says so."""
        self.constant = constant

    def lend(self) -> Any:
        """Return the value and hold none until it is set again: to ask for it is a data race meanwhile."""
        value = self.value
        del self.value
        return value

    @property
    def is_lent(self) -> bool:
        """Whether the value is lent to a method that runs on it."""
        return not hasattr(self, "value")


class FnPtr:
    """A function pointer: a name, arguments that were curried into it, and the script function it is tied to, if
    any."""

    __slots__ = ("curry", "function", "has_environment", "home", "name")

    rhai_type = "Fn"

    def __init__(
        self,
        name: str,
        curry: tuple[Any, ...] = (),
        *,
        function: Any = None,
        has_environment: bool = False,
        home: Any = None,
    ) -> None:
        self.name = name
        self.curry = curry
        """Values, and the cells of what a closure captured."""
        self.function = function
        """The script function (``runtime.functions.ScriptFunction``) that this points to whatever it is called with;
        else the
        name is looked up at each call."""
        self.has_environment = has_environment
        """Whether it was made by a script: then it knows the script's functions and modules."""
        self.home = home
        """The run (``runtime.run.Run``) of the module that made it: where its name is looked up. None is the
        caller's."""

    @property
    def is_closure(self) -> bool:
        """Whether it has no name of its own."""
        return self.name.startswith("anon$")

    def curried(self, arguments: tuple[Any, ...]) -> FnPtr:
        """Return a pointer with more curried arguments."""
        return FnPtr(
            self.name,
            self.curry + arguments,
            function=self.function,
            has_environment=self.has_environment,
            home=self.home,
        )


_NAMES: Final[dict[type, str]] = {
    type(None): "()",
    bool: "bool",
    int: "i64",
    float: "f64",
    str: "string",
    Char: "char",
    list: "array",
    dict: "map",
    bytearray: "blob",
    FnPtr: "Fn",
    Timestamp: "timestamp",
}

TYPES: Final[dict[str, type]] = {name: type_ for type_, name in _NAMES.items()} | {
    "range": Range,
    "range=": InclusiveRange,
}
"""Python's type for the name of each type of the language."""


def type_name(value: Any) -> str:
    """Return the name of a value's type as ``type_of`` gives it."""
    return class_name(type(value))


def raw_type_name(value: Any) -> str:
    """Return the name of a value's type as Rust calls it: the same but for ranges and custom types."""
    type_ = type(value)
    known = _NAMES.get(type_)
    if known is not None:
        return known
    return getattr(type_, "rhai_raw_type", None) or class_name(type_)


def class_name(type_: type) -> str:
    """Return the Rhai name of a Python type."""
    known = _NAMES.get(type_)
    if known is not None:
        return known
    return getattr(type_, "rhai_type", None) or type_.__name__


def name_type(type_: type, name: str) -> None:
    """Give a class that has no ``rhai_type`` of its own a name in the language."""
    _NAMES[type_] = name
    TYPES.setdefault(name, type_)
