"""What arrays, maps and function pointers hold, as far as it is certain.

A type as a set of bits (:mod:`picloud.rhai.codegen.types`) says that a variable holds arrays; a :class:`Shape` says
what is in them. Values that may be the same one share one shape: an assignment *merges* the shapes of both sides, by
union-find, so nothing has to be followed through aliases, and shapes may go in circles. What comes from outside, or
gets to where nobody looks, is :data:`OPEN`: it may hold anything. All changes go one way, so repeating them ends.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai.codegen.types import ANY

Known = tuple[int, "Shape | None"]
"""Types of a value, and what is in it if it is an array, a map or a function pointer."""


class Slot:
    """A place that holds values: an element, a parameter, a result. Variables of the resolver have these too."""

    __slots__ = ("shape", "types")

    def __init__(self, types: int = 0, shape: Shape | None = None) -> None:
        self.types = types
        self.shape = shape


class Shape:
    """What is in arrays, maps and pointers that can't be told apart."""

    __slots__ = ("closures", "fields", "parent", "rest", "sure")

    def __init__(self, sure: frozenset[str] | None = None, closures: tuple[Any, ...] = ()) -> None:
        self.parent: Shape | None = None
        self.rest = Slot()
        """Elements of arrays, and members of maps under keys that are computed."""
        self.fields: dict[str, Slot] = {}
        """Members of maps under names that stand in the script."""
        self.sure = sure
        """Names of members that every map has; None as long as no map was seen."""
        self.closures = closures
        """The closures that a pointer may be."""


_MOST_CLOSURES: Final = 32
"""A pointer that may be more of them may be any: each call of it would be looked at for each of them."""

OPEN: Final = Shape(frozenset())
OPEN.rest = Slot(ANY, OPEN)
UNKNOWN: Final[Known] = (ANY, OPEN)


def find(shape: Shape) -> Shape:
    """Return the one that stands for all that were merged with a shape."""
    while shape.parent is not None:
        if shape.parent.parent is not None:
            shape.parent = shape.parent.parent
        shape = shape.parent
    return shape


class Shapes:
    """Merges shapes and slots, and counts the changes.

    What goes through all that is in a shape is done once in each round: what changes behind it calls for another round.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._exposed: set[Shape] = set()
        self._mixed: set[Shape] = set()

    def begin(self) -> None:
        """Another round begins."""
        self._exposed.clear()
        self._mixed.clear()

    def merge(self, one: Shape | None, other: Shape | None) -> Shape | None:
        """Make one of two shapes."""
        if one is None or other is None:
            return one or other
        one, other = find(one), find(other)
        if one is other:
            return one
        self.changes += 1
        if one is OPEN or (other is not OPEN and len(one.fields) > len(other.fields)):
            one, other = other, one
        one.parent = other
        if other is OPEN:
            for plan in one.closures:
                self.escape(plan)
            for slot in (one.rest, *one.fields.values()):
                self.join(slot, UNKNOWN)
            return OPEN
        if one.closures:
            other.closures += tuple(plan for plan in one.closures if plan not in other.closures)
            if len(other.closures) > _MOST_CLOSURES:
                self.merge(other, OPEN)
        if one.sure is not None:
            other.sure = one.sure if other.sure is None else other.sure & one.sure
        self.join(other.rest, (one.rest.types, one.rest.shape))
        for name, slot in one.fields.items():
            other = find(other)
            self.join(self.field(other, name), (slot.types, slot.shape))
        return find(other)

    def join(self, slot: Any, known: Known) -> None:
        """Let a slot hold what a value may be."""
        types, shape = known
        if types & ~slot.types:
            slot.types |= types
            self.changes += 1
        if shape is not None:
            if slot.shape is None:
                slot.shape = shape
                self.changes += 1
            else:
                slot.shape = self.merge(slot.shape, shape)

    def either(self, one: Known, other: Known) -> Known:
        """Return what is one or the other."""
        return one[0] | other[0], self.merge(one[1], other[1])

    def field(self, shape: Shape, name: str) -> Slot:
        """Return the slot of a member."""
        shape = find(shape)
        if shape is OPEN:
            return OPEN.rest
        slot = shape.fields.get(name)
        if slot is None:
            slot = shape.fields[name] = Slot()
        return slot

    def member(self, shape: Shape | None, name: str) -> Slot:
        """Return the slot of a member for reading: with all that a computed key may have put there."""
        if shape is None:
            return OPEN.rest
        slot = self.field(shape, name)
        rest = find(shape).rest
        if slot is not rest and rest.types:
            self.join(slot, (rest.types, rest.shape))
        return slot

    def any_member(self, shape: Shape | None) -> Slot:
        """Return the slot of a member under a computed key, for reading."""
        if shape is None:
            return OPEN.rest
        shape = find(shape)
        if shape in self._mixed:
            return shape.rest
        self._mixed.add(shape)
        rest = shape.rest
        for slot in list(shape.fields.values()):
            self.join(rest, (slot.types, slot.shape))
        return find(shape).rest

    def open(self, known: Known) -> None:
        """Anything may be put into a value."""
        if known[1] is not None:
            self.merge(known[1], OPEN)

    def expose(self, known: Known) -> None:
        """Somebody unknown gets a value, who may call the functions in it, but not change it."""
        if known[1] is None:
            return
        waiting: list[Shape | None] = [known[1]]
        while waiting:
            shape = waiting.pop()
            if shape is None:
                continue
            shape = find(shape)
            if shape is OPEN or shape in self._exposed:
                continue
            self._exposed.add(shape)
            for plan in shape.closures:
                self.escape(plan)
            waiting.append(shape.rest.shape)
            waiting += [slot.shape for slot in shape.fields.values()]

    def escape(self, plan: Any) -> None:
        """A function may be called by anybody, with anything."""
        if not plan.escaped:
            plan.escaped = True
            self.changes += 1
        for slot in (*plan.scope.parameters, plan.this):
            self.join(slot, UNKNOWN)
