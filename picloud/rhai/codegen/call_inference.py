"""What calls give, and what the functions get by them: the part of the inference that follows calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import effects
from picloud.rhai.codegen.plans import FunctionPlan
from picloud.rhai.codegen.shapes import OPEN, UNKNOWN, Known, Shape, Shapes, find
from picloud.rhai.codegen.types import ANY, BOOL, FN, HOLDERS, MAP, STRING, UNIT
from picloud.rhai.syntax import Node

_LEFT: Final[Known] = (0, None)
_BY_LANGUAGE: Final = frozenset({"call", "curry", "Fn", "eval", "is_def_var", "is_shared", "type_of", "is_def_fn"})


class CallInference:
    """See the module. The rest is :class:`~picloud.rhai.codegen.inference.Inference`."""

    plans: dict[tuple[str, int], list[FunctionPlan]]
    options: Any
    shapes: Shapes
    join: Callable[..., None]
    bases: dict[Node, Known]
    function: FunctionPlan | None
    loops: int
    specialised: FunctionPlan | None
    general_result: Known

    def of(self, node: Node | None) -> Known:
        """Return what is known of a node's value."""
        raise NotImplementedError

    def base(self, node: Any) -> Known:
        """Return what is known of what stands in front of a property, index or method."""
        raise NotImplementedError

    def unknown(self, *used: Known) -> Known:
        """Return what is known of what anybody may have made of values."""
        raise NotImplementedError

    def kept(self, node: Node, known: Known) -> Known:
        """Return what is known, and keep it for the node."""
        raise NotImplementedError

    def widen(self, node: Node, known: Known) -> None:
        """What a node stands for may have become something else."""
        raise NotImplementedError

    def optional(self, node: Any, base: Known, known: Known) -> Known:
        """Return what is known, with () if the node is optional."""
        raise NotImplementedError

    def shape_of(self, node: Node) -> Shape:
        """Return the shape of what a node makes."""
        raise NotImplementedError

    def passed(self, plan: FunctionPlan, arguments: list[Known]) -> Known:
        """Return what a function gives for these arguments."""
        for slot, known in zip(plan.scope.parameters, arguments, strict=True):
            self.join(slot, known)
        if plan is self.specialised and not plan.takes([types for types, _ in arguments]):
            return self.general_result
        return plan.result.types, plan.result.shape

    def _bound(self, plan: FunctionPlan, node: Node, base: Known) -> None:
        """Calls a function on what a node stands for, which it may change."""
        if plan.uses_this:
            self.join(plan.this, base)
            self.widen(node, (plan.this.types, plan.this.shape))

    def call(self, node: syntax.Call) -> Known:
        """A call by name."""
        arguments = [self.of(argument) for argument in node.arguments]
        return self.kept(node, self._call(node, arguments))

    def _call(self, node: syntax.Call, arguments: list[Known]) -> Known:
        if node.path:
            if arguments:
                self.shapes.open(arguments[0])
                self.widen(node.arguments[0], UNKNOWN)
            return self.unknown(*arguments)
        if node.name in _BY_LANGUAGE:
            return self._by_language(node, arguments)
        plan = self.direct(node.name, len(arguments))
        if plan is not None:
            plan.unbound = True
            self._called(plan)
            return self.passed(plan, arguments)
        if not all(types for types, _ in arguments):
            return _LEFT
        if self.plans.get((node.name, len(arguments))) or not arguments:
            if arguments:
                self.shapes.open(arguments[0])
                self.widen(node.arguments[0], UNKNOWN)
            types = effects.results(self.options, node.name, []) if not arguments else ANY
            return (types, None) if not types & HOLDERS else self.unknown(*arguments)
        return self.native(node, node.name, node.arguments[0], arguments[0], arguments[1:])

    def direct(self, name: str, count: int) -> FunctionPlan | None:
        """Return the one script function that a call by name means."""
        return next((plan for plan in self.plans.get((name, count), ()) if not plan.this_type), None)

    def _called(self, plan: FunctionPlan) -> None:
        plan.called = True
        if self.loops:
            plan.hot = True
        elif self.function is not None:
            plan.callers.add(self.function)

    def _by_language(self, node: syntax.Call, arguments: list[Known]) -> Known:
        name, count = node.name, len(arguments)
        if name == "call" and count >= 1:
            return self._through_pointer(arguments[0], arguments[1:])
        if name == "type_of" and count == 1:
            return STRING, None
        if name in ("is_def_var", "is_shared") and count == 1:
            return BOOL, None
        if name == "Fn" and count == 1:
            return FN, OPEN
        for known in arguments:
            self.shapes.open(known)
        if arguments:
            self.widen(node.arguments[0], UNKNOWN)
        return self.unknown(*arguments)

    def _through_pointer(self, pointer: Known, arguments: list[Known]) -> Known:
        """A call of what must be a function pointer."""
        plans = self.pointed(pointer)
        if plans is None:
            return self.unknown(pointer, *arguments)
        result = _LEFT
        for plan in plans:
            if len(plan.parameters) != len(arguments):
                return self.unknown(pointer, *arguments)
            plan.unbound = True
            result = self.shapes.either(result, self.passed(plan, arguments))
        return result

    def pointed(self, pointer: Known) -> tuple[FunctionPlan, ...] | None:
        """Return the closures that a value is, if it is one; None if that isn't known."""
        types, shape = pointer
        if shape is None or not types & FN:
            return None if types & FN else ()
        shape = find(shape)
        return None if shape is OPEN or types != FN or not shape.closures else shape.closures

    def method(self, node: syntax.MethodCall) -> Known:
        """``value.name(…)``."""
        arguments = [self.of(argument) for argument in node.arguments]
        base = self.base(node)
        if node.optional:
            base = base[0] & ~UNIT, base[1]
        known = self._method(node, base, arguments)
        return self.kept(node, (known[0] | UNIT, known[1]) if node.optional else known)

    def _method(self, node: syntax.MethodCall, base: Known, arguments: list[Known]) -> Known:
        name, count = node.name, len(arguments)
        if not base[0] or not all(types for types, _ in arguments):
            return _LEFT  # so far this is never reached
        if name == "call":
            if self.pointed(base):
                return self._through_pointer(base, arguments)
            self.shapes.open(base)
            self.widen(node.base, UNKNOWN)
            return self.unknown(*arguments)
        if name in ("type_of", "is_shared") and not count:
            return (STRING if name == "type_of" else BOOL), None
        if name == "curry":
            return self.unknown(base, *arguments)
        named = self.plans.get((name, count), ())
        if not named:
            member = self.method_of_member(base, name)
            if member is not None:
                return self._by_member(node, base, member, arguments)
        if len(named) == 1 and named[0].this_type is None:
            plan = named[0]
            self._called(plan)
            self._bound(plan, node.base, base)
            result = self.passed(plan, arguments)
            if not self.may_be_member(base, name):
                return result
        if named or self.may_be_member(base, name):
            self.shapes.open(base)
            self.widen(node.base, UNKNOWN)
            return self.unknown(base, *arguments)
        return self.native(node, name, node.base, base, arguments)

    def method_of_member(self, base: Known, name: str) -> tuple[FunctionPlan, ...] | None:
        """Return the closures that a map surely has under a name; None if that isn't sure."""
        types, shape = base
        if types != MAP or shape is None or name not in (find(shape).sure or ()):
            return None
        slot = self.shapes.member(shape, name)
        return self.pointed((slot.types, slot.shape))

    def may_be_member(self, base: Known, name: str) -> bool:
        """Whether a value may be a map that has a function under a name."""
        types, shape = base
        if not types & MAP:
            return False
        if shape is None or find(shape) is OPEN:
            return True
        return bool(self.shapes.member(shape, name).types & FN)

    def _by_member(
        self, node: syntax.MethodCall, base: Known, plans: tuple[FunctionPlan, ...], arguments: list[Known]
    ) -> Known:
        result = _LEFT
        for plan in plans:
            if len(plan.parameters) != len(arguments):
                self.shapes.open(base)
                self.widen(node.base, UNKNOWN)
                return self.unknown(*arguments)
            self._bound(plan, node.base, base)
            result = self.shapes.either(result, self.passed(plan, arguments))
        return result

    def native(self, node: Node, name: str, place: Node, base: Known, arguments: list[Known]) -> Known:
        """A native on what stands in a place, by its name or as a method."""
        if not base[0] or not all(types for types, _ in arguments):
            return _LEFT
        known = effects.of_native(self, node, name, base, arguments)
        count = len(arguments) + 1
        if known is not None:
            return known
        if self.options.replacing(name, count):
            self.widen(place, UNKNOWN)
        if self.options.changes(name, count):
            self.shapes.open(base)
            for known in arguments:
                self.shapes.open(known)
        types = effects.results(self.options, name, [base[0], *(known[0] for known in arguments)])
        if types & HOLDERS:
            return self.unknown(base, *arguments)
        for known in (base, *arguments):
            self.shapes.expose(known)
        return types, None
