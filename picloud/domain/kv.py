"""Keys and values of an app's scripts. Each key is a stream: its history is in the log, its version is a fence."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.domain.names import stream_id


def key_id(app: str, key: str) -> UUID:
    """The stream id of ``key`` in ``app``."""
    return stream_id("key", app, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWritten:
    """The key has this value from now on; ``value`` is JSON text."""

    originator_id: UUID
    originator_version: int
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDeleted:
    """The key has no value from now on."""

    originator_id: UUID
    originator_version: int
    key: str
