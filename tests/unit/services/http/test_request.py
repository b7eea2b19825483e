"""What scripts may hand to ``http::``, what becomes of it, and what a record keeps of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.services.http.recording import LEFT_OUT, is_secret, recorded
from picloud.services.http.request import MAX_BODY_BYTES, Asked, asked
from picloud.services.work import ServiceError

URL = "https://api.example.com/v1"


def get(**options: Any) -> Asked:
    return asked("get", "GET", URL, options)


def post(content: Any, **options: Any) -> Asked:
    return asked("post", "POST", URL, options or None, content)


@pytest.mark.parametrize(
    ("request_", "body", "content_type"),
    [
        (post("héllo"), "héllo".encode(), "text/plain; charset=utf-8"),
        (post(b"\x00\xff"), b"\x00\xff", "application/octet-stream"),
        (post({"a": [1, True, None, 1.5, "ü"]}), '{"a":[1,true,null,1.5,"ü"]}'.encode(), "application/json"),
        (post(7), b"7", "application/json"),
        (post(""), b"", "text/plain; charset=utf-8"),
        (post(None, json="text"), b'"text"', "application/json"),
        (post(None, json=None), b"null", "application/json"),
        (post(None, form={"a b": "ü&", "n": [1, 2], "t": True, "x": None}), b"a+b=%C3%BC%26&n=1&n=2&t=true", "form"),
        (post(None, body="x"), b"x", "text/plain; charset=utf-8"),
        (post({"a": 1}, headers={"Content-Type": "application/ld+json"}), b'{"a":1}', "application/ld+json"),
        (asked("request", "report", URL, {"body": "x"}), b"x", "text/plain; charset=utf-8"),
    ],
)
def test_a_body_says_what_it_is(request_: Asked, body: bytes, content_type: str) -> None:
    assert request_.body == body
    assert content_type in str(request_.headers["content-type"])


def test_what_is_not_said_is_as_the_page_says() -> None:
    request = get()
    assert (request.body, request.headers) == (None, {})
    assert (request.timeout_ms, request.redirects, request.most_bytes) == (10_000, 5, 1_048_576)


def test_a_query_goes_behind_that_of_the_url() -> None:
    url = asked("get", "GET", f"{URL}?a=1#x", {"query": {"b": "ü &", "c": [1, 2], "d": None, "e": False}}).url
    assert str(url) == f"{URL}?a=1&b=%C3%BC+%26&c=1&c=2&e=false"


def test_headers_are_texts_and_may_leave_out_ours() -> None:
    headers = get(headers={"X-A": " 1 ", "X-Number": 7, "X-Yes": True, "User-Agent": None}).headers
    assert headers == {"x-a": "1", "x-number": "7", "x-yes": "true", "user-agent": None}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("GET", 7, None), "takes the URL as a string, not i64"),
        (("GET", None, None), "takes the URL as a string, not ()"),
        (("GET", "ftp://api.example.com/", None), "the scheme 'ftp' can't be called"),
        (("GET", "api.example.com", None), "is no URL"),
        ((7, URL, None), "takes the method as a string, not i64"),
        (("", URL, None), "is no method"),
        (("GET /x HTTP/1.1\r\nX: y", URL, None), "is no method"),
        (("CONNECT", URL, None), "is no method"),
        (("trace", URL, None), "is no method"),
        (("A" * 21, URL, None), "is no method"),
        (("GET", URL, "5s"), "takes its options as a map"),
        (("GET", URL, {"time": "5s"}), "did you mean 'timeout'?"),
        (("GET", URL, {"timeout": 5}), "timeout is a string such as"),
        (("GET", URL, {"timeout": "soon"}), "timeout"),
        (("GET", URL, {"timeout": "-1s"}), "timeout"),
        (("GET", URL, {"redirects": 11}), "redirects is 11; it is from 0 to 10"),
        (("GET", URL, {"redirects": -1}), "redirects is -1"),
        (("GET", URL, {"redirects": True}), "redirects is how many"),
        (("GET", URL, {"max_bytes": 0}), "max_bytes is 0"),
        (("GET", URL, {"max_bytes": 10**12}), "max_bytes is 1000000000000"),
        (("GET", URL, {"headers": []}), "headers is a map"),
        (("GET", URL, {"headers": {"": "x"}}), "can't name a header"),
        (("GET", URL, {"headers": {"X Y": "x"}}), "can't name a header"),
        (("GET", URL, {"headers": {"X:": "x"}}), "can't name a header"),
        (("GET", URL, {"headers": {"X\r\nY": "x"}}), "can't name a header"),
        (("GET", URL, {"headers": {"X": "a\r\nY: b"}}), "holds a character that no header can"),
        (("GET", URL, {"headers": {"X": "a\x00"}}), "holds a character that no header can"),
        (("GET", URL, {"headers": {"X": "→"}}), "holds a character that no header can"),
        (("GET", URL, {"headers": {"X": ["a"]}}), "headers.X is a string, a number or a bool, not array"),
        (("GET", URL, {"headers": {"X": "a", "x": "b"}}), "is there twice"),
        (("GET", URL, {"headers": {"Host": "internal"}}), "'Host' is PiCloud's to send"),
        (("GET", URL, {"headers": {"Transfer-Encoding": "chunked"}}), "is PiCloud's to send"),
        (("GET", URL, {"headers": {"content-length": 5}}), "is PiCloud's to send"),
        (("GET", URL, {"headers": {"Connection": "upgrade"}}), "is PiCloud's to send"),
        (("GET", URL, {"headers": {f"X-{n}": "x" for n in range(65)}}), "65 headers, more than 64"),
        (("GET", URL, {"headers": {"X": "x" * 17_000}}), "more than 16384"),
        (("GET", URL, {"query": {"a": {}}}), "query.a is a string, a number or a bool, not map"),
        (("GET", URL, {"query": {"a": [[]]}}), "query.a is a string, a number or a bool, not array"),
        (("GET", URL, {"query": {"a": "x" * 9_000}}), "8,192 characters"),
        (("POST", URL, {"form": {"a": b""}}), "form.a is a string, a number or a bool, not blob"),
        (("POST", URL, {"form": {}, "json": 1}), "takes one body, and got json and form"),
        (("POST", URL, {"json": {"a": b"x"}}), "can't be sent as JSON"),
        (("POST", URL, {"body": "x" * (MAX_BODY_BYTES + 1)}), "6,291,457 bytes, more than 6,291,456"),
    ],
)
def test_a_wrong_argument_is_named(arguments: tuple[Any, Any, Any], said: str) -> None:
    with pytest.raises(ServiceError) as refused:
        asked("request", *arguments)
    text = str(refused.value)
    assert text.startswith("http::request")
    assert said in text.replace("16,384", "16384")


def test_two_bodies_are_one_too_many() -> None:
    with pytest.raises(ServiceError, match="takes one body, and got the body behind the URL and json"):
        post("x", json=1)


def refusal_of(method: Any, url: Any, options: Any) -> str:
    """How arguments are refused; the function's name alone if they are not."""
    try:
        asked("request", method, url, options)
    except ServiceError as error:
        return str(error)
    return "http::request"


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(["headers", "query", "form", "json", "body", "timeout", "redirects", "max_bytes", "other"])


