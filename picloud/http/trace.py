"""The W3C trace context of a request, as far as it names the root cause."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def correlation_of(traceparent: str | None) -> UUID | None:
    """The trace id as a UUID, or None if the header is missing or not valid (W3C Trace Context, section 3.2.2)."""
    if traceparent is None:
        return None
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or traceparent.startswith("ff") or match[1] == "0" * 32:
        return None
    return UUID(hex=match[1])
