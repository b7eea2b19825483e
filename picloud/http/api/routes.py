"""Routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import NewRoute, RouteList, RouteOut, RouteQuery
from picloud.orchestrator.control import routes as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections import queries


@dataclass(frozen=True, slots=True)
class _Target:
    app: str
    script: str
    durability: str | None


def _list(request: Request) -> Reply:
    return Reply(content={"items": _rows(request)})


def _add(request: Request) -> Reply:
    target = _Target(request.params["app"], request.body["script"], request.body["durability"])
    pattern = control.add_route(request.context.control, request.command, target, request.body["route"])
    rows = [row for row in _rows(request) if row["route"] == str(pattern)]
    return Reply(status=201, content=rows[0])


def _remove(request: Request) -> Reply:
    control.remove_route(request.context.control, request.command, request.params["app"], request.query["route"])
    return Reply(status=204)


def _rows(request: Request) -> list[queries.Row]:
    app = request.params["app"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = queries.routes_of(connection, app)
    return [
        {
            "route": f"{row['method']} {row['path']}",
            "method": row["method"],
            "path": row["path"],
            "script": row["script"],
            "durability": row["durability"],
            "url": f"{request.http.prefix}/apps/{app}{row['path']}",
        }
        for row in rows
    ]


OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/routes", summary="List an app's routes", tag="routes", role=Role.VIEWER,
        handler=_list, reply=RouteList, problems=(404,),
    ),
    Operation(
        method="POST", path="/apps/{app}/routes", summary="Point a route to a script", tag="routes", role=Role.EDITOR,
        handler=_add, body=NewRoute, status=201, reply=RouteOut, problems=(404, 409),
    ),
    Operation(
        method="DELETE", path="/apps/{app}/routes", summary="Remove a route", tag="routes", role=Role.EDITOR,
        handler=_remove, query=RouteQuery, status=204, problems=(404,),
    ),
]  # fmt: skip
