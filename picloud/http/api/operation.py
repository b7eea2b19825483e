"""An operation of the control plane: one method on one path, declared once for serving it and for documenting it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import falcon
import marshmallow
import msgspec

from picloud.domain.access import Role
from picloud.http.api.context import Context
from picloud.http.auth import Caller, Tokens, require, require_role
from picloud.http.contents import Representation, send
from picloud.http.problems import Problem
from picloud.http.trace import correlation_of
from picloud.log.ids import new_id
from picloud.orchestrator.control import Command

JSON: Final = "application/json"
TEXT: Final = "text/plain"
MAIL: Final = "message/rfc822"
ANY_APP: Final = "any"
_PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")
_HALF_CHARACTER: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that JSON allows to stand alone, but UTF-8 doesn't."""


@dataclass(slots=True, kw_only=True)
class Request:
    """A request to an operation, checked: ``params`` of the path, ``query`` and ``body`` as loaded by their schemas."""

    http: falcon.Request
    context: Context
    caller: Caller
    command: Command
    params: dict[str, str]
    query: dict[str, Any]
    body: Any

    def id(self, name: str) -> UUID:
        """The parameter as a UUID. Raises 404: no other text names anything."""
        try:
            return UUID(self.params[name])
        except ValueError:
            raise Problem(404, "not-found", f"{self.params[name]!r} is no id", field=name) from None


