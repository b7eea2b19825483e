"""Names that nobody declares, calls that nobody answers, and functions that nobody calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from picloud.rhai import syntax
from picloud.rhai.engine import Engine
from picloud.rhai.lexer import CALLABLE
from picloud.rhai.syntax import Call, Function, Script
from picloud.rhai.tools.advice import UNKNOWN, advise_on
from picloud.rhai.tools.bindings import Bindings, Owner
from picloud.rhai.tools.foreign import FUNCTIONS, WAYS
from picloud.rhai.tools.mending import Mistake
from picloud.rhai.tools.remark import Remark
from picloud.rhai.tools.spelling import near

_DECLARING: Final = (syntax.Let, syntax.Import, syntax.Export)


def is_library(script: Script) -> bool:
    """Whether a script only declares: then others import it, and its functions are for them."""
    return all(
        isinstance(statement, _DECLARING) and (not isinstance(statement, syntax.Let) or statement.constant)
        for statement in script.statements
    )


def unknown_variables(
    source: str, script: Script, names: Bindings, engine: Engine, variables: Collection[str]
) -> Iterator[Remark]:
    """Return the names that are used as variables and declared nowhere in sight."""
    functions = {function.name for function in script.functions}
    asked = _asked(names, "is_def_var")
    told: set[tuple[str, Function | None]] = set()
    for use in names.uses:
        if use.declared is not None or use.name in functions or use.owner.evaluates or use.name in asked:
            continue
        given = use.owner.function is None and use.name in variables
        if given or (use.name, use.owner.function) in told:
            continue
        told.add((use.name, use.owner.function))
        mistake = Mistake(
            kind="ErrorVariableNotFound", text=f"Variable not found: {use.name}", line=use.line, column=use.column
        )
        advice = advise_on(mistake, source, engine, variables, known=(script, names))
        text = f"no variable `{use.name}` is in sight"
        yield Remark("unknown-variable", use.line, use.column, text, str(advice[0]) if advice else "")


def unknown_calls(
    source: str, script: Script, names: Bindings, engine: Engine, variables: Collection[str]
) -> Iterator[Remark]:
    """Return the calls that no function answers, whatever the types of the arguments are."""
    if any(owner.evaluates for owner in names.owners):
        return
    asked = _asked(names, "is_def_fn")
    library = is_library(script)
    own = {(function.name, len(function.parameters)) for function in script.functions}
    imported = {name.name for name in names.names if name.kind == "module"}
    for call, _ in names.calls:
        if call.path:
            if call.path[0] not in imported:
                yield from _unknown_in_module(call, engine)
            continue
        count = len(call.arguments)
        if call.name in asked or call.name in CALLABLE or (call.name, count) in own:
            continue
        if engine.registry.overloads(call.name, count):
            continue
        advice = _advice(call, source, script, names, engine, variables)
        if library and not advice:
            continue  # a module may call functions of the script that imports it
        yield _unknown(call, script, engine, advice)
    if not names.imports:
        yield from _unknown_methods(script, names, engine)


def _asked(names: Bindings, function: str) -> set[str]:
    """Return the names that the script itself asks about."""
    return names.texts if any(call.name == function for call, _ in names.calls) else set()


def _unknown(call: Call, script: Script, engine: Engine, advice: str) -> Remark:
    name, count = call.name, len(call.arguments)
    number = count or "no"
    if engine.registry.named(name) or any(function.name == name for function in script.functions):
        text = f"no function `{name}` takes {'1 argument' if count == 1 else f'{number} arguments'}"
    else:
        text = f"there is no function `{name}`"
    return Remark("unknown-function", call.line, call.column, text, advice)


def _advice(
    call: Call, source: str, script: Script, names: Bindings, engine: Engine, variables: Collection[str]
) -> str:
    types = ", ".join([UNKNOWN] * len(call.arguments))
    text = f"Function not found: {call.name} ({types})"
    mistake = Mistake(kind="ErrorFunctionNotFound", text=text, line=call.line, column=call.column)
    found = advise_on(mistake, source, engine, variables, known=(script, names))
    return str(found[0]) if found else ""


def _unknown_in_module(call: Call, engine: Engine) -> Iterator[Remark]:
    root = call.path[0]
    if root == "global":
        return
    module = engine.modules.get(root)
    if module is None:
        meant = near(root, engine.modules)
        there = ", ".join(f"`{name}`" for name in sorted(engine.modules))
        advice = f"did you mean `{meant}`?" if meant else f"there are {there}" if there else ""
        yield Remark("unknown-function", *call.root, f"there is no module `{root}`", advice)
        return
    inner = module.submodule(call.path[1:])
    if inner is None or inner.functions:
        return
    natives = inner.natives
    path = "::".join(call.path)
    counts = sorted({len(native.parameters) for native in natives.named(call.name)})
    if not counts:
        meant = near(call.name, natives.names())
        advice = f"did you mean `{path}::{meant}`?" if meant else ""
        yield Remark("unknown-function", call.line, call.column, f"`{path}` has no function `{call.name}`", advice)
    elif len(call.arguments) not in counts:
        wanted = " or ".join(map(str, counts)) + (" argument" if counts == [1] else " arguments")
        text = f"`{path}::{call.name}` takes {wanted}, not {len(call.arguments)}"
        yield Remark("unknown-function", call.line, call.column, text)


def _unknown_methods(script: Script, names: Bindings, engine: Engine) -> Iterator[Remark]:
    """Return the methods that nothing has and whose names are nearly, or elsewhere, those of others.

    Other unknown methods may be function pointers in a map.
    """
    natives = engine.registry.names()
    functions = {function.name for function in script.functions}
    for call, _ in names.methods:
        name = call.name
        if name in natives | functions | names.keys | names.texts or name in CALLABLE:
            continue
        meant = near(name, natives | functions | FUNCTIONS.keys())
        elsewhere = [
            f"`{other}`" for other in FUNCTIONS.get(name) or FUNCTIONS.get(meant or "", ()) if other in natives
        ]
        if elsewhere:
            advice = f"it is called {' or '.join(elsewhere)} here"
        elif name in WAYS:
            advice = WAYS[name]
        elif meant is not None:
            advice = f"did you mean `{meant}`?"
        else:
            continue
        yield Remark("unknown-function", call.line, call.column, f"there is no function `{name}`", advice)


# ------------------------------------------------------------------------------------------------ functions


def unused_functions(script: Script, names: Bindings) -> Iterator[Remark]:
    """Return the functions that are never called, by nobody or only by such functions.

    Of a script that others import those count alone that are private.
    """
    if any(owner.evaluates for owner in names.owners):
        return
    library = is_library(script)
    used = _reached(script, names, {id(function) for function in script.functions if library and not function.private})
    for function in script.functions:
        if id(function) not in used:
            yield Remark("unused-function", function.line, function.column, f"nobody calls `{function.name}`")


def _reached(script: Script, names: Bindings, roots: set[int]) -> set[int]:
    """Return the identities of the functions that are called from the script's own statements or from ``roots``."""
    called: dict[Function | None, set[tuple[str, int | None]]] = {}

    def note(owner: Owner, name: str, count: int | None) -> None:
        called.setdefault(owner.function, set()).add((name, count))

    for call, owner in names.calls:
        note(owner, call.name, len(call.arguments))
    for method, owner in names.methods:
        note(owner, method.name, len(method.arguments))
    for use in names.uses:
        note(use.owner, use.name, None)
    by_name: dict[str, list[Function]] = {}
    for function in script.functions:
        by_name.setdefault(function.name, []).append(function)
    reached = set(roots)
    waiting: list[Function | None] = [None, *(each for each in script.functions if id(each) in roots)]
    called.setdefault(None, set()).update((text, None) for text in names.texts)
    while waiting:
        for name, count in called.get(waiting.pop(), ()):
            for function in by_name.get(name, ()):
                if id(function) not in reached and count in (None, len(function.parameters)):
                    reached.add(id(function))
                    waiting.append(function)
    return reached
