"""Invocations: the history, one whole, runs by API, replays."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any, Final

import msgspec
import psycopg

from picloud.domain.access import Role
from picloud.domain.errors import Disabled, NotFound
from picloud.domain.invocation import (
    AttemptFailed,
    Cancelled,
    Checkpoint,
    DeadLettered,
    Discarded,
    HttpInput,
    Replayed,
    Requested,
    Resumed,
    RetryPolicy,
    Started,
    StepCompleted,
    Succeeded,
    Suspended,
    Trigger,
)
from picloud.domain.lifecycle import evolve
from picloud.http.api.events import as_event, cursor_position
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.replays import edit_of
from picloud.http.api.schemas import (
    Accepted,
    Cancel,
    InvocationList,
    InvocationQuery,
    InvocationWhole,
    Replay,
    Run,
    Wait,
)
from picloud.http.auth import require
from picloud.log.causes import causes_of
from picloud.log.contents import pack
from picloud.log.reader import RecordedEvent, read_stream
from picloud.orchestrator.catalog import ScriptEntry
from picloud.orchestrator.control import invocations as control
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.scripts import existing_script
from picloud.orchestrator.invoker import Call, NoAnswerYet
from picloud.projections.queries import InvocationFilter, dead_letter_of
from picloud.projections.queries import invocations as list_invocations

_WAIT: Final = re.compile(r"wait=([0-9]{1,3})")
MAX_WAIT_SECONDS: Final = 60


def _list(request: Request) -> Reply:
    query = request.query
    wanted = InvocationFilter(
        app=request.params["app"],
        script=query.get("script"),
        state=query.get("state"),
        trigger=query.get("trigger"),
        since=query.get("since"),
        until=query.get("until"),
        before=cursor_position(query.get("cursor")),
        limit=query["limit"],
    )
    with request.context.sessions.session() as connection:
        existing_app(connection, wanted.app)
        rows = list_invocations(connection, wanted)
    following = str(rows[-1]["position"]) if len(rows) == wanted.limit else None
    return Reply(content={"items": rows, "next": following})


def _show(request: Request) -> Reply:
    stream = stream_of(request, Role.VIEWER)
    if request.query["wait"] and _whole(stream)["ended_at"] is None:
        with contextlib.suppress(NoAnswerYet):
            request.context.node.invoker.wait(stream[0].stream_id, timeout=request.query["wait"])
        stream = stream_of(request, Role.VIEWER)
    with request.context.sessions.session() as connection:
        return Reply(content=whole_with_causes(request, connection, stream))


def whole_with_causes(request: Request, connection: psycopg.Connection, stream: list[RecordedEvent]) -> dict[str, Any]:
    """Everything that the stream tells, and what led to it, as far as the caller may see that."""
    causes = [
        _cause(recorded)
        for recorded in causes_of(connection, stream[0])
        if request.caller.may(Role.VIEWER, recorded.app)
    ]
    return _whole(stream) | {"causes": causes, "dead_letter": dead_letter_of(connection, stream[0].stream_id)}


def _cause(recorded: RecordedEvent) -> dict[str, Any]:
    event: Any = recorded.event
    kind, name, trigger = _KINDS.get(recorded.type, "other"), getattr(event, "name", ""), None
    if isinstance(event, Requested):
        name, trigger = event.script, event.trigger.kind
    return {
        "id": recorded.stream_id,
        "kind": kind,
        "app": recorded.app,
        "name": name,
        "trigger": trigger,
        "actor": recorded.actor,
        "at": recorded.at,
    }


_KINDS: Final = {"Requested": "invocation", "ReplayJobStarted": "replay job", "TriggerCreated": "trigger"}


def _run(request: Request) -> Reply:
    app, name = request.params["app"], request.params["script"]
    with request.context.sessions.session() as connection:
        script = existing_script(connection, app, name)
    if script.current is None:
        raise NotFound(f"{app}/{name} is not deployed any more", field="script")
    if script.disabled is not None:
        raise Disabled(f"{app}/{name} is disabled: {script.disabled}")
    body = request.body
    version = script.versions[script.current]
    call = Call(
        script=ScriptEntry(app, name, version.number, version.sha256, None),
        trigger=Trigger("api", request.caller.name),
        input=HttpInput(
            body["method"],
            body["path"],
            body["params"],
            body["query"],
            {key.lower(): value for key, value in body["headers"].items()},
            pack(body["body"].encode("utf-8", "replace"), request.context.sessions),
        ),
        actor=request.caller.actor,
        correlation_id=request.command.correlation_id,
        retry=RetryPolicy(attempts=body["attempts"]),
    )
    invoker = request.context.node.invoker
    invocation = invoker.request(call, timeout=30.0)
    wait = _WAIT.search(request.http.get_header("Prefer") or "")
    headers = {"Location": f"/api/v1/invocations/{invocation}"}
    if wait is not None:
        with contextlib.suppress(NoAnswerYet):
            invoker.wait(invocation, timeout=min(int(wait[1]), MAX_WAIT_SECONDS))
    return Reply(status=202, content={"invocation": invocation}, headers=headers)


def _replay(request: Request) -> Reply:
    stream_of(request, Role.EDITOR)
    again = control.replay(
        request.context.control,
        request.command,
        request.id("invocation"),
        request.body["version"].lower(),
        edit=edit_of(request.body, request.context.sessions),
    )
    return Reply(status=202, content={"invocation": again}, headers={"Location": f"/api/v1/invocations/{again}"})


def _cancel(request: Request) -> Reply:
    stream_of(request, Role.EDITOR)
    control.cancel(request.context.control, request.command, request.id("invocation"), request.body["reason"])
    return Reply(status=204)


def stream_of(request: Request, role: Role) -> list[RecordedEvent]:
    """The invocation's events, if the caller may do what ``role`` may in its app."""
    invocation = request.id("invocation")
    with request.context.sessions.session() as connection:
        stream = read_stream(connection, invocation)
    known = bool(stream) and stream[0].type == "Requested"
    if not known or not request.caller.may(role, stream[0].app):
        if known and request.caller.may(Role.VIEWER, stream[0].app):
            require(request.caller, role, stream[0].app, time.monotonic())
        raise NotFound(
            f"there is no invocation {invocation}", field="invocation", remedy="See picloud invocations APP."
        )
    return stream


