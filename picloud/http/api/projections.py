"""Projections and their rebuilds."""

from __future__ import annotations

from typing import Any, Final

from picloud.domain.access import Role
from picloud.domain.errors import NotFound
from picloud.domain.rebuild import RebuildRequested
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import NewRebuild, ProjectionList, RebuildId, RebuildOut
from picloud.log.appender import Entry
from picloud.log.ids import new_id
from picloud.projections.installation import PROJECTIONS
from picloud.projections.progress import rebuild_status
from picloud.projections.tracking import status


def _list(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        return Reply(content={"items": status(connection)})


def _rebuild(request: Request) -> Reply:
    name = request.params["projection"]
    if name not in PROJECTIONS:
        known = ", ".join(sorted(PROJECTIONS))
        raise NotFound(f"there is no projection {name!r}: there are {known}", field="projection")
    rebuild = new_id()
    asked = RebuildRequested(
        originator_id=rebuild, originator_version=1, projection=name, verify=request.body["verify"]
    )
    request.context.node.appender.append([Entry(asked, request.command.metadata(""))])
    where = f"/api/v1/projections/{name}/rebuilds/{rebuild}"
    return Reply(status=202, content={"rebuild": rebuild}, headers={"Location": where})


def _show(request: Request) -> Reply:
    rebuild = request.id("rebuild")
    with request.context.sessions.session() as connection:
        found = rebuild_status(connection, rebuild)
    if found is None or found.projection != request.params["projection"]:
        raise NotFound(f"there is no rebuild {rebuild}", field="rebuild")
    content: dict[str, Any] = {
        "id": found.id,
        "projection": found.projection,
        "verify": found.verify,
        "state": found.state,
        "phase": found.phase,
        "events_done": found.events_done,
        "events_total": found.events_total,
        "seconds": found.seconds,
        "difference": found.difference,
        "reason": found.reason,
    }
    return Reply(content=content)


OPERATIONS: Final = [
    Operation(
        method="GET", path="/projections", summary="List projections, with position and lag", tag="projections",
        role=Role.VIEWER, handler=_list, reply=ProjectionList, app_of=None,
    ),
    Operation(
        method="POST", path="/projections/{projection}/rebuilds", summary="Rebuild a projection from the log",
        tag="projections", role=Role.OWNER, handler=_rebuild, body=NewRebuild, optional_body=True, status=202,
        reply=RebuildId, app_of=None, problems=(404,), headers={"Location": "The rebuild."},
    ),
    Operation(
        method="GET", path="/projections/{projection}/rebuilds/{rebuild}", summary="How far a rebuild is",
        tag="projections", role=Role.VIEWER, handler=_show, reply=RebuildOut, app_of=None, problems=(404,),
    ),
]  # fmt: skip
