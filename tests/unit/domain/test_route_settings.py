"""What can be set of a route, and what can't."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from picloud.domain.errors import Conflict, DomainError, Invalid, NotFound
from picloud.domain.invocation import RetryPolicy
from picloud.domain.route import Pattern, Route
from picloud.domain.route_auth import (
    GITHUB,
    STRIPE,
    Algorithm,
    Auth,
    Credential,
    KeyPlace,
    Scheme,
    SignatureRule,
    TokenRule,
    check_credential_name,
)
from picloud.domain.route_settings import PLAIN, Bucket, Cors, RateLimit, RouteSettings

AT = datetime(2030, 1, 1, tzinfo=UTC)
KEYS = Auth(scheme=Scheme.KEY, place=KeyPlace(), credentials=(Credential("ada", "1"), Credential("bob", "2")))


def route() -> Route:
    return Route.add("demo", Pattern.parse("POST /hook"), "hook", durability="outbox", at=AT)


def test_settings_hold_until_the_route_is_removed() -> None:
    hook = route()
    assert hook.settings == PLAIN
    assert hook.configure(RouteSettings(auth=KEYS), at=AT)
    assert not hook.configure(RouteSettings(auth=KEYS), at=AT), "nothing changed"
    hook.point(hook.pattern, "other", durability="outcome", at=AT, takeover=True)
    assert hook.settings.auth == KEYS
    hook.remove(at=AT)
    with pytest.raises(NotFound):
        hook.configure(RouteSettings(), at=AT)
    hook.point(Pattern.parse("POST /hook"), "hook", durability="outbox", at=AT)
    assert hook.settings == PLAIN, "keys of a route that is gone open nothing"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (RouteSettings(concurrency=-1), "concurrency"),
        (RouteSettings(concurrency=1_001), "concurrency"),
        (RouteSettings(retry=RetryPolicy(attempts=0)), "retry.attempts"),
        (RouteSettings(cors=Cors(origins=())), "cors.origins"),
        (RouteSettings(cors=Cors(origins=("https://example.com/",))), "cors.origins"),
        (RouteSettings(cors=Cors(origins=("example.com",))), "cors.origins"),
        (RouteSettings(cors=Cors(origins=("HTTPS://example.com",))), "cors.origins"),
        (RouteSettings(cors=Cors(origins=("*",), credentials=True)), "cors.credentials"),
        (RouteSettings(cors=Cors(origins=("null",), credentials=True)), "cors.credentials"),
        (RouteSettings(cors=Cors(origins=("https://a.b",), headers=("*",), credentials=True)), "cors.headers"),
        (RouteSettings(cors=Cors(origins=("https://a.b",), headers=("a b",))), "cors.headers"),
        (RouteSettings(cors=Cors(origins=("https://a.b",), max_age_ms=86_400_001)), "cors.max_age"),
        (RouteSettings(auth=Auth(scheme=Scheme.KEY)), "auth.scheme"),
        (RouteSettings(auth=Auth(scheme=Scheme.BASIC, signature=GITHUB)), "auth.scheme"),
        (RouteSettings(auth=Auth(scheme=Scheme.KEY, place=KeyPlace("", ""))), "auth.header"),
        (RouteSettings(auth=Auth(scheme=Scheme.KEY, place=KeyPlace("bad header"))), "auth.header"),
        (RouteSettings(auth=Auth(scheme=Scheme.KEY, place=KeyPlace("", "a&b"))), "auth.query"),
        (RouteSettings(auth=Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.RS256))), "auth.key"),
        (RouteSettings(auth=Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.HS256, key="x"))), "auth.key"),
        (RouteSettings(auth=Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.HS256, issuer="a\nb"))), "auth.issuer"),
        (RouteSettings(auth=Auth(scheme=Scheme.HMAC, signature=SignatureRule(encoding="rot13"))), "auth.encoding"),
        (RouteSettings(auth=Auth(scheme=Scheme.HMAC, signature=SignatureRule(window_ms=1))), "auth.window"),
        (RouteSettings(auth=Auth(scheme=Scheme.HMAC, signature=SignatureRule(prefix="é"))), "auth.prefix"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(settings: RouteSettings, field: str) -> None:
    hook = route()
    with pytest.raises(Invalid) as refused:
        hook.configure(settings, at=AT)
    assert refused.value.field == field
    assert hook.settings == PLAIN


@pytest.mark.parametrize(
    ("text", "by", "expected"),
    [
        ("60/1m", "caller", RateLimit(60, 60_000)),
        ("1/1s", "route", RateLimit(1, 1_000, Bucket.ROUTE)),
        ("100/1h30m", "header:X-Tenant", RateLimit(100, 5_400_000, Bucket.HEADER, "X-Tenant")),
    ],
)
def test_a_rate_is_a_count_and_a_time(text: str, by: str, expected: RateLimit) -> None:
    found = RateLimit.parse(text, by)
    assert (found, found.by) == (expected, by)


@pytest.mark.parametrize(
    ("text", "by"),
    [("60", "caller"), ("0/1m", "caller"), ("1/1ms", "caller"), ("1001/1s", "caller"), ("1/2d", "caller"),
     ("1/1m", "header"), ("1/1m", "header:"), ("1/1m", "header:a b"), ("1/1m", "caller:x"), ("1/1m", "moon")],
)  # fmt: skip
def test_what_is_no_rate_is_refused(text: str, by: str) -> None:
    with pytest.raises(Invalid):
        RateLimit.parse(text, by)


def test_credentials_come_and_go_by_name() -> None:
    again = KEYS.with_credentials((Credential("ada", "3"), Credential("eve", "4")))
    assert [(each.name, each.kept) for each in again.credentials] == [("bob", "2"), ("ada", "3"), ("eve", "4")]
    assert [each.name for each in again.without_credential("bob").credentials] == ["ada", "eve"]
    with pytest.raises(NotFound, match="'bob', 'ada', 'eve'"):
        again.without_credential("mallory")


def test_two_secrets_sign_at_a_time() -> None:
    signing = [
        Auth(scheme=Scheme.STRIPE, signature=STRIPE),
        Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.HS256)),
    ]
    for auth in signing:
        two = auth.with_credentials((Credential("old", "1"),)).with_credentials((Credential("new", "2"),))
        with pytest.raises(Conflict, match="live at a time"):
            two.with_credentials((Credential("third", "3"),))
    public = Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.RS256, key="k"))
    with pytest.raises(Invalid, match="no credentials"):
        public.with_credentials((Credential("x", "1"),))


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        (Auth(scheme=Scheme.KEY, place=KeyPlace("X-Other")), 2),
        (Auth(scheme=Scheme.BASIC), 0),
        (Auth(scheme=Scheme.STRIPE, signature=STRIPE), 0),
    ],
)
def test_credentials_stay_while_the_scheme_does(new: Auth, kept: int) -> None:
    assert len(new.keeping(KEYS).credentials) == kept
    assert new.keeping(None) == new


def test_credentials_of_another_kind_of_token_do_not_stay() -> None:
    secret = Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.HS256), credentials=(Credential("a", "1"),))
    public = Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.RS256, key="k"))
    assert public.keeping(secret).credentials == ()


@pytest.mark.parametrize(("name", "scheme"), [("", Scheme.KEY), ("a\nb", Scheme.KEY), ("a:b", Scheme.BASIC)])
def test_what_can_name_no_credential_is_refused(name: str, scheme: Scheme) -> None:
    with pytest.raises(DomainError):
        check_credential_name(name, scheme, field="name")


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (("https://a.b",), "https://a.b", True),
        (("https://a.b",), "https://a.b.c", False),
        (("https://a.b:8443", "null"), "https://a.b", False),
        (("https://a.b:8443", "null"), "null", True),
        (("*",), "https://anything", True),
    ],
)
def test_origins_are_compared_whole(origins: tuple[str, ...], origin: str, allowed: Any) -> None:
    assert replace(Cors(origins=("*",)), origins=origins).check().allows(origin) is allowed
