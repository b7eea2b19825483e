"""What a dead_letter or a log trigger's script is told: the payload of its event.

Bodies are cut to a size that fits; what a request carried to prove who sent it (``authorization``, cookies) is left
out. The log keeps the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from picloud.domain.invocation import AttemptFailed, Content, DeadLettered, Requested
from picloud.log.contents import unpack
from picloud.log.disclosure import disclosed
from picloud.log.reader import RecordedEvent
from picloud.postgres.sessions import Sessions

MAX_BODY: Final = 64 * 1024
"""Bytes of a body as it is told; of a longer one the beginning."""

_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


def death_report(stream: Sequence[RecordedEvent], died: RecordedEvent, sessions: Sessions) -> dict[str, Any]:
    """What is told of the death ``died`` of the invocation with that stream."""
    requested, death = stream[0].event, died.event
    assert isinstance(requested, Requested)
    assert isinstance(death, DeadLettered)
    before = [recorded.event for recorded in stream if recorded.position < died.position]
    failed = next(event for event in reversed(before) if isinstance(event, AttemptFailed))
    return {
        "invocation": str(died.stream_id),
        "script": requested.script,
        "version": requested.number,
        "trigger": asdict(requested.trigger),
        "reason": death.reason,
        "attempts": failed.attempt,
        "error": asdict(failed.error),
        "requested_at": _time(stream[0].at),
        "died_at": _time(died.at),
        "input": _input(requested, sessions),
        "replay_of": str(requested.replay_of) if requested.replay_of else None,
        "correlation_id": str(died.correlation_id),
    }


def log_report(recorded: RecordedEvent) -> dict[str, Any]:
    """What is told of an event of the platform."""
    return {
        "type": recorded.type,
        "position": recorded.position,
        "time": _time(recorded.at),
        "actor": recorded.actor,
        "app": recorded.app,
        "stream": str(recorded.stream_id),
        "version": recorded.version,
        "content": disclosed(recorded),
    }


def _input(requested: Requested, sessions: Sessions) -> dict[str, Any]:
    event, asked = requested.event, requested.input
    if event is not None:
        trigger = requested.trigger
        told = {"type": trigger.kind, "trigger": trigger.name, **event.attributes}
        return {"event": told | {"content_type": event.content_type} | _body(event.data, sessions)}
    headers = {name: value for name, value in asked.headers.items() if name not in _CREDENTIALS}
    request = {
        "method": asked.method,
        "path": asked.path,
        "params": asked.params,
        "query": asked.query,
        "headers": headers,
    }
    return {"request": request | _body(asked.body, sessions)}


def _body(content: Content, sessions: Sessions) -> dict[str, Any]:
    """The ``body`` as text, None if it is none; its size; and whether it was cut."""
    whole = unpack(content, sessions)
    cut = len(whole) > MAX_BODY
    try:
        # A character that is cut through is dropped, and no sign of what the whole is.
        text: str | None = whole[:MAX_BODY].decode("utf-8", "ignore") if cut else whole.decode()
    except UnicodeDecodeError:
        text = None
    return {"body": text, "body_bytes": len(whole), "body_cut": cut}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
