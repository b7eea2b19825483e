"""Replay jobs: many dead letters, or other ended invocations, run again."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from picloud.domain.access import Role
from picloud.domain.errors import Invalid
from picloud.domain.rate import Rate
from picloud.domain.replay_job import Edit, ReplayOrder, job_id
from picloud.http.api.events import cursor_position
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.replay_schemas import (
    AbortJob,
    JobsQuery,
    NewReplayJob,
    PauseJob,
    ReplayJobBegun,
    ReplayJobList,
    ReplayJobOut,
)
from picloud.log.contents import pack
from picloud.orchestrator.control import replays as control
from picloud.orchestrator.control.apps import existing_app
from picloud.postgres.sessions import Sessions
from picloud.projections.queries import replay_job, replay_jobs


def _list(request: Request) -> Reply:
    app, limit = request.params["app"], request.query["limit"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = replay_jobs(connection, app, before=cursor_position(request.query.get("cursor")), limit=limit)
    following = str(rows[-1]["position"]) if len(rows) == limit else None
    return Reply(content={"items": rows, "next": following})


def _show(request: Request) -> Reply:
    app, name = request.params["app"], request.params["job"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        row = replay_job(connection, job_id(app, name))
    if row is None:
        raise control.no_such_job(app, name)
    return Reply(content=row)


def _start(request: Request) -> Reply:
    order = _order(request)
    if request.body["dry_run"]:
        selection = control.select(request.context.control, order)
        job = None
    else:
        started, selection = control.start(request.context.control, request.command, order)
        with request.context.sessions.session() as connection:
            job = replay_job(connection, started)
    return Reply(content={"count": len(selection.invocations), "sample": selection.sample, "job": job})


def _pause(request: Request) -> Reply:
    app, name = request.params["app"], request.params["job"]
    control.pause(request.context.control, request.command, app, name, request.body["note"])
    return _show(request)


def _resume(request: Request) -> Reply:
    control.resume(request.context.control, request.command, request.params["app"], request.params["job"])
    return _show(request)


def _abort(request: Request) -> Reply:
    app, name = request.params["app"], request.params["job"]
    control.abort(request.context.control, request.command, app, name, request.body["reason"])
    return _show(request)


def _order(request: Request) -> ReplayOrder:
    body: dict[str, Any] = request.body
    return ReplayOrder(
        app=request.params["app"],
        name=body["name"],
        chosen=control.chosen_from(body["source"], body["filter"]),
        version=body["version"].lower(),
        edit=edit_of(body, request.context.sessions),
        rate=None if body["rate"] is None else Rate.parse(body["rate"], field="rate"),
    )


def edit_of(body: dict[str, Any], sessions: Sessions) -> Edit:
    """What the fields ``body`` and ``patch`` of a request say. Raises :class:`Invalid`."""
    replaced, patch = body["body"], body["patch"]
    if replaced is not None and patch is not None:
        raise Invalid(
            "a payload can get another body, or a patch, but not both", field="patch", remedy="Leave one out."
        )
    if patch is not None and not isinstance(patch, dict):
        raise Invalid(
            "a patch is a JSON object", field="patch", remedy='For example {"amount": 5, "old": null}; see RFC 7396.'
        )
    return Edit(
        body=None if replaced is None else pack(replaced.encode("utf-8", "replace"), sessions),
        patch=None if patch is None else msgspec.json.encode(patch).decode(),
    )


_ALL: Final = "/apps/{app}/replays"
_ONE: Final = _ALL + "/{job}"

OPERATIONS: Final = [
    Operation(
        method="GET", path=_ALL, summary="List an app's replay jobs, newest first", tag="replays", role=Role.VIEWER,
        handler=_list, query=JobsQuery, reply=ReplayJobList, problems=(404,),
    ),
    Operation(
        method="POST", path=_ALL, summary="Replay many dead letters or ended invocations; `dry_run` only counts",
        tag="replays", role=Role.EDITOR, handler=_start, body=NewReplayJob, reply=ReplayJobBegun, problems=(404, 409),
    ),
    Operation(
        method="GET", path=_ONE, summary="How far a replay job is", tag="replays", role=Role.VIEWER, handler=_show,
        reply=ReplayJobOut, problems=(404,),
    ),
    Operation(
        method="POST", path=_ONE + "/pause", summary="Let a replay job ask for nothing more for now", tag="replays",
        role=Role.EDITOR, handler=_pause, body=PauseJob, optional_body=True, reply=ReplayJobOut, problems=(404, 409),
    ),
    Operation(
        method="POST", path=_ONE + "/resume", summary="Let a replay job go on", tag="replays", role=Role.EDITOR,
        handler=_resume, reply=ReplayJobOut, problems=(404, 409),
    ),
    Operation(
        method="POST", path=_ONE + "/abort", summary="Let a replay job ask for nothing more, ever", tag="replays",
        role=Role.EDITOR, handler=_abort, body=AbortJob, optional_body=True, reply=ReplayJobOut, problems=(404, 409),
    ),
]  # fmt: skip
