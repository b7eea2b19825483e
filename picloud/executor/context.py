"""``ctx``: what a script is told about the call that it answers."""

from __future__ import annotations

import re
from typing import Any, Final

from picloud.executor.plain import parse_json

_JSON_TYPE: Final = re.compile(r"\s*application/(?:[^\s;]*\+)?json\s*(?:;|$)", re.IGNORECASE)


def context_of(sent: dict[str, Any]) -> dict[str, Any]:
    """The value of ``ctx`` for the context as the parent sent it, which is used up.

    ``request.body`` becomes a string if it is UTF-8, else a blob; ``request.json`` is what the body means if it is
    declared to be JSON and is, else ``()``. The ``body`` of an ``event`` becomes its ``data`` in the same way, and so
    does that of each of its ``messages``, if it is a batch.
    """
    request = sent.get("request")
    if request is not None:
        body = request["body"]
        request["json"] = json_of(request["headers"].get("content-type"), body)
        request["body"] = _text_or_blob(body)
    event = sent.get("event")
    if event is not None:
        for told in (event, *event.get("messages", ())):
            told["data"] = _data(told["content_type"], told.pop("body"))
    return sent


def _data(content_type: str, body: bytes) -> Any:
    if not body:
        return None
    value = json_of(content_type, body)
    # What isn't the JSON that it should be is given as it came: the script may know better. A null stays one.
    return _text_or_blob(body) if value is None and body.strip() != b"null" else value


def _text_or_blob(body: bytes) -> str | bytearray:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return bytearray(body)


def json_of(content_type: str | None, body: str | bytes) -> Any:
    """What a body means if it is declared to be JSON and is, else None."""
    if not body or content_type is None or not _JSON_TYPE.match(content_type):
        return None
    try:
        return parse_json(body)
    except ValueError:
        return None
