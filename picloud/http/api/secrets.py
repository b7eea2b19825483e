"""Secrets: set, listed and removed; never shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from picloud.domain.access import Role
from picloud.domain.duration import parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.secret import MAX_GRACE, SealedVersion, is_key_name, no_secret
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.preconditions import ETAG_HEADER, PRECONDITIONS, etag, expected_version
from picloud.http.api.secret_schemas import Expired, SecretIn, SecretList, SecretOut, SecretWithReadersOut
from picloud.orchestrator.control import secrets as control
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.vault import key_of
from picloud.projections.secrets import readers_of, secrets_of


def _list(request: Request) -> Reply:
    app = request.params["app"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = secrets_of(connection, app)
    return Reply(content={"items": [_shown(row) for row in rows]})


def _show(request: Request) -> Reply:
    app, name = request.params["app"], request.params["secret"]
    content = _one(request)
    with request.context.sessions.session() as connection:
        content["readers"] = readers_of(connection, app, name)
    return Reply(content=content, headers=etag(content["version"]))


def _set(request: Request) -> Reply:
    body = request.body
    if (body["value"] is None) == (not body["generate"]):
        raise Invalid("give a value, or let one be made with generate, and not both", field="value")
    wanted = control.NewSecret(
        app=request.params["app"],
        name=request.params["secret"],
        value=body["value"],
        grace=_grace(body["grace"]),
        expected=expected_version(request.http),
    )
    made = control.set_secret(request.context.control, request.command, request.context.node.vault, wanted)
    content = _one(request)
    return Reply(status=201 if made else 200, content=content, headers=etag(content["version"]))


def _expire(request: Request) -> Reply:
    names = request.params["app"], request.params["secret"]
    expired = control.expire_secret(request.context.control, request.command, *names)
    return Reply(content={"expired": expired})


def _remove(request: Request) -> Reply:
    names = request.params["app"], request.params["secret"]
    control.remove_secret(request.context.control, request.command, *names, expected_version(request.http))
    return Reply(status=204)


def _grace(text: str | None) -> timedelta:
    if text is None:
        return timedelta(0)
    most = int(MAX_GRACE.total_seconds() * 1_000)
    return timedelta(milliseconds=parse_duration(text, field="grace", most_ms=most))


def _one(request: Request) -> dict[str, Any]:
    app, name = request.params["app"], request.params["secret"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = secrets_of(connection, app, name) if is_key_name(name) else []
    if not rows:
        raise no_secret(app, name)
    return _shown(rows[0])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    versions = [
        _version(msgspec.convert(each, SealedVersion), each["set_by"])
        for each in row["versions"]
        if msgspec.convert(each, SealedVersion).readable(now)
    ]
    current = {name: value for name, value in versions[0].items() if name != "readable_until"}
    return {
        "name": row["name"],
        **current,
        "older": versions[1:],
        "reads": row["reads"],
        "last_read_at": row["last_read_at"],
    }


def _version(version: SealedVersion, set_by: str) -> dict[str, Any]:
    return {
        "version": version.number,
        "set_at": version.set_at,
        "set_by": set_by,
        "fingerprint": version.fingerprint,
        "vault_key": key_of(version.sealed),
        "readable_until": version.until,
    }


_SECRETS: Final = "/apps/{app}/secrets"
_ONE: Final = _SECRETS + "/{secret}"

OPERATIONS: Final = [
    Operation(
        method="GET", path=_SECRETS, summary="List an app's secrets, without their values", tag="secrets",
        role=Role.VIEWER, handler=_list, reply=SecretList, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="A secret without its value, and which scripts read it", tag="secrets",
        role=Role.VIEWER, handler=_show, reply=SecretWithReadersOut, problems=(404,), headers=ETAG_HEADER,
    ),
    Operation(
        method="PUT", path=_ONE, summary="Set or rotate a secret (201: a new version; 200: it was that already)",
        tag="secrets", role=Role.EDITOR, handler=_set, body=SecretIn, status=201, reply=SecretOut,
        problems=(404, 409, 412), headers=ETAG_HEADER, accepts=PRECONDITIONS,
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Remove a secret", tag="secrets", role=Role.EDITOR, handler=_remove,
        status=204, problems=(404, 409, 412), accepts=PRECONDITIONS,
    ),
    Operation(
        method="POST", path=_ONE + "/expire", summary="End the grace of a secret's older versions now", tag="secrets",
        role=Role.EDITOR, handler=_expire, reply=Expired, problems=(404, 409),
    ),
]  # fmt: skip
