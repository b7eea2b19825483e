"""``/apps/{app}/{path}``: requests to scripts, from the route to the answer."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import falcon
import psycopg

from picloud.domain.errors import Disabled, Invalid
from picloud.domain.flow import Flow
from picloud.domain.invocation import Content, HttpInput, RunLimits, State, Trigger
from picloud.domain.route import Durability
from picloud.domain.site import SiteSettings
from picloud.executor.reply import BYTES
from picloud.http.contents import Representation, send, send_whole
from picloud.http.cors import answer_preflight, is_preflight, say_who_may_read
from picloud.http.gate import Gate
from picloud.http.idempotency import idempotency_key
from picloud.http.prefer import Preferences, preferences
from picloud.http.problems import Problem
from picloud.http.sites import Sites
from picloud.http.target import raw_path
from picloud.http.trace import correlation_of
from picloud.log.appender import LogUnavailable, StreamConflict
from picloud.log.contents import pack
from picloud.orchestrator.catalog import AppEntry, RouteEntry
from picloud.orchestrator.guards import Guard
from picloud.orchestrator.invoker import ONCE, Call, KeyReused, NoAnswerYet
from picloud.orchestrator.node import Node
from picloud.orchestrator.outcome import Answer, Outcome
from picloud.orchestrator.routing import Match, NoMatch
from picloud.postgres.sessions import Sessions

NO_LIMITS: Final = RunLimits()
INVOCATION_HEADER: Final = "PiCloud-Invocation"

_TIME_LIMITS: Final = frozenset({"WallTimeLimit"})
_OF_FILES: Final = frozenset({"content-type", "etag", "accept-ranges", "content-range", "repr-digest"})
"""Headers that an answer with a file has from the file."""
_HOP_BY_HOP: Final = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "te", "trailer", "transfer-encoding", "upgrade"}
)


class Ingress:
    """The Falcon sink for scripts' endpoints."""

    PREFIX: Final = re.compile(r"/apps(/|$)")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._body_limit = node.config.body_limit
        self._timeout = node.config.reply_timeout
        self._gate = Gate(node)
        self._sites = Sites(node.sessions)

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: Any) -> None:
        """Answer one request. Raises :class:`Problem` for what never gets to a script, or fails there."""
        name, path = _split_target(raw_path(req))
        app = self._app(name)
        match = self._match(app, req.method, path)
        if isinstance(match, NoMatch):
            if match.allowed and is_preflight(req):
                answer_preflight(app, path, req, resp)
                return
            if app.site is not None and req.method in ("GET", "HEAD") and self._site(app, app.site, path, req, resp):
                return
            _no_route(app, req, resp, path, match)
            return
        self._invoke(app, match, req, resp, path)

    def _app(self, name: str) -> AppEntry:
        try:
            app = self._node.catalog.app(name)
        except psycopg.Error as error:
            raise Problem.unavailable("the database can't be reached; nothing was accepted") from error
        if app is None:
            raise Problem(404, "no-such-app", f"there is no app {name!r} here")
        return app

    def _match(self, app: AppEntry, method: str, path: str) -> Match[RouteEntry] | NoMatch:
        try:
            return app.routes.match(method, path)
        except Invalid as error:
            raise Problem(400, "bad-path", error.message) from error

    def _site(
        self, app: AppEntry, settings: SiteSettings, path: str, req: falcon.Request, resp: falcon.Response
    ) -> bool:
        try:
            return self._sites.answer(app.name, settings, path, req, resp)
        except psycopg.Error as error:
            raise Problem.unavailable("the database can't be reached") from error

    def _invoke(
        self, app: AppEntry, match: Match[RouteEntry], req: falcon.Request, resp: falcon.Response, path: str
    ) -> None:
        route = match.target
        guard = route.guard
        if guard is not None and guard.settings.cors is not None:
            say_who_may_read(guard.settings.cors, req, resp)
        environ = req.env
        query = _query(environ.get("QUERY_STRING", ""))
        headers = _headers(environ)
        prefer = preferences(environ.get("HTTP_PREFER"))
        caller, retry, limits, flow = None, ONCE, NO_LIMITS, None
        if guard is None:
            body = self._body(req)
        else:
            read = cache(lambda: self._body(req))
            caller = self._gate.caller(guard, req, query, read)
            self._gate.count(guard, route.id, caller, req, resp)
            body = read()
            _hide(guard, headers, query)
            limits = guard.settings.limits
            if prefer.asynchronous:
                retry = guard.settings.retry
                if guard.settings.concurrency:
                    flow = Flow(trigger=route.id, concurrency=route.id)
        if route.script is None:
            raise Problem(404, "no-such-script", f"the route leads to {app.name}/{route.script_name}, which is gone")
        try:
            call = Call(
                script=route.script,
                trigger=Trigger("http", route.title),
                input=self._input(guard, HttpInput(req.method, path, match.params, query, headers, Content()), body),
                actor=f"http:{route.title}",
                correlation_id=correlation_of(environ.get("HTTP_TRACEPARENT")),
                retry=retry,
                trigger_id=route.id,
                idempotency_key=idempotency_key(environ.get("HTTP_IDEMPOTENCY_KEY")),
                identity=caller.identity if caller is not None else "",
                auth=caller.auth if caller is not None else None,
                limits=limits,
                flow=flow,
            )
            outcome = self._outcome(call, route, resp, prefer)
        except KeyReused as error:
            raise Problem(
                422,
                "idempotency-key-reused",
                str(error),
                field="Idempotency-Key",
                remedy="Use a new key for each request that is to be done; send the same bytes to ask for it again.",
                headers={INVOCATION_HEADER: str(error.invocation)},
            ) from error
        except Disabled as error:
            raise Problem(503, "script-disabled", error.message) from error
        except NoAnswerYet as error:
            raise Problem(
                504,
                "no-answer-yet",
                f"the script has not answered within {self._patience(prefer):g} s; the invocation goes on",
                headers={INVOCATION_HEADER: str(error.invocation)},
                invocation=str(error.invocation),
            ) from error
        except LogUnavailable as error:
            raise Problem.unavailable(
                "the request may have been recorded, its outcome is unknown"
                if error.unknown
                else "the request could not be recorded; nothing was accepted"
            ) from error
        except psycopg.Error as error:
            raise Problem.unavailable("the database can't be reached") from error
        if isinstance(outcome, UUID):
            _accepted(resp, outcome, prefer)
        else:
            own_cors = guard is None or guard.settings.cors is None
            _answer(req, resp, outcome, self._node.sessions, own_cors=own_cors)

    def _input(self, guard: Guard | None, asked: HttpInput, body: bytes) -> HttpInput:
        """The request as it goes into the log: sealed, if the route is private."""
        if guard is not None and guard.settings.private:
            return self._node.privacy.sealed_input(asked, body)
        return replace(asked, body=pack(body, self._node.sessions))

    def _outcome(self, call: Call, route: RouteEntry, resp: falcon.Response, prefer: Preferences) -> Outcome | UUID:
        """What came of the call, or the id of its invocation if the client prefers not to wait (any longer)."""
        if call.idempotency_key is not None:
            outcome = self._once(call, route, resp, prefer)
        elif prefer.asynchronous:
            outcome = self._node.invoker.request(call, timeout=self._timeout)
        else:
            outcome = self._call(call, route, route.durability, prefer)
        if prefer.wait and not isinstance(outcome, UUID):
            resp.set_header("Preference-Applied", f"wait={prefer.wait}")
        elif prefer.wait and isinstance(outcome, UUID):
            try:
                outcome = self._node.invoker.wait(outcome, timeout=self._patience(prefer), until_suspended=True)
                resp.set_header("Preference-Applied", f"wait={prefer.wait}")
            except NoAnswerYet:
                pass
        if isinstance(outcome, Outcome) and outcome.state is State.SUSPENDED:
            # It sleeps, or waits for a message: maybe for days.
            return outcome.invocation
        return outcome

    def _call(self, call: Call, route: RouteEntry, durability: Durability, prefer: Preferences) -> Outcome:
        """Run it here and now, if the route has a place for it."""
        invoker, timeout = self._node.invoker, self._patience(prefer)
        if route.guard is None:
            return invoker.call(call, durability=durability, timeout=timeout)
        return self._gate.run(route.guard, route.id, lambda: invoker.call(call, durability=durability, timeout=timeout))

    def _patience(self, prefer: Preferences) -> float:
        """How long to wait for an answer, in seconds; nobody waits for nothing."""
        return min(prefer.wait, self._timeout) if prefer.wait else self._timeout

    def _once(self, call: Call, route: RouteEntry, resp: falcon.Response, prefer: Preferences) -> Outcome | UUID:
        """Run a call unless it was accepted before under its key; then give what came of that.

        The request is on disk before the run, whatever the route's durability: that is what others are held off by.
        """
        invoker = self._node.invoker
        earlier = invoker.earlier(call)
        if earlier is None:
            try:
                if prefer.asynchronous:
                    return invoker.request(call, timeout=self._timeout)
                return self._call(call, route, Durability.OUTBOX, prefer)
            except StreamConflict:
                earlier = invoker.earlier(call)
                assert earlier is not None, "somebody else was quicker"
        resp.set_header("Idempotent-Replayed", "true")
        return earlier if prefer.asynchronous else self._end_of(earlier, prefer)

    def _end_of(self, invocation: UUID, prefer: Preferences) -> Outcome:
        return self._node.invoker.wait(invocation, timeout=self._patience(prefer), until_suspended=True)

    def _body(self, req: falcon.Request) -> bytes:
        declared = req.content_length
        if declared is None and "HTTP_TRANSFER_ENCODING" not in req.env:
            return b""
        limit = self._body_limit
        if declared is not None and declared > limit:
            raise _too_large(f"{declared} bytes", limit)
        try:
            body: bytes = req.env["wsgi.input"].read(limit + 1 if declared is None else declared)
        except OSError as error:
            raise Problem(400, "body-cut-short", "the connection ended before the body did") from error
        if len(body) > limit:
            raise _too_large("more", limit)
        if declared is not None and len(body) < declared:
            raise Problem(400, "body-cut-short", f"the body ended after {len(body)} of {declared} bytes")
        return body


