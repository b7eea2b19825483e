"""One script's answer as a record of plain data, to compare this engine with others.

The record of a script that went well: `ok`, `type` (as the Rust engine calls it), `value` (tagged with types,
integers as text), `display`, `debug`, and the lines that were `printed` and `debugged` (those led by `line:column|`).
Of one that failed: `ok`, `stage`, `kind`, `inner` or `detail`, `message`, `line`, `col`, and the lines up to then.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai.engine import Engine
from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.printing import debug, display
from picloud.rhai.runtime.run import DefaultHost
from picloud.rhai.values import Char, raw_type_name

LIMITS: Final = Limits(max_operations=5_000_000)
_DEEPEST: Final = 200


class _Recorder(DefaultHost):
    def __init__(self) -> None:
        self.printed: list[str] = []
        self.debugged: list[str] = []

    def on_print(self, text: str) -> None:
        self.printed.append(text)

    def on_debug(self, text: str, line: int, column: int) -> None:
        self.debugged.append(f"{line}:{column}|{text}")


def answer(source: str, engine: Engine | None = None) -> dict[str, Any]:
    """Return what a script answers. Without an engine: one with `LIMITS`, nothing else beyond Rhai's own defaults."""
    recorder = _Recorder()
    try:
        value = (engine or Engine(LIMITS)).compile(source).run(host=recorder)
    except RhaiError as error:
        found = _failure(error)
    else:
        found = {
            "ok": True,
            "type": raw_type_name(value),
            "value": tagged(value),
            "display": display(value),
            "debug": debug(value),
        }
    return {**found, "printed": recorder.printed, "debugged": recorder.debugged}


def _failure(error: RhaiError) -> dict[str, Any]:
    cause = {"inner": error.inner} if error.stage == "run" else {"detail": error.detail}
    return {
        "ok": False,
        "stage": error.stage,
        "kind": error.kind,
        **cause,
        "message": error.message,
        "line": error.line,
        "col": error.column,
    }


def tagged(value: Any, depth: int = 0) -> list[Any]:
    """Return a value as plain data: a list of its type's name and its content."""
    kind = type(value)
    if value is None:
        return ["()"]
    if kind is bool or kind is str:
        return ["bool" if kind is bool else "string", value]
    if kind is int:
        return ["i64", str(value)]
    if kind is float:
        return ["f64", debug(value)]
    if kind is Char:
        return ["char", value.text]
    if kind is bytearray:
        return ["blob", list(value)]
    if depth < _DEEPEST:
        if kind is list:
            return ["array", [tagged(item, depth + 1) for item in value]]
        if kind is dict:
            return ["map", [[key, tagged(value[key], depth + 1)] for key in sorted(value)]]
    return [raw_type_name(value), debug(value)]
