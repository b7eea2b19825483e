"""Routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from picloud.domain.access import Role
from picloud.domain.route import Pattern
from picloud.domain.route_settings import PLAIN, RouteSettings
from picloud.http.api import route_settings
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.route_schemas import (
    CredentialIn,
    CredentialQuery,
    IssuedCredential,
    RouteList,
    RouteOut,
    RouteSet,
    RouteSettingsIn,
)
from picloud.http.api.schemas import NewRoute, RouteQuery
from picloud.orchestrator.control import routes as control
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.guards.issuing import Asked
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


def _set(request: Request) -> Reply:
    body, pattern = request.body, _pattern(request)
    credentials = (body.get("auth") or {}).get("credentials", ())
    change = control.Change(
        app=request.params["app"],
        pattern=pattern,
        settings=route_settings.changed(body),
        asked=[Asked(each["name"], each["secret"]) for each in credentials],
        script=body.get("script"),
        durability=body.get("durability"),
    )
    context = request.context
    issued = control.set_route(context.control, request.command, context.node.vault, change)
    shape = pattern.shape
    row = next(row for row in _rows(request) if row["method"] == pattern.method and _shape(row) == shape)
    return Reply(content={"route": row, "issued": [{"name": each.name, "secret": each.secret} for each in issued]})


def _issue(request: Request) -> Reply:
    asked = Asked(request.body["name"], request.body["secret"])
    change = control.Change(app=request.params["app"], pattern=_pattern(request), asked=[asked])
    context = request.context
    issued = control.set_route(context.control, request.command, context.node.vault, change)
    secret = issued[0].secret if issued else None
    return Reply(status=201, content={"name": asked.name, "secret": secret})


def _revoke(request: Request) -> Reply:
    app, name = request.params["app"], request.query["name"]
    control.revoke_credential(request.context.control, request.command, app, _pattern(request), name)
    return Reply(status=204)


def _pattern(request: Request) -> Pattern:
    return Pattern.parse(request.query["route"])


def _shape(row: queries.Row) -> str:
    return Pattern.parse(row["route"]).shape


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
            **route_settings.shown(msgspec.convert(row["settings"], RouteSettings) if row["settings"] else PLAIN),
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
        method="PATCH", path="/apps/{app}/routes", summary="Change what a route asks of callers", tag="routes",
        role=Role.EDITOR, handler=_set, query=RouteQuery, body=RouteSettingsIn, reply=RouteSet, problems=(404, 409),
    ),
    Operation(
        method="POST", path="/apps/{app}/routes/credentials", summary="Add a key, user or secret to a route",
        tag="routes", role=Role.EDITOR, handler=_issue, query=RouteQuery, body=CredentialIn, status=201,
        reply=IssuedCredential, problems=(404, 409),
    ),
    Operation(
        method="DELETE", path="/apps/{app}/routes/credentials", summary="Take a key, user or secret from a route",
        tag="routes", role=Role.EDITOR, handler=_revoke, query=CredentialQuery, status=204, problems=(404, 409),
    ),
    Operation(
        method="DELETE", path="/apps/{app}/routes", summary="Remove a route", tag="routes", role=Role.EDITOR,
        handler=_remove, query=RouteQuery, status=204, problems=(404,),
    ),
]  # fmt: skip
