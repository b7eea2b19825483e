"""Dead letters: listed, and given up. They are replayed as invocations are."""

from __future__ import annotations

from typing import Final

from picloud.domain.access import Role
from picloud.http.api.events import cursor_position
from picloud.http.api.invocations import stream_of
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import DeadLetterList, DeadLetterQuery, Discard
from picloud.orchestrator.control import invocations as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.queries import DeadLetterFilter
from picloud.projections.queries import dead_letters as list_dead_letters


def _list(request: Request) -> Reply:
    query = request.query
    wanted = DeadLetterFilter(
        app=request.params["app"],
        script=query.get("script"),
        state=query.get("state"),
        trigger=query.get("trigger"),
        kind=query.get("kind"),
        text=query.get("text"),
        since=query.get("since"),
        until=query.get("until"),
        before=cursor_position(query.get("cursor")),
        limit=query["limit"],
    )
    with request.context.sessions.session() as connection:
        existing_app(connection, wanted.app)
        rows = list_dead_letters(connection, wanted)
    following = str(rows[-1]["position"]) if len(rows) == wanted.limit else None
    return Reply(content={"items": rows, "next": following})


def _discard(request: Request) -> Reply:
    stream_of(request, Role.EDITOR)
    control.discard(request.context.control, request.command, request.id("invocation"), request.body["reason"])
    return Reply(status=204)


OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/dead-letters", summary="List an app's dead letters, newest first",
        tag="dead letters", role=Role.VIEWER, handler=_list, query=DeadLetterQuery, reply=DeadLetterList,
        problems=(404,),
    ),
    Operation(
        method="POST", path="/invocations/{invocation}/discard", summary="Give a dead letter up, with a reason",
        tag="dead letters", role=Role.EDITOR, handler=_discard, body=Discard, status=204, app_of="any",
        problems=(404, 409),
    ),
]  # fmt: skip
