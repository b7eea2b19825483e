"""A reaction: what a dead_letter or log trigger owes to one event.

Its stream follows from the trigger and the event, so that it is asked for once, whoever does it. It begins with
``Requested``, or with ``ReactionSkipped`` and the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.domain.names import stream_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionSkipped:
    """Nothing was run for the event, which is version ``version`` of ``stream``: the ``reason`` says why."""

    originator_id: UUID
    originator_version: int
    trigger: UUID
    stream: UUID
    version: int
    reason: str


def reaction_id(trigger: UUID, stream: UUID, version: int) -> UUID:
    """The stream of the trigger's reaction to version ``version`` of ``stream``: that of its invocation."""
    return stream_id("reaction", str(trigger), str(stream), str(version))
