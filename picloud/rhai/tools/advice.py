"""How a mistake might be mended: "did you mean", what there is instead, what another language calls differently.

The messages of errors are Rhai's and stay as they are; advice is said beside them. It is made when an error is shown,
from the error and the source alone, so a run that goes well pays nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from picloud.rhai.engine import Engine
from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.parser import parse
from picloud.rhai.registry import Registry
from picloud.rhai.syntax import Function, Script
from picloud.rhai.tools import foreign
from picloud.rhai.tools.bindings import Bindings, Name, Use, bindings
from picloud.rhai.tools.mending import Advice, Mistake, mend
from picloud.rhai.tools.spelling import near

UNKNOWN: Final = "?"
"""The type of an argument that nobody knows yet."""
_SIGNATURE: Final = re.compile(r"(?:(?P<path>.*)::)?(?P<name>[^ ]+) \((?P<types>.*)\)\Z", re.DOTALL)
_PROPERTY: Final = re.compile(
    r"(?:Unknown|No writable) property '(.*?)' - a [gs]etter is not registered for type '(.*?)'"
)
_STRING: Final = "&str | ImmutableString | String"
_OPERATOR: Final = re.compile(r"[^A-Za-z0-9_]+\Z")
_MOST_SIGNATURES: Final = 4
_NOTHING_HERE: Final = "the value is `()`, as a missing property of a map or a function without a result gives"


def advise(
    error: RhaiError,
    source: str,
    engine: Engine,
    variables: Collection[str] = (),
    *,
    known: tuple[Script, Bindings] | None = None,
) -> tuple[Advice, ...]:
    """Return advice on an error of a script; empty if there is nothing to say.

    ``source`` is the text in which it happened, ``engine`` the one that ran it, ``variables`` the names of those that
    the host gave, ``known`` what was read out of the source before, if it was. Never raises.
    """
    own = error.innermost
    mistake = Mistake(kind=own.kind, text=own.text, line=own.line, column=own.column, parsing=own.stage == "parse")
    return advise_on(mistake, source, engine, variables, known=known)


def advise_on(
    mistake: Mistake,
    source: str,
    engine: Engine,
    variables: Collection[str] = (),
    *,
    known: tuple[Script, Bindings] | None = None,
) -> tuple[Advice, ...]:
    """As :func:`advise`, for an error of which only its description is left.

    ``known`` is what was read out of the source before, if it was.
    """
    if mistake.parsing:
        return mend(mistake, source)
    look = _RULES.get(mistake.kind)
    if look is None:
        return ()
    script, names = known or _read(source)
    found = look(_Case(mistake, script, names, engine, variables))
    return (found,) if found else ()


def _read(source: str) -> tuple[Script, Bindings]:
    try:
        script = parse(source, Limits(), optimize=False)
    except RhaiError:
        script = Script([], [])
    return script, bindings(script)


@dataclass(frozen=True, slots=True)
class _Case:
    mistake: Mistake
    script: Script
    bindings: Bindings
    engine: Engine
    variables: Collection[str]


# ------------------------------------------------------------------------------------------------ variables


def _variable(case: _Case) -> Advice | None:
    name = case.mistake.text.partition(": ")[2]
    if "::" in name:
        return _module_variable(case, name)
    use = case.bindings.use_at(case.mistake.line, case.mistake.column)
    if any(
        (each.path.line, each.path.column) == (case.mistake.line, case.mistake.column) for each in case.bindings.imports
    ):
        return Advice(f'the path of a module is a string: `import "{name}" as {name};`')
    if use is not None:
        found = _out_of_sight(case, use)
        if found is not None:
            return found
    if name in foreign.NAMES:
        return Advice(foreign.NAMES[name])
    if name in case.engine.registry.names() or name in foreign.RESERVED:
        if case.engine.registry.overloads(name, 0):
            return Advice(f"`{name}` is a function: write `{name}()`")
        return Advice(f'`{name}` is a function; a pointer to it is `Fn("{name}")`')
    if name in case.engine.modules:
        return Advice(f"`{name}` is a module: its functions are called by `{name}::…`")
    visible = use.visible if use is not None else ()
    functions = [function.name for function in case.script.functions]
    meant = near(name, [*visible, *_given(case, use), *functions])
    if meant is not None:
        return Advice(f"did you mean `{meant}`?")
    if use is not None and use.written:
        return Advice(f"declare it first: `let {name} = …;`")
    return None


def _given(case: _Case, use: Use | None) -> Collection[str]:
    """Names of the host's variables that can be seen at a place."""
    return () if use is not None and use.owner.function is not None else case.variables


