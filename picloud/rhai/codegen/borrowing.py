"""Which functions are lent the value that they are called on.

As a rule ``this`` comes in a box, so that a function may put another value in its place. A function that only reads
its members and elements and changes them in place can do with the value itself: whoever calls it sees to it that
nobody else holds that value, and then no change needs a look at who does. Such a function *borrows* ``this``. It must
be certain what the value is, and all its calls; it may not hand the value on, nor see what it lies in.
"""

from __future__ import annotations

from typing import Any

from picloud.rhai import syntax
from picloud.rhai.codegen.emitter import Value
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.ranges import children
from picloud.rhai.codegen.types import ARRAY, MAP

_CHAINS = (syntax.Property, syntax.Index, syntax.MethodCall)


def mark(generator: Any, plans: list[FunctionPlan]) -> None:
    """Mark the functions that borrow ``this``."""
    candidates = {plan for plan in plans if _is_candidate(plan)}
    while True:
        kept = {plan for plan in candidates if _Uses(generator, candidates).are_harmless(plan)}
        if kept == candidates:
            break
        candidates = kept
    for plan in candidates:
        plan.borrows = True


def _is_candidate(plan: FunctionPlan) -> bool:
    if plan.escaped or plan.passed or plan.unbound or plan.scope.captures or plan.scope.dynamic:
        return False
    return plan.uses_this and plan.this.types in (ARRAY, MAP)


class _Uses:
    """Looks through a function."""

    def __init__(self, generator: Any, candidates: set[FunctionPlan]) -> None:
        self.generator = generator
        self.candidates = candidates

    def are_harmless(self, plan: FunctionPlan) -> bool:
        """Whether all uses of ``this`` in a function are such that it may borrow it."""
        self.generator.facts.function, self.generator.facts.scope = plan, plan.scope
        waiting: list[Any] = list(plan.node.body.statements)
        while waiting:
            node = waiting.pop()
            if isinstance(node, syntax.This):
                return False
            if isinstance(node, syntax.Assign) and isinstance(node.target, _CHAINS):
                if not self._chain(node.target, waiting, assigned=True):
                    return False
                waiting.append(node.value)
            elif isinstance(node, _CHAINS):
                if not self._chain(node, waiting, assigned=False):
                    return False
            else:
                waiting += children(node)
        return True

    def _chain(self, node: Any, waiting: list[Any], *, assigned: bool) -> bool:
        base, steps = self.generator.taken_apart(node)
        for step in steps:
            if isinstance(step, syntax.Index):
                waiting.append(step.index)
            elif isinstance(step, syntax.MethodCall):
                waiting += step.arguments
        if not isinstance(base, syntax.This):
            waiting.append(base)
            return True
        first = steps[0]
        if assigned:
            return not any(step.optional or isinstance(step, syntax.MethodCall) for step in steps)
        if isinstance(first, syntax.MethodCall):
            return self._method(first)
        return True

    def _method(self, step: syntax.MethodCall) -> bool:
        """Whether a method may be called on a value that is only lent."""
        if step.optional:
            return False
        callee = self.generator.callee(step)
        if callee is not None:
            return not callee[0].uses_this or callee[0] in self.candidates
        base = Value(None, *self.generator.seen(step.base))
        replacing = self.generator.options.replacing(step.name, len(step.arguments) + 1)
        return self.generator.may_be_native(base, step) and not replacing
