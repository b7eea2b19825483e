"""``json::``: values as text and back.

json::parse(text)        of a string or a blob; the error says what is wrong and at which byte
json::stringify(value)   compact, maps in the order of their keys
json::pretty(value)      indented by two spaces
"""

from __future__ import annotations

from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.json_text import JsonText, TooLong
from picloud.executor.plain import NotPlain, parse_json
from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import CEILING, charge
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.runtime.run import Run
from picloud.rhai.runtime.sizes import within_limits

PACKAGE: Final = Package("json")


def parse(run: Run, text: str | bytearray) -> Any:
    """Return the value that a JSON text means."""
    charge(run, len(text) * 8)
    try:
        return within_limits(run, parse_json(text))
    except ValueError as error:
        raise refusal("json::parse", f"the text isn't JSON: {error}") from None


PACKAGE.function("parse", "string", run=True)(parse)
PACKAGE.function("parse", "blob", run=True)(parse)


@PACKAGE.function("stringify", ANY, run=True)
def stringify(run: Run, value: Any) -> str:
    """Return a value as compact JSON text."""
    return _text(run, value, "stringify", "")


@PACKAGE.function("pretty", ANY, run=True)
def pretty(run: Run, value: Any) -> str:
    """Return a value as indented JSON text."""
    return _text(run, value, "pretty", "  ")


def _text(run: Run, value: Any, name: str, indent: str) -> str:
    most = run.limits.max_string_size or CEILING
    try:
        text = JsonText(most, active_run(run).pause, indent=indent).of(value)
    except NotPlain as error:
        raise refusal(f"json::{name}", f"JSON can't hold it: {error}") from None
    except TooLong:
        raise too_large("Length of string") from None
    charge(run, len(text) * 8)
    return text
