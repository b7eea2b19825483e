"""The ``Idempotency-Key`` of a request."""

from __future__ import annotations

import re
from typing import Final

from picloud.http.problems import Problem

HEADER: Final = "Idempotency-Key"

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(given: str | None) -> str | None:
    """The key as it was given, None if there is none. Raises a 400 :class:`Problem` for what can't be one."""
    if given is not None and _KEY.fullmatch(given) is None:
        raise Problem(
            400,
            "bad-idempotency-key",
            f"the {HEADER} {given[:40]!r} is none: expected 1 to 255 visible characters of ASCII",
            field=HEADER,
        )
    return given