@given(_PLAIN, _PLAIN | st.text(st.characters(), max_size=40).map(lambda text: f"http://{text}/"), _PLAIN)
def test_whatever_is_handed_over_is_a_request_or_a_refusal(method: Any, url: Any, options: Any) -> None:
    assert refusal_of(method, url, options).startswith("http::request")


@given(st.dictionaries(_NAMES, _PLAIN, max_size=3))
def test_whatever_options_hold_is_a_request_or_a_refusal(options: dict[str, Any]) -> None:
    assert refusal_of("POST", URL, options).startswith("http::request")


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "X-API-Key",
        "apikey",
        "X-Auth-Token",
        "X-Auth",
        "Private-Token",
        "X-Hub-Signature-256",
        "Ocp-Apim-Subscription-Key",
        "X-Client-Secret",
        "x-password",
    ],
)
def test_a_header_that_opens_something_is_not_recorded(name: str) -> None:
    assert is_secret(name)
    call = [URL, {"headers": {name: "hunter2", "Accept": "text/csv"}, "timeout": "2s"}]
    assert recorded(call) == [URL, {"headers": {name: LEFT_OUT, "Accept": "text/csv"}, "timeout": "2s"}]
    assert call[1]["headers"][name] == "hunter2", "what is sent stays as it is"  # type: ignore[index]


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "Idempotency-Key", "If-Match", "X-Request-Id", "Author"])
def test_other_headers_are_recorded(name: str) -> None:
    assert not is_secret(name)


@given(st.lists(_PLAIN, max_size=3))
def test_a_record_takes_whatever_was_handed_over(args: list[Any]) -> None:
    assert len(recorded(args)) == len(args)
