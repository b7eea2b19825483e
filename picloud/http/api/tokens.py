"""Access tokens, and who one is."""

from __future__ import annotations

from typing import Final

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import IssuedToken, Me, NewToken, TokenList
from picloud.orchestrator.control import tokens as control
from picloud.projections import queries


def _list(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        return Reply(content={"items": queries.tokens(connection)})


def _issue(request: Request) -> Reply:
    body = request.body
    issued = control.issue(request.context.control, request.command, body["name"], role=body["role"], apps=body["apps"])
    return Reply(status=201, content={"id": issued.id, "token": issued.secret})


def _revoke(request: Request) -> Reply:
    control.revoke(request.context.control, request.command, request.id("token"))
    return Reply(status=204)


def _me(request: Request) -> Reply:
    caller = request.caller
    return Reply(content={"name": caller.name, "role": caller.role.label, "apps": sorted(caller.apps)})


OPERATIONS: Final = [
    Operation(
        method="GET", path="/tokens", summary="List access tokens", tag="tokens", role=Role.OWNER, handler=_list,
        reply=TokenList, app_of=None,
    ),
    Operation(
        method="POST", path="/tokens", summary="Issue an access token", tag="tokens", role=Role.OWNER, handler=_issue,
        body=NewToken, status=201, reply=IssuedToken, app_of=None,
    ),
    Operation(
        method="DELETE", path="/tokens/{token}", summary="Revoke an access token", tag="tokens", role=Role.OWNER,
        handler=_revoke, status=204, app_of=None, problems=(404, 409),
    ),
    Operation(
        method="GET", path="/me", summary="Whose token this is", tag="tokens", role=Role.VIEWER, handler=_me, reply=Me,
        app_of="any",
    ),
]  # fmt: skip
