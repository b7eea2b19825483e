"""Triggers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from picloud.domain.access import Role
from picloud.domain.duration import format_duration, parse_duration
from picloud.domain.invocation import Content, RunLimits
from picloud.domain.sample import sample_event, shown_event
from picloud.domain.schedule import Schedule
from picloud.domain.trigger import Delivery, TriggerLimits
from picloud.domain.trigger_config import Cron, read_config
from picloud.http.api.flow_schemas import read_flow, shown_flow
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.retries import retry_policy, shown_retry
from picloud.http.api.schemas import (
    Accepted,
    BackfillIn,
    BackfillOut,
    DueTimes,
    Fire,
    PauseIn,
    PreviewQuery,
    ScheduleQuery,
    TriggerIn,
    TriggerList,
    TriggerOut,
)
from picloud.log.contents import pack
from picloud.orchestrator.control import triggers as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.triggers import triggers_of


def _list(request: Request) -> Reply:
    app = request.params["app"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = triggers_of(connection, app)
    return Reply(content={"items": [_shown(row) for row in rows]})


def _show(request: Request) -> Reply:
    app, name = request.params["app"], request.params["trigger"]
    with request.context.sessions.session() as connection:
        control.existing_trigger(connection, app, name)
        rows = triggers_of(connection, app, name)
    return Reply(content=_shown(rows[0]))


def _set(request: Request) -> Reply:
    app, name, body = request.params["app"], request.params["trigger"], request.body
    with request.context.sessions.session() as connection:
        rows = triggers_of(connection, app, name)
    was = msgspec.convert(rows[0]["delivery"], Delivery) if rows else Delivery()
    setting = control.Setting(
        app=app,
        name=name,
        kind=body["kind"],
        script=body["script"],
        config=body["config"],
        delivery=_delivery(body, was),
    )
    control.set_trigger(request.context.control, request.command, setting)
    return _show(request)


def _remove(request: Request) -> Reply:
    control.remove(request.context.control, request.command, request.params["app"], request.params["trigger"])
    return Reply(status=204)


def _pause(request: Request) -> Reply:
    app, name = request.params["app"], request.params["trigger"]
    control.pause(request.context.control, request.command, app, name, request.body["note"])
    return _show(request)


def _resume(request: Request) -> Reply:
    control.resume(request.context.control, request.command, request.params["app"], request.params["trigger"])
    return _show(request)


def _fire(request: Request) -> Reply:
    given = request.body["data"]
    data = Content() if given is None else pack(msgspec.json.encode(given), request.context.sessions)
    invocation = control.fire(
        request.context.control,
        request.command,
        request.params["app"],
        request.params["trigger"],
        data,
        sample=request.body["sample"],
    )
    headers = {"Location": f"/api/v1/invocations/{invocation}"}
    return Reply(status=202, content={"invocation": invocation}, headers=headers)


def _sample(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        trigger = control.existing_trigger(connection, request.params["app"], request.params["trigger"])
    event = sample_event(
        trigger.settings, invocation=request.command.request_id, app=trigger.app, now=datetime.now(UTC)
    )
    return Reply(content=shown_event(trigger.kind, trigger.name, event))


def _preview(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        trigger = control.existing_trigger(connection, request.params["app"], request.params["trigger"])
    config = trigger.settings
    items = _due_times(request, config.schedule) if isinstance(config, Cron) else []
    return Reply(content={"items": items})


def _preview_any(request: Request) -> Reply:
    schedule = Schedule.parse(request.query["cron"], request.query["zone"], field="cron")
    return Reply(content={"items": _due_times(request, schedule)})


def _backfill(request: Request) -> Reply:
    body = request.body
    done = control.backfill(
        request.context.control,
        request.command,
        request.params["app"],
        request.params["trigger"],
        since=body["since"],
        until=body["until"],
        dry_run=body["dry_run"],
    )
    return Reply(content={"due": done.due, "fired": done.fired})


def _due_times(request: Request, schedule: Schedule) -> list[datetime]:
    after = request.query.get("after") or datetime.now(UTC)
    return schedule.preview(after=after, count=request.query["count"])


def _delivery(body: dict[str, Any], was: Delivery) -> Delivery:
    retry = was.retry if body["retry"] is None else retry_policy(body["retry"])
    wall_ms, operations = was.limits.wall_ms, was.limits.operations
    if body["timeout"] is not None:
        wall_ms = parse_duration(body["timeout"], field="timeout", least_ms=1)
    if body["operations"] is not None:
        operations = body["operations"]
    return Delivery(retry, RunLimits(wall_ms, operations), read_flow(body["flow"], was.flow))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    delivery = msgspec.convert(row["delivery"], Delivery)
    limits = delivery.limits
    config = read_config(row["kind"], row["config"])
    next_due = None
    if isinstance(config, Cron) and row["paused"] is None:
        next_due = config.schedule.next_after(datetime.now(UTC))
    return {
        "name": row["name"],
        "kind": row["kind"],
        "script": row["script"],
        "config": asdict(config),
        "retry": shown_retry(delivery.retry),
        "timeout": format_duration(limits.wall_ms) if limits.wall_ms else None,
        "operations": limits.operations or None,
        "flow": shown_flow(delivery.flow, TriggerLimits.of(row["kind"], row["config"], delivery)),
        "paused": row["paused"],
        "since": row["since"],
        "last_due": row["last_due"],
        "last_invocation": row["last_invocation"],
        "next_due": next_due,
    }


_ONE: Final = "/apps/{app}/triggers/{trigger}"
_LOCATION: Final = {"Location": "The invocation."}

OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/triggers", summary="List an app's triggers", tag="triggers", role=Role.VIEWER,
        handler=_list, reply=TriggerList, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="One trigger", tag="triggers", role=Role.VIEWER, handler=_show,
        reply=TriggerOut, problems=(404,),
    ),
    Operation(
        method="PUT", path=_ONE, summary="Make a trigger, or change it", tag="triggers", role=Role.EDITOR,
        handler=_set, body=TriggerIn, reply=TriggerOut, problems=(404, 409),
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Remove a trigger", tag="triggers", role=Role.EDITOR, handler=_remove,
        status=204, problems=(404, 409),
    ),
    Operation(
        method="POST", path=_ONE + "/pause", summary="Let nothing come of a trigger", tag="triggers", role=Role.EDITOR,
        handler=_pause, body=PauseIn, optional_body=True, reply=TriggerOut, problems=(404, 409),
    ),
    Operation(
        method="POST", path=_ONE + "/resume", summary="Let a trigger work again", tag="triggers", role=Role.EDITOR,
        handler=_resume, reply=TriggerOut, problems=(404, 409),
    ),
    Operation(
        method="POST", path=_ONE + "/fire", summary="Run what a trigger leads to, now", tag="triggers",
        role=Role.EDITOR, handler=_fire, body=Fire, optional_body=True, status=202, reply=Accepted,
        problems=(404, 503), headers=_LOCATION,
    ),
    Operation(
        method="GET", path=_ONE + "/sample", summary="A sample of what the script finds as `ctx.event`", tag="triggers",
        role=Role.VIEWER, handler=_sample, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE + "/next", summary="The next due times of a cron trigger", tag="triggers",
        role=Role.VIEWER, handler=_preview, query=PreviewQuery, reply=DueTimes, problems=(404,),
    ),
    Operation(
        method="POST", path=_ONE + "/backfill", summary="Fire past ticks that have no invocation", tag="triggers",
        role=Role.EDITOR, handler=_backfill, body=BackfillIn, reply=BackfillOut, problems=(404, 503),
    ),
    Operation(
        method="GET", path="/schedules/next", summary="The next due times of any schedule", tag="triggers",
        role=Role.VIEWER, handler=_preview_any, query=ScheduleQuery, reply=DueTimes, app_of="any",
    ),
]  # fmt: skip
