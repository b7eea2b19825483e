"""Files of an app: written and read as streams, listed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_to_bytes

from picloud.domain.access import Role
from picloud.domain.errors import NotFound, VersionMismatch
from picloud.domain.file import check_path, check_sha256
from picloud.http.api.file_schemas import ContentOut, FileList, FileOut, FileQuery
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.conditions import Verdict, etag_of, judge
from picloud.http.contents import Representation, disposition, receive
from picloud.http.problems import Problem
from picloud.http.target import raw_path
from picloud.orchestrator.control import files as control

METADATA: Final = "PICLOUD-META-"
_BEFORE_PATH: Final = 6
"""Slashes of ``/api/v1/apps/{app}/files/``."""
_URL_ENCODED: Final = "application/x-www-form-urlencoded"


def _list(request: Request) -> Reply:
    app, query = request.params["app"], request.query
    page = control.list_files(
        request.context.control,
        app,
        prefix=query["prefix"],
        cursor=query.get("cursor"),
        limit=query["limit"],
        folders="delimiter" in query,
    )
    items = [_told(each.entry) for each in page.items if each.entry is not None]
    folders = [each.name for each in page.items if each.entry is None]
    return Reply(content={"items": items, "folders": folders, "next": page.cursor})


def _read(request: Request) -> Reply:
    path = _path(request)
    entry = control.find_file(request.context.control, request.params["app"], path)
    assert entry.sha256 is not None
    headers = {f"PiCloud-Meta-{name}": quote(value, safe=_PLAIN) for name, value in entry.metadata.items()}
    # Never to be shown by a browser as a page of the control plane: strangers may have written it.
    headers |= {
        "Content-Disposition": disposition("attachment", path),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
    sent = Representation(sha256=entry.sha256, size=entry.size, content_type=entry.content_type, headers=headers)
    return Reply(file=sent)


def _write(request: Request) -> Reply:
    context, app, path = request.context, request.params["app"], check_path(_path(request))
    control.check_app(context.control, app)
    check = _condition(request)
    _look_first(request, app, path, check)
    control.check_room(context.control, app, request.http.content_length or 0, path=path)
    stored = receive(request.http, context.sessions, app, limit=context.config.file_bytes)
    content_type = request.http.content_type
    if (content_type or "").partition(";")[0].strip().lower() == _URL_ENCODED:
        # What curl says of --data-binary unless it is told otherwise: nobody means it.
        content_type = None
    wanted = control.FileToWrite(
        app=app, path=path, stored=stored, content_type=content_type or None, metadata=_metadata(request)
    )
    entry, new = control.write_file(context.control, request.command, wanted, check)
    headers = {"ETag": etag_of(stored.sha256), "Location": f"/api/v1/apps/{app}/files/{quote(path)}"}
    return Reply(status=201 if new else 200, content=_told(entry), headers=headers)


def _look_first(request: Request, app: str, path: str, check: control.Check) -> None:
    """Refuse what the conditions refuse before a large body comes; they are looked at again when it is there."""
    if not (request.http.get_header("If-Match") or request.http.get_header("If-None-Match")):
        return
    try:
        held = control.find_file(request.context.control, app, path).sha256
    except NotFound:
        held = None
    check(held)


def _delete(request: Request) -> Reply:
    context, app = request.context, request.params["app"]
    control.delete_file(context.control, request.command, app, _path(request), _condition(request))
    return Reply(status=204)


def _store(request: Request) -> Reply:
    context, app = request.context, request.params["app"]
    control.check_app(context.control, app)
    sha256 = check_sha256(request.params["sha256"])
    control.check_room(context.control, app, request.http.content_length or 0)
    stored = receive(request.http, context.sessions, app, limit=context.config.file_bytes, sha256=sha256)
    return Reply(status=201, content={"sha256": stored.sha256, "size": stored.size})


def _path(request: Request) -> str:
    """The path as the client wrote it, decoded once. Raises a 400 :class:`Problem` for what isn't UTF-8."""
    parts = raw_path(request.http).split("/", _BEFORE_PATH)
    if len(parts) <= _BEFORE_PATH:
        raise Problem(404, "not-found", "there is no path behind /files/", field="path")
    try:
        return unquote_to_bytes(parts[_BEFORE_PATH].encode("latin-1", "replace")).decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "bad-path", f"the path is not UTF-8 once decoded: {error.reason}", field="path") from error


