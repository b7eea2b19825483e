"""The audit record of an event: who, for which app, caused by what."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What every event carries beside its own content.

    ``app`` is the app's name, empty for what concerns the platform itself. ``actor`` says who did it, as
    ``kind:name`` (``token:ci``, ``node:5f…``, ``http:GET /hello/{name}``, ``system``). ``correlation_id`` is the
    root cause, shared by everything that followed from it (the W3C trace id where the caller sent one);
    ``causation_id`` is the direct cause: the id of a request or of the invocation that led to the event.
    """

    app: str
    actor: str
    correlation_id: UUID
    causation_id: UUID
