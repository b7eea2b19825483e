"""``log::``: lines with a level, and fields if they are given, beside what ``print`` and ``debug`` write.

log::trace(message)   log::trace(message, #{field: value, …})   also debug, info, warn, error
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.plain import NotPlain, plain
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.printing import to_string
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("log")

LEVELS: Final = ("trace", "debug", "info", "warn", "error")


def _write(level: str, run: Run, message: Any, fields: dict[str, Any] | None = None) -> None:
    active_run(run).log(
        level, message if type(message) is str else to_string(run, message), fields=_plain(level, fields)
    )


def _plain(level: str, fields: dict[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    try:
        return dict(plain(fields))
    except NotPlain as error:
        raise refusal(f"log::{level}", f"a field can't be kept: {error}") from None


for _level in LEVELS:
    PACKAGE.function(_level, ANY, run=True, volatile=True)(partial(_write, _level))
    PACKAGE.function(_level, ANY, "map", run=True, volatile=True)(partial(_write, _level))
