"""What all parts of the generator share: values, temporaries, the order of evaluation, where results go.

An expression becomes a :class:`Value`: a Python expression that wasn't evaluated yet, and what is known of it. Python
statements that have to run before it are in ``out`` by then. So an expression after which more statements are written
must be evaluated before them if they could change its value: :meth:`Emitter.sequence` sees to that.

A temporary lives until the end of the statement of the script in which it was made. If it may hold an array or map it
is cleared there, for a forgotten reference would make the next change of that array copy it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from picloud.rhai.codegen import nodes, types
from picloud.rhai.codegen.inference import Inference
from picloud.rhai.codegen.ranges import ALL, Bounds, Ranges
from picloud.rhai.codegen.shapes import Shape
from picloud.rhai.errors import Position
from picloud.rhai.resolver import FunctionScope, Resolution, Variable
from picloud.rhai.syntax import Node

RETURN: Final = "return"
"""The destination of a value that the function returns."""

Destination = str | None
"""Where a value goes: a temporary's name, :data:`RETURN`, or None for nowhere."""


class Value:
    """A Python expression and what is known of it."""

    __slots__ = ("bounds", "held", "node", "shape", "simple", "stable", "types")

    def __init__(
        self,
        node: Any,
        types_: int,
        shape: Shape | None = None,
        *,
        simple: bool = False,
        stable: bool = False,
        bounds: Bounds = ALL,
    ) -> None:
        self.node = node
        self.bounds = bounds
        """Between what it is, if it is an integer; how long it is, if it is a text."""
        self.held: int | None = None
        """How many elements and bytes of texts it holds at most, if it is a literal of which that is known."""
        self.types = types_
        self.shape = shape
        """What is in it, if it is an array, a map or a function pointer; None if that isn't known."""
        self.simple = simple
        """It is a name or a literal: it may be written twice."""
        self.stable = stable
        """No statement changes its value."""


class Options:
    """What the engine fixes for the code of all its programs."""

    __slots__ = ("changes", "found", "known", "limits", "natives", "replacing", "resolve", "traced")

    def __init__(
        self,
        limits: Any,
        known: Callable[[str, int], bool],
        changes: Callable[[str, int], bool],
        replacing: Callable[[str, int], bool],
        natives: Callable[[str, int], Iterable[Any]],
        resolve: Callable[[str, tuple[Any, ...]], Any],
        found: dict[tuple[Any, ...], Any],
        *,
        traced: bool = False,
    ) -> None:
        self.limits = limits
        self.known = known
        """Whether there are natives of a name and number of arguments."""
        self.changes = changes
        """Whether one of them changes its first argument."""
        self.replacing = replacing
        """Whether one of them may put a value of another type in its place."""
        self.natives = natives
        """The natives of a name and number of arguments."""
        self.resolve = resolve
        """The native that answers a call with arguments of these Python types."""
        self.found = found
        """What was found out about natives, for all programs."""
        self.traced = traced
        """Whether statements tell of themselves."""


CALL: Final = 8
"""A call takes as long as so many other nodes."""
_NODES: Final = 16
"""So many nodes of a script are run for one operation."""
_UNPAID: Final = 256
"""So many may be run for nothing within a turn of a loop, or a call."""
_TAKEN: Final = 4
"""Of so many branches one is taken, about."""


