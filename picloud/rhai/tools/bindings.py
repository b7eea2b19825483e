"""Who declares each name of a script, and who uses it: what advice and warnings are made from.

This is the resolver's business too, but for another end: here nothing is compiled, the tree is that of the source as
written (without the optimiser), and for a name that nobody declares it is kept what was in sight instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from picloud.rhai import syntax
from picloud.rhai.resolver import CHILDREN
from picloud.rhai.syntax import Node, Script

Kind = Literal["variable", "constant", "parameter", "loop", "caught", "module"]
Place = tuple[int, int]


@dataclass(slots=True, eq=False)
class Name:
    """A declaration. Its place is that of the name; of a loop, a ``catch``, a parameter that of the whole."""

    name: str
    line: int
    column: int
    kind: Kind
    owner: Owner
    depth: int
    """How many blocks are around it, within its function."""
    hides: Name | None = None
    """The variable of the same function, or of one around a closure, that it hides."""
    exported: bool = False
    reads: int = 0
    writes: int = 0


@dataclass(slots=True, eq=False)
class Owner:
    """The script, a function or a closure."""

    node: Script | syntax.Function | syntax.Closure
    around: Owner | None
    """What a closure stands in."""
    parameters: list[Name] = field(default_factory=list)
    evaluates: bool = False
    """It calls ``eval``, or lends its scope to a function: any variable may be used."""

    @property
    def function(self) -> syntax.Function | None:
        """The function that this is, or that the closure stands in."""
        owner: Owner | None = self
        while owner is not None and isinstance(owner.node, syntax.Closure):
            owner = owner.around
        return owner.node if owner is not None and isinstance(owner.node, syntax.Function) else None


@dataclass(slots=True, eq=False)
class Use:
    """A name where it is used as a variable."""

    name: str
    line: int
    column: int
    owner: Owner
    declared: Name | None
    written: bool = False
    """It is the target of a plain assignment."""
    visible: tuple[str, ...] = ()
    """Names in sight, if nobody declares this one."""


@dataclass(slots=True)
class Bindings:
    """All names of a script."""

    names: list[Name] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    calls: list[tuple[syntax.Call, Owner]] = field(default_factory=list)
    methods: list[tuple[syntax.MethodCall, Owner]] = field(default_factory=list)
    paths: list[tuple[syntax.QualifiedName, Owner]] = field(default_factory=list)
    imports: list[syntax.Import] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    """Literal strings: each might be the name of a function, a variable or a property."""
    keys: set[str] = field(default_factory=set)
    """Names of properties that the script gives to maps."""

    def use_at(self, line: int, column: int) -> Use | None:
        """Return the use of a name at a place."""
        return next((use for use in self.uses if (use.line, use.column) == (line, column)), None)

    def declared(self, name: str) -> Iterator[Name]:
        """Return all declarations of a name."""
        return (each for each in self.names if each.name == name)


def bindings(script: Script) -> Bindings:
    """Return the names of a script that was parsed without the optimiser."""
    walker = _Walker()
    walker.script(script)
    return walker.found


class _Walker:
    def __init__(self) -> None:
        self.found = Bindings()
        self.owner = Owner(Script([], []), None)
        self.blocks: list[list[dict[str, Name]]] = []
        """For each owner that we are in, its blocks."""

    def script(self, script: Script) -> None:
        self._enter(script)
        self._statements(script.statements)
        self._leave(None)
        for function in script.functions:
            kept, self.blocks = self.blocks, []
            self._enter(function)
            self._parameters(function, function.parameters)
            self._statements(function.body.statements)
            self._leave(None)
            self.blocks = kept

    def _enter(self, node: Script | syntax.Function | syntax.Closure) -> Owner:
        around = self.owner if isinstance(node, syntax.Closure) else None
        self.owner = Owner(node, around)
        self.found.owners.append(self.owner)
        self.blocks.append([{}])
        return self.owner

    def _leave(self, around: Owner | None) -> None:
        self.blocks.pop()
        if around is not None:
            self.owner = around

    def _parameters(self, node: syntax.Function | syntax.Closure, names: list[str]) -> None:
        self.owner.parameters = [self._declare(name, (node.line, node.column), "parameter") for name in names]

    def _declare(self, name: str, place: Place, kind: Kind, *, exported: bool = False) -> Name:
        blocks = self.blocks[-1]
        declared = Name(name, *place, kind, self.owner, len(blocks), self._find(name), exported)
        blocks[-1][name] = declared
        self.found.names.append(declared)
        return declared

    def _find(self, name: str) -> Name | None:
        for blocks in reversed(self.blocks):
            for block in reversed(blocks):
                if name in block:
                    return block[name]
        return None

    def _use(self, node: syntax.Variable, *, written: bool = False) -> None:
        declared = self._find(node.name)
        visible: tuple[str, ...] = ()
        if declared is None:
            visible = tuple(name for blocks in reversed(self.blocks) for block in reversed(blocks) for name in block)
        elif written:
            declared.writes += 1
        else:
            declared.reads += 1
        self.found.uses.append(Use(node.name, node.line, node.column, self.owner, declared, written, visible))

    # ---------------------------------------------------------------------------------------- walking

    def _statements(self, statements: list[syntax.Statement]) -> None:
        for statement in statements:
            self._walk(statement)

    def _block(self, statements: list[syntax.Statement]) -> None:
        self.blocks[-1].append({})
        self._statements(statements)
        self.blocks[-1].pop()

    def _walk(self, node: Node | None) -> None:
        match node:
            case None:
                return
            case syntax.Variable():
                self._use(node)
            case syntax.Block(statements=statements):
                self._block(statements)
            case syntax.Let():
                self._walk(node.value)
                kind: Kind = "constant" if node.constant else "variable"
                self._declare(node.name, (node.line, node.column), kind, exported=node.exported)
            case syntax.Assign():
                self._assign(node)
            case syntax.For():
                self._for(node)
            case syntax.Try():
                self._try(node)
            case syntax.Closure():
                self._closure(node)
            case syntax.Import():
                self.found.imports.append(node)
                self._walk(node.path)
                if node.alias is not None:
                    self._declare_module(node, node.alias)
            case syntax.Export(name=name):
                declared = self._find(name)
                if declared is not None:
                    declared.exported = True
            case _:
                self._note(node)
                self._children(node)

    def _note(self, node: Node) -> None:
        match node:
            case syntax.Call():
                self.found.calls.append((node, self.owner))
                if node.capture or (node.name == "eval" and not node.path):
                    self._evaluates()
            case syntax.MethodCall():
                self.found.methods.append((node, self.owner))
            case syntax.QualifiedName():
                self.found.paths.append((node, self.owner))
            case syntax.Literal(value=str() as text):
                self.found.texts.add(text)
            case syntax.MapLiteral(entries=entries):
                self.found.keys.update(name for name, _ in entries)

    def _evaluates(self) -> None:
        owner: Owner | None = self.owner
        while owner is not None:
            owner.evaluates = True
            owner = owner.around

    def _children(self, node: Node) -> None:
        if isinstance(node, syntax.MapLiteral):
            for _, value in node.entries:
                self._walk(value)
            return
        for name in CHILDREN[type(node)]:
            child = getattr(node, name)
            if isinstance(child, list):
                for each in child:
                    self._walk(each)
            else:
                self._walk(child)

    def _assign(self, node: syntax.Assign) -> None:
        self._walk(node.value)
        if isinstance(node.target, syntax.Variable):
            self._use(node.target, written=True)
            return
        if isinstance(node.target, syntax.Property):
            self.found.keys.add(node.target.name)
        self._walk(node.target)

    def _for(self, node: syntax.For) -> None:
        self._walk(node.iterable)
        self.blocks[-1].append({})
        if node.counter is not None:
            self._declare(node.counter, (node.line, node.column), "loop")
        self._declare(node.name, (node.line, node.column), "loop")
        self._walk(node.body)
        self.blocks[-1].pop()

    def _try(self, node: syntax.Try) -> None:
        self._walk(node.body)
        self.blocks[-1].append({})
        if node.name is not None:
            self._declare(node.name, (node.line, node.column), "caught")
        self._walk(node.handler)
        self.blocks[-1].pop()

    def _closure(self, node: syntax.Closure) -> None:
        around = self.owner
        self._enter(node)
        self._parameters(node, node.parameters)
        self._block(node.body.statements)
        self._leave(around)

    def _declare_module(self, node: syntax.Import, alias: str) -> None:
        # Modules have names of their own kind: a variable may be called the same.
        self.found.names.append(Name(alias, node.line, node.column, "module", self.owner, len(self.blocks[-1])))
