"""What of an event's content is for others to see: all of it, but for what is kept of secrets."""

from __future__ import annotations

from typing import Any

import msgspec

from picloud.domain.route import RouteConfigured
from picloud.log.reader import RecordedEvent


def has_secrets(recorded: RecordedEvent) -> bool:
    """Whether the content must not be shown as it is."""
    return recorded.type == RouteConfigured.__name__


def disclosed(recorded: RecordedEvent) -> Any:
    """The content as plain values.

    What is kept of a secret is no secret itself; but a slow hash of a poor password can be guessed by whoever has it.
    """
    content = msgspec.json.decode(recorded.state)
    if has_secrets(recorded):
        for credential in (content["settings"]["auth"] or {}).get("credentials", ()):
            del credential["kept"]
    return content
