"""What each name of a script means, found out before any code is made.

Rhai's scopes are lexical: blocks nest, a ``let`` shadows from there on, a function sees its parameters and what it
declares, and nothing of the script around it. A closure sees everything; what it takes from outside it *captures*,
and captured variables live in cells (:class:`picloud.rhai.values.Shared`) from their declaration on. So a name is one
of

- a :class:`Variable` of the function it stands in, or one that the closure it stands in captured;
- nothing that is declared: then it is a script function's name, or a variable that the host gave, which is looked up
at run time.

A function that calls ``eval`` can't be resolved this way, for the text may declare and change anything: it is
*dynamic*, and all its variables are looked up by name in a scope of its own. So is a script that exports variables,
for its scope outlives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from picloud.rhai import syntax
from picloud.rhai.errors import Position
from picloud.rhai.syntax import Node


class Variable:
    """A declaration: by ``let``, ``const``, ``for``, ``catch``, a parameter, or a closure's capture."""

    __slots__ = ("captured", "constant", "name", "python", "shape", "types")

    def __init__(self, name: str, python: str, *, constant: bool = False, captured: bool = False) -> None:
        self.name = name
        self.python = python
        """Name of the Python variable that holds it."""
        self.constant = constant
        self.captured = captured
        """A closure takes it, or it was taken: it lives in a cell."""
        self.types = 0
        """What types it may hold (see ``codegen.types``)."""
        self.shape: Any = None
        """What is in the arrays and maps that it holds (see ``codegen.shapes``)."""


class Capture:
    """What a closure takes from outside: a cell, or the value of a constant."""

    __slots__ = ("copied", "inner", "name", "outer", "place")

    def __init__(self, name: str, place: Position, outer: Variable | None, inner: Variable, *, copied: bool) -> None:
        self.name = name
        self.place = place
        self.outer = outer
        """The variable of the enclosing function; None if that declares none of this name."""
        self.inner = inner
        self.copied = copied
        """It is the value of a constant."""


class FunctionScope:
    """What is known of a function, a closure or the script itself."""

    __slots__ = (
        "blocks",
        "captures",
        "dynamic",
        "enclosing",
        "imports",
        "node",
        "parameters",
        "uses_this",
        "variables",
    )

    def __init__(self, node: Any, enclosing: FunctionScope | None) -> None:
        self.node = node
        self.enclosing = enclosing
        self.parameters: list[Variable] = []
        self.captures: list[Capture] = []
        self.variables: list[Variable] = []
        self.uses_this = False
        self.dynamic = False
        self.imports = False
        self.blocks: list[dict[str, Variable]] = [{}]

    def lookup(self, name: str) -> Variable | None:
        """Return the variable of that name that is in sight within the function."""
        for block in reversed(self.blocks):
            found = block.get(name)
            if found is not None:
                return found
        return None

    def visible(self) -> tuple[str, ...]:
        """Return all names in sight within the function."""
        return tuple(dict.fromkeys(name for block in self.blocks for name in block))


class Resolution:
    """What the resolver found out."""

    __slots__ = ("bindings", "calls", "counters", "depths", "functions", "uses_global", "visible")

    def __init__(self) -> None:
        self.bindings: dict[Node, Variable | None] = {}
        """Of each use of a name, and of each declaration. A use that is not declared has None."""
        self.counters: dict[Node, Variable] = {}
        """The counter of a ``for`` that has one."""
        self.calls: dict[tuple[str, int], list[syntax.Call]] = {}
        """The calls of each name and number of arguments."""
        self.depths: dict[Node, int] = {}
        """How many variables are in scope in front of each ``let``."""
        self.functions: dict[Any, FunctionScope] = {}
        """Of the script, each function and each closure."""
        self.visible: dict[Node, tuple[str, ...]] = {}
        """The names in sight at each call of ``is_def_var``."""
        self.uses_global = False
        """Whether any function asks for a constant of the script by ``global::``."""


def resolve(script: syntax.Script, *, dynamic: bool = False) -> Resolution:
    """Resolve all names of a script; ``dynamic`` is for the text of an ``eval``."""
    resolver = _Resolver(script)
    resolver.scope.dynamic = dynamic
    resolver.script(script)
    return resolver.resolution


