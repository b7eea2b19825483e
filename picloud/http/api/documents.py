"""Documents and collections: looked into, written, configured."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from picloud.domain.access import Role
from picloud.domain.errors import Invalid
from picloud.http.api.document_schemas import (
    CollectionList,
    CollectionOut,
    CountOut,
    DocumentIn,
    DocumentList,
    DocumentOut,
    FilterQuery,
    FindQuery,
    FitOut,
    HistoryOut,
    HistoryQuery,
    IndexIn,
    IndexQuery,
)
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.preconditions import expected_version
from picloud.orchestrator.control.documents import CollectionControl, DocumentControl, Place, Query, Stored, query_of


def _collections(request: Request) -> Reply:
    rows = _of_collections(request).all_of(request.params["app"])
    return Reply(content={"items": [_as_collection(row) for row in rows]})


def _collection(request: Request) -> Reply:
    row = _of_collections(request).one(request.params["app"], request.params["collection"])
    return Reply(content=_as_collection(row))


def _add_index(request: Request) -> Reply:
    app, name = request.params["app"], request.params["collection"]
    control = _of_collections(request)
    control.add_index(request.command, app, name, request.body["fields"])
    return Reply(status=201, content=_as_collection(control.one(app, name)))


def _remove_index(request: Request) -> Reply:
    fields = request.query["fields"].split(",")
    app, name = request.params["app"], request.params["collection"]
    _of_collections(request).remove_index(request.command, app, name, fields)
    return Reply(status=204)


def _set_schema(request: Request) -> Reply:
    app, name = request.params["app"], request.params["collection"]
    fit = _of_collections(request).set_schema(request.command, app, name, request.body)
    return Reply(content=asdict(fit))


def _remove_schema(request: Request) -> Reply:
    _of_collections(request).remove_schema(request.command, request.params["app"], request.params["collection"])
    return Reply(status=204)


def _find(request: Request) -> Reply:
    query = _query(request)
    found = _of_documents(request).find(query)
    following = None
    if found.more:
        last = found.documents[-1]
        following = query.order.cursor(query.order.place_of(last.id, json.loads(last.data)))
    return Reply(content={"items": [document.told() for document in found.documents], "next": following})


def _count(request: Request) -> Reply:
    return Reply(content={"count": _of_documents(request).count(_query(request))})


def _insert(request: Request) -> Reply:
    app, collection = request.params["app"], request.params["collection"]
    document = _of_documents(request).insert(request.command, app, collection, request.body)
    location = f"/api/v1/apps/{app}/collections/{collection}/documents/{document.id}"
    return _as_document(document, status=201, headers={"Location": location})


def _get(request: Request) -> Reply:
    return _as_document(_of_documents(request).get(_place(request)))


def _put(request: Request) -> Reply:
    expected = expected_version(request.http)
    return _as_document(_of_documents(request).put(request.command, _place(request), request.body, expected=expected))


def _patch(request: Request) -> Reply:
    expected = expected_version(request.http)
    return _as_document(_of_documents(request).patch(request.command, _place(request), request.body, expected=expected))


def _delete(request: Request) -> Reply:
    _of_documents(request).delete(request.command, _place(request), expected=expected_version(request.http))
    return Reply(status=204)


def _history(request: Request) -> Reply:
    limit = request.query["limit"]
    events = _of_documents(request).history(_place(request), before=request.query.get("cursor"), limit=limit)
    items = []
    for recorded in events:
        event: Any = recorded.event
        patch, data = getattr(event, "patch", None), getattr(event, "data", None)
        items.append(
            {
                "version": recorded.version,
                "type": recorded.type,
                "at": recorded.at,
                "actor": recorded.actor,
                "causation_id": recorded.causation_id,
                "patch": None if patch is None else json.loads(patch),
                "data": None if data is None else json.loads(data),
            }
        )
    following = events[-1].version if len(events) == limit and events[-1].version > 1 else None
    return Reply(content={"items": items, "next": following})


def _of_documents(request: Request) -> DocumentControl:
    context = request.context
    return DocumentControl(context.control, context.node.documents, context.node.schemas)


def _of_collections(request: Request) -> CollectionControl:
    context = request.context
    return CollectionControl(context.control, context.node.documents, context.node.schemas)


def _place(request: Request) -> Place:
    return Place.checked(request.params["app"], request.params["collection"], request.params["document"])


def _query(request: Request) -> Query:
    given = request.query
    sort = given.get("sort")
    return query_of(
        request.params["app"],
        request.params["collection"],
        _filter(given.get("filter")),
        sort=sort.split(",") if sort else None,
        cursor=given.get("cursor"),
        limit=given.get("limit", 1),
    )


def _filter(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the filter is no JSON: {error}", field="filter") from None


def _as_document(document: Stored, *, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status=status, content=document.told(), headers={"ETag": f'"{document.version}"', **(headers or {})})


def _as_collection(row: Any) -> dict[str, Any]:
    return {**asdict(row), "schema": None if row.schema is None else json.loads(row.schema)}


_ALL: Final = "/apps/{app}/collections"
_ONE: Final = _ALL + "/{collection}"
_DOCUMENTS: Final = _ONE + "/documents"
_DOCUMENT: Final = _DOCUMENTS + "/{document}"
_ETAG: Final = {"ETag": "The document's version, in quotes."}
_IF_MATCH: Final = {"If-Match": "The version that the document is to have, in quotes."}

OPERATIONS: Final = [
    Operation(
        method="GET", path=_ALL, summary="List an app's collections", tag="documents", role=Role.VIEWER,
        handler=_collections, reply=CollectionList, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="One collection, with its indexes and its schema", tag="documents",
        role=Role.VIEWER, handler=_collection, reply=CollectionOut, problems=(404,),
    ),
    Operation(
        method="POST", path=_ONE + "/indexes", summary="Have an index made", tag="documents", role=Role.EDITOR,
        handler=_add_index, body=IndexIn, status=201, reply=CollectionOut, problems=(404, 409),
    ),
    Operation(
        method="DELETE", path=_ONE + "/indexes", summary="Have an index dropped", tag="documents", role=Role.EDITOR,
        handler=_remove_index, query=IndexQuery, status=204, problems=(404, 409),
    ),
    Operation(
        method="PUT", path=_ONE + "/schema", summary="Set the JSON Schema that documents must fit from now on",
        tag="documents", role=Role.EDITOR, handler=_set_schema, body=DocumentIn, reply=FitOut, problems=(404, 409),
    ),
    Operation(
        method="DELETE", path=_ONE + "/schema", summary="Take any document from now on", tag="documents",
        role=Role.EDITOR, handler=_remove_schema, status=204, problems=(404, 409),
    ),
    Operation(
        method="GET", path=_ONE + "/count", summary="How many documents a filter finds", tag="documents",
        role=Role.VIEWER, handler=_count, query=FilterQuery, reply=CountOut, problems=(404,),
    ),
    Operation(
        method="GET", path=_DOCUMENTS, summary="Find documents", tag="documents", role=Role.VIEWER, handler=_find,
        query=FindQuery, reply=DocumentList, problems=(404,),
    ),
    Operation(
        method="POST", path=_DOCUMENTS, summary="Insert a document under a new id", tag="documents", role=Role.EDITOR,
        handler=_insert, body=DocumentIn, status=201, reply=DocumentOut, problems=(404, 409, 412), headers=_ETAG,
    ),
    Operation(
        method="GET", path=_DOCUMENT, summary="One document", tag="documents", role=Role.VIEWER, handler=_get,
        reply=DocumentOut, problems=(404,), headers=_ETAG,
    ),
    Operation(
        method="PUT", path=_DOCUMENT, summary="Insert or replace a document", tag="documents", role=Role.EDITOR,
        handler=_put, body=DocumentIn, reply=DocumentOut, problems=(404, 409, 412), headers=_ETAG,
        accepts={**_IF_MATCH, "If-None-Match": "`*`: only if there is no such document."},
    ),
    Operation(
        method="PATCH", path=_DOCUMENT, summary="Lay a merge patch (RFC 7396) over a document", tag="documents",
        role=Role.EDITOR, handler=_patch, body=DocumentIn, reply=DocumentOut, problems=(404, 409, 412), headers=_ETAG,
        accepts=_IF_MATCH,
    ),
    Operation(
        method="DELETE", path=_DOCUMENT, summary="Delete a document", tag="documents", role=Role.EDITOR,
        handler=_delete, status=204, problems=(404, 409, 412), accepts=_IF_MATCH,
    ),
    Operation(
        method="GET", path=_DOCUMENT + "/history", summary="What happened to a document, the newest first",
        tag="documents", role=Role.VIEWER, handler=_history, query=HistoryQuery, reply=HistoryOut, problems=(404,),
    ),
]  # fmt: skip
