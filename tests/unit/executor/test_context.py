"""What a script finds in ``ctx``."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.executor.context import context_of


def request(body: bytes, content_type: str | None = None) -> dict[str, Any]:
    headers = {} if content_type is None else {"content-type": content_type}
    sent = {"method": "POST", "path": "/x", "params": {}, "query": {}, "headers": headers, "body": body}
    made: dict[str, Any] = context_of({"request": sent, "app": "demo"})["request"]
    return made


def test_a_body_in_utf_8_is_a_string_and_any_other_a_blob() -> None:
    assert request("grüß".encode())["body"] == "grüß"
    body = request(b"\xff\x00")["body"]
    assert (type(body), body) == (bytearray, bytearray(b"\xff\x00"))


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON; charset=utf-8", "application/problem+json", " application/json ;x=y"],
)
def test_a_json_body_is_parsed(content_type: str) -> None:
    assert request(b'{"a": [1, 2.5, null]}', content_type)["json"] == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jsonp", "text/json-like", "x"])
def test_a_body_that_is_not_declared_as_json_is_not_parsed(content_type: str | None) -> None:
    assert request(b"[1]", content_type)["json"] is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"nul", b"[" * 100_000])
def test_a_body_that_only_claims_to_be_json_is_unit(body: bytes) -> None:
    assert request(body, "application/json")["json"] is None


def test_an_event_arrives_as_values_of_the_language() -> None:
    sent = {"event": {"topic": "a.b", "content_type": "application/json", "body": b'{"n": 18446744073709551616}'}}
    assert context_of(sent) == {
        "event": {"topic": "a.b", "content_type": "application/json", "data": {"n": float(2**64)}}
    }


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/json", b"", None),
        ("application/json", b"null", None),
        ("application/json", b"{", "{"),
        ("text/plain", b"1", "1"),
        ("application/octet-stream", b"\xff", bytearray(b"\xff")),
    ],
)
def test_the_data_of_an_event_is_json_if_it_is_and_as_it_came_otherwise(
    content_type: str, body: bytes, data: object
) -> None:
    found = context_of({"event": {"content_type": content_type, "body": body}})["event"]["data"]
    assert (type(found), found) == (type(data), data)