class _Resolver:
    def __init__(self, script: syntax.Script) -> None:
        self.resolution = Resolution()
        self.defined = {function.name for function in script.functions}
        self.scope = FunctionScope(script, None)
        self.count = 0

    def script(self, script: syntax.Script) -> None:
        self.resolution.functions[script] = self.scope
        self.scope.dynamic |= any(
            isinstance(statement, syntax.Export) or (isinstance(statement, syntax.Let) and statement.exported)
            for statement in script.statements
        )
        self.statements(script.statements)
        for function in script.functions:
            self.function(function)

    def function(self, function: syntax.Function) -> None:
        outer, self.scope = self.scope, FunctionScope(function, None)
        self.resolution.functions[function] = self.scope
        self.scope.parameters = [self.declare(name) for name in function.parameters]
        self.statements(function.body.statements)
        self.scope = outer

    def declare(self, name: str, *, constant: bool = False) -> Variable:
        self.count += 1
        variable = Variable(name, f"v{self.count}", constant=constant)
        self.scope.blocks[-1][name] = variable
        self.scope.variables.append(variable)
        return variable

    def capture(self, node: syntax.Capture) -> None:
        """Give the closure that we are in a variable for what it takes from outside."""
        assert self.scope.enclosing is not None
        outer = self.scope.enclosing.lookup(node.name)
        self.count += 1
        inner = Variable(node.name, f"v{self.count}", captured=not node.copied)
        if outer is not None and not node.copied:
            outer.captured = True
            inner.constant = outer.constant
        self.scope.captures.append(Capture(node.name, (node.line, node.column), outer, inner, copied=node.copied))
        self.scope.blocks[0][node.name] = inner
        self.scope.variables.append(inner)

    def captured(self, scope: FunctionScope, name: str, place: Position) -> Variable:
        """Return a closure's variable for a name that its parser didn't list."""
        assert scope.enclosing is not None
        outer = scope.enclosing.lookup(name)
        if outer is None and scope.enclosing.enclosing is not None:
            outer = self.captured(scope.enclosing, name, place)
        self.count += 1
        inner = Variable(name, f"v{self.count}", captured=True)
        if outer is not None:
            outer.captured = True
            inner.constant = outer.constant
        scope.captures.append(Capture(name, place, outer, inner, copied=False))
        scope.blocks[0][name] = inner
        return inner

    # ---------------------------------------------------------------------------------------- walking

    def statements(self, statements: Iterable[Node]) -> None:
        for statement in statements:
            self.walk(statement)

    def block(self, statements: Iterable[Node]) -> None:
        self.scope.blocks.append({})
        self.statements(statements)
        self.scope.blocks.pop()

    def walk(self, node: Node | None) -> None:
        if node is None:
            return
        visit = _VISITS.get(type(node))
        if visit is not None:
            visit(self, node)
            return
        for name in CHILDREN[type(node)]:
            child = getattr(node, name)
            if type(child) is list:
                for each in child:
                    self.walk(each)
            else:
                self.walk(child)

    def variable(self, node: syntax.Variable) -> None:
        found = self.scope.lookup(node.name)
        if found is None and self.scope.enclosing is not None and node.name not in self.defined:
            found = self.captured(self.scope, node.name, (node.line, node.column))
        self.resolution.bindings[node] = found

    def this(self, node: syntax.This) -> None:
        self.scope.uses_this = True

    def qualified(self, node: syntax.QualifiedName) -> None:
        if node.path == ["global"]:
            self.resolution.uses_global = True

    def binary(self, node: syntax.Binary) -> None:
        # A long sum nests to the left as deep as it is long.
        spine: list[syntax.Binary] = []
        left: Any = node
        while type(left) is syntax.Binary:
            spine.append(left)
            left = left.left
        self.walk(left)
        for each in reversed(spine):
            self.walk(each.right)

    def map_literal(self, node: syntax.MapLiteral) -> None:
        for _, value in node.entries:
            self.walk(value)

    def call(self, node: syntax.Call) -> None:
        if not node.path:
            self.resolution.calls.setdefault((node.name, len(node.arguments)), []).append(node)
            if node.name == "eval" and len(node.arguments) == 1:
                self.scope.dynamic = True
            elif node.name == "is_def_var":
                self.resolution.visible[node] = self.scope.visible()
        self.statements(node.arguments)

    def closure(self, node: syntax.Closure) -> None:
        outer, self.scope = self.scope, FunctionScope(node, self.scope)
        self.resolution.functions[node] = self.scope
        for capture in node.captures:
            self.capture(capture)
        self.scope.parameters = [self.declare(name) for name in node.parameters]
        self.block(node.body.statements)
        self.scope = outer

    def block_node(self, node: syntax.Block) -> None:
        self.block(node.statements)

    def for_loop(self, node: syntax.For) -> None:
        self.walk(node.iterable)
        self.scope.blocks.append({})
        if node.counter is not None:
            self.resolution.counters[node] = self.declare(node.counter)
        self.resolution.bindings[node] = self.declare(node.name)
        self.walk(node.body)
        self.scope.blocks.pop()

    def try_catch(self, node: syntax.Try) -> None:
        self.walk(node.body)
        self.scope.blocks.append({})
        if node.name is not None:
            self.resolution.bindings[node] = self.declare(node.name)
        self.walk(node.handler)
        self.scope.blocks.pop()

    def let(self, node: syntax.Let) -> None:
        self.walk(node.value)
        known = node.name in self.scope.blocks[-1]
        self.resolution.depths[node] = -1 if known else sum(map(len, self.scope.blocks))
        self.resolution.bindings[node] = self.declare(node.name, constant=node.constant)

    def assign(self, node: syntax.Assign) -> None:
        self.walk(node.value)
        self.walk(node.target)

    def imported(self, node: syntax.Import) -> None:
        self.scope.imports = True
        self.walk(node.path)

    def case(self, node: syntax.Case) -> None:
        self.statements(node.patterns)
        self.walk(node.guard)
        self.walk(node.body)


