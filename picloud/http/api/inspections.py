"""Inspections: an attempt run again on its record, with nothing changed."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

import msgspec

from picloud.domain.access import Role
from picloud.domain.invocation import Requested
from picloud.http.api.inspection_schemas import Inspect, InspectionOut
from picloud.http.api.invocations import stream_of
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.problems import Problem
from picloud.orchestrator.inspection import TooBusy, TraceWanted, Wanted
from picloud.orchestrator.report import Ended


def _inspect(request: Request) -> Reply:
    stream = stream_of(request, Role.EDITOR)
    asked: Any = stream[0].event
    assert isinstance(asked, Requested)
    body = request.body
    wanted = Wanted(
        attempt=body["attempt"],
        source=body["source"],
        trace=TraceWanted(**body["trace"]) if body["trace"] is not None else None,
    )
    try:
        found = request.context.node.inspector.inspect(stream, wanted)
    except TooBusy as error:
        raise Problem.unavailable(f"there is no room for an inspection now: {error}") from error
    content = msgspec.to_builtins(found) | {
        "invocation": stream[0].stream_id,
        "app": asked.app,
        "script": asked.script,
        "version": asked.number,
        "record": _ended(found.record),
        "result": _ended(found.result),
    }
    return Reply(content=content)


def _ended(ended: Ended) -> dict[str, Any]:
    """As JSON, with the names that the protocol's arrays leave out."""
    told: dict[str, Any] = {
        "succeeded": ended.succeeded,
        "thrown": ended.thrown,
        "effects": msgspec.to_builtins(ended.effects),
        "operations": ended.operations,
        "duration_us": ended.duration_us,
        "logs": [msgspec.structs.asdict(line) for line in ended.logs],
        "error": msgspec.structs.asdict(ended.error) if ended.error is not None else None,
        "reply": None,
    }
    if ended.reply is not None:
        told["reply"] = {
            "status": ended.reply.status,
            "headers": ended.reply.headers,
            "body": _content(ended.reply.body),
        }
    return told


def _content(body: bytes) -> dict[str, str | None]:
    """As the invocation's own answer is told, but whole whatever its size: nothing is stored."""
    try:
        return {"text": body.decode() or None, "base64": None, "sha256": None}
    except UnicodeDecodeError:
        return {"text": None, "base64": b64encode(body).decode(), "sha256": None}


OPERATIONS: Final = [
    Operation(
        method="POST", path="/invocations/{invocation}/inspection",
        summary="Run an attempt again on its record, changing nothing, and tell what it does", tag="invocations",
        role=Role.EDITOR, handler=_inspect, body=Inspect, optional_body=True, reply=InspectionOut, app_of="any",
        problems=(404, 409, 503),
    ),
]  # fmt: skip
