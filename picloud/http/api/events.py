"""The audit trail: every event, who did it, when, caused by what."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import EventList, EventQuery
from picloud.http.auth import require
from picloud.http.problems import Problem
from picloud.log.disclosure import disclosed, has_secrets
from picloud.log.reader import AuditFilter, RecordedEvent, read_audit


def as_event(recorded: RecordedEvent) -> dict[str, Any]:
    """A recorded event as the API shows it."""
    return {
        "position": recorded.position,
        "type": recorded.type,
        "at": recorded.at,
        "app": recorded.app,
        "actor": recorded.actor,
        "stream": recorded.stream_id,
        "version": recorded.version,
        "correlation_id": recorded.correlation_id,
        "causation_id": recorded.causation_id,
        "content": disclosed(recorded) if has_secrets(recorded) else msgspec.Raw(recorded.state),
    }


def _list(request: Request) -> Reply:
    query = request.query
    app = query.get("app")
    # A token for some apps sees the trail of those, one at a time; the whole trail is for tokens of all apps.
    require(request.caller, Role.VIEWER, app, time.monotonic())
    newest_first = query["order"] == "desc"
    position = cursor_position(query.get("cursor"))
    wanted = AuditFilter(
        app=app,
        type=query.get("type"),
        actor=query.get("actor"),
        stream_id=query.get("stream"),
        correlation_id=query.get("correlation"),
        since=query.get("since"),
        until=query.get("until"),
        before=position if newest_first else None,
        after=None if newest_first else position,
        newest_first=newest_first,
        limit=query["limit"],
    )
    with request.context.sessions.session() as connection:
        found = read_audit(connection, wanted)
    following = str(found[-1].position) if len(found) == wanted.limit else None
    return Reply(content={"items": [as_event(recorded) for recorded in found], "next": following})


def cursor_position(cursor: str | None) -> int | None:
    """The position that a cursor stands for. Raises a 400 :class:`Problem` for what is none."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise Problem(400, "bad-cursor", "the cursor is not one that a page gave as 'next'", field="cursor")
    return int(cursor)


OPERATIONS: Final = [
    Operation(
        method="GET", path="/events", summary="The audit trail, newest first", tag="events", role=Role.VIEWER,
        handler=_list, query=EventQuery, reply=EventList, app_of="any",
    ),
]  # fmt: skip