def _whole(stream: list[RecordedEvent]) -> dict[str, Any]:
    """Everything that the stream tells."""
    asked = stream[0].event
    assert isinstance(asked, Requested)
    state = None
    attempts: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    whole: dict[str, Any] = {"reply": None, "reason": None, "ended_at": None, "replayed_by": [], "discard_reason": None}
    for recorded in stream:
        event: Any = recorded.event
        state = evolve(state, event)
        match event:
            case Started():
                attempts.append({"attempt": event.attempt, "node": event.node, "started_at": recorded.at})
            case StepCompleted() | Suspended():
                steps.append(_checkpoint(recorded, event))
                logs += [msgspec.to_builtins(line) | {"attempt": event.attempt} for line in event.logs]
                if isinstance(event, Suspended):
                    attempts[-1]["ended_at"] = recorded.at
                    attempts[-1] |= msgspec.to_builtins(event.usage) | {"suspended_until": event.until}
            case Resumed():
                steps[-1]["message"] = event.message.id
            case Succeeded() | AttemptFailed():
                attempt = attempts[-1] if attempts else {}
                attempt["ended_at"] = recorded.at
                attempt |= msgspec.to_builtins(event.usage)
                attempt["secrets"] = msgspec.to_builtins(event.secrets)
                if isinstance(event, AttemptFailed):
                    error = msgspec.to_builtins(event.error)
                    attempt |= {"error": error, "lost": event.lost, "retry_at": event.retry_at}
                    attempt["recorded"] = event.journal is not None
                else:
                    whole["reply"] = msgspec.to_builtins(event.reply) | {"thrown": event.thrown}
                    whole["reply"]["file"] = msgspec.to_builtins(event.file)
                    whole["ended_at"] = recorded.at
                    attempt["effects"] = event.effects
                logs += [msgspec.to_builtins(line) | {"attempt": event.attempt} for line in event.logs]
            case DeadLettered() | Cancelled():
                whole["reason"], whole["ended_at"] = event.reason, recorded.at
            case Replayed():
                whole["replayed_by"].append(event.invocation)
            case Discarded():
                whole["discard_reason"] = event.reason
    assert state is not None
    return {
        "id": stream[0].stream_id,
        "state": state.state,
        "app": asked.app,
        "script": asked.script,
        "version": asked.number,
        "trigger": msgspec.to_builtins(asked.trigger),
        "actor": stream[0].actor,
        "requested_at": stream[0].at,
        "correlation_id": stream[0].correlation_id,
        "replay_of": asked.replay_of,
        "idempotency_key": asked.idempotency_key,
        "input": msgspec.to_builtins(asked.input),
        "auth": msgspec.to_builtins(asked.auth),
        "event": msgspec.to_builtins(asked.event),
        "attempts": attempts,
        "steps": steps,
        "logs": logs,
        "events": [as_event(recorded) for recorded in stream],
        **whole,
    }


def _checkpoint(recorded: RecordedEvent, event: Checkpoint) -> dict[str, Any]:
    told = {
        "number": event.number,
        "attempt": event.attempt,
        "at": recorded.at,
        "effects": event.effects,
        "duration_us": None,
        "until": None,
        "filter": None,
        "message": None,
    }
    if isinstance(event, StepCompleted):
        return told | {"kind": "step", "name": event.name, "duration_us": event.duration_us}
    if event.topic:
        return told | {"kind": "wait_for", "name": event.topic, "until": event.until, "filter": event.filter}
    return told | {"kind": "sleep", "name": event.asked, "until": event.until}


_ONE: Final = "/invocations/{invocation}"
_LOCATION: Final = {"Location": "The invocation."}

OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/invocations", summary="List an app's invocations, newest first",
        tag="invocations", role=Role.VIEWER, handler=_list, query=InvocationQuery, reply=InvocationList,
        problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="One invocation, whole; `wait=10` waits for its end", tag="invocations",
        role=Role.VIEWER, handler=_show, query=Wait, reply=InvocationWhole, app_of="any", problems=(404,),
    ),
    Operation(
        method="POST", path="/apps/{app}/scripts/{script}/invocations",
        summary="Run a script; `Prefer: wait=10` waits for its end", tag="invocations", role=Role.EDITOR, handler=_run,
        body=Run, optional_body=True, status=202, reply=Accepted, problems=(404, 503), headers=_LOCATION,
    ),
    Operation(
        method="POST", path=_ONE + "/replay", summary="Run an ended invocation's input again, as a new one",
        tag="invocations", role=Role.EDITOR, handler=_replay, body=Replay, optional_body=True, status=202,
        reply=Accepted, app_of="any", problems=(404, 409), headers=_LOCATION,
    ),
    Operation(
        method="POST", path=_ONE + "/cancel", summary="Call an invocation off", tag="invocations", role=Role.EDITOR,
        handler=_cancel, body=Cancel, optional_body=True, status=204, app_of="any", problems=(404, 409),
    ),
]  # fmt: skip