def _out_of_sight(case: _Case, use: Use) -> Advice | None:
    """Advice on a name that is declared, but elsewhere."""
    name, function = use.name, use.owner.function
    declared = list(case.bindings.declared(name))
    if function is not None:
        of_script = [each for each in declared if each.owner.function is None and each.depth == 1]
        if of_script and of_script[-1].kind == "constant":
            return Advice(f"functions see the script's constants as `global::{name}`", *_place(of_script[-1]))
        if of_script or name in case.variables:
            place = _place(of_script[-1]) if of_script else ()
            return Advice(
                f"functions see no variables of the script: hand it over as a parameter of `{function.name}`", *place
            )
    mine = [each for each in declared if each.owner.function is function and each.kind != "module"]
    if mine:
        other = mine[-1]
        if _place(other) > (use.line, use.column) and other.depth == 1:
            return Advice("it is declared here, further down", *_place(other))
        return Advice("this one is gone: a variable ends with the block that it is declared in", *_place(other))
    if any(each.kind == "module" for each in declared):
        return Advice(f"`{name}` is a module: what it exports is `{name}::…`")
    return None


def _place(declared: Name | Function) -> tuple[int, int]:
    return declared.line, declared.column


def _module_variable(case: _Case, name: str) -> Advice | None:
    path, _, own = name.rpartition("::")
    if path == "global":
        constants = [each.name for each in case.bindings.names if each.kind == "constant" and each.depth == 1]
        meant = near(own, constants)
        if meant is not None:
            return Advice(f"did you mean `global::{meant}`?")
        if any(each.kind == "variable" and each.depth == 1 for each in case.bindings.declared(own)):
            return Advice("`global::` holds the script's constants alone: hand variables over as parameters")
        return None
    module = case.engine.modules.get(path)
    if module is None:
        return None
    if own in module.natives.names():
        return Advice(f"it is a function: `{name}(…)`")
    meant = near(own, [*module.variables, *module.natives.names()])
    return Advice(f"did you mean `{path}::{meant}`?") if meant else None


# ------------------------------------------------------------------------------------------------ functions


def _function(case: _Case) -> Advice | None:
    match = _SIGNATURE.match(case.mistake.text.partition(": ")[2])
    if match is None:
        return None
    name = match["name"]
    types = [part.replace(_STRING, "string") for part in match["types"].split(", ")] if match["types"] else []
    if match["path"]:
        return _module_function(case, match["path"], name, types)
    if name.startswith("anon$"):
        return Advice(f"the closure is called with {_count(len(types), 'argument')}: give it as many parameters")
    if _OPERATOR.match(name):
        return _operator(name, types)
    own = [function for function in case.script.functions if function.name == name]
    if own:
        shown = _listed([f"`{name}({', '.join(function.parameters)})`" for function in own])
        return Advice(f"the script has {shown}; this is a call with {_count(len(types), 'argument')}", *_place(own[0]))
    there = _signatures(case.engine.registry, name, types)
    if there:
        hint = f"; {_NOTHING_HERE}" if types[:1] == ["()"] else ""
        return Advice(f"there is {there}{hint}")
    if types[:1] == ["()"]:
        return Advice(_NOTHING_HERE)
    return _named_otherwise(case, name, types)