def _condition(request: Request) -> control.Check:
    if_match, if_none_match = request.http.get_header("If-Match"), request.http.get_header("If-None-Match")

    def check(sha256: str | None) -> None:
        if judge(sha256, if_match, if_none_match, reading=False) is not Verdict.GO_ON:
            found = f"it holds {sha256}" if sha256 is not None else "there is none"
            raise VersionMismatch(
                f"the file is not as the request expects: {found}",
                field="If-Match" if if_match is not None else "If-None-Match",
                remedy="Look at what it is now, and try again.",
            )

    return check


def _metadata(request: Request) -> dict[str, str]:
    """What headers such as ``PiCloud-Meta-Author: Ada`` tell, their values percent-encoded where they aren't ASCII."""
    prefix = "HTTP_" + METADATA.replace("-", "_")
    given: Mapping[str, Any] = request.http.env
    return {
        name.removeprefix(prefix).replace("_", "-").lower(): unquote(value)
        for name, value in given.items()
        if name.startswith(prefix)
    }


def _told(entry: control.EntryRow) -> dict[str, Any]:
    return {
        "path": entry.path,
        "size": entry.size,
        "sha256": entry.sha256,
        "content_type": entry.content_type,
        "metadata": dict(entry.metadata),
        "written_at": entry.written_at,
        "version": entry.version,
    }


_PLAIN: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_CONDITIONS: Final = {"If-Match": "Only on top of the file with this entity tag.", "If-None-Match": "`*`: only if new."}
_DIGESTS: Final = {"Repr-Digest": "`sha-256=:…:` of the body (RFC 9530); it is compared with what came."}

OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/files", summary="List files", tag="files", role=Role.VIEWER, handler=_list,
        query=FileQuery, reply=FileList, problems=(404,),
    ),
    Operation(
        method="GET", path="/apps/{app}/files/{path}", summary="Read a file, or a range of it", tag="files",
        role=Role.VIEWER, handler=_read, reply_is_file=True, problems=(404, 410, 412, 416, 422),
        accepts={"Range": "One range of bytes.", "If-None-Match": "304 if the client has it."},
        headers={"ETag": "The SHA-256 of the file.", "Repr-Digest": "The same as RFC 9530 has it."},
    ),
    Operation(
        method="HEAD", path="/apps/{app}/files/{path}", summary="What a file is", tag="files", role=Role.VIEWER,
        handler=_read, reply_is_file=True, problems=(404, 410, 412, 422),
    ),
    Operation(
        method="PUT", path="/apps/{app}/files/{path}", summary="Write a file", tag="files", role=Role.EDITOR,
        handler=_write, streamed_body="The file, as it is.", status=201, reply=FileOut, accepts=_CONDITIONS | _DIGESTS,
        problems=(404, 409, 412), headers={"ETag": "The SHA-256 of the file.", "Location": "The file."},
    ),
    Operation(
        method="DELETE", path="/apps/{app}/files/{path}", summary="Delete a file", tag="files", role=Role.EDITOR,
        handler=_delete, status=204, accepts=_CONDITIONS, problems=(404, 409, 412),
    ),
    Operation(
        method="PUT", path="/apps/{app}/contents/{sha256}", summary="Store a content that a deployment is to name",
        tag="sites", role=Role.EDITOR, handler=_store, streamed_body="The content, as it is.", status=201,
        reply=ContentOut, problems=(404,),
    ),
]  # fmt: skip