class Emitter:
    """The part of the generator that knows nothing of the language."""

    scope: FunctionScope
    facts: Inference
    ranges: Ranges
    resolution: Resolution
    options: Options

    def __init__(self) -> None:
        self.out: list[Any] = []
        self.temporaries = 0
        self.holders: list[str] = []
        self.in_try = 0
        self.frozen = False
        """Whether ``this`` is a constant."""
        self.hot = False
        self.in_loop = False
        self.sole: set[Node] = set()
        """Uses of variables that are the only ones to hold their values."""
        self.sole_elements: set[Node] = set()
        """Those of them that are the only ones to hold the elements too."""
        self.present: set[Node] = set()
        """Elements of maps that are surely there when they are changed."""
        self.borrows = False
        """Whether the function has ``this`` as it is, not in a box."""
        self.uses_deeper = False
        self.entered = False
        """Whether the level was looked at, and paid for, on every way to here."""
        self.has_deeper = False
        """Whether ``E`` is there, on every way to here."""
        self.repeats = False
        """Whether the function has a loop, or calls what may be a function of a script."""
        self.weight = 0
        """Nodes of the script that code was written for and that nothing was paid for yet."""
        self.collected: dict[str, int] = {}
        self.characters: dict[str, str] = {}
        self.natives: dict[tuple[str, tuple[int, ...]], str] = {}
        """Python names of natives, by their names and the types of their arguments."""
        self.in_c: dict[str, str] = {}
        """The C functions that some of these natives are, if their last argument is short."""
        self.sites: dict[Position, tuple[Any, Any]] = {}

    # ---------------------------------------------------------------------------------------- temporaries

    def temporary(self, types_: int) -> str:
        """Return a fresh temporary for values of these types."""
        self.temporaries += 1
        name = f"t{self.temporaries}"
        if types_ & types.HOLDERS:
            self.holders.append(name)
        return name

    def temporary_before(self, types_: int, written: set[str]) -> str:
        """Return the name of a new temporary that is assigned to before statements that are written already.

        Statements in blocks give their temporaries back, so it may be none of those that they assign to.
        """
        name = self.temporary(types_)
        while name in written:
            name = self.temporary(types_)
        return name

    def kept(self, value: Value) -> Value:
        """Return the value as something that may be written twice."""
        if value.simple:
            return value
        return self.stored(value)

    def stored(self, value: Value) -> Value:
        """Return the value in a temporary."""
        name = self.temporary(value.types)
        self.out.append(nodes.assign(name, value.node))
        return Value(nodes.name(name), value.types, value.shape, simple=True, stable=True, bounds=value.bounds)

    def fresh(self, name: str, types_: int, shape: Shape | None = None) -> Value:
        """Return what is in a temporary."""
        return Value(nodes.name(name), types_, shape, simple=True, stable=True)

    def sequence(self, makers: Sequence[Callable[[], Value]]) -> list[Value]:
        """Evaluate in order. Values that later statements might change are put into temporaries before them."""
        values: list[Value] = []
        pending: list[int] = []
        for make in makers:
            start = len(self.out)
            value = make()
            if len(self.out) > start and pending:
                self._spill(values, pending, start)
                pending = []
            if not value.stable:
                pending.append(len(values))
            values.append(value)
        return values

    def _spill(self, values: list[Value], pending: list[int], start: int) -> None:
        written = stored_names(self.out[start:])
        spilled = []
        for index in pending:
            value = values[index]
            if isinstance(value.node, ast.Name) and value.node.id not in written:
                continue
            name = self.temporary_before(value.types, written)
            spilled.append(nodes.assign(name, value.node))
            values[index] = Value(
                nodes.name(name), value.types, value.shape, simple=True, stable=True, bounds=value.bounds
            )
        self.out[start:start] = spilled

    def release(self, used: list[Any], since: int) -> None:
        """Clear temporaries that may hold an array or map, but for those of the ``used`` values.

        What is changed next may be what one of them holds. ``since`` is how many there were when the expression began
        whose temporaries they are.
        """
        kept = {value.node.id for value in _flat(used) if isinstance(value.node, ast.Name)} | set(self.holders[:since])
        cleared = [name for name in dict.fromkeys(self.holders) if name not in kept]
        if cleared:
            self.out.append(nodes.clear(cleared))
            self.holders = [name for name in self.holders if name in kept]

    def collect(self, emit: Callable[[], Any]) -> list[Any]:
        """Return the statements that ``emit`` writes."""
        outer, self.out = self.out, []
        weight, self.weight = self.weight, 0
        entered = self.entered, self.has_deeper
        emit()
        self.pay_at(0)
        written, self.out = self.out, outer
        # It may not be run each time.
        self.weight = weight + self.weight // _TAKEN
        self.entered, self.has_deeper = entered
        return written

    def pay_at(self, start: int) -> None:
        """Pay for straight code that takes long, at an index of the written statements."""
        if self.weight >= _UNPAID:
            self.out.insert(start, nodes.statement(nodes.call("P", [nodes.constant(self.weight // _NODES)])))
            self.weight = 0

    def finish(self, value: Value | None, destination: Destination) -> None:
        """Bring a value to where it goes."""
        if destination is None:
            if value is not None and not value.simple:
                self.out.append(nodes.statement(value.node))
            return
        if value is None:
            value = Value(nodes.constant(None), types.UNIT)
        if destination is RETURN:
            self.out.append(nodes.Return(value.node))
            return
        self.collected[destination] = self.collected.get(destination, 0) | value.types
        self.out.append(nodes.assign(destination, value.node))

    # ---------------------------------------------------------------------------------------- small things

    @property
    def level(self) -> Any:
        """The level of calls of the function that is made."""
        return nodes.name("D")

    @property
    def deeper(self) -> Any:
        """The level of a function that is called from it."""
        if not self.has_deeper:
            self.uses_deeper = True
        return nodes.name("E")

    def enter(self, place: Position) -> None:
        """Write what stands before calls of functions that leave it to their callers: a look at the level, and a
        payment if no loop pays. Once will do for all calls behind it."""
        if self.entered:
            return
        self.entered = True
        too_deep = nodes.compare(nodes.name("D"), ">=", nodes.name("M"))
        self.out.append(nodes.branch(too_deep, [nodes.statement(nodes.call("overflow", [], place))]))
        if not self.in_loop:
            self.has_deeper = True
            self.out += [nodes.tick(), nodes.assign("E", nodes.binary("+", nodes.name("D"), nodes.constant(1)))]

    def calling(self, function: str, arguments: list[Any], place: Position) -> Any:
        """Return a call that may run code of a script."""
        self.repeats = True
        return nodes.call(function, arguments, place)

    def character(self, text: str) -> Value:
        """Return a character, which the module holds ready."""
        name = self.characters.setdefault(text, f"K{len(self.characters) + 1}")
        return Value(nodes.name(name), types.CHAR, simple=True, stable=True)

    def python_names(self) -> frozenset[str]:
        """Names that generated code uses beside its own variables."""
        return frozenset(self.characters.values())


def _flat(values: list[Any]) -> list[Value]:
    flat: list[Value] = []
    for value in values:
        if type(value) is list:
            flat += _flat(value)
        elif value is not None:
            flat.append(value)
    return flat


def stored_names(statements: list[Any]) -> set[str]:
    """Return the names that statements assign to."""
    return {
        node.id if isinstance(node, ast.Name) else node.name or ""
        for statement in statements
        for node in ast.walk(statement)
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)) or isinstance(node, ast.ExceptHandler)
    }


def is_temporary(name: str) -> bool:
    """Whether a Python name is that of a temporary."""
    return name[0] == "t" and name[1:].isdigit()


def declared(variable: Variable) -> Any:
    """Return the Python variable of a declaration, to read."""
    return nodes.name(variable.python)
