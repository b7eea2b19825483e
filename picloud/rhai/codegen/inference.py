"""What is certain of the values of a whole script.

All functions of a script are gone through together, again and again until nothing changes: what is assigned to a
variable, passed to a function, put into an array is *joined* to what it may hold. A function that is only called by
name, at calls that can be seen, has the parameters that those calls give it; what may be called from anywhere takes
anything (then see :mod:`picloud.rhai.codegen.speculation`). Calls from outside a script reach code of their own, made
when it is asked for (see :meth:`picloud.rhai.program.Program.linked`).

The answer is sound, not complete: whatever is not understood here is :data:`~picloud.rhai.codegen.shapes.UNKNOWN`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen.call_inference import CallInference
from picloud.rhai.codegen.plans import FunctionPlan, find_hot
from picloud.rhai.codegen.shapes import OPEN, UNKNOWN, Known, Shape, Shapes, Slot, find
from picloud.rhai.codegen.types import (
    ANY,
    ARRAY,
    BLOB,
    BOOL,
    CHAR,
    FN,
    HOLDERS,
    INT,
    MAP,
    RANGE,
    STRING,
    UNIT,
    of_assignment,
    of_binary,
    of_literal,
    of_unary,
)
from picloud.rhai.resolver import FunctionScope, Resolution
from picloud.rhai.syntax import Node
from picloud.rhai.texts import Pause, go_on

_ROUNDS: Final = 16
_STATEMENT: Final = 5
"""So many microseconds it takes to look at one, about."""
_DEPTH: Final = 6
_NOTHING: Final[Known] = (UNIT, None)
_LEFT: Final[Known] = (0, None)


class Inference(CallInference):
    """What is known of each variable, function and step of a chain."""

    def __init__(
        self,
        script: syntax.Script,
        resolution: Resolution,
        plans: dict[tuple[str, int], list[FunctionPlan]],
        closures: dict[Any, FunctionPlan],
        options: Any,
    ) -> None:
        self.script = script
        self.resolution = resolution
        self.bindings = resolution.bindings
        self.plans = plans
        self.closures = closures
        self.options = options
        self.pause: Pause = go_on
        self.shapes = Shapes()
        self.join = self.shapes.join
        self.known: dict[Node, Known] = {}
        """Of each call, property, index and method."""
        self.bases: dict[Node, Known] = {}
        """Of what is in front of each property, index and method."""
        self.made: dict[Node, Shape] = {}
        """The shape of each literal, or of what a call makes."""
        self.function: FunctionPlan | None = None
        self.scope: FunctionScope = resolution.functions[script]
        self.returned = _LEFT
        self.loops = 0
        """How many loops we are in."""
        self.slots: dict[Node, Slot] = {}
        self.specialised: FunctionPlan | None = None
        self.general_result: Known = UNKNOWN
        self.everything = [*(plan for named in plans.values() for plan in named), *closures.values()]

    # ---------------------------------------------------------------------------------------- all of it

    def run(self, *, from_outside: bool) -> None:
        """Find out all. ``from_outside`` says that any function may be called with anything."""
        for plan in self.everything:
            if plan.scope.dynamic or (type(plan.node) is syntax.Function and (from_outside or not self._by_name(plan))):
                self.shapes.escape(plan)
        bodies: list[tuple[FunctionPlan | None, FunctionScope, list[syntax.Statement]]] = [
            (None, self.resolution.functions[self.script], self.script.statements)
        ]
        bodies += [(plan, plan.scope, plan.node.body.statements) for plan in self.everything]
        begun = [-1] * len(bodies)
        for _ in range(_ROUNDS):
            self.shapes.begin()
            before = self.shapes.changes
            for index, body in enumerate(bodies):
                if begun[index] != self.shapes.changes:
                    begun[index] = self.shapes.changes
                    self._body(*body)
            if self.shapes.changes == before:
                break
        else:
            self._give_up()
        for plan in self.everything:
            plan.closed = type(plan.node) is syntax.Function and not plan.escaped
            plan.given = [(variable.types, variable.shape) for variable in plan.scope.parameters]
        find_hot(self.everything)

    def _by_name(self, plan: FunctionPlan) -> bool:
        """Whether calls of a function by its name can be told from all others."""
        return len(self.plans[plan.name, len(plan.parameters)]) == 1 and plan.this_type is None

    def _body(self, plan: FunctionPlan | None, scope: FunctionScope, statements: list[syntax.Statement]) -> None:
        self.function, self.scope, self.returned = plan, scope, _LEFT
        for capture in scope.captures:
            outer: Any = capture.outer
            if outer is None or (scope.enclosing is not None and scope.enclosing.dynamic) or scope.dynamic:
                self.join(capture.inner, UNKNOWN)
                if outer is not None:
                    self.join(outer, UNKNOWN)
                continue
            self.join(capture.inner, (outer.types, outer.shape))
            if not capture.copied:
                self.join(outer, (capture.inner.types, capture.inner.shape))
        result = self.shapes.either(self.block(statements), self.returned)
        if plan is None:
            self.shapes.expose(result)
            return
        self.join(plan.result, result)
        if plan.escaped:
            self.shapes.expose((plan.result.types, plan.result.shape))

    def _give_up(self) -> None:
        """Nothing is certain: the script goes around in circles that grow."""
        for scope in self.resolution.functions.values():
            for variable in scope.variables:
                self.join(variable, UNKNOWN)
        for plan in self.everything:
            self.shapes.escape(plan)
            self.join(plan.result, UNKNOWN)
        self.known = dict.fromkeys(self.known, UNKNOWN)

    def again(self, plan: FunctionPlan, guesses: list[int] | None) -> int:
        """Find out about one function once more, with guessed types of its parameters (0 is no guess).

        Returns the types of its result.
        """
        for variable in plan.scope.variables:
            if not variable.captured:
                variable.types, variable.shape = 0, None
        for at, (variable, given) in enumerate(zip(plan.scope.parameters, plan.given, strict=True)):
            if not variable.captured:
                guess = guesses[at] if guesses else 0
                variable.types, variable.shape = (guess, OPEN if guess & HOLDERS else None) if guess else given
        general = plan.result
        self.general_result = general.types, general.shape
        self.specialised = plan if guesses else None
        plan.result = Slot(0, general.shape)
        for _ in range(_ROUNDS):
            self.shapes.begin()
            before = self.shapes.changes
            self._body(plan, plan.scope, plan.node.body.statements)
            if self.shapes.changes == before:
                break
        else:
            for variable in plan.scope.variables:
                self.join(variable, UNKNOWN)
            plan.result.types = ANY
        found, plan.result = plan.result.types, general
        self.specialised = None
        return found

    # Each method returns what the node's value may be.

    def of(self, node: Node | None) -> Known:
        """Return what the value of a node may be."""
        if node is None:
            return _NOTHING
        handler = _OF.get(type(node))
        if handler is None:
            return UNKNOWN
        return handler(self, node)

    def unknown(self, *used: Known) -> Known:
        """Return that nothing is known of what was made of these values."""
        for known in used:
            self.shapes.expose(known)
        return UNKNOWN

    def block(self, statements: list[syntax.Statement]) -> Known:
        """Return what the last statement gives."""
        known = _NOTHING
        for statement in statements:
            self.pause(_STATEMENT)
            known = self.of(statement)
        return known

    def shape_of(self, node: Node) -> Shape:
        """Return the shape of what is made at a node."""
        shape = self.made.get(node)
        if shape is None:
            shape = self.made[node] = Shape()
        return find(shape)

    def slot_of(self, node: Node) -> Slot:
        """Return the slot of what is made at a node step by step."""
        slot = self.slots.get(node)
        if slot is None:
            slot = self.slots[node] = Slot()
        return slot

    def seen(self, node: Node) -> Known:
        """Return what was found out about a node."""
        kind = type(node)
        if kind is syntax.Variable:
            return self.variable(node)  # type: ignore[arg-type]
        if kind is syntax.This:
            return self.this(node)  # type: ignore[arg-type]
        if kind is syntax.Closure or kind is syntax.ArrayLiteral or kind is syntax.MapLiteral:
            shape = self.made.get(node)
            types = {syntax.Closure: FN, syntax.ArrayLiteral: ARRAY}.get(kind, MAP)
            return UNKNOWN if shape is None else (types, find(shape))
        return self.known.get(node, UNKNOWN)

    def types_of(self, node: Any, depth: int = 0) -> int:
        """Return the types of a node's value, as far as they are told without going through it once more."""
        kind = type(node)
        if kind is syntax.Literal:
            return self.literal(node)[0]
        if kind is syntax.Binary:
            if depth > _DEPTH:
                return ANY
            return of_binary(node.operator, self.types_of(node.left, depth + 1), self.types_of(node.right, depth + 1))
        return self.seen(node)[0]

    # ---------------------------------------------------------------------------------------- literals and names

    def literal(self, node: syntax.Literal) -> Known:
        """A literal; the optimiser makes some of whole arrays."""
        try:
            return of_literal(node.value), None
        except KeyError:
            return UNKNOWN

    def interpolation(self, node: syntax.Interpolation) -> Known:
        """A text with values in it."""
        for part in node.parts:
            self.of(part)
        return STRING, None

    def array(self, node: syntax.ArrayLiteral) -> Known:
        """An array."""
        shape = self.shape_of(node)
        for item in node.items:
            known = self.of(item)
            self.join(find(shape).rest, known)
        return ARRAY, find(shape)

    def map(self, node: syntax.MapLiteral) -> Known:
        """A map."""
        shape = self.made.get(node)
        if shape is None:
            shape = self.made[node] = Shape(frozenset([name for name, _ in node.entries]))
        for name, item in node.entries:
            known = self.of(item)
            self.join(self.shapes.field(shape, name), known)
        return MAP, find(shape)

    def range(self, node: syntax.RangeExpression) -> Known:
        """A range."""
        start, end = self.of(node.start)[0], self.of(node.end)[0]
        if not (start and end):
            return _LEFT
        if start in (INT, UNIT) and end in (INT, UNIT):
            return RANGE, None
        return UNKNOWN

    def closure(self, node: syntax.Closure) -> Known:
        """A closure."""
        shape = self.made.get(node)
        if shape is None:
            shape = self.made[node] = Shape(None, (self.closures[node],))
        return FN, find(shape)

    def variable(self, node: syntax.Variable) -> Known:
        """A variable, or a function by its name."""
        variable: Any = self.bindings.get(node)
        if variable is None or self.scope.dynamic:
            return UNKNOWN
        return variable.types, variable.shape

    def this(self, node: syntax.This) -> Known:
        """The value of ``this``."""
        if self.function is None:
            return UNKNOWN
        return self.function.this.types, self.function.this.shape

    # ---------------------------------------------------------------------------------------- operators

    def unary(self, node: syntax.Unary) -> Known:
        """An operator of one operand."""
        operand = self.of(node.operand)
        types = of_unary(node.operator, operand[0])
        return (types, None) if types != ANY else self.unknown(operand)

    def binary(self, node: syntax.Binary) -> Known:
        """Operators of two operands, a long sum without recursion."""
        spine = []
        left: Any = node
        while type(left) is syntax.Binary:
            spine.append(left)
            left = left.left
        known = self.of(left)
        for each in reversed(spine):
            right = self.of(each.right)
            types = of_binary(each.operator, known[0], right[0])
            known = self.unknown(known, right) if types & HOLDERS else (types, None)
        return known

    def logical(self, node: syntax.Logical) -> Known:
        """``&&``, ``||`` and ``??``."""
        left, right = self.of(node.left), self.of(node.right)
        if node.operator == "??":
            return self.shapes.either((left[0] & ~UNIT, left[1]), right)
        return BOOL, None

    # ---------------------------------------------------------------------------------------- chains

    def base(self, node: Any) -> Known:
        """Return what the value in front of the last step of a chain may be.

        It is kept for who asks what the chain stands for: to go through the chain once more would double the time with
        each of its steps.
        """
        known = self.bases[node] = self.of(node.base)
        return known

    def kept(self, node: Node, known: Known) -> Known:
        self.known[node] = known
        return known

    def property(self, node: syntax.Property) -> Known:
        """``value.name``."""
        base = self.base(node)
        return self.kept(node, self.optional(node, base, self._property(base, node.name)))

    def _property(self, base: Known, name: str) -> Known:
        types, shape = base
        if not types:
            return _LEFT
        if not types & ~(MAP | UNIT):
            slot = self.shapes.member(shape, name)
            sure = shape is not None and name in (find(shape).sure or ())
            return slot.types | (0 if sure else UNIT), slot.shape
        if name == "len" and not types & ~(ARRAY | STRING | BLOB):
            return INT, None
        return self.unknown(base)

    def optional(self, node: Any, base: Known, known: Known) -> Known:
        return (known[0] | UNIT, known[1]) if node.optional and base[0] & UNIT else known

    def index(self, node: syntax.Index) -> Known:
        """``value[index]``."""
        key = self.of(node.index)
        base = self.base(node)
        return self.kept(node, self.optional(node, base, self._index(base, key, node)))

    def _index(self, base: Known, key: Known, node: syntax.Index) -> Known:
        types, shape = base[0] & ~UNIT, base[1]
        if types == ARRAY:
            slot = find(shape).rest if shape is not None else OPEN.rest
            return slot.types, slot.shape
        if types == MAP:
            if type(node.index) is syntax.Literal and type(node.index.value) is str:
                return self._property((MAP, shape), node.index.value)
            slot = self.shapes.any_member(shape)
            return slot.types | UNIT, slot.shape
        if types == STRING:
            return CHAR | STRING, None
        if types == BLOB:
            return INT, None
        return self.unknown(base, key) if types else _LEFT

    def places(self, node: Node) -> list[Any]:
        """Return the slots that hold what a node stands for, if it is assigned to."""
        kind = type(node)
        if kind is syntax.Variable:
            variable = self.bindings.get(node)
            return [] if variable is None or self.scope.dynamic else [variable]
        if kind is syntax.This:
            return [] if self.function is None else [self.function.this]
        if isinstance(node, syntax.Property | syntax.Index):
            types, shape = self.bases[node]
            if shape is None or not types & (ARRAY | MAP):
                return []
            if isinstance(node, syntax.Property):
                return [self.shapes.field(shape, node.name)]
            if type(node.index) is syntax.Literal and type(node.index.value) is str:
                return [self.shapes.field(shape, node.index.value)]
            return [find(shape).rest, *find(shape).fields.values()]
        return []

    def widen(self, node: Node, known: Known) -> None:
        """A value may be put where a node stands."""
        places = self.places(node)
        for slot in places:
            self.join(slot, known)
        if not places:
            self.shapes.open(known)

    # ---------------------------------------------------------------------------------------- control

    def if_else(self, node: syntax.If) -> Known:
        """``if``."""
        self.of(node.condition)
        then = self.of(node.then)
        return self.shapes.either(then, self.of(node.otherwise))

    def switch(self, node: syntax.Switch) -> Known:
        """``switch``."""
        self.of(node.subject)
        known = _LEFT
        default = False
        for case in node.cases:
            default = default or not case.patterns
            self.of(case.guard)
            known = self.shapes.either(known, self.of(case.body))
        return known if default else (known[0] | UNIT, known[1])

    def loop(self, node: syntax.While | syntax.DoWhile) -> Known:
        """``while``, ``loop`` and ``do``."""
        self.loops += 1
        self.of(node.condition)
        self.of(node.body)
        self.loops -= 1
        return UNKNOWN

    def for_loop(self, node: syntax.For) -> Known:
        """``for``."""
        types, shape = self.of(node.iterable)
        known = UNKNOWN if types else _LEFT
        if types == RANGE:
            known = INT, None
        elif types == STRING:
            known = CHAR, None
        elif types == ARRAY and shape is not None:
            rest = find(shape).rest
            known = rest.types, rest.shape
        elif types & ~(RANGE | STRING):
            self.shapes.expose((types, shape))
        self.join(self.bindings[node], known)
        if node.counter is not None:
            self.join(self.resolution.counters[node], (INT, None))
        if self.scope.dynamic:
            self.join(self.bindings[node], UNKNOWN)
        self.loops += 1
        self.of(node.body)
        self.loops -= 1
        return UNKNOWN

    def try_catch(self, node: syntax.Try) -> Known:
        """``try`` and ``catch``."""
        known = self.of(node.body)
        if node.name is not None:
            self.join(self.bindings[node], UNKNOWN)
        self.of(node.handler)
        return known[0] | UNIT, known[1]

    def expression(self, node: syntax.ExpressionStatement) -> Known:
        """An expression as a statement."""
        return self.of(node.expression)

    def let(self, node: syntax.Let) -> Known:
        """``let`` and ``const``."""
        known = self.of(node.value)
        self.join(self.bindings[node], UNKNOWN if self.scope.dynamic else known)
        if self.scope.dynamic or (node.constant and self.resolution.uses_global):
            # Functions see constants of the script as ``global::NAME``, and ``eval`` sees all.
            self.shapes.expose(known)
        return _NOTHING

    def assign(self, node: syntax.Assign) -> Known:
        """An assignment."""
        value = self.of(node.value)
        target: Any = node.target
        if isinstance(target, syntax.Property | syntax.Index | syntax.MethodCall):
            self.of(target)
            base = self.bases[target]
            if base[0] & ~(ARRAY | MAP | BLOB | STRING | INT | UNIT):
                # A setter of the host: the value itself may become another.
                self.widen(target.base, UNKNOWN)
                self.shapes.open(value)
        places = self.places(target)
        for slot in places:
            known = value
            if node.operator != "=":
                known = self._assigned(node.operator[:-1], (slot.types, slot.shape), value)
            self.join(slot, known)
        if not places:
            self.shapes.open(value)
        return _NOTHING

    def _assigned(self, operator: str, old: Known, value: Known) -> Known:
        """Return what ``old operator= value`` makes."""
        if old[0] == ARRAY and operator == "+":
            shape = old[1]
            if shape is not None:
                if value[0] & ARRAY:
                    shape = self.shapes.merge(shape, value[1])
                if value[0] & ~ARRAY and shape is not None:
                    self.join(find(shape).rest, (value[0] & ~ARRAY, value[1]))
            return ARRAY, shape
        types = of_assignment(operator, old[0], value[0])
        if types & (ARRAY | MAP | FN):
            self.shapes.open(old)
            self.shapes.open(value)
            return UNKNOWN
        return types, None

    def leave_function(self, node: syntax.Return) -> Known:
        """``return``."""
        self.returned = self.shapes.either(self.returned, self.of(node.value))
        return _LEFT

    def leave(self, node: Any) -> Known:
        """``throw`` and ``break``: the value turns up where nobody looks."""
        self.shapes.expose(self.of(node.value))
        return _LEFT


