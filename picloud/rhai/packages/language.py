"""Functions on any value, and on the program itself.

What the language does without a function (`type_of`, `is_def_var`, `Fn`, `call`, `eval`, …) is the core's.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai.errors import RhaiError, arithmetic, thrown
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.printing import to_debug, to_string
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("core")

_TAG_MIN: Final = -(2**31)
_TAG_MAX: Final = 2**31 - 1


@PACKAGE.function("exit", volatile=True)
def leave() -> None:
    """End the program with `()`."""
    raise RhaiError("Exit", None)


@PACKAGE.function("exit", ANY, volatile=True)
def leave_with(value: Any) -> None:
    """End the program with a value."""
    raise RhaiError("Exit", value)


@PACKAGE.replacer("take", ANY)
def take(value: Any) -> tuple[None, Any]:
    """Return the value and leave `()` in its place."""
    return None, value


def check_tag(tag: int) -> None:
    """Raise ErrorArithmetic for a tag beyond 32 bits."""
    if not _TAG_MIN <= tag <= _TAG_MAX:
        size = "small" if tag < 0 else "large"
        raise arithmetic(f"{tag} is too {size} to fit into a tag (must be between {_TAG_MIN} and {_TAG_MAX})")


@PACKAGE.property("tag", ANY)
def tag_of(value: Any) -> int:
    """Return the value's tag."""
    return 0


@PACKAGE.replacer("set_tag", ANY, "i64")
@PACKAGE.setter("tag", ANY, "i64")
def set_tag(value: Any, tag: int) -> tuple[Any, None]:
    """Set the value's tag; raise ErrorArithmetic beyond 32 bits."""
    check_tag(tag)
    return value, None


@PACKAGE.function("sleep", "i64", run=True, volatile=True)
@PACKAGE.function("sleep", "f64", run=True, volatile=True)
def sleep(run: Run, seconds: float) -> None:
    """Wait, if the host lets scripts wait; raise ErrorRuntime otherwise."""
    if not seconds > 0:
        return
    wait = getattr(run.host, "on_sleep", None)
    if wait is None:
        raise thrown("sleep is not available here")
    wait(float(seconds))


@PACKAGE.function("to_string print", ANY, run=True)
def shown(run: Run, value: Any) -> str:
    """Return the value as `print` shows it."""
    return to_string(run, value)


@PACKAGE.function("to_debug debug", ANY, run=True)
def shown_closely(run: Run, value: Any) -> str:
    """Return the value as `debug` shows it."""
    return to_debug(run, value)


@PACKAGE.function("print debug")
def nothing() -> str:
    """Return an empty text."""
    return ""
