"""``template::``: texts with values in them, in the manner of Mustache, escaped for HTML unless it is said otherwise.

    template::render(text, values)
    template::render(text, values, options)    #{escape: "none", missing: "empty", partials: #{name: text}}

See :mod:`picloud.executor.templates` for what may stand in a template.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.modules.options import Known, options_of, strings_of
from picloud.executor.templates import Filling, TemplateError, Tree, partials_of, tree_of
from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import CEILING, charge, utf8_length
from picloud.rhai.packages.declare import Package
from picloud.rhai.printing import to_string
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import Char

PACKAGE: Final = Package("template")

MOST_KEPT: Final = 32
MOST_KEPT_CHARACTERS: Final = 16 * 1024
"""Of a template that is kept."""

_OPTIONS: Final[Known] = {"escape": (str,), "missing": (str,), "partials": (dict,)}
_CHOICES: Final = {"escape": ("html", "none"), "missing": ("error", "empty")}
_SHOWN: Final = (str, int, float, bool, Char)

_kept: Final[dict[str, Tree]] = {}


@PACKAGE.function("render", "string", "map", run=True)
@PACKAGE.function("render", "string", "map", "map", run=True)
def render(run: Run, text: str, values: dict[str, Any], options: dict[str, Any] | None = None) -> str:
    """Return a template filled in."""
    chosen = options_of("template::render", options or {}, _OPTIONS)
    for name, choices in _CHOICES.items():
        if chosen.get(name, choices[0]) not in choices:
            said = " or ".join(f'"{choice}"' for choice in choices)
            raise refusal("template::render", f"the option {name} is {said}, not {chosen[name][:40]!r}")
    partials: dict[str, str] = chosen.get("partials", {})
    strings_of("template::render", "partials", [*partials.values()])
    parts: list[str] = []
    most = run.limits.max_string_size or CEILING
    size = 0

    def put(part: str) -> None:
        nonlocal size
        size += utf8_length(part)
        if size > most:
            raise too_large("Length of string")
        charge(run, len(part))
        parts.append(part)

    filling = Filling(
        partial=partials_of(partials, partial(_tree, run)),
        text_of=lambda value: to_string(run, value) if type(value) in _SHOWN else None,
        put=put,
        pay=run.pay,
        strict=chosen.get("missing", "error") == "error",
        escaping=chosen.get("escape", "html") == "html",
    )
    try:
        filling.fill(_tree(run, text), [values])
    except TemplateError as error:
        raise refusal("template::render", str(error)) from None
    return "".join(parts)


def _tree(run: Run, text: str) -> Tree:
    tree = _kept.pop(text, None)
    if tree is None:
        tree = tree_of(text, run.pay)
        if len(text) > MOST_KEPT_CHARACTERS:
            return tree
    _kept[text] = tree
    if len(_kept) > MOST_KEPT:
        del _kept[next(iter(_kept))]
    return tree
