"""A sample of what each kind of trigger hands to its script, to try one out before anything happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from picloud.domain.invocation import Content, EventInput
from picloud.domain.message import sent_text
from picloud.domain.tick import due_text
from picloud.domain.trigger_config import Config, Cron, DeadLetter, Log, Queue, Topic

_WORD: Final = "sample"


def sample_event(config: Config, *, invocation: UUID, app: str, now: datetime) -> EventInput:
    """What a trigger with this configuration could hand over in ``invocation``."""
    match config:
        case Cron():
            return EventInput({"due": due_text(now)})
        case Topic(topic=pattern):
            topic = ".".join(_WORD if word in ("*", ">") else word for word in pattern.split("."))
            return _event({"topic": topic, **_message(invocation, now)}, {"id": 7, "name": _WORD})
        case Queue():
            return _event(_message(invocation, now), {"id": 7, "name": _WORD})
        case DeadLetter(script=script):
            return _event(
                {"invocation": str(invocation), "script": script or _WORD},
                {"error": {"kind": "ErrorRuntime", "message": _WORD}, "attempts": 3},
            )
        case Log(events=pattern):
            return _event({"event": pattern.replace("*", "Sample"), "at": sent_text(now), "app": app}, {})


def fired_attributes(config: Config, sample: EventInput) -> dict[str, str]:
    """The attributes of a sample that also an event has that is fired by hand, with other data."""
    return sample.attributes if isinstance(config, Cron | Topic | Queue) else {}


def shown_event(kind: str, trigger: str, event: EventInput) -> dict[str, Any]:
    """A sample as the script would find it in ``ctx.event``."""
    data = None if event.data.text is None else json.loads(event.data.text)
    told = {"type": kind, "trigger": trigger, **event.attributes}
    return told | {"content_type": event.content_type, "data": data}


def _event(attributes: dict[str, str], data: Any) -> EventInput:
    return EventInput(attributes, Content(text=json.dumps(data, separators=(",", ":"))))


def _message(invocation: UUID, now: datetime) -> dict[str, str]:
    return {"id": str(invocation), "sent_at": sent_text(now.astimezone(UTC))}
