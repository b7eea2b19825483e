"""Keys and values of an app: looked into, changed, as they were; and what the app may keep."""

from __future__ import annotations

import json
from typing import Any, Final

from picloud.domain.access import Role
from picloud.domain.duration import parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.kv import Entry, cursor_of, key_of
from picloud.http.api.key_schemas import (
    EntryList,
    EntryOut,
    HistoryOut,
    KeyQuery,
    KeysQuery,
    QuotaIn,
    QuotaList,
    ValueIn,
    ValueQuery,
)
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.preconditions import expected_version
from picloud.http.problems import Problem
from picloud.log.appender import QuotaExceeded
from picloud.orchestrator.control import keys as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.keys import entries_of, quotas_of

_MOST_TTL_MS: Final = 3_650 * 86_400_000


def _list(request: Request) -> Reply:
    app, query = request.params["app"], request.query
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        after = _after(query.get("cursor"))
        rows = entries_of(connection, app, prefix=query["prefix"], after=after, limit=query["limit"] + 1)
    shown = rows[: query["limit"]]
    items = [_shown(row.key, Entry(row.value, row.version, row.expires)) for row in shown]
    following = cursor_of(shown[-1].key) if len(rows) > len(shown) else None
    return Reply(content={"items": items, "next": following})


def _get(request: Request) -> Reply:
    key = request.query["key"]
    entry = control.existing_entry(request.context.control, request.params["app"], key, request.query.get("at"))
    return Reply(content=_shown(key, entry), headers=_etag(entry))


def _put(request: Request) -> Reply:
    key, body = request.query["key"], request.body
    ttl = body["ttl"]
    ttl_ms = None if ttl is None else parse_duration(ttl, field="ttl", least_ms=1, most_ms=_MOST_TTL_MS)
    try:
        entry = control.set_key(
            request.context.control,
            request.command,
            request.params["app"],
            key,
            body["value"],
            ttl_ms=ttl_ms,
            expected=expected_version(request.http),
        )
    except QuotaExceeded as exceeded:
        raise Invalid(str(exceeded), field="value") from exceeded
    return Reply(content=_shown(key, entry), headers=_etag(entry))


def _delete(request: Request) -> Reply:
    control.delete_key(
        request.context.control,
        request.command,
        request.params["app"],
        request.query["key"],
        expected=expected_version(request.http),
    )
    return Reply(status=204)


def _history(request: Request) -> Reply:
    changes = control.history_of(request.context.control, request.params["app"], request.query["key"])
    items = [
        {
            "type": recorded.type,
            "position": recorded.position,
            "at": recorded.at,
            "actor": recorded.actor,
            "causation_id": recorded.causation_id,
            "version": recorded.version,
            "deleted": entry.value is None,
            "value": None if entry.value is None else json.loads(entry.value),
            "expires": entry.expires,
        }
        for recorded, entry in changes
    ]
    return Reply(content={"items": items})


def _quotas(request: Request) -> Reply:
    app = request.params["app"]
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        return Reply(content={"items": quotas_of(connection, app)})


def _set_quota(request: Request) -> Reply:
    app, service = request.params["app"], request.params["service"]
    control.change_quota(
        request.context.control,
        request.command,
        app,
        service,
        items=request.body["items"],
        size=request.body["bytes"],
    )
    return _quotas(request)


def _shown(key: str, entry: Entry) -> dict[str, Any]:
    value = None if entry.value is None else json.loads(entry.value)
    return {"key": key, "value": value, "version": entry.version, "expires": entry.expires}


def _etag(entry: Entry) -> dict[str, str]:
    return {"ETag": f'"{entry.version}"'}


def _after(cursor: str | None) -> str:
    try:
        return "" if cursor is None else key_of(cursor)
    except ValueError:
        raise Problem(400, "bad-cursor", "the cursor is not one that a page gave as 'next'", field="cursor") from None


_ALL: Final = "/apps/{app}/kv"
_ONE: Final = "/apps/{app}/kv/value"
_VERSION: Final = {"ETag": "The key's version, in quotes."}
_CONDITIONS: Final = {
    "If-Match": "The version that the key is to have, in quotes.",
    "If-None-Match": "`*`: only if the key was never written.",
}

OPERATIONS: Final = [
    Operation(
        method="GET", path=_ALL, summary="List keys with their values", tag="kv", role=Role.VIEWER, handler=_list,
        query=KeysQuery, reply=EntryList, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="A key's value, now or at a past time", tag="kv", role=Role.VIEWER,
        handler=_get, query=ValueQuery, reply=EntryOut, problems=(404,), headers=_VERSION,
    ),
    Operation(
        method="PUT", path=_ONE, summary="Set a key", tag="kv", role=Role.EDITOR, handler=_put, query=KeyQuery,
        body=ValueIn, reply=EntryOut, problems=(404, 412), headers=_VERSION, accepts=_CONDITIONS,
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Delete a key", tag="kv", role=Role.EDITOR, handler=_delete,
        query=KeyQuery, status=204, problems=(404, 412), accepts=_CONDITIONS,
    ),
    Operation(
        method="GET", path="/apps/{app}/kv/history", summary="All changes of a key, newest first", tag="kv",
        role=Role.VIEWER, handler=_history, query=KeyQuery, reply=HistoryOut, problems=(404,),
    ),
    Operation(
        method="GET", path="/apps/{app}/quotas", summary="What an app keeps, and may keep", tag="apps",
        role=Role.VIEWER, handler=_quotas, reply=QuotaList, problems=(404,),
    ),
    Operation(
        method="PUT", path="/apps/{app}/quotas/{service}", summary="Say what an app may keep in a service", tag="apps",
        role=Role.OWNER, handler=_set_quota, body=QuotaIn, reply=QuotaList, problems=(404,),
    ),
]  # fmt: skip
