"""Between the API's way to say a route's settings and the domain's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from picloud.domain.duration import format_duration, parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.invocation import RetryPolicy
from picloud.domain.route_auth import (
    GITHUB,
    MAX_LEEWAY_MS,
    MAX_WINDOW_MS,
    STRIPE,
    Algorithm,
    Auth,
    KeyPlace,
    Scheme,
    SignatureRule,
    TokenRule,
)
from picloud.domain.route_settings import MAX_MAX_AGE_MS, Cors, RateLimit, RouteSettings
from picloud.http.api.retries import retry_policy, shown_retry

_TAKEN: Final[dict[Scheme, frozenset[str]]] = {
    Scheme.KEY: frozenset({"header", "query"}),
    Scheme.BASIC: frozenset(),
    Scheme.JWT: frozenset({"algorithm", "key", "issuer", "audience", "leeway"}),
    Scheme.GITHUB: frozenset(),
    Scheme.STRIPE: frozenset({"window"}),
    Scheme.HMAC: frozenset({"header", "prefix", "encoding", "timestamp_header", "window"}),
}
"""What is to be said of a scheme beside its credentials."""


def changed(body: Mapping[str, Any]) -> Callable[[RouteSettings], RouteSettings]:
    """What ``RouteSettingsIn`` makes of settings. Raises :class:`Invalid`."""
    given: dict[str, Any] = {}
    auth = _auth(body["auth"]) if body.get("auth") is not None else None
    if body.get("rate", ...) is not ...:
        given["rate"] = None if body["rate"] is None else RateLimit.parse(body["rate"]["limit"], body["rate"]["by"])
    if "concurrency" in body:
        given["concurrency"] = body["concurrency"] or 0
    if "cors" in body:
        given["cors"] = None if body["cors"] is None else _cors(body["cors"])
    if "retry" in body:
        given["retry"] = RetryPolicy() if body["retry"] is None else retry_policy(body["retry"])
    if "private" in body:
        given["private"] = body["private"]
    limits: dict[str, int] = {}
    if "timeout" in body:
        limits["wall_ms"] = parse_duration(body["timeout"], field="timeout", least_ms=1) if body["timeout"] else 0
    if "operations" in body:
        limits["operations"] = body["operations"] or 0

    def change(was: RouteSettings) -> RouteSettings:
        new = replace(was, limits=replace(was.limits, **limits), **given)
        if "auth" in body:
            new = replace(new, auth=auth.keeping(was.auth) if auth is not None else None)
        return new

    return change


def shown(settings: RouteSettings) -> dict[str, Any]:
    """The settings as ``RouteOut`` has them."""
    rate, cors, limits = settings.rate, settings.cors, settings.limits
    return {
        "auth": _shown_auth(settings.auth) if settings.auth is not None else None,
        "rate": {"limit": f"{rate.count}/{format_duration(rate.period_ms)}", "by": rate.by} if rate else None,
        "concurrency": settings.concurrency or None,
        "cors": {
            "origins": list(cors.origins),
            "headers": list(cors.headers),
            "expose": list(cors.expose),
            "credentials": cors.credentials,
            "max_age": format_duration(cors.max_age_ms),
        }
        if cors
        else None,
        "retry": shown_retry(settings.retry),
        "timeout": format_duration(limits.wall_ms) if limits.wall_ms else None,
        "operations": limits.operations or None,
        "private": settings.private,
    }


def _auth(given: Mapping[str, Any]) -> Auth:
    scheme = Scheme(given["scheme"])
    for name, value in given.items():
        if value is not None and name not in ("scheme", "credentials") and name not in _TAKEN[scheme]:
            taken = ", ".join(sorted(_TAKEN[scheme])) or "nothing but credentials"
            raise Invalid(f"{name} is no matter of the scheme {scheme}, which takes {taken}", field=f"auth.{name}")
    match scheme:
        case Scheme.KEY:
            return Auth(scheme=scheme, place=_place(given))
        case Scheme.BASIC:
            return Auth(scheme=scheme)
        case Scheme.JWT:
            return Auth(scheme=scheme, token=_token(given))
    return Auth(scheme=scheme, signature=_signature(scheme, given))


def _place(given: Mapping[str, Any]) -> KeyPlace:
    header, query = given["header"], given["query"]
    if header is None:
        # Who names a parameter of the query wants the key there.
        header = KeyPlace().header if query is None else ""
    return KeyPlace(header, query or "")


def _token(given: Mapping[str, Any]) -> TokenRule:
    if given["algorithm"] is None:
        raise Invalid(
            "which algorithm signs the tokens is not said",
            field="auth.algorithm",
            remedy=f"Give one of {', '.join(Algorithm)}: no other one is taken then.",
        )
    leeway = given["leeway"]
    return TokenRule(
        Algorithm(given["algorithm"]),
        key=given["key"] or "",
        issuer=given["issuer"] or "",
        audience=given["audience"] or "",
        leeway_ms=parse_duration(leeway, field="auth.leeway", most_ms=MAX_LEEWAY_MS) if leeway else 0,
    )


def _signature(scheme: Scheme, given: Mapping[str, Any]) -> SignatureRule:
    rule = {Scheme.GITHUB: GITHUB, Scheme.STRIPE: STRIPE}.get(scheme, SignatureRule())
    said = {name: given[name] for name in ("header", "prefix", "encoding", "timestamp_header") if given[name]}
    if given["window"]:
        window = parse_duration(given["window"], field="auth.window", least_ms=1_000, most_ms=MAX_WINDOW_MS)
        rule = replace(rule, window_ms=window)
    return replace(rule, **said)


def _cors(given: Mapping[str, Any]) -> Cors:
    return Cors(
        origins=tuple(given["origins"]),
        headers=tuple(given["headers"]),
        expose=tuple(given["expose"]),
        credentials=given["credentials"],
        max_age_ms=parse_duration(given["max_age"], field="cors.max_age", most_ms=MAX_MAX_AGE_MS),
    )


def _shown_auth(auth: Auth) -> dict[str, Any]:
    said: dict[str, Any] = dict.fromkeys(name for names in _TAKEN.values() for name in names)
    place, token, signature = auth.place, auth.token, auth.signature
    if place is not None:
        said |= {"header": place.header or None, "query": place.query or None}
    if token is not None:
        said |= {
            "algorithm": token.algorithm.value,
            "key": token.key or None,
            "issuer": token.issuer or None,
            "audience": token.audience or None,
            "leeway": format_duration(token.leeway_ms),
        }
    if signature is not None:
        said |= {
            "header": signature.header,
            "prefix": signature.prefix or None,
            "encoding": signature.encoding,
            "timestamp_header": signature.timestamp_header or None,
            "window": format_duration(signature.window_ms) if signature.has_time else None,
        }
    return {"scheme": auth.scheme.value, **said, "credentials": [each.name for each in auth.credentials]}
