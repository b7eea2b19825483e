"""What in a script that compiles is most likely a mistake.

A warning is only worth its line if it is right, so nothing is said that a script in good order may well contain:
parameters and loop variables that nobody uses, names that ``eval`` might use, functions of a script that is imported.

==========================  ===========================================================================================
unknown-variable            a name that is declared nowhere in sight
unknown-function            a call that no function answers: by its name, or by its number of arguments
unused-variable             a variable or constant that nobody reads
unused-import               a module under a name that nobody uses
unused-function             a function that nobody calls
unreachable                 code behind what never comes to its end
no-effect                   a value that nobody uses, such as ``x == 1;``
assignment-as-condition     a closure that assigns where a function expects ``true`` or ``false`` of it
never-equal                 a comparison of two types that are never equal
duplicate-case              a case of a ``switch`` that one before it has taken
==========================  ===========================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from typing import Final

from picloud.rhai import syntax
from picloud.rhai.engine import Engine
from picloud.rhai.limits import Limits
from picloud.rhai.parser import parse
from picloud.rhai.syntax import Node, Script, Statement
from picloud.rhai.tools.bindings import Bindings, Name, bindings
from picloud.rhai.tools.calls import unknown_calls, unknown_variables, unused_functions
from picloud.rhai.tools.comparisons import never_equal, pure
from picloud.rhai.tools.remark import Remark
from picloud.rhai.tools.tree import children, statement_lists, walk

_PREDICATES: Final = frozenset({"filter", "find", "all", "some", "index_of", "retain", "drain"})
"""Functions that ask a closure for ``true`` or ``false``."""
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})


def warnings(source: str, engine: Engine, variables: Collection[str] = ()) -> list[Remark]:
    """Return what is probably wrong with a script, by place.

    ``engine`` is the one that will run it, ``variables`` the names of those that the host will give. Raises
    :class:`~picloud.rhai.errors.RhaiError` for a script that can't be parsed.
    """
    script = parse(source, Limits(), optimize=False)
    names = bindings(script)
    found = [
        *unknown_variables(source, script, names, engine, variables),
        *unknown_calls(source, script, names, engine, variables),
        *unused_functions(script, names),
        *_unused_variables(names),
        *_unused_imports(script, names),
        *_unreachable(script),
        *_without_effect(script),
        *_assignments(script),
        *never_equal(script, engine),
        *_duplicate_cases(script),
    ]
    return sorted(found, key=lambda remark: (remark.line, remark.column))


# ------------------------------------------------------------------------------------------------ names


def _unused_variables(names: Bindings) -> Iterator[Remark]:
    by_name = {path.name for path, _ in names.paths if path.path == ["global"]}
    if any(call.name == "is_def_var" for call, _ in names.calls):
        by_name |= names.texts
    by_name |= {call.name for call, _ in names.calls}  # who calls a variable is told that
    for name in names.names:
        if name.kind not in ("variable", "constant") or name.reads or name.exported or name.owner.evaluates:
            continue
        if name.name in by_name:
            continue
        yield Remark("unused-variable", name.line, name.column, _unused(name))
    yield from _hidden_parameters(names)


def _unused(name: Name) -> str:
    other = name.hides
    if other is not None and other.kind == "variable" and other.owner.function is name.owner.function:
        return (
            f"nobody reads this `{name.name}`, which ends with its block; to change the one of line {other.line}, "
            "leave out `let`"
        )
    if name.writes:
        return f"`{name.name}` is assigned, but nobody reads it"
    return f"nobody uses `{name.name}`"


def _hidden_parameters(names: Bindings) -> Iterator[Remark]:
    for name in names.names:
        other = name.hides
        if (
            other is not None
            and other.kind == "parameter"
            and other.owner is name.owner
            and name.kind == "variable"
            and name.depth == 1
            and not other.reads
            and not other.writes
            and not name.owner.evaluates
        ):
            text = f"`{name.name}` hides the parameter of that name, which nobody has used"
            yield Remark("unused-variable", name.line, name.column, text)


def _unused_imports(script: Script, names: Bindings) -> Iterator[Remark]:
    used = {path.path[0] for path, _ in names.paths} | {call.path[0] for call, _ in names.calls if call.path}
    for name in names.names:
        if name.kind == "module" and name.name not in used and not name.owner.evaluates:
            text = f"nobody uses the module `{name.name}`"
            yield Remark("unused-import", name.line, name.column, text)


# ------------------------------------------------------------------------------------------------ control


def _unreachable(script: Script) -> Iterator[Remark]:
    for statements in statement_lists(script):
        for statement, following in pairwise(statements):
            if _never_ends(statement):
                what = _what(statement)
                yield Remark(
                    "unreachable", *_start(following), f"this is never reached: {what} in line {statement.line}"
                )
                break


def _start(statement: Statement) -> tuple[int, int]:
    match statement:
        case syntax.ExpressionStatement(expression=expression):
            return syntax.start(expression)
        case syntax.Assign(target=target):
            return syntax.start(target)
    return statement.line, statement.column


def _what(statement: Statement) -> str:
    match statement:
        case syntax.Return() | syntax.Throw() | syntax.Break() | syntax.Continue():
            return f"`{type(statement).__name__.lower()}`"
        case syntax.ExpressionStatement(expression=syntax.While()):
            return "the loop without `break`"
    return "all ways lead out of the block"


def _never_ends(node: Node | None) -> bool:
    """Whether what is behind the statement or expression is never done."""
    match node:
        case syntax.Return() | syntax.Throw() | syntax.Break() | syntax.Continue():
            return True
        case syntax.ExpressionStatement(expression=expression):
            return _never_ends(expression)
        case syntax.Block(statements=statements):
            return any(map(_never_ends, statements))
        case syntax.If(then=then, otherwise=otherwise):
            return otherwise is not None and _never_ends(then) and _never_ends(otherwise)
        case syntax.Switch(cases=cases):
            return bool(cases) and not cases[-1].patterns and all(_never_ends(case.body) for case in cases)
        case syntax.While(condition=None, body=body):
            return not _breaks(body)
    return False


def _breaks(node: Node) -> bool:
    """Whether a ``break`` of the loop with this body is in it."""
    if isinstance(node, syntax.Break):
        return True
    if isinstance(node, syntax.While | syntax.DoWhile | syntax.For | syntax.Closure):
        return False
    return any(map(_breaks, children(node)))


def _without_effect(script: Script) -> Iterator[Remark]:
    for statements in statement_lists(script):
        for statement in statements[:-1]:
            if not isinstance(statement, syntax.ExpressionStatement) or not pure(statement.expression):
                continue
            expression = statement.expression
            hint = ""
            if isinstance(expression, syntax.Binary) and expression.operator == "==":
                hint = "; `=` assigns"
            what = "comparison" if getattr(expression, "operator", "") in _COMPARISONS else "value"
            yield Remark("no-effect", expression.line, expression.column, f"nobody uses this {what}{hint}")


def _assignments(script: Script) -> Iterator[Remark]:
    for node in walk(script):
        if isinstance(node, syntax.MethodCall) and node.name in _PREDICATES:
            for argument in node.arguments:
                match argument:
                    case syntax.Closure(body=syntax.Block(statements=[syntax.Assign(operator="=") as assignment])):
                        text = f"`{node.name}` expects `true` or `false`, and this assigns; `==` compares"
                        yield Remark("assignment-as-condition", assignment.line, assignment.column, text)


def _duplicate_cases(script: Script) -> Iterator[Remark]:
    for node in walk(script):
        if not isinstance(node, syntax.Switch):
            continue
        taken: dict[tuple[object, ...], int] = {}
        for case in node.cases:
            for pattern, key in _keys(case.patterns):
                if key in taken:
                    text = f"this case is never reached: line {taken[key]} has it already"
                    yield Remark("duplicate-case", pattern.line, pattern.column, text)
                elif case.guard is None:
                    taken[key] = pattern.line


def _keys(patterns: Iterable[syntax.Expression]) -> Iterator[tuple[syntax.Expression, tuple[object, ...]]]:
    for pattern in patterns:
        if isinstance(pattern, syntax.Literal):
            yield pattern, (type(pattern.value), pattern.value)
        elif isinstance(pattern, syntax.CharLiteral):
            yield pattern, ("char", pattern.text)
