"""``log::``: lines with a level, and fields if they are given, beside what ``print`` and ``debug`` write.

log::trace(message)   log::trace(message, #{field: value, …})   also dbg, info, warn, error

``debug`` is a word that Rhai keeps for itself: ``log::dbg`` writes with that level.

Fields that have more bytes as JSON than a line may have are cut, as a message is: a run doesn't fail of how much
it logs. A blob is kept in hex.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.json_text import JsonText, TooLong
from picloud.executor.plain import NotPlain, plain
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.printing import to_string
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import type_name

PACKAGE: Final = Package("log")

LEVELS: Final = ("trace", "debug", "info", "warn", "error")
_FUNCTIONS: Final = {"debug": "dbg"}
CUT: Final = "(cut)"
"""The field that tells what was cut: names and types."""


def _write(level: str, run: Run, message: Any, fields: dict[str, Any] | None = None) -> None:
    active_run(run).log(
        level, message if type(message) is str else to_string(run, message), fields=_plain(level, run, fields)
    )


def _plain(level: str, run: Run, fields: dict[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    active = active_run(run)
    most = active.message.limits.log_line_bytes
    try:
        kept = {name: value.hex() if type(value) is bytearray else value for name, value in fields.items()}
        charge(run, len(JsonText(most, active.pause).of(kept)) * 8)
        return dict(plain(kept))
    except TooLong:
        charge(run, most * 8)
        return {CUT: f"fields of more than {most} bytes: {_names(fields)}"}
    except NotPlain as error:
        raise refusal(f"log::{_FUNCTIONS.get(level, level)}", f"a field can't be kept: {error}") from None


def _names(fields: dict[str, Any]) -> str:
    shown = ", ".join(f"{name[:40]} ({type_name(value)})" for name, value in sorted(fields.items())[:20])
    return shown if len(fields) <= 20 else f"{shown} … {len(fields)} in all"


for _level in LEVELS:
    _name = _FUNCTIONS.get(_level, _level)
    PACKAGE.function(_name, ANY, run=True, volatile=True)(partial(_write, _level))
    PACKAGE.function(_name, ANY, "map", run=True, volatile=True)(partial(_write, _level))
