"""``http::``: calls to the world outside.

    http::get(url)                  delete too; with options: get(url, options)
    http::post(url, body)           put and patch too; with options: post(url, body, options)
    http::request(method, url)      any other method; with options: request(method, url, options)

An answer of any status is an answer. What comes to none is told to the executor as a value, with its kind and host, and
thrown there. Of a run that is repeated the door knows what was answered; of one that fails the journal does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from picloud.domain.names import stream_id
from picloud.services.http.client import CREDENTIALS, SAFE, Answer, Call, Client
from picloud.services.http.failure import HttpFailure
from picloud.services.http.metrics import Metrics
from picloud.services.http.recording import is_secret
from picloud.services.http.request import Asked, agent, asked
from picloud.services.work import ServiceError, Work

SERVICE: Final = "http"
MAX_CALLS: Final = 100
"""So many calls one run may make."""
MAX_RUN_BYTES: Final = 16 * 1024 * 1024
"""Of all bodies that one run sends and gets: they are kept until it ends, in case that it is repeated."""
FAILED: Final = "failed"
"""The only member of what stands for an answer when there is none."""

_TEXTS: Final = frozenset(
    f"application/{kind}" for kind in ("json", "javascript", "xml", "yaml", "x-ndjson", "x-www-form-urlencoded")
)
_LEFT_MS: Final = 100
"""What is left of a run's time when a call is given up, to do something about it."""


@dataclass(slots=True)
class Made:
    """The calls that a run made itself, and the bytes of their bodies. None is an effect: they are made already."""

    app: str
    calls: int = 0
    bytes: int = 0

    def events(self) -> Sequence[Any]:
        """None."""
        return ()


class Http:
    """See the module."""

    def __init__(self, client: Client, metrics: Metrics) -> None:
        self._client = client
        self.metrics = metrics
        self.functions: dict[str, Callable[..., Any]] = {
            "get": self.get,
            "delete": self.delete,
            "post": self.post,
            "put": self.put,
            "patch": self.patch,
            "request": self.request,
        }

    def get(self, work: Work, url: Any, options: Any = None) -> dict[str, Any]:
        """The answer to a GET of ``url``."""
        return self._answered(work, "get", asked("get", "GET", url, options))

    def delete(self, work: Work, url: Any, options: Any = None) -> dict[str, Any]:
        """The answer to a DELETE of ``url``."""
        return self._answered(work, "delete", asked("delete", "DELETE", url, options))

    def post(self, work: Work, url: Any, body: Any = None, options: Any = None) -> dict[str, Any]:
        """The answer to a POST of ``body`` to ``url``."""
        return self._answered(work, "post", asked("post", "POST", url, options, body))

    def put(self, work: Work, url: Any, body: Any = None, options: Any = None) -> dict[str, Any]:
        """The answer to a PUT of ``body`` to ``url``."""
        return self._answered(work, "put", asked("put", "PUT", url, options, body))

    def patch(self, work: Work, url: Any, body: Any = None, options: Any = None) -> dict[str, Any]:
        """The answer to a PATCH of ``url`` with ``body``."""
        return self._answered(work, "patch", asked("patch", "PATCH", url, options, body))

    def request(self, work: Work, method: Any, url: Any, options: Any = None) -> dict[str, Any]:
        """The answer to a request by ``method``."""
        return self._answered(work, "request", asked("request", method, url, options))

    def close(self) -> None:
        """Keep no connection any more."""
        self._client.close()

    def _answered(self, work: Work, function: str, request: Asked) -> dict[str, Any]:
        name = f"{SERVICE}::{function}"
        made = work.draft(Made)
        if made.calls >= MAX_CALLS:
            raise ServiceError(f"{name}: a run may make {MAX_CALLS} calls at most")
        left_ms = work.caller.deadline_ms - _LEFT_MS - time.time_ns() // 1_000_000
        if left_ms <= 0:
            raise ServiceError(f"{name}: the run's own time is over")
        made.calls += 1
        made.bytes += len(request.body or b"")
        left = MAX_RUN_BYTES - made.bytes
        if left <= 0:
            raise ServiceError(f"{name}: a run may send and get {MAX_RUN_BYTES:,} bytes at most")
        request = replace(request, most_bytes=min(request.most_bytes, left))
        number = work.calls.get(SERVICE, 0)
        began = time.monotonic()
        try:
            answer = self._client.call(work.app, _call(work, number, request, min(request.timeout_ms, left_ms)))
        except HttpFailure as failure:
            self.metrics.took(failure.kind, time.monotonic() - began)
            return {FAILED: failure.told(name)}
        self.metrics.took(f"{answer.status // 100}xx", time.monotonic() - began)
        made.bytes += len(answer.body)
        return _told(answer)


def _call(work: Work, number: int, request: Asked, timeout_ms: int) -> Call:
    caller = work.caller
    added = {
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "user-agent": agent(),
        "traceparent": _traceparent(caller.correlation_id, caller.invocation, f"{caller.attempt} {number}"),
    }
    if request.method not in SAFE:
        url = str(request.url)
        key = stream_id(f"{SERVICE} call", str(caller.invocation), str(number), request.method, url)
        added["idempotency-key"] = str(key)
    headers = {name: value for name, value in (added | dict(request.headers)).items() if value is not None}
    return Call(
        method=request.method,
        url=request.url,
        headers=headers,
        body=request.body,
        secrets=CREDENTIALS | {name for name in headers if is_secret(name)},
        redirects=request.redirects,
        most_bytes=request.most_bytes,
        seconds=timeout_ms / 1000,
    )


def _traceparent(trace: UUID, invocation: UUID, call: str) -> str:
    """W3C Trace Context, section 3.2: the chain of causes is the trace, the call its span."""
    span = sha256(f"{invocation} {call}".encode()).digest()[:8]
    return f"00-{trace.hex}-{span.hex()}-01"


def _told(answer: Answer) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for name, value in answer.headers:
        if name == "set-cookie":
            # The one header whose values can't be joined (RFC 9110, 5.3).
            headers.setdefault(name, []).append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {
        "status": answer.status,
        "headers": headers,
        "body": _body(answer, headers.get("content-type", "")),
        "url": str(answer.url),
        "redirects": [str(url) for url in answer.passed],
    }


def _body(answer: Answer, content_type: str) -> str | bytes:
    """A text if the answer is one, else bytes."""
    if answer.encoded:
        return answer.body
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if not kind:
        try:
            return answer.body.decode()
        except UnicodeDecodeError:
            return answer.body
    if not (kind.startswith("text/") or kind.endswith(("+json", "+xml")) or kind in _TEXTS):
        return answer.body
    charset = "utf-8"
    for part in rest.split(";"):
        parameter, _, value = part.partition("=")
        if parameter.strip().lower() == "charset":
            charset = value.strip().strip("\"'").lower()
    try:
        return answer.body.decode(charset, "replace").removeprefix("\ufeff")
    except (LookupError, ValueError, TypeError):
        return answer.body
