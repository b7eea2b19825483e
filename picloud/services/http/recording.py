"""Calls as a record may keep them: what opens something elsewhere is left out of what a script sent.

A repeated run is compared with its record in the same form, so it needs no secret to be answered the same.
"""

from __future__ import annotations

import re
from typing import Any, Final

LEFT_OUT: Final = "(not recorded)"
_SECRET: Final = re.compile(
    r"(?:proxy-)?authorization|cookie|.*(?:api[-_]?key|access[-_]?key|secret|token|password|signature|credential).*"
    r"|.*(?<!idempotency)[-_]key|x-auth(?:-.*)?|x-.*-auth",
    re.IGNORECASE,
)


def is_secret(header: str) -> bool:
    """Whether a header of this name opens something: it is for one origin, and no record keeps it."""
    return _SECRET.fullmatch(header) is not None


def recorded(args: list[Any]) -> list[Any]:
    """The arguments of a call, without the values of secret headers."""
    return [_without_secrets(each) if isinstance(each, dict) and "headers" in each else each for each in args]


def _without_secrets(options: dict[str, Any]) -> dict[str, Any]:
    headers = options["headers"]
    if not isinstance(headers, dict):
        return options
    kept = {name: LEFT_OUT if is_secret(str(name)) else value for name, value in headers.items()}
    return options | {"headers": kept}
