"""Scripts and their versions."""

from __future__ import annotations

from typing import Any, Final

import falcon

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.preconditions import expected_version
from picloud.http.api.schemas import (
    Deploy,
    Deployed,
    DeployQuery,
    Disable,
    RollBack,
    RolledBack,
    ScriptList,
    ScriptOut,
    SourceQuery,
    VersionList,
)
from picloud.http.problems import Problem
from picloud.orchestrator.control import scripts as control
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.compiling import SyntaxFault
from picloud.projections import queries


def _list(request: Request) -> Reply:
    app = request.params["app"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        return Reply(content={"items": queries.scripts_of(connection, app)})


def _deploy(request: Request) -> Reply:
    app, script = request.params["app"], request.params["script"]
    if isinstance(request.body, str):
        source, routes, more = request.body, request.query["route"], request.query
    else:
        source, routes, more = request.body["source"], request.body["routes"], request.body
    deployment = control.Deployment(
        app=app,
        script=script,
        source=source,
        routes=routes,
        durability=more["durability"],
        expected=expected_version(request.http),
        dependents=more["dependents"],
    )
    try:
        done = control.deploy(request.context.control, request.command, deployment)
    except SyntaxFault as fault:
        raise Problem(
            422,
            "syntax-error",
            fault.message,
            field=fault.field,
            kind=fault.kind,
            line=fault.line,
            column=fault.column,
            excerpt=fault.excerpt,
            advice=fault.advice,
            remedy=fault.remedy,
        ) from fault
    version = done.version
    content = {
        "app": app,
        "script": script,
        "version": version.number,
        "sha256": version.sha256,
        "size": version.size,
        "changed": done.changed,
        "urls": [_url(request.http, app, pattern.path) for pattern in done.routes],
        "imports": [{"script": name, "version": pin.number} for name, pin in (version.imports or {}).items()],
        "dependents": done.dependents,
    }
    return Reply(status=201 if done.changed else 200, content=content, headers={"ETag": f'"{version.number}"'})


def _show(request: Request) -> Reply:
    app, name = request.params["app"], request.params["script"]
    with request.context.sessions.session() as connection:
        control.existing_script(connection, app, name)
        rows = [row for row in queries.scripts_of(connection, app) if row["name"] == name]
    if not rows:
        raise Problem(404, "not-found", f"{app}/{name} is not deployed any more", field="script")
    return Reply(content=rows[0], headers={"ETag": f'"{rows[0]["current"]}"'})


def _source(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        version, source = control.source_of(
            connection, request.params["app"], request.params["script"], request.query.get("version")
        )
    return Reply(text=source, headers={"ETag": f'"{version.number}"'})


def _versions(request: Request) -> Reply:
    app, name = request.params["app"], request.params["script"]
    with request.context.sessions.session() as connection:
        control.existing_script(connection, app, name)
        rows = queries.versions_of(connection, app, name)
    for row in rows:
        pins = row["imports"]
        row["imports"] = pins and [{"script": name, "version": pin["number"]} for name, pin in sorted(pins.items())]
    return Reply(content={"items": rows})


def _roll_back(request: Request) -> Reply:
    number = request.body["version"]
    wanted = control.RollBack(
        app=request.params["app"],
        script=request.params["script"],
        number=number,
        expected=expected_version(request.http),
        dependents=request.body["dependents"],
    )
    was, dependents = control.roll_back(request.context.control, request.command, wanted)
    content = {"version": number, "from_version": was, "dependents": dependents}
    return Reply(content=content, headers={"ETag": f'"{number}"'})


def _disable(request: Request) -> Reply:
    names = request.params["app"], request.params["script"]
    control.disable(request.context.control, request.command, *names, request.body["reason"])
    return Reply(status=204)


def _enable(request: Request) -> Reply:
    control.enable(request.context.control, request.command, request.params["app"], request.params["script"])
    return Reply(status=204)


def _remove(request: Request) -> Reply:
    control.remove(request.context.control, request.command, request.params["app"], request.params["script"])
    return Reply(status=204)


def _url(req: falcon.Request, app: str, path: str) -> str:
    return f"{req.prefix}/apps/{app}{path}"


_SCRIPT: Final = "/apps/{app}/scripts/{script}"
_ETAG_HEADER: Final[dict[str, Any]] = {"ETag": "The current version, in quotes."}

OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/scripts", summary="List an app's scripts", tag="scripts", role=Role.VIEWER,
        handler=_list, reply=ScriptList, problems=(404,),
    ),
    Operation(
        method="PUT", path=_SCRIPT, summary="Deploy a script (201: a new version; 200: it was current already)",
        tag="scripts", role=Role.EDITOR, handler=_deploy, body=Deploy, query=DeployQuery,
        text_body="The Rhai source; routes as ?route=.", status=201, reply=Deployed, problems=(409, 412),
        headers=_ETAG_HEADER,
    ),
    Operation(
        method="GET", path=_SCRIPT, summary="Show a script", tag="scripts", role=Role.VIEWER, handler=_show,
        reply=ScriptOut, problems=(404,), headers=_ETAG_HEADER,
    ),
    Operation(
        method="DELETE", path=_SCRIPT, summary="Remove a script", tag="scripts", role=Role.EDITOR, handler=_remove,
        status=204, problems=(404, 409),
    ),
    Operation(
        method="GET", path=_SCRIPT + "/source", summary="The source of a version", tag="scripts", role=Role.VIEWER,
        handler=_source, query=SourceQuery, reply_is_text=True, problems=(404,), headers=_ETAG_HEADER,
    ),
    Operation(
        method="GET", path=_SCRIPT + "/versions", summary="List a script's versions", tag="scripts", role=Role.VIEWER,
        handler=_versions, reply=VersionList, problems=(404,),
    ),
    Operation(
        method="POST", path=_SCRIPT + "/rollback", summary="Make an earlier version current", tag="scripts",
        role=Role.EDITOR, handler=_roll_back, body=RollBack, reply=RolledBack, problems=(404, 409, 412),
        headers=_ETAG_HEADER,
    ),
    Operation(
        method="POST", path=_SCRIPT + "/disable", summary="Refuse calls, with a reason", tag="scripts",
        role=Role.EDITOR, handler=_disable, body=Disable, status=204, problems=(404, 409),
    ),
    Operation(
        method="POST", path=_SCRIPT + "/enable", summary="Take calls again", tag="scripts", role=Role.EDITOR,
        handler=_enable, status=204, problems=(404, 409),
    ),
]  # fmt: skip
