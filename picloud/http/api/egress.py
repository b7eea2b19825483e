"""Egress: what an app's scripts may call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from picloud.domain.access import Role
from picloud.domain.egress import Allowed, Egress
from picloud.http.api.egress_schemas import CheckOut, CheckQuery, EgressIn, EgressOut
from picloud.http.api.operation import Operation, Reply, Request
from picloud.orchestrator.control.egress import change_egress, egress_of, looked_at


def _show(request: Request) -> Reply:
    return Reply(content=_shown(egress_of(request.context.control, request.params["app"])))


def _change(request: Request) -> Reply:
    body = request.body
    allowed = [Allowed.parse(each["host"], private=each["private"]) for each in body["allow"]]
    forgotten = [Allowed.parse(text, private=True) for text in body["forget"]]

    def change(was: Egress) -> Egress:
        new = was
        for less in forgotten:
            new = new.without(less)
        for more in allowed:
            new = new.allowing(more)
        return replace(new, restricted=body.get("restricted", was.restricted))

    return Reply(content=_shown(change_egress(request.context.control, request.command, request.params["app"], change)))


def _check(request: Request) -> Reply:
    context = request.context
    found = looked_at(context.control, context.node.guard, request.params["app"], request.query["url"])
    content = {"allowed": found.why_not is None, "addresses": list(found.addresses), "why_not": found.why_not}
    return Reply(content=content)


def _shown(egress: Egress) -> dict[str, Any]:
    allowed = [{"host": str(each), "private": each.private} for each in egress.allowed]
    return {"restricted": egress.restricted, "allowed": allowed}


OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/egress", summary="Show what an app's scripts may call", tag="egress",
        role=Role.VIEWER, handler=_show, reply=EgressOut, problems=(404,),
    ),
    Operation(
        method="PATCH", path="/apps/{app}/egress", summary="Change what an app's scripts may call", tag="egress",
        role=Role.OWNER, handler=_change, body=EgressIn, reply=EgressOut, problems=(404, 409),
    ),
    Operation(
        method="GET", path="/apps/{app}/egress/check", summary="Say whether scripts may call a URL", tag="egress",
        role=Role.EDITOR, handler=_check, query=CheckQuery, reply=CheckOut, problems=(404,),
    ),
]  # fmt: skip
