"""Functions that code is made for, and what is known of them."""

from __future__ import annotations

from typing import Any

from picloud.rhai.codegen.shapes import Known, Slot
from picloud.rhai.resolver import FunctionScope


class FunctionPlan:
    """A function or closure of the script."""

    __slots__ = (
        "borrows",
        "called",
        "closed",
        "escaped",
        "given",
        "name",
        "node",
        "parameters",
        "passed",
        "private",
        "python",
        "repeats",
        "result",
        "scope",
        "special",
        "this",
        "this_type",
        "unbound",
    )

    def __init__(self, python: str, name: str, node: Any, scope: FunctionScope) -> None:
        self.python = python
        """Name of the Python function; the object for it is called the same with an S in front."""
        self.name = name
        self.node = node
        self.scope = scope
        self.parameters = list(node.parameters)
        self.this_type: str | None = getattr(node, "this_type", None)
        self.private: bool = getattr(node, "private", False)
        self.this = Slot()
        """What ``this`` may be."""
        self.result = Slot()
        self.called = False
        """Some call of it stands in the script, by its name."""
        self.escaped = False
        """Anybody may call it, with anything."""
        self.unbound = False
        """Some call of it has no ``this``."""
        self.borrows = False
        """It gets ``this`` as it is, not in a box (see ``codegen.borrowing``)."""
        self.passed = False
        """A native may call it, once for each element of an array."""
        self.repeats = True
        """It has a loop, or calls what may be a function of a script."""
        self.closed = False
        """Its code relies on the arguments of the calls that stand in the script: others need other code."""
        self.given: list[Known] = []
        """What its parameters may be."""
        self.special: tuple[list[int], int] | None = None
        """The guessed types of parameters that there is special code for (0 is none), and those of its result."""

    def takes(self, arguments: list[int]) -> bool:
        """Whether arguments of these types go straight to the special code."""
        return self.special is not None and all(
            not wanted or given == wanted for wanted, given in zip(self.special[0], arguments, strict=True)
        )

    @property
    def uses_this(self) -> bool:
        """Whether it takes ``this``."""
        return self.scope.uses_this

    @property
    def arity(self) -> int:
        """Number of parameters, with captured variables."""
        return len(self.scope.captures) + len(self.parameters)
