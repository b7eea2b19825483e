"""Cross-origin requests, as the Fetch standard has them: preflights are answered here, and answers say who may read.

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import falcon

from picloud.domain.route_settings import EVERY, Cors
from picloud.orchestrator.catalog import AppEntry, RouteEntry
from picloud.orchestrator.routing import Match


def say_who_may_read(cors: Cors, req: falcon.Request, resp: falcon.Response) -> None:
    """Put it into the answer's headers, whatever the answer will be."""
    if cors.origins != (EVERY,):
        resp.append_header("Vary", "Origin")
    origin = req.get_header("Origin")
    if origin is None or not cors.allows(origin):
        return
    _allow(cors, origin, resp)
    if cors.expose:
        resp.set_header("Access-Control-Expose-Headers", ", ".join(cors.expose))


def is_preflight(req: falcon.Request) -> bool:
    """Whether a browser asks what a page may send."""
    return (
        req.method == "OPTIONS"
        and req.get_header("Origin") is not None
        and req.get_header("Access-Control-Request-Method") is not None
    )


def answer_preflight(app: AppEntry, path: str, req: falcon.Request, resp: falcon.Response) -> None:
    """204 with what the route for the method asked for allows; without that if it allows nothing."""
    resp.status = falcon.HTTP_204
    resp.set_header("Allow", ", ".join(app.routes.methods(path)))
    resp.append_header("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
    origin = req.get_header("Origin") or ""
    cors = _cors(app, path, req.get_header("Access-Control-Request-Method") or "")
    if cors is None or not cors.allows(origin):
        return
    _allow(cors, origin, resp)
    methods = [
        method
        for method in app.routes.methods(path)
        if method != "OPTIONS" and (of_method := _cors(app, path, method)) is not None and of_method.allows(origin)
    ]
    resp.set_header("Access-Control-Allow-Methods", ", ".join(methods))
    if cors.headers:
        resp.set_header("Access-Control-Allow-Headers", ", ".join(cors.headers))
    resp.set_header("Access-Control-Max-Age", str(cors.max_age_ms // 1_000))


def _allow(cors: Cors, origin: str, resp: falcon.Response) -> None:
    resp.set_header("Access-Control-Allow-Origin", EVERY if cors.origins == (EVERY,) else origin)
    if cors.credentials:
        resp.set_header("Access-Control-Allow-Credentials", "true")


def _cors(app: AppEntry, path: str, method: str) -> Cors | None:
    found = app.routes.match(method, path)
    if not isinstance(found, Match):
        return None
    route: RouteEntry = found.target
    return route.guard.settings.cors if route.guard is not None else None
