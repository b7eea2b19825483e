"""The names that are in sight while a function, a closure or the script itself is parsed.

The parser needs them for three things: an assignment to a constant is a parse error; a name that a closure doesn't
declare is captured; and the optimiser puts the value of a literal constant in place of its name.
"""

from __future__ import annotations

from picloud.rhai.syntax import Expression


class Declared:
    """A declared name."""

    __slots__ = ("constant", "exported", "index", "name", "value")

    def __init__(self, name: str, index: int, value: Expression | None, *, constant: bool) -> None:
        self.name = name
        self.index = index
        """How many names were declared before it."""
        self.constant = constant
        self.exported = False
        self.value = value
        """What the optimiser puts in place of the name. It knows nothing of the variables of ``for`` and ``catch``, so
        such a name still stands for the constant that it hides, in Rhai as here."""


class Scope:
    """The names of one function, innermost last."""

    __slots__ = ("block", "captures", "declared", "names", "propagates")

    def __init__(self) -> None:
        self.declared: list[Declared] = []
        self.names: dict[str, list[Declared]] = {}
        """By name; what is behind hides what is before."""
        self.block = 0
        """How many names were declared when the present block began."""
        self.captures: dict[str, tuple[int, int]] = {}
        """The names that were used and not declared here, with the place of the first use."""
        self.propagates = True
        """Whether constants are replaced; in a block not behind an ``eval``."""

    def find(self, name: str) -> Declared | None:
        """Return what the name stands for."""
        found = self.names.get(name)
        return found[-1] if found else None

    def declare(self, name: str) -> None:
        """Declare a parameter, or a variable of ``for`` or ``catch``."""
        hidden = self.find(name)
        self._push(name, hidden.value if hidden else None, constant=False)

    def let(self, name: str, value: Expression | None, *, constant: bool, exported: bool) -> None:
        """Declare a variable or a constant. A second one in the same block takes the place of the first."""
        found = self.find(name)
        if found is None or found.exported or found.index < self.block:
            found = self._push(name, value, constant=constant)
        else:
            found.constant, found.value = constant, value
        if exported:
            self.declared[-1].exported = True

    def _push(self, name: str, value: Expression | None, *, constant: bool) -> Declared:
        declared = Declared(name, len(self.declared), value, constant=constant)
        self.declared.append(declared)
        self.names.setdefault(name, []).append(declared)
        return declared

    def rewind(self, count: int) -> None:
        """Forget all but the first ``count`` names."""
        while len(self.declared) > count:
            self.names[self.declared.pop().name].pop()
