"""Dead letters: listed, shown, and given up. They are replayed as invocations are, or by a replay job."""

from __future__ import annotations

from typing import Final

from picloud.domain.access import Role
from picloud.domain.errors import NotFound
from picloud.http.api.events import cursor_position
from picloud.http.api.invocations import stream_of, whole_with_causes
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.replay_schemas import DeadLetterWhole
from picloud.http.api.schemas import DeadLetterList, DeadLetterQuery, Discard
from picloud.log.reader import read_stream
from picloud.orchestrator.control import invocations as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.letters import replays_of
from picloud.projections.queries import DeadLetterFilter, dead_letter_of
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


def _show(request: Request) -> Reply:
    """The letter that the id belongs to: its own, or that of a replay of it."""
    app, wanted = request.params["app"], request.id("letter")
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        letter = dead_letter_of(connection, wanted)
        if letter is None or letter["app"] != app:
            raise NotFound(
                f"{wanted} is no dead letter of {app}, or was purged",
                field="letter",
                remedy="See picloud dead-letters; picloud invocation shows what the log has of any invocation.",
            )
        first = read_stream(connection, letter["id"])
        latest = read_stream(connection, letter["died_as"]) if letter["died_as"] != letter["id"] else None
        content = {
            "letter": letter,
            "replays": replays_of(connection, letter["id"]),
            "invocation": whole_with_causes(request, connection, first),
            "latest": None if latest is None else whole_with_causes(request, connection, latest),
        }
    return Reply(content=content)


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
        method="GET", path="/apps/{app}/dead-letters/{letter}", summary="One dead letter, whole, with its replays",
        tag="dead letters", role=Role.VIEWER, handler=_show, reply=DeadLetterWhole, problems=(404,),
    ),
    Operation(
        method="POST", path="/invocations/{invocation}/discard", summary="Give a dead letter up, with a reason",
        tag="dead letters", role=Role.EDITOR, handler=_discard, body=Discard, status=204, app_of="any",
        problems=(404, 409),
    ),
]  # fmt: skip