@dataclass(slots=True, kw_only=True)
class Reply:
    """An operation's answer: ``content`` as JSON, ``text`` as it is, a ``mail``, a ``file``, or a ``stream`` of NDJSON
    lines."""

    status: int = 200
    content: Any = None
    text: str | None = None
    mail: bytes | None = None
    file: Representation | None = None
    stream: Iterable[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """See the module.

    ``app_of`` names the path parameter with the app that the role is needed for; None asks for a token of all apps, and
    ``any`` for the role alone: the handler looks at the app. ``reply`` is the schema of the success with ``status``;
    ``text_body`` describes a body in plain text that is taken beside JSON; ``any_body`` one of any content type, which
    the handler gets as bytes, and ``streamed_body`` one that it reads itself. The body may also be an array of up to
    ``many`` of what the schema describes, if that is not 0; then the handler gets a list in any case. ``accepts``
    describes headers of requests; ``problems`` are the statuses of its own kinds of failure.
    """

    method: str
    path: str
    summary: str
    role: Role
    handler: Handler
    tag: str
    status: int = 200
    reply: type[marshmallow.Schema] | None = None
    reply_is_text: bool = False
    reply_is_mail: bool = False
    reply_is_file: bool = False
    query: type[marshmallow.Schema] | None = None
    body: type[marshmallow.Schema] | None = None
    text_body: str | None = None
    any_body: str | None = None
    streamed_body: str | None = None
    many: int = 0
    optional_body: bool = False
    app_of: str | None = "app"
    problems: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    accepts: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return _PARAMETER.findall(self.path)


class Resource:
    """The operations of one path, as Falcon calls them."""

    def __init__(self, operations: list[Operation], context: Context, tokens: Tokens) -> None:
        self._operations = {operation.method: operation for operation in operations}
        self._context = context
        self._tokens = tokens
        for method in self._operations:
            setattr(self, f"on_{method.lower()}", self._serve)

    def _serve(self, req: falcon.Request, resp: falcon.Response, **params: str) -> None:
        began = time.monotonic()
        operation = self._operations[req.method]
        caller = self._tokens.caller(req)
        if operation.app_of == ANY_APP:
            require_role(caller, operation.role, began)
        else:
            require(caller, operation.role, params.get(operation.app_of or ""), began)
        request_id = new_id()
        command = Command(
            actor=caller.actor,
            request_id=request_id,
            correlation_id=correlation_of(req.get_header("traceparent")) or request_id,
        )
        request = Request(
            http=req,
            context=self._context,
            caller=caller,
            command=command,
            params=params,
            query=_query(operation, req),
            body=_body(operation, req, self._context.config.body_limit),
        )
        resp.set_header("X-Request-Id", str(request_id))
        reply = operation.handler(request)
        if reply.file is not None:
            send(req, resp, reply.file, self._context.sessions)
        else:
            _send(resp, reply)


def _send(resp: falcon.Response, reply: Reply) -> None:
    resp.status = reply.status
    for name, value in reply.headers.items():
        resp.set_header(name, value)
    if reply.stream is not None:
        resp.content_type = "application/x-ndjson"
        resp.stream = reply.stream
    elif reply.text is not None:
        resp.content_type = "text/plain; charset=utf-8"
        resp.data = reply.text.encode()
    elif reply.mail is not None:
        # Never to be shown by a browser: strangers wrote it.
        resp.content_type = MAIL
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Content-Disposition", "attachment; filename=mail.eml")
        resp.data = reply.mail
    elif reply.status != 204:
        resp.content_type = JSON
        resp.data = msgspec.json.encode(reply.content)


def _query(operation: Operation, req: falcon.Request) -> dict[str, Any]:
    given = {name: value[-1] if isinstance(value, list) else value for name, value in req.params.items()}
    if operation.query is None:
        if given:
            name = next(iter(given))
            raise Problem(400, "unknown-parameter", f"this takes no query parameters, found {name!r}", field=name)
        return {}
    for name in given:
        if any("\x00" in value for value in req.get_param_as_list(name) or ()):
            raise Problem(400, "bad-query", f"{name!r} holds a NUL character, which no text here can", field=name)
    lists = {name for name, kind in operation.query().fields.items() if isinstance(kind, marshmallow.fields.List)}
    values: dict[str, Any] = {**given, **{name: req.get_param_as_list(name) for name in lists if name in given}}
    return _loaded(operation.query, values, 400, "the query")


def _body(operation: Operation, req: falcon.Request, limit: int) -> Any:
    if operation.any_body is not None:
        content = _read(req, limit)
        if content and is_json(req.content_type):
            _parsed(_text(content))
        return content
    if operation.body is None:
        return None
    content = _read(req, limit)
    if not content and operation.optional_body:
        return _loaded(operation.body, {}, 422, "the body")
    kind = (req.content_type or "").partition(";")[0].strip().lower()
    text = _text(content)
    if kind == TEXT and operation.text_body is not None:
        return text
    if kind != JSON:
        taken = f"{JSON} or {TEXT}" if operation.text_body is not None else JSON
        found = f"found {kind}" if kind else "found none"
        raise Problem(415, "unsupported-media-type", f"send Content-Type {taken}; {found}")
    parsed = _parsed(text)
    if not operation.many:
        return _loaded(operation.body, parsed, 422, "the body")
    items = parsed if isinstance(parsed, list) else [parsed]
    if not 1 <= len(items) <= operation.many:
        raise Problem(422, "invalid", f"the body has 1 to {operation.many:,} items, found {len(items):,}")
    return [
        _loaded(operation.body, item, 422, f"item {number}" if len(items) > 1 else "the body")
        for number, item in enumerate(items)
    ]


def is_json(content_type: str | None) -> bool:
    """Whether a content type says JSON."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "bad-encoding", f"the body is not UTF-8: byte {error.start} can't be read") from error


def _read(req: falcon.Request, limit: int) -> bytes:
    declared = req.content_length
    if declared is not None and declared > limit:
        raise Problem(413, "body-too-large", f"the body has {declared} bytes, the limit is {limit}")
    if declared is None and "HTTP_TRANSFER_ENCODING" not in req.env:
        return b""
    content: bytes = req.env["wsgi.input"].read(limit + 1 if declared is None else declared)
    if len(content) > limit:
        raise Problem(413, "body-too-large", f"the body has more than {limit} bytes")
    if declared is not None and len(content) < declared:
        raise Problem(400, "body-cut-short", f"the body ended after {len(content)} of {declared} bytes")
    return content


def _parsed(text: str) -> Any:
    import json

    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Problem(
            400,
            "malformed-json",
            f"the body is not JSON: {error.msg} at {where}",
            line=error.lineno,
            column=error.colno,
        ) from error
    except (RecursionError, ValueError) as error:
        raise Problem(400, "malformed-json", "the body nests too deep, or holds a number too long") from error
    if _HALF_CHARACTER.search(text) and not _is_text(value):
        raise Problem(400, "malformed-json", "the body holds half a character: a \\ud800 to \\udfff without its pair")
    return value


def _is_text(value: Any) -> bool:
    """Whether every string in a JSON value is text that UTF-8 can hold."""
    import json

    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _loaded(schema: type[marshmallow.Schema], values: Any, status: int, what: str) -> Any:
    try:
        return schema().load(values)
    except marshmallow.ValidationError as error:
        faults = list(_faults(error.normalized_messages(), ""))
        detail = f"{what} can't be accepted: " + "; ".join(f"{f['field']}: {f['message']}" for f in faults[:5])
        raise Problem(
            status, "invalid", detail.replace("_schema: ", ""), field=faults[0]["field"], errors=faults
        ) from error


def _faults(messages: Any, place: str) -> Iterable[dict[str, str]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _faults(inner, f"{place}.{name}" if place else str(name))
    else:
        for message in messages:
            yield {"field": place, "message": str(message)}
