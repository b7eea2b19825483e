"""Rebuilds of projections, as the history knows them: asked for, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRequested:
    """Somebody asked for ``projection`` to be built anew; ``verify`` compares it with the live one before the swap."""

    originator_id: UUID
    originator_version: int
    projection: str
    verify: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildFinished:
    """The new tables are live as of ``position``. ``difference`` names the first row that differed, if one did."""

    originator_id: UUID
    originator_version: int
    position: int
    events: int
    seconds: float
    difference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildFailed:
    """The live tables stay as they were."""

    originator_id: UUID
    originator_version: int
    reason: str
