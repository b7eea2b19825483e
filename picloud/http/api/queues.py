"""Queues: how deep they are; emptied."""

from __future__ import annotations

from typing import Any, Final

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.queue_schemas import PurgeIn, PurgeOut, QueueList, QueueOut
from picloud.orchestrator.control import queues as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.queues import queues_of


def _list(request: Request) -> Reply:
    app = request.params["app"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = queues_of(connection, app)
    return Reply(content={"items": [_shown(row) for row in rows]})


def _show(request: Request) -> Reply:
    app, name = request.params["app"], request.params["queue"]
    control.existing_queue(request.context.control, app, name)
    with request.context.sessions.session() as connection:
        rows = queues_of(connection, app, name)
    return Reply(content=_shown(rows[0]))


def _purge(request: Request) -> Reply:
    app, name = request.params["app"], request.params["queue"]
    done = control.purge(request.context.control, request.command, app, name, request.body["reason"])
    return Reply(content={"purged": done.purged, "left": done.left})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "app"}


_ONE: Final = "/apps/{app}/queues/{queue}"

OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/queues", summary="List an app's queues, with their depths", tag="messages",
        role=Role.VIEWER, handler=_list, reply=QueueList, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="One queue", tag="messages", role=Role.VIEWER, handler=_show, reply=QueueOut,
        problems=(404,),
    ),
    Operation(
        method="POST", path=_ONE + "/purge", summary="Call off what waits in a queue; what runs goes on",
        tag="messages", role=Role.EDITOR, handler=_purge, body=PurgeIn, optional_body=True, reply=PurgeOut,
        problems=(404, 503),
    ),
]  # fmt: skip
