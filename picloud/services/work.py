"""A run's unit of work: what it has read and what it will write, until its outcome decides."""

from __future__ import annotations

from dataclasses import dataclass, field


class ServiceError(Exception):
    """A service refuses a call; the message is the script's error."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A key as the run read it: JSON text or None, and the version of its stream (0: never written)."""

    value: str | None
    version: int


@dataclass(slots=True)
class Work:
    """One attempt's reads and writes in one app. A written value is JSON text, None for a deletion."""

    app: str
    seen: dict[str, Seen] = field(default_factory=dict)
    written: dict[str, str | None] = field(default_factory=dict)
