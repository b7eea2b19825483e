"""From a trigger and what happened to the request for a run."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.flow import Debounce, Flow, FlowControl, Throttle, check_key, ordering_id, scoped_id, value_at
from picloud.domain.invocation import MAX_DEPTH, EventInput, Requested, Trigger
from picloud.domain.names import stream_id
from picloud.domain.trigger import Delivery
from picloud.domain.trigger_config import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What whoever asks may say of one invocation: when it is due, what it comes behind, how urgent it is.

    Without a ``priority`` the trigger's holds.
    """

    due: datetime | None = None
    ordering_key: str = ""
    priority: int | None = None


PLAIN: Final = Order()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a trigger leads to: which version of which script, and how that is to be run.

    With ``serial`` the trigger's invocations run one after the other.
    """

    app: str
    kind: str
    trigger: str
    script: str
    number: int
    sha256: str
    delivery: Delivery
    serial: bool = False

    @property
    def trigger_id(self) -> UUID:
        """The trigger's stream."""
        return stream_id("trigger", self.app, self.trigger)

    def request(
        self,
        invocation: UUID,
        event: EventInput,
        *,
        now: datetime,
        order: Order = PLAIN,
        payload: bytes | None = None,
        callers: tuple[str, ...] = (),
    ) -> Requested:
        """The request for a run on ``event``, due at once unless ``order`` says otherwise; a deadline counts from then.

        ``payload`` is the event's data where the event names it by its hash alone: keys are looked for in it.
        ``callers`` are the scripts that led here. Raises :class:`Invalid` for a key that is too long, or for more than
        16 callers.
        """
        check_depth(callers, f"{self.app}/{self.script}")
        retry, control = self.delivery.retry, self.delivery.flow
        values = _Values(event, payload)
        key = order.ordering_key or (values.at(control.ordering_key) if control.ordering_key else "")
        due = order.due
        if control.debounce_ms:
            due = max(due or now, now + timedelta(milliseconds=control.debounce_ms))
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
            expires=(due or now) + timedelta(milliseconds=retry.deadline_ms) if retry.deadline_ms else None,
            flow=self._flow(control, order, check_key(key, field="ordering_key"), values),
            ordering_key=key,
            depth=len(callers),
            callers=callers,
        )

    def _flow(self, control: FlowControl, order: Order, key: str, values: _Values) -> Flow | None:
        trigger = self.trigger_id

        def id_of(what: str, path: str) -> UUID:
            return scoped_id(
                what, path, trigger=trigger, app=self.app, script=self.script, value=lambda: values.at(path)
            )

        limited = bool(control.concurrency) or self.kind == Queue.kind
        flow = Flow(
            trigger=trigger,
            ordering=ordering_id(trigger, key) if key or self.serial else None,
            concurrency=id_of("concurrency", control.concurrency_key) if limited else None,
            priority=control.priority if order.priority is None else order.priority,
            throttle=Throttle(
                id_of("throttle", control.throttle_key), control.throttle_ms // control.throttle, control.throttle
            )
            if control.throttle
            else None,
            debounce=Debounce(id_of("debounce", control.debounce_key), control.debounce_most_ms)
            if control.debounce_ms
            else None,
        )
        return None if flow == Flow(trigger=trigger) else flow


def check_depth(callers: tuple[str, ...], wanted: str) -> None:
    """Raises :class:`Invalid`, showing the chain, if ``wanted`` would be called by more than 16 scripts in a row."""
    if len(callers) > MAX_DEPTH:
        raise Invalid(
            f"this would be the {len(callers) + 1}th script in a row, and {MAX_DEPTH} may lead to one: "
            f"{' → '.join((*callers, wanted))}",
            field="depth",
            remedy="Break the circle, or let a schedule begin a new chain.",
        )


class _Values:
    """What keys find in an event; its data is read once, and only if a key needs it."""

    def __init__(self, event: EventInput, payload: bytes | None) -> None:
        self._event = event
        self._payload = payload
        self._data = cache(self._read)

    def at(self, path: str) -> str:
        return value_at(path, self._event.attributes, self._data)

    def _read(self) -> Any:
        data = self._event.data
        given = self._payload
        if given is None and data.text is not None:
            given = data.text.encode()
        elif given is None and data.base64 is not None:
            given = base64.b64decode(data.base64)
        try:
            return json.loads(given or b"null")
        except ValueError:
            return None
