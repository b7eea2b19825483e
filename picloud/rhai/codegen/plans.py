"""Functions that code is made for, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from picloud.rhai import syntax
from picloud.rhai.codegen.shapes import Known, Slot
from picloud.rhai.resolver import FunctionScope


class FunctionPlan:
    """A function or closure of the script."""

    __slots__ = (
        "borrows",
        "called",
        "callers",
        "closed",
        "escaped",
        "given",
        "hot",
        "name",
        "node",
        "parameters",
        "passed",
        "private",
        "python",
        "repeats",
        "result",
        "scope",
        "sketch",
        "special",
        "this",
        "this_type",
        "unbound",
        "wanted",
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
        self.callers: set[FunctionPlan] = set()
        """The functions that call it by its name, if not in a loop."""
        self.hot = type(node) is syntax.Closure
        """It may be called again and again in a run: its code is to be quick rather than short."""
        self.wanted = False
        """Generated code needs it."""
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
        self.sketch: Any = None
        """What of it may be written out where it is called (see ``codegen.inlining``); None if that is nothing."""

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


def find_hot(plans: Iterable[FunctionPlan]) -> None:
    """Find the functions that are called again and again: in loops, by themselves, by anybody, or by such functions.

    What is called from straight-line code alone runs a few times at most, however long the script runs.
    """
    called: dict[FunctionPlan, list[FunctionPlan]] = {}
    callers: dict[FunctionPlan, int] = {}
    for plan in plans:
        callers[plan] = len(plan.callers)
        for caller in plan.callers:
            called.setdefault(caller, []).append(plan)
    ready = [plan for plan, count in callers.items() if not count]
    while ready:
        plan = ready.pop()
        plan.hot |= plan.escaped
        for each in called.get(plan, ()):
            each.hot |= plan.hot
            callers[each] -= 1
            if not callers[each]:
                ready.append(each)
    for plan, count in callers.items():
        plan.hot |= count > 0  # it calls itself, by way of others perhaps
