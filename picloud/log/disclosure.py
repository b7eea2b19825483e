"""What of an event's content is for others to see: all of it, but for what is kept of secrets."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from picloud.domain.route import RouteConfigured
from picloud.domain.secret import SecretResealed, SecretSet
from picloud.log.reader import RecordedEvent

_HOLDERS: Final = frozenset(kind.__name__ for kind in (RouteConfigured, SecretSet, SecretResealed))


def has_secrets(recorded: RecordedEvent) -> bool:
    """Whether the content must not be shown as it is."""
    return recorded.type in _HOLDERS


def disclosed(recorded: RecordedEvent) -> Any:
    """The content as plain values.

    What is kept of a secret is no secret itself; but a slow hash of a poor password can be guessed by whoever has it.
    """
    content = msgspec.json.decode(recorded.state)
    if recorded.type == RouteConfigured.__name__:
        for credential in (content["settings"]["auth"] or {}).get("credentials", ()):
            del credential["kept"]
    elif recorded.type == SecretSet.__name__:
        del content["sealed"]
    elif recorded.type == SecretResealed.__name__:
        for version in content["versions"]:
            del version["sealed"]
    return content
