"""Settings of apps: what scripts read as ``config::``."""

from __future__ import annotations

import json
from typing import Any, Final

from picloud.domain.access import Role
from picloud.domain.secret import is_key_name
from picloud.domain.setting import no_setting
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.preconditions import ETAG_HEADER, PRECONDITIONS, etag, expected_version
from picloud.http.api.setting_schemas import SettingHistory, SettingIn, SettingList, SettingOut
from picloud.orchestrator.control import settings as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.settings import settings_of


def _list(request: Request) -> Reply:
    app = request.params["app"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = settings_of(connection, app)
    return Reply(content={"items": [_shown(row) for row in rows]})


def _show(request: Request) -> Reply:
    content = _one(request)
    return Reply(content=content, headers=etag(content["version"]))


def _set(request: Request) -> Reply:
    wanted = control.NewValue(
        app=request.params["app"],
        name=request.params["setting"],
        value=request.body["value"],
        kind=request.body["type"],
        expected=expected_version(request.http),
    )
    changed = control.set_setting(request.context.control, request.command, wanted)
    content = _one(request)
    return Reply(status=201 if changed else 200, content=content, headers=etag(content["version"]))


def _remove(request: Request) -> Reply:
    names = request.params["app"], request.params["setting"]
    control.remove_setting(request.context.control, request.command, *names, expected_version(request.http))
    return Reply(status=204)


def _history(request: Request) -> Reply:
    names = request.params["app"], request.params["setting"]
    return Reply(content={"items": control.history_of_setting(request.context.control, *names)})


def _one(request: Request) -> dict[str, Any]:
    app, name = request.params["app"], request.params["setting"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = settings_of(connection, app, name) if is_key_name(name) else []
    if not rows:
        raise no_setting(app, name)
    return _shown(rows[0])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"value": json.loads(row["value"])}


_SETTINGS: Final = "/apps/{app}/config"
_ONE: Final = _SETTINGS + "/{setting}"

OPERATIONS: Final = [
    Operation(
        method="GET", path=_SETTINGS, summary="List an app's settings", tag="config", role=Role.VIEWER, handler=_list,
        reply=SettingList, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="One setting", tag="config", role=Role.VIEWER, handler=_show,
        reply=SettingOut, problems=(404,), headers=ETAG_HEADER,
    ),
    Operation(
        method="PUT", path=_ONE, summary="Set a setting (201: a new version; 200: it was that already)", tag="config",
        role=Role.EDITOR, handler=_set, body=SettingIn, status=201, reply=SettingOut, problems=(404, 409, 412),
        headers=ETAG_HEADER, accepts=PRECONDITIONS,
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Remove a setting", tag="config", role=Role.EDITOR, handler=_remove,
        status=204, problems=(404, 409, 412), accepts=PRECONDITIONS,
    ),
    Operation(
        method="GET", path=_ONE + "/history", summary="What a setting was, newest first", tag="config",
        role=Role.VIEWER, handler=_history, reply=SettingHistory, problems=(404,),
    ),
]  # fmt: skip
