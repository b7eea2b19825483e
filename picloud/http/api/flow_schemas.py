"""Flow control of triggers as the API has it: read from what is sent, and shown."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from picloud.domain.duration import format_duration, parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.flow import MAX_CONCURRENCY, MOST_PRIORITY, FlowControl, parse_rate
from picloud.domain.trigger import TriggerLimits

MOST_DEBOUNCE_MS = 86_400_000
_CONCURRENCY = validate.Range(0, MAX_CONCURRENCY)
_PATH = validate.Length(1, 600)


class FlowIn(Schema):
    """How a trigger's invocations flow. What is left out stays; an empty text, or 0, takes a limit away.

    A key is `trigger`, `script`, `app`, an attribute of the event (`topic`) or a path in its data (`data.customer.id`).
    """

    concurrency = fields.Int(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(0, MAX_CONCURRENCY)
    )
    concurrency_key = fields.Str(load_default=None, allow_none=True, validate=_PATH)
    ordering_key = fields.Str(load_default=None, allow_none=True, validate=validate.Length(max=600))
    priority = fields.Int(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, MOST_PRIORITY))
    throttle = fields.Str(load_default=None, allow_none=True, metadata={"example": "10/1m"})
    throttle_key = fields.Str(load_default=None, allow_none=True, validate=_PATH)
    debounce = fields.Str(load_default=None, allow_none=True, metadata={"example": "5s"})
    debounce_most = fields.Str(load_default=None, allow_none=True, metadata={"example": "1m"})
    debounce_key = fields.Str(load_default=None, allow_none=True, validate=_PATH)


class FlowOut(Schema):
    """How a trigger's invocations flow. A key is null where nothing goes by it; `concurrency` 0 is no limit."""

    concurrency = fields.Int(required=True)
    concurrency_key = fields.Str(required=True, allow_none=True)
    ordering_key = fields.Str(required=True, allow_none=True)
    priority = fields.Int(required=True)
    throttle = fields.Str(required=True, allow_none=True)
    throttle_key = fields.Str(required=True, allow_none=True)
    debounce = fields.Str(required=True, allow_none=True)
    debounce_most = fields.Str(required=True, allow_none=True)
    debounce_key = fields.Str(required=True, allow_none=True)


def read_flow(given: dict[str, Any] | None, was: FlowControl) -> FlowControl:
    """What a flow is to be: ``given``, and ``was`` where that says nothing. Raises :class:`Invalid`."""
    if given is None:
        return was
    said = {name: value for name, value in given.items() if value is not None}
    throttle, throttle_ms = was.throttle, was.throttle_ms
    if "throttle" in said:
        throttle, throttle_ms = parse_rate(said["throttle"], field="flow.throttle") if said["throttle"] else (0, 0)
    flow = FlowControl(
        concurrency=said.get("concurrency", was.concurrency),
        concurrency_key=said.get("concurrency_key", was.concurrency_key),
        ordering_key=said.get("ordering_key", was.ordering_key),
        priority=said.get("priority", was.priority),
        throttle=throttle,
        throttle_ms=throttle_ms,
        throttle_key=said.get("throttle_key", was.throttle_key),
        debounce_ms=_duration(said, "debounce", was.debounce_ms),
        debounce_most_ms=_duration(said, "debounce_most", was.debounce_most_ms),
        debounce_key=said.get("debounce_key", was.debounce_key),
    )
    try:
        return flow.check()
    except Invalid as error:
        raise Invalid(error.message, field=f"flow.{error.field}", remedy=error.remedy) from error


def shown_flow(flow: FlowControl, limits: TriggerLimits) -> dict[str, Any]:
    """A flow as :class:`FlowOut` has it."""
    return {
        "concurrency": limits.concurrency,
        "concurrency_key": flow.concurrency_key if limits.concurrency else None,
        "ordering_key": flow.ordering_key or None,
        "priority": flow.priority,
        "throttle": f"{flow.throttle}/{format_duration(flow.throttle_ms)}" if flow.throttle else None,
        "throttle_key": flow.throttle_key if flow.throttle else None,
        "debounce": format_duration(flow.debounce_ms) if flow.debounce_ms else None,
        "debounce_most": format_duration(flow.debounce_most_ms) if flow.debounce_most_ms else None,
        "debounce_key": flow.debounce_key if flow.debounce_ms else None,
    }


def _duration(said: dict[str, Any], name: str, was: int) -> int:
    if name not in said:
        return was
    return parse_duration(said[name], field=f"flow.{name}", most_ms=MOST_DEBOUNCE_MS) if said[name] else 0