def _named_otherwise(case: _Case, name: str, types: list[str]) -> Advice | None:
    if name in foreign.WAYS:
        return Advice(foreign.WAYS[name])
    registry = case.engine.registry
    for other in foreign.FUNCTIONS.get(name, ()):
        if _OPERATOR.match(other) or _takes(registry, other, types[:1]):
            return Advice(f"it is called `{other}` here")
    own = [function.name for function in case.script.functions]
    natives = registry.names()
    fitting = [known for known in natives if not _OPERATOR.match(known) and _takes(registry, known, types[:1])]
    meant = near(name, own) or near(name, fitting)
    if meant is None:
        elsewhere = near(name, foreign.FUNCTIONS)
        for other in foreign.FUNCTIONS[elsewhere] if elsewhere else ():
            if _takes(registry, other, types[:1]):
                return Advice(f"did you mean {_signatures(registry, other, types)}?")
        variable = next(case.bindings.declared(name), None)
        if variable is not None and variable.kind != "module":
            return Advice(f"`{name}` is a variable; a function pointer in it is called by `{name}.call(…)`")
        homes = [path for path, module in case.engine.modules.items() if name in module.natives.names()]
        return Advice(f"did you mean `{homes[0]}::{name}`?") if homes else None
    if meant in own:
        return Advice(f"did you mean `{meant}`?")
    return Advice(f"did you mean {_signatures(registry, meant, types)}?")


def _module_function(case: _Case, path: str, name: str, types: list[str]) -> Advice | None:
    module = case.engine.modules.get(path)
    if module is None:
        return None
    there = _signatures(module.natives, name, types, path)
    if there:
        return Advice(f"there is {there}")
    meant = near(name, module.natives.names())
    if meant is not None:
        return Advice(f"did you mean {_signatures(module.natives, meant, types, path)}?")
    return Advice(
        f"the functions of `{path}` are {_listed([f'`{known}`' for known in sorted(module.natives.names())])}"
    )


def _operator(sign: str, types: list[str]) -> Advice | None:
    if "()" in types:
        return Advice(_NOTHING_HERE)
    if len(types) == 2 and "string" in types and set(types) & {"i64", "f64"}:
        return Advice("a number in a text is read by `parse_int(text)` or `parse_float(text)`")
    if sign == "!" and len(types) == 1:
        return Advice("`!` is for `true` and `false`; compare, as in `x == 0`")
    if sign in ("+", "+=") and types[:1] == ["map"]:
        return Advice("maps are joined by `mixin`")
    return None


def _takes(registry: Registry, name: str, first: list[str]) -> bool:
    """Whether some function of the name takes a first argument of the type."""
    return any(
        not first or first[0] == UNKNOWN or native.parameters[:1] in ((first[0],), ("any",))
        for native in registry.named(name)
    )


def _signatures(registry: Registry, name: str, types: list[str], path: str = "") -> str:
    """Return the ways in which a function can be called, the ones nearest to a call first; empty if there is none."""
    known = {native.parameters: native for native in registry.named(name)}
    if not known:
        return ""

    def differs(parameters: tuple[str, ...]) -> tuple[int, int]:
        other_first = bool(types) and types[0] != UNKNOWN and parameters[:1] not in ((types[0],), ("any",))
        return other_first, abs(len(parameters) - len(types))

    best = sorted(known, key=differs)
    first = [parameters for parameters in best if not differs(parameters)[0]]
    chosen = first or best
    prefix = f"{path}::" if path else ""
    shown = [f"`{prefix}{name}({', '.join(parameters)})`" for parameters in chosen]
    return _listed(shown)


def _listed(shown: list[str]) -> str:
    if len(shown) > _MOST_SIGNATURES:
        return f"{', '.join(shown[:_MOST_SIGNATURES])} and {len(shown) - _MOST_SIGNATURES} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)


def _count(number: int, what: str) -> str:
    return f"no {what}s" if number == 0 else f"{number} {what}" if number == 1 else f"{number} {what}s"


# ------------------------------------------------------------------------------------------------ the rest


