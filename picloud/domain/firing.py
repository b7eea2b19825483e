"""From a trigger and what happened to the request for a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from picloud.domain.invocation import EventInput, Requested, Trigger
from picloud.domain.trigger import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a trigger leads to: which version of which script, and how that is to be run."""

    app: str
    kind: str
    trigger: str
    script: str
    number: int
    sha256: str
    delivery: Delivery

    def request(self, invocation: UUID, event: EventInput, *, now: datetime, due: datetime | None = None) -> Requested:
        """The request for a run on ``event``, due at once or at ``due``; a deadline counts from then on."""
        retry = self.delivery.retry
        expires = (due or now) + timedelta(milliseconds=retry.deadline_ms) if retry.deadline_ms else None
        return Requested(
            originator_id=invocation,
            originator_version=1,
            app=self.app,
            script=self.script,
            number=self.number,
            sha256=self.sha256,
            trigger=Trigger(self.kind, self.trigger),
            event=event,
            due=due,
            retry=retry,
            limits=self.delivery.limits,
            expires=expires,
        )
