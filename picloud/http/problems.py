"""Errors as RFC 9457 problem documents: what happened, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import falcon
import msgspec
import psycopg
import structlog

from picloud.domain.errors import Conflict, Disabled, DomainError, Invalid, NotFound, VersionMismatch
from picloud.log.appender import EffectRefused, LogUnavailable, QuotaExceeded, StreamConflict
from picloud.orchestrator.control import NotCaughtUp
from picloud.orchestrator.vault import VaultError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1

_TITLES: Final = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Changed in the meantime",
    413: "Too large",
    415: "Unsupported media type",
    416: "No such range",
    422: "Can't be accepted",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available",
    504: "No answer in time",
}
_STATUS: Final[dict[type[DomainError], int]] = {
    Invalid: 422,
    NotFound: 404,
    Conflict: 409,
    VersionMismatch: 412,
    Disabled: 503,
}

_log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer that is no success. ``slug`` names its kind: ``/problems/<slug>`` in the documentation.

    ``extensions`` are further members of the document, such as ``field`` and ``remedy``; None leaves one out.
    """

    def __init__(
        self, status: int, slug: str, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = {name: value for name, value in extensions.items() if value not in (None, "")}

    @classmethod
    def unavailable(cls, detail: str) -> Problem:
        """503, to be tried again in a moment."""
        return cls(503, "unavailable", detail, headers={"Retry-After": str(RETRY_SECONDS)})

    @classmethod
    def of(cls, error: DomainError) -> Problem:
        """The answer to a refused command."""
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        slug = error.code.replace("_", "-")
        return cls(status, slug, error.message, field=error.field, remedy=error.remedy)

    def document(self) -> dict[str, Any]:
        """The problem document."""
        return {
            "type": f"/problems/{self.slug}",
            "title": _TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            **self.extensions,
        }


def add_error_handlers(app: falcon.App) -> None:
    """Make every error of ``app`` a problem document."""
    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(falcon.HTTPError, _http_error)
    app.add_error_handler(psycopg.Error, _database_error)
    app.add_error_handler(LogUnavailable, _log_unavailable)
    app.add_error_handler(VaultError, _vault_locked)
    app.add_error_handler(NotCaughtUp, _not_caught_up)
    app.add_error_handler(StreamConflict, _stream_conflict)
    app.add_error_handler(EffectRefused, _effect_refused)
    app.add_error_handler(QuotaExceeded, _quota_exceeded)
    app.add_error_handler(DomainError, _domain_error)
    app.add_error_handler(Problem, _problem)


def _problem(_req: falcon.Request, resp: falcon.Response, problem: Any, _params: Any) -> None:
    resp.status = problem.status
    resp.content_type = MEDIA_TYPE
    resp.data = msgspec.json.encode(problem.document())
    for name, value in problem.headers.items():
        resp.set_header(name, value)


def _domain_error(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    _problem(req, resp, Problem.of(error), params)


def _stream_conflict(req: falcon.Request, resp: falcon.Response, _error: Any, params: Any) -> None:
    text = "someone else changed this at the same moment"
    _problem(req, resp, Problem(409, "conflict", text, remedy="Look at what it is now, and try again."), params)


def _effect_refused(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    _problem(req, resp, Problem(409, "conflict", str(error)), params)


def _quota_exceeded(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    _problem(req, resp, Problem(409, "quota-exceeded", str(error)), params)


def _log_unavailable(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    state = "it may be stored all the same; look before you repeat it" if error.unknown else "nothing was stored"
    _problem(req, resp, Problem.unavailable(f"{error}; {state}"), params)


def _vault_locked(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    remedy = "picloud doctor, on the machine of this node, says how to mend it."
    _problem(req, resp, Problem(503, "vault-locked", str(error), remedy=remedy), params)


def _not_caught_up(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    _problem(req, resp, Problem.unavailable(f"{error}; it will show by itself"), params)


def _database_error(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        _problem(req, resp, Problem.unavailable("the database can't be reached"), params)
    else:
        _unexpected(req, resp, error, params)


def _http_error(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    status = falcon.http_status_to_code(error.status)
    detail = str(error.description or error.title or "")
    if status == 404 and not detail.strip().endswith("."):
        detail = f"there is nothing at {req.path}"
    slug = _TITLES.get(status, "error").lower().replace(" ", "-").replace("'", "")
    if status == 405:
        detail = f"{req.path} doesn't take {req.method}"
    headers = error.headers if isinstance(error.headers, dict) else dict(error.headers or [])
    _problem(req, resp, Problem(status, slug, detail, headers=headers), params)


def _unexpected(req: falcon.Request, resp: falcon.Response, error: Any, params: Any) -> None:
    _log.error("http.failed", method=req.method, path=req.path, exc_info=error)
    text = "this is a fault of PiCloud; its log says more"
    _problem(req, resp, Problem(500, "internal-error", text), params)
