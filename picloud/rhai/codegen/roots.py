"""Where a chain begins, and how far one may go down from there without a look at each step's type."""

from __future__ import annotations

from typing import Any

from picloud.rhai.codegen import nodes
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.shapes import UNKNOWN, Known, find
from picloud.rhai.codegen.types import MAP
from picloud.rhai.errors import Position
from picloud.rhai.runtime.ownership import DIRECT


class Root:
    """A variable at the beginning of a chain."""

    __slots__ = (
        "cell",
        "constant",
        "declared",
        "name",
        "node",
        "owned",
        "place",
        "shape",
        "sole",
        "sole_elements",
        "types",
        "value",
    )

    def __init__(self, value: Any, known: Known, name: str, place: Position, *, constant: bool = False) -> None:
        self.value = value
        """How it is read, and assigned."""
        self.types, self.shape = known if known[0] else UNKNOWN
        self.name = name
        self.place = place
        self.constant = constant
        self.cell: Any = None
        """Its cell if that tells whether it is a constant."""
        self.node: Any = None
        """The name itself, if it is a variable of the function or ``this``."""
        self.owned = False
        """Nobody else holds its value, which is not to be replaced by another: a borrowed ``this``."""
        self.sole = False
        """Nobody else holds its value (see ``codegen.sole``)."""
        self.sole_elements = False
        """Nor one of its elements."""
        self.declared = False
        """It is surely a variable that the script declares."""


class Way:
    """How far we have gone down from a root, looking whether everything on the way is what it should be."""

    def __init__(self, root: Root) -> None:
        self.container = root.value
        self.types = root.types
        self.shape = root.shape
        self.own = 0 if root.owned or root.sole else DIRECT
        """So many references there are to what nobody else holds; 0 is that there is no need to look."""
        self.tests: list[Any] = []
        self.taken: Any = None

    def take(self, name: str, value: Any) -> None:
        """Go on with a value, which the next test takes into a temporary."""
        self.taken = nodes.NamedExpr(nodes.Name(name, nodes.STORE), value)
        self.container = nodes.name(name)
        self.own = DIRECT + 1

    def read(self) -> Any:
        """Return the container, for a test."""
        taken, self.taken = self.taken, None
        return self.container if taken is None else taken

    def surely_has(self, key: Value) -> bool:
        """Whether the map that we are at has a member under a key that stands in the script."""
        if self.types != MAP or self.shape is None or not isinstance(key.node, nodes.Constant):
            return False
        return key.node.value in (find(self.shape).sure or ())