_VISITS: dict[type, Any] = {
    syntax.Variable: _Resolver.variable,
    syntax.This: _Resolver.this,
    syntax.QualifiedName: _Resolver.qualified,
    syntax.Binary: _Resolver.binary,
    syntax.MapLiteral: _Resolver.map_literal,
    syntax.Call: _Resolver.call,
    syntax.Closure: _Resolver.closure,
    syntax.Block: _Resolver.block_node,
    syntax.For: _Resolver.for_loop,
    syntax.Try: _Resolver.try_catch,
    syntax.Let: _Resolver.let,
    syntax.Assign: _Resolver.assign,
    syntax.Import: _Resolver.imported,
    syntax.Case: _Resolver.case,
}
CHILDREN: dict[type, tuple[str, ...]] = {
    syntax.Binary: ("left", "right"),
    syntax.Variable: (),
    syntax.This: (),
    syntax.QualifiedName: (),
    syntax.Call: ("arguments",),
    syntax.Closure: ("body",),
    syntax.Block: ("statements",),
    syntax.For: ("iterable", "body"),
    syntax.Try: ("body", "handler"),
    syntax.Let: ("value",),
    syntax.Assign: ("value", "target"),
    syntax.Import: ("path",),
    syntax.Case: ("patterns", "guard", "body"),
    syntax.Literal: (),
    syntax.CharLiteral: (),
    syntax.Interpolation: ("parts",),
    syntax.ArrayLiteral: ("items",),
    syntax.RangeExpression: ("start", "end"),
    syntax.Unary: ("operand",),
    syntax.Logical: ("left", "right"),
    syntax.Property: ("base",),
    syntax.Index: ("base", "index"),
    syntax.MethodCall: ("base", "arguments"),
    syntax.If: ("condition", "then", "otherwise"),
    syntax.Switch: ("subject", "cases"),
    syntax.While: ("condition", "body"),
    syntax.DoWhile: ("body", "condition"),
    syntax.ExpressionStatement: ("expression",),
    syntax.Return: ("value",),
    syntax.Throw: ("value",),
    syntax.Break: ("value",),
    syntax.Continue: (),
    syntax.Export: (),
}
"""The fields of each kind of node that hold nodes, but for the entries of a map."""
