"""Nodes: the orchestrators that run scripts, as far as the history needs to know of them.

A node's id lives as long as its database session: one that lost its session comes back under a new id, so that what
the old one was running can be told from what the new one runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted:
    """The node holds its session lock and takes work. ``capacity`` is the number of runs at a time."""

    originator_id: UUID
    originator_version: int
    host: str
    pid: int
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStopped:
    """The node ended in order: it had finished what it was running."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLost:
    """The node's session ended; ``given_back`` of its invocations went back to the outbox."""

    originator_id: UUID
    originator_version: int
    given_back: int
