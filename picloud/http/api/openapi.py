"""The OpenAPI document, made from the declarations that serve the API."""

from __future__ import annotations

from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from picloud import __version__
from picloud.domain.access import Role
from picloud.http.api.operation import JSON, MAIL, TEXT, Operation, Reply, Request
from picloud.http.problems import MEDIA_TYPE

_ALWAYS: Final = (400, 401, 403, 503)
_MEANINGS: Final = {
    400: "The request can't be read.",
    401: "No valid token was sent.",
    403: "The token doesn't allow it.",
    404: "It is not there.",
    409: "It contradicts the present state.",
    410: "It was there, and is not kept any more.",
    412: "Someone else changed it in the meantime.",
    413: "The body is too large.",
    415: "The body is of another type.",
    416: "The range lies behind the end.",
    422: "The values can't be accepted.",
    503: "The platform can't do it now; try again.",
}


class ProblemOut(Schema):
    """An error (RFC 9457)."""

    type = fields.Str(required=True)
    title = fields.Str(required=True)
    status = fields.Int(required=True)
    detail = fields.Str(required=True)


def operation(operations: list[Operation], prefix: str) -> Operation:
    """The operation that serves the document of ``operations``."""
    made: list[dict[str, Any]] = []

    def serve(_request: Request) -> Reply:
        if not made:
            made.append(document(operations, prefix))
        return Reply(content=made[0])

    return Operation(
        method="GET", path="/openapi.json", summary="This document", tag="platform", role=Role.VIEWER, handler=serve,
        app_of="any",
    )  # fmt: skip


def document(operations: list[Operation], prefix: str) -> dict[str, Any]:
    """The document as plain values."""
    spec = APISpec(
        title="PiCloud control plane",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={"license": {"name": "Apache-2.0"}},
        security=[{"token": []}],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for each in operations:
        spec.path(path=prefix + each.path, operations={each.method.lower(): _described(each)})
    made: dict[str, Any] = spec.to_dict()
    # A problem has members of its own kind beside the common ones.
    made["components"]["schemas"]["ProblemOut"]["additionalProperties"] = True
    return made


def _described(each: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{each.method.lower()}{each.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": each.summary,
        "tags": [each.tag],
        "parameters": [_path_parameter(name) for name in each.parameters],
        "responses": _responses(each),
    }
    if each.query is not None:
        described["parameters"].append({"in": "query", "schema": each.query})
    described["parameters"] += [
        {"in": "header", "name": name, "description": text, "schema": {"type": "string"}}
        for name, text in each.accepts.items()
    ]
    if each.streamed_body is not None:
        described["requestBody"] = {"content": {"*/*": {"schema": {"description": each.streamed_body}}}}
    elif each.any_body is not None:
        described["requestBody"] = {"content": {"*/*": {"schema": {"description": each.any_body}}}}
    elif each.body is not None:
        content: dict[str, Any] = {JSON: {"schema": each.body}}
        if each.many:
            items = {"type": "array", "items": each.body, "minItems": 1, "maxItems": each.many}
            content = {JSON: {"schema": {"oneOf": [each.body, items]}}}
        if each.text_body is not None:
            content[TEXT] = {"schema": {"type": "string", "description": each.text_body}}
        described["requestBody"] = {"required": not each.optional_body, "content": content}
    return described


def _path_parameter(name: str) -> dict[str, Any]:
    return {"in": "path", "name": name, "required": True, "schema": {"type": "string", "minLength": 1}}


def _responses(each: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": each.summary}
    if each.reply_is_text:
        success["content"] = {TEXT: {"schema": {"type": "string"}}}
    elif each.reply_is_mail:
        success["content"] = {MAIL: {"schema": {"type": "string", "format": "binary"}}}
    elif each.reply_is_file:
        success["content"] = {"*/*": {"schema": {}}}
    elif each.reply is not None:
        success["content"] = {JSON: {"schema": each.reply}}
    elif each.status == 200 and each.method != "HEAD":
        success["content"] = {JSON: {"schema": {"type": "object"}}}
    if each.headers:
        success["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in each.headers.items()
        }
    responses = {str(each.status): success}
    if each.method == "PUT" and each.status == 201:
        responses["200"] = success
    if each.reply_is_file:
        responses |= {"206": success, "304": {"description": "It is as the client has it."}}
    statuses = {*_ALWAYS, *each.problems}
    if each.parameters:
        statuses |= {404, 422}
    if each.body is not None or each.any_body is not None or each.streamed_body is not None:
        statuses |= {413, 415, 422}
    if each.query is not None:
        statuses |= {422}
    problem = {"content": {MEDIA_TYPE: {"schema": ProblemOut}}}
    for status in sorted(statuses):
        responses[str(status)] = {"description": _MEANINGS[status], **problem}
    return responses
