"""A sample of what each kind of trigger hands to its script, to try one out before anything happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from picloud.domain.control_events import CONTROL_EVENTS, is_matched
from picloud.domain.invocation import Content, EventInput
from picloud.domain.message import sent_text
from picloud.domain.tick import due_text
from picloud.domain.trigger_config import Config, Cron, DeadLetter, Email, Log, Queue, Topic

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
            return _event({}, _death(script or _WORD, invocation, now))
        case Log(events=pattern):
            return _event({}, _platform_event(pattern, app, invocation, now))
        case Email(address=address):
            to = f"{app}+{address or _WORD}@example.org"
            envelope = {
                "from": "ada@example.org",
                "to": to,
                "detail": "",
                "client": "192.0.2.1",
            }
            return _event(envelope | {"raw_sha256": "0" * 64}, _mail(to, now))


def _death(script: str, invocation: UUID, now: datetime) -> dict[str, Any]:
    error = {"kind": "ErrorRuntime", "message": _WORD, "line": 1, "column": 1, "call_stack": []}
    request = {"method": "POST", "path": f"/{_WORD}", "params": {}, "query": {}, "headers": {}}
    return {
        "invocation": str(invocation),
        "script": script,
        "version": 1,
        "trigger": {"kind": "http", "name": f"POST /{_WORD}"},
        "reason": "attempt 3 of 3 failed",
        "attempts": 3,
        "error": error,
        "requested_at": sent_text(now),
        "died_at": sent_text(now),
        "input": {"request": request | {"body": "{}", "body_bytes": 2, "body_cut": False}},
        "replay_of": None,
        "correlation_id": str(invocation),
    }


def _platform_event(pattern: str, app: str, stream: UUID, now: datetime) -> dict[str, Any]:
    """The first type that the pattern means, without content: each type says something else."""
    type_name = next((name for name in CONTROL_EVENTS if is_matched(pattern, name)), pattern)
    told = {"type": type_name, "position": 1, "time": sent_text(now), "actor": f"token:{_WORD}", "app": app}
    return told | {"stream": str(stream), "version": 1, "content": {}}


def _mail(to: str, now: datetime) -> dict[str, Any]:
    sender = {"name": "Ada", "address": "ada@example.org"}
    return {
        "from": sender,
        "to": [{"name": "", "address": to}],
        "cc": [],
        "reply_to": [],
        "subject": _WORD,
        "date": due_text(now),
        "message_id": f"<{_WORD}@example.org>",
        "in_reply_to": None,
        "references": [],
        "headers": {"subject": [_WORD]},
        "text": "It burns.",
        "html": None,
        "attachments": [],
        "size": 200,
        "defects": [],
    }


def fired_attributes(config: Config, sample: EventInput) -> dict[str, str]:
    """The attributes of a sample that also an event has that is fired by hand, with other data."""
    return sample.attributes if isinstance(config, Cron | Topic | Queue | Email) else {}


def shown_event(kind: str, trigger: str, event: EventInput) -> dict[str, Any]:
    """A sample as the script would find it in ``ctx.event``."""
    data = None if event.data.text is None else json.loads(event.data.text)
    told = {"type": kind, "trigger": trigger, **event.attributes}
    return told | {"content_type": event.content_type, "data": data}


def _event(attributes: dict[str, str], data: Any) -> EventInput:
    return EventInput(attributes, Content(text=json.dumps(data, separators=(",", ":"))))


def _message(invocation: UUID, now: datetime) -> dict[str, str]:
    return {"id": str(invocation), "sent_at": sent_text(now.astimezone(UTC))}
