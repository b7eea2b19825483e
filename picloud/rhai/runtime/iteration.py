"""What ``for`` goes through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from picloud.rhai.errors import RhaiError
from picloud.rhai.packages import operators
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import InclusiveRange, Range


def elements(run: Run, value: Any) -> Iterable[Any]:
    """Return the elements of a value. Raises ErrorFor if it has none."""
    kind = type(value)
    if kind is list:
        return value  # type: ignore[no-any-return]
    if kind is Range:
        return range(value.start, value.end)
    if kind is InclusiveRange:
        return range(value.start, value.end + 1)
    iterate = run.registry.iterator(kind)
    if iterate is None:
        raise RhaiError("ErrorFor")
    return iterate(run, value)


def open_turns(run: Run, start: Any, end: Any) -> Iterable[Any]:
    """Return the elements of ``start..end``."""
    return elements(run, operators.binary(run, "..", start, end))


def closed_turns(run: Run, start: Any, end: Any) -> Iterable[Any]:
    """Return the elements of ``start..=end``."""
    return elements(run, operators.binary(run, "..=", start, end))