_OF: Final[dict[type, Callable[..., Known]]] = {
    syntax.Literal: Inference.literal,
    syntax.CharLiteral: lambda self, node: (CHAR, None),
    syntax.Interpolation: Inference.interpolation,
    syntax.ArrayLiteral: Inference.array,
    syntax.MapLiteral: Inference.map,
    syntax.RangeExpression: Inference.range,
    syntax.Variable: Inference.variable,
    syntax.This: Inference.this,
    syntax.Unary: Inference.unary,
    syntax.Binary: Inference.binary,
    syntax.Logical: Inference.logical,
    syntax.Property: Inference.property,
    syntax.Index: Inference.index,
    syntax.Call: Inference.call,
    syntax.MethodCall: Inference.method,
    syntax.Closure: Inference.closure,
    syntax.Block: lambda self, node: self.block(node.statements),
    syntax.If: Inference.if_else,
    syntax.Switch: Inference.switch,
    syntax.While: Inference.loop,
    syntax.DoWhile: Inference.loop,
    syntax.For: Inference.for_loop,
    syntax.Try: Inference.try_catch,
    syntax.ExpressionStatement: Inference.expression,
    syntax.Let: Inference.let,
    syntax.Assign: Inference.assign,
    syntax.Return: Inference.leave_function,
    syntax.Throw: Inference.leave,
    syntax.Break: Inference.leave,
    syntax.Continue: lambda self, node: _LEFT,
    syntax.Import: lambda self, node: _NOTHING,
    syntax.Export: lambda self, node: _NOTHING,
}

__all__ = ["Inference", "Slot"]
