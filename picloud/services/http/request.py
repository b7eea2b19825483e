"""What a script asks of ``http::``, read, checked, and made into a call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from picloud import __version__
from picloud.domain.duration import parse_duration
from picloud.services.arguments import Options, json_of, kind_of, options_of, refused_as
from picloud.services.http.urls import BadUrl, Url, parse
from picloud.services.work import ServiceError

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 6 * 1024 * 1024
ANSWER_BYTES: Final = 1024 * 1024
MAX_HEADERS: Final = 64
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_REDIRECTS: Final = 10
REDIRECTS: Final = 5
TIMEOUT_MS: Final = 10_000
LEAST_TIMEOUT_MS: Final = 1

_ANY: Final = object
_OPTIONS: Final[Options] = {
    "headers": (dict, "a map of names and values"),
    "query": (dict, "a map of names and values"),
    "timeout": (str, 'a string such as "2s"'),
    "redirects": (int, f"how many are followed, 0 to {MAX_REDIRECTS}"),
    "max_bytes": (int, f"how much an answer may have, 1 to {MAX_ANSWER_BYTES:,}"),
    "form": (dict, "a map of names and values"),
    "json": (_ANY, "any value"),
    "body": (_ANY, "a string, a blob, or a value that is sent as JSON"),
}
_BODIES: Final = ("body", "json", "form")
_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_NO_METHODS: Final = frozenset({"CONNECT", "TRACE"})
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_OURS: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer",
     "upgrade", "expect")
)  # fmt: skip
"""Headers that say how the message is sent, which isn't the script's to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the script made it. ``headers`` have names in lower case; None leaves out what PiCloud adds."""

    method: str
    url: Url
    headers: Mapping[str, str | None]
    body: bytes | None
    timeout_ms: int
    redirects: int
    most_bytes: int


def asked(function: str, method: Any, url: Any, options: Any, body: Any = ...) -> Asked:
    """Read the arguments of ``http::<function>``; ``body`` is that behind the URL, if there is one.

    Raises :class:`ServiceError` with what is wrong.
    """
    name = f"http::{function}"
    given = options_of(name, options, _OPTIONS)
    bodies: list[str] = [each for each in _BODIES if each in given]
    if body is not ... and body is not None:
        bodies.insert(0, "the body behind the URL")
    if len(bodies) > 1:
        raise ServiceError(f"{name} takes one body, and got {bodies[0]} and {bodies[1]}")
    if not isinstance(url, str):
        raise ServiceError(f"{name} takes the URL as a string, not {kind_of(url)}")
    try:
        target = parse(url, _encoded(name, "query", given.get("query", {})))
    except BadUrl as error:
        raise ServiceError(f"{name}: {error}") from None
    content, content_type = _body(name, given, None if body is ... else body)
    headers = _headers(name, given.get("headers", {}))
    if content is not None:
        headers = {"content-type": content_type, **headers}
    timeout_ms = TIMEOUT_MS
    if "timeout" in given:
        with refused_as(f"{name}: timeout"):
            timeout_ms = parse_duration(given["timeout"], field="timeout", least_ms=LEAST_TIMEOUT_MS)
    return Asked(
        method=_method(name, method),
        url=target,
        headers=headers,
        body=content,
        timeout_ms=timeout_ms,
        redirects=_within(name, "redirects", given.get("redirects", REDIRECTS), (0, MAX_REDIRECTS)),
        most_bytes=_within(name, "max_bytes", given.get("max_bytes", ANSWER_BYTES), (1, MAX_ANSWER_BYTES)),
    )


def agent() -> str:
    """What PiCloud calls itself."""
    return f"PiCloud/{__version__}"


def _method(name: str, method: Any) -> str:
    if not isinstance(method, str):
        raise ServiceError(f"{name} takes the method as a string, not {kind_of(method)}")
    given = method.upper()
    if not _METHOD.fullmatch(given) or given in _NO_METHODS:
        raise ServiceError(f"{name}: {method[:40]!r} is no method that can be sent: expected one such as GET or HEAD")
    return given


def _within(name: str, option: str, value: int, bounds: tuple[int, int]) -> int:
    least, most = bounds
    if not least <= value <= most:
        raise ServiceError(f"{name}: {option} is {value}; it is from {least} to {most:,}")
    return value


def _body(name: str, given: Mapping[str, Any], body: Any) -> tuple[bytes | None, str]:
    if "form" in given:
        content, content_type = _encoded(name, "form", given["form"]).encode(), "application/x-www-form-urlencoded"
    elif "json" in given:
        content, content_type = json_of(name, given["json"]) or b"null", "application/json"
    else:
        value = given.get("body", body)
        if value is None:
            return None, ""
        if isinstance(value, bytes):
            content, content_type = value, "application/octet-stream"
        elif isinstance(value, str):
            content, content_type = value.encode("utf-8", "replace"), "text/plain; charset=utf-8"
        else:
            content, content_type = json_of(name, value), "application/json"
    if len(content) > MAX_BODY_BYTES:
        raise ServiceError(f"{name}: the body has {len(content):,} bytes, more than {MAX_BODY_BYTES:,}")
    return content, content_type


def _encoded(name: str, option: str, values: Mapping[str, Any]) -> str:
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                pairs.append((key, _text(f"{name}: {option}.{key}", each)))
    return urlencode(pairs, encoding="utf-8", errors="replace")


def _text(what: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ServiceError(f"{what} is a string, a number or a bool, not {kind_of(value)}")


def _headers(name: str, values: Mapping[str, Any]) -> dict[str, str | None]:
    headers: dict[str, str | None] = {}
    if len(values) > MAX_HEADERS:
        raise ServiceError(f"{name}: there are {len(values)} headers, more than {MAX_HEADERS}")
    size = 0
    for key, value in values.items():
        lower = key.lower()
        if not _TOKEN.fullmatch(key):
            raise ServiceError(f"{name}: {key[:40]!r} can't name a header")
        if lower in _OURS:
            raise ServiceError(f"{name}: the header {key!r} is PiCloud's to send")
        if lower in headers:
            raise ServiceError(f"{name}: the header {key!r} is there twice")
        if value is None:
            headers[lower] = None
            continue
        text = _text(f"{name}: headers.{key}", value).strip(" \t")
        if not _VALUE.fullmatch(text):
            raise ServiceError(f"{name}: the header {key!r} holds a character that no header can")
        headers[lower] = text
        size += len(key) + len(text)
    if size > MAX_HEADER_BYTES:
        raise ServiceError(f"{name}: the headers have {size:,} bytes, more than {MAX_HEADER_BYTES:,}")
    return headers
