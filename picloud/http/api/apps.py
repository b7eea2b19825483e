"""Apps."""

from __future__ import annotations

from typing import Final

from picloud.domain.access import Role
from picloud.domain.errors import NotFound
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import AppList, AppOut, NewApp
from picloud.orchestrator.control.apps import create_app, remove_app
from picloud.projections import queries


def _list(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        rows = queries.apps(connection)
    seen = request.caller.apps
    return Reply(content={"items": [row for row in rows if not seen or row["name"] in seen]})


def _create(request: Request) -> Reply:
    name = request.body["name"]
    create_app(request.context.control, request.command, name)
    return Reply(status=201, content=_row(request, name), headers={"Location": f"/api/v1/apps/{name}"})


def _show(request: Request) -> Reply:
    return Reply(content=_row(request, request.params["app"]))


def _remove(request: Request) -> Reply:
    remove_app(request.context.control, request.command, request.params["app"])
    return Reply(status=204)


def _row(request: Request, name: str) -> queries.Row:
    with request.context.sessions.session() as connection:
        rows = [row for row in queries.apps(connection) if row["name"] == name]
    if not rows:
        raise NotFound(f"there is no app {name!r}", field="app", remedy="See picloud apps.")
    return rows[0]


OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps", summary="List apps", tag="apps", role=Role.VIEWER, handler=_list, reply=AppList,
        app_of="any",
    ),
    Operation(
        method="POST", path="/apps", summary="Make an app", tag="apps", role=Role.EDITOR, handler=_create,
        body=NewApp, status=201, reply=AppOut, app_of=None, problems=(409,), headers={"Location": "The app."},
    ),
    Operation(
        method="GET", path="/apps/{app}", summary="Show an app", tag="apps", role=Role.VIEWER, handler=_show,
        reply=AppOut, problems=(404,),
    ),
    Operation(
        method="DELETE", path="/apps/{app}", summary="Remove an app, its scripts and routes", tag="apps",
        role=Role.EDITOR, handler=_remove, status=204, problems=(404, 409),
    ),
]  # fmt: skip