def _split_target(path: str) -> tuple[str, str]:
    """``/apps/demo/hello/ada`` is the app ``demo`` and the path ``/hello/ada``."""
    app, slash, rest = path[len("/apps/") :].partition("/")
    return app, slash + rest


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    if environ.get("CONTENT_LENGTH"):
        headers["content-length"] = environ["CONTENT_LENGTH"]
    return headers


def _query(query_string: str) -> dict[str, str]:
    if not query_string:
        return {}
    try:
        return dict(parse_qsl(query_string, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError as error:
        raise Problem(400, "bad-query", "the query is not UTF-8 once decoded") from error


def _hide(guard: Guard, headers: dict[str, str], query: dict[str, str]) -> None:
    """Take out what the caller proved itself by: it is to stand in no log, and the script has ``auth``."""
    verifier = guard.verifier
    if verifier is not None:
        for name in verifier.hidden_headers:
            headers.pop(name, None)
        query.pop(verifier.hidden_query, None)


def _no_route(app: AppEntry, req: falcon.Request, resp: falcon.Response, path: str, match: NoMatch) -> None:
    if not match.allowed:
        raise Problem(404, "no-such-route", f"no route of {app.name} fits {path or '/'!r}")
    allow = ", ".join(match.allowed)
    if req.method == "OPTIONS":
        resp.status = falcon.HTTP_204
        resp.set_header("Allow", allow)
        return
    raise Problem(
        405, "method-not-allowed", f"{path or '/'!r} takes {allow}, not {req.method}", headers={"Allow": allow}
    )


def _accepted(resp: falcon.Response, invocation: UUID, prefer: Preferences) -> None:
    resp.status = falcon.HTTP_202
    resp.set_header("Location", f"/api/v1/invocations/{invocation}")
    if prefer.asynchronous:
        resp.set_header("Preference-Applied", f"respond-async, wait={prefer.wait}" if prefer.wait else "respond-async")
    resp.set_header(INVOCATION_HEADER, str(invocation))
    resp.media = {"invocation": str(invocation)}


def _answer(
    req: falcon.Request, resp: falcon.Response, outcome: Outcome, sessions: Sessions, *, own_cors: bool
) -> None:
    answer = outcome.answer
    if answer is None:
        raise _failure(outcome)
    headers = [
        (name, value)
        for name, value in answer.headers
        if name.lower() not in _HOP_BY_HOP and (own_cors or not name.lower().startswith("access-control-"))
    ]
    resp.set_header(INVOCATION_HEADER, str(outcome.invocation))
    if answer.file is not None:
        _send_file(req, resp, answer, headers, sessions)
        return
    resp.status = answer.status
    for name, value in headers:
        resp.append_header(name, value)
    resp.data = answer.body


def _send_file(
    req: falcon.Request,
    resp: falcon.Response,
    answer: Answer,
    headers: list[tuple[str, str]],
    sessions: Sessions,
) -> None:
    """An answer with a file: as a 200 it has ranges and conditions, whatever the script knows of them."""
    assert answer.file is not None
    kind = next((value for name, value in headers if name.lower() == "content-type"), BYTES)
    plain = [(name, value) for name, value in headers if name.lower() not in _OF_FILES]
    sent = Representation(sha256=answer.file.sha256, size=answer.file.size, content_type=kind)
    if answer.status == HTTPStatus.OK and req.method in ("GET", "HEAD"):
        send(req, resp, sent, sessions)
    else:
        send_whole(resp, sent, answer.status, sessions)
    for name, value in plain:
        resp.append_header(name, value)


def _failure(outcome: Outcome) -> Problem:
    """What a caller is told of a failure: its kind and the invocation, not the script's inner life."""
    invocation = str(outcome.invocation)
    headers = {INVOCATION_HEADER: invocation}
    if outcome.state is State.CANCELLED:
        return Problem(503, "cancelled", "the invocation was cancelled", headers=headers, invocation=invocation)
    kind = outcome.error.kind if outcome.error is not None else "Unknown"
    return Problem(
        504 if kind in _TIME_LIMITS else 500,
        "script-failed",
        "the script failed; its owner finds out why with: picloud invocation " + invocation,
        headers=headers,
        invocation=invocation,
        kind=kind,
    )


def _too_large(found: str, limit: int) -> Problem:
    return Problem(413, "body-too-large", f"the body has {found}, the limit is {limit} bytes")
