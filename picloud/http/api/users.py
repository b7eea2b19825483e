"""Users of an app: their accounts, sessions and tokens."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.user_schemas import (
    EndedOut,
    IssuedUserToken,
    PasswordIn,
    UserIn,
    UserList,
    UserOut,
    UserPatch,
    UserSessionList,
    UsersQuery,
    UserTokenIn,
    UserTokenList,
)
from picloud.http.problems import Problem
from picloud.orchestrator.control.users import UsersControl


def _control(request: Request) -> UsersControl:
    context = request.context
    return UsersControl(context.control, request.command, context.node.users, request.params["app"])


def _list(request: Request) -> Reply:
    query = request.query
    cursor = query.get("cursor")
    if cursor is not None:
        _check_cursor(cursor)
    page = _control(request).page(name=query.get("name"), role=query.get("role"), cursor=cursor, limit=query["limit"])
    return Reply(content={"items": page["users"], "next": page["cursor"]})


def _check_cursor(cursor: str) -> None:
    try:
        UUID(cursor)
    except ValueError:
        raise Problem(400, "bad-cursor", "the cursor is not one that a page gave as 'next'", field="cursor") from None


def _create(request: Request) -> Reply:
    body = request.body
    made = _control(request).create(body["name"], body["password"], {"roles": body["roles"], "data": body["data"]})
    return Reply(status=201, content=made)


def _show(request: Request) -> Reply:
    return Reply(content=_control(request).get(request.id("user")))


def _update(request: Request) -> Reply:
    return Reply(content=_control(request).update(request.id("user"), request.body))


def _delete(request: Request) -> Reply:
    _control(request).delete(request.id("user"))
    return Reply(status=204)


def _set_password(request: Request) -> Reply:
    _control(request).set_password(request.id("user"), request.body["password"])
    return Reply(status=204)


def _sessions(request: Request) -> Reply:
    return Reply(content={"items": _control(request).sessions(request.id("user"))})


def _end_sessions(request: Request) -> Reply:
    return Reply(content={"ended": _control(request).end_sessions(request.id("user"))})


def _end_session(request: Request) -> Reply:
    _control(request).end_session(request.id("user"), request.id("session"))
    return Reply(status=204)


def _tokens(request: Request) -> Reply:
    return Reply(content={"items": _control(request).tokens(request.id("user"))})


def _issue_token(request: Request) -> Reply:
    issued: dict[str, Any] = _control(request).issue_token(request.id("user"), request.body)
    return Reply(status=201, content=issued)


def _revoke_token(request: Request) -> Reply:
    _control(request).revoke_token(request.id("user"), request.id("token"))
    return Reply(status=204)


_ALL: Final = "/apps/{app}/users"
_ONE: Final = "/apps/{app}/users/{user}"

OPERATIONS: Final = [
    Operation(
        method="GET", path=_ALL, summary="List an app's users", tag="users", role=Role.VIEWER, handler=_list,
        query=UsersQuery, reply=UserList, problems=(404,),
    ),
    Operation(
        method="POST", path=_ALL, summary="Register a user", tag="users", role=Role.EDITOR, handler=_create,
        body=UserIn, status=201, reply=UserOut, problems=(404, 409, 503),
    ),
    Operation(
        method="GET", path=_ONE, summary="One user", tag="users", role=Role.VIEWER, handler=_show, reply=UserOut,
        problems=(404,),
    ),
    Operation(
        method="PATCH", path=_ONE, summary="Change a user: name, roles, data, disabled", tag="users",
        role=Role.EDITOR, handler=_update, body=UserPatch, reply=UserOut, problems=(404,),
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Remove a user, and erase what is kept of the person", tag="users",
        role=Role.EDITOR, handler=_delete, status=204, problems=(404,),
    ),
    Operation(
        method="PUT", path=_ONE + "/password", summary="Give a user another password", tag="users",
        role=Role.EDITOR, handler=_set_password, body=PasswordIn, status=204, problems=(404, 503),
    ),
    Operation(
        method="GET", path=_ONE + "/sessions", summary="A user's sessions", tag="users", role=Role.VIEWER,
        handler=_sessions, reply=UserSessionList, problems=(404,),
    ),
    Operation(
        method="DELETE", path=_ONE + "/sessions", summary="End all sessions of a user", tag="users",
        role=Role.EDITOR, handler=_end_sessions, reply=EndedOut, problems=(404,),
    ),
    Operation(
        method="DELETE", path=_ONE + "/sessions/{session}", summary="End one session", tag="users",
        role=Role.EDITOR, handler=_end_session, status=204, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE + "/tokens", summary="A user's tokens", tag="users", role=Role.VIEWER,
        handler=_tokens, reply=UserTokenList, problems=(404,),
    ),
    Operation(
        method="POST", path=_ONE + "/tokens", summary="Issue a token that acts for a user", tag="users",
        role=Role.EDITOR, handler=_issue_token, body=UserTokenIn, status=201, reply=IssuedUserToken, problems=(404,),
    ),
    Operation(
        method="DELETE", path=_ONE + "/tokens/{token}", summary="Revoke a user's token", tag="users",
        role=Role.EDITOR, handler=_revoke_token, status=204, problems=(404,),
    ),
]  # fmt: skip
