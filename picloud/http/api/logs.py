"""What scripts printed and logged: a page, or a stream that goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from gevent.event import Event as Signal

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import LogList, LogQuery
from picloud.http.problems import Problem
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.queries import LogFilter, Row, log_lines

_CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,9})")
_ALIVE_SECONDS: Final = 15.0
"""After so long without a line an empty one is sent, so that a reader who went away is noticed."""


def _list(request: Request) -> Reply:
    query = request.query
    wanted: dict[str, Any] = {
        "app": request.params["app"],
        "script": query.get("script"),
        "invocation": query.get("invocation"),
        "level": query.get("level"),
        "limit": query["limit"],
    }
    after = _position(query.get("cursor"))
    with request.context.sessions.session() as connection:
        existing_app(connection, wanted["app"])
        rows = log_lines(connection, LogFilter(**wanted, after=after))
    if query.get("follow"):
        return Reply(stream=_follow(request, wanted, rows, after))
    return Reply(content={"items": rows, "next": _cursor(rows, after)})


def _follow(
    request: Request, wanted: dict[str, Any], rows: list[Row], after: tuple[int, int] | None
) -> Iterator[bytes]:
    signal = Signal()
    following = request.context.following
    following.add(signal)
    after = after or (0, 0)
    try:
        while True:
            for row in rows:
                after = row["position"], row["seq"]
            yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows) or b"\n"
            if len(rows) < wanted["limit"]:
                signal.wait(_ALIVE_SECONDS)
                signal.clear()
            with request.context.sessions.session() as connection:
                rows = log_lines(connection, LogFilter(**wanted, after=after))
    finally:
        following.discard(signal)


def _position(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise Problem(400, "bad-cursor", "the cursor is not one that a page gave as 'next'", field="cursor")
    return int(match[1]), int(match[2])


def _cursor(rows: list[Row], after: tuple[int, int] | None) -> str | None:
    if rows:
        return f"{rows[-1]['position']}-{rows[-1]['seq']}"
    return f"{after[0]}-{after[1]}" if after is not None else None


OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/logs", summary="Log lines, oldest first; follow=true streams them",
        tag="logs", role=Role.VIEWER, handler=_list, query=LogQuery, reply=LogList, problems=(404,),
    ),
]  # fmt: skip