def _property(case: _Case) -> Advice | None:
    match = _PROPERTY.match(case.mistake.text)
    if match is None:
        return None
    name, type_ = match.groups()
    if type_ == "()":
        return Advice(f"{_NOTHING_HERE}; `?.` in place of `.` gives `()` again instead of an error")
    registry = case.engine.registry
    if _takes(registry, name, [type_]) and any(native.parameters[:1] == (type_,) for native in registry.named(name)):
        return Advice(f"it is a method: write `.{name}()`")
    elsewhere = name if name in foreign.FUNCTIONS else near(name, foreign.FUNCTIONS)
    for other in foreign.FUNCTIONS[elsewhere] if elsewhere else ():
        if _takes(registry, other, [type_]):
            return Advice(f"it is called `{other}` here: `.{other}()`")
    meant = near(name, [known for known in registry.names() if known[0].isalpha() and _takes(registry, known, [type_])])
    return Advice(f"did you mean `.{meant}()`?") if meant else None


def _index(case: _Case) -> Advice | None:
    if case.mistake.text.startswith("Indexer unavailable: () ["):
        return Advice(f"{_NOTHING_HERE}; `?[` in place of `[` gives `()` again instead of an error")
    return None


def _module(case: _Case) -> Advice | None:
    path = case.mistake.text.partition(": ")[2].partition("::")[0]
    if path in foreign.NAMES:
        return Advice(foreign.NAMES[path])
    aliases = [each.name for each in case.bindings.names if each.kind == "module"]
    meant = near(path, [*case.engine.modules, *aliases])
    if meant is not None:
        return Advice(f"did you mean `{meant}`?")
    if path in aliases:
        return Advice("an import ends with the block that it stands in: import the module here, or at the top")
    return None


def _mismatch(case: _Case) -> Advice | None:
    text = case.mistake.text
    if text.endswith("(expecting bool)"):
        found = text.partition(": ")[2].partition(" ")[0]
        example = {"string": 'x != ""', "()": "x != ()", "array": "!x.is_empty()", "map": "!x.is_empty()"}
        return Advice(f"a condition is `true` or `false`; compare, as in `{example.get(found, 'x != 0')}`")
    if text == "Data type incorrect: string (expecting i64)":
        return Advice("elements of an array are numbered from 0; a number in a text is read by `parse_int(text)`")
    return None


def _bounds(case: _Case) -> Advice | None:
    match = re.search(r"index (-?\d+) out of bounds: only (\d+) ", case.mistake.text)
    if match is not None and match[1] == match[2]:
        return Advice(f"counting begins at 0: the last one is {int(match[2]) - 1}, or -1 from the end")
    return None


def _constant(case: _Case) -> Advice | None:
    name = case.mistake.text.rpartition(" ")[2]
    if name in case.variables:
        return Advice(f"`{name}` comes from outside and can't be changed: take it into a variable by `let`")
    declared = next((each for each in case.bindings.declared(name) if each.kind == "constant"), None)
    if declared is None:
        return None
    return Advice("declared as a constant here; `let` declares what may change", *_place(declared))


_SAYINGS: Final[dict[str, str]] = {
    "ErrorFor": (
        "`for` goes through arrays, blobs, strings and ranges: numbers as `0..n`, maps by `.keys()` or `.values()`"
    ),
    "ErrorUnboundThis": "`this` is there only in a call as a method: `value.name()`",
    "ErrorNonPureMethodCallOnConstant": "a constant can't be changed: declare it by `let`, or change a copy of it",
    "ErrorStackOverflow": "calls are nested too deeply: does a function call itself without an end?",
    "ErrorTooManyOperations": "the script computes too much: does a loop go on without an end?",
}


def _saying(case: _Case) -> Advice | None:
    return Advice(_SAYINGS[case.mistake.kind])


_RULES: Final[dict[str, Callable[[_Case], Advice | None]]] = {
    "ErrorVariableNotFound": _variable,
    "ErrorFunctionNotFound": _function,
    "ErrorDotExpr": _property,
    "ErrorIndexingType": _index,
    "ErrorModuleNotFound": _module,
    "ErrorMismatchDataType": _mismatch,
    "ErrorArrayBounds": _bounds,
    "ErrorStringBounds": _bounds,
    "ErrorAssignmentToConstant": _constant,
    **dict.fromkeys(_SAYINGS, _saying),
}
