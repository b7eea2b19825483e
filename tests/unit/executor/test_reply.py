"""Replies that scripts build: what is taken, what is refused, and how that is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.executor.reply import MAX_HEADERS, InvalidReply, ReplyBuilder


def reply() -> ReplyBuilder:
    return ReplyBuilder(200, b"hi", "text/plain")


@pytest.mark.parametrize(
    "value",
    ["a\r\nset-cookie: x=1", "a\nb", "a\rb", "nul\x00", "bell\x07", "del\x7f", "c1\x85", "ünïcode → arrow", "\u2028"],
)
def test_a_value_that_could_break_the_response_is_refused_by_the_headers_name(value: str) -> None:
    with pytest.raises(InvalidReply, match="the header x-note"):
        reply().set_header("X-Note", value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä", "a\x00", "(x)"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(InvalidReply, match="can't name a header"):
        reply().set_header(name, "x")


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE"])
def test_headers_that_frame_the_message_are_the_servers(name: str) -> None:
    with pytest.raises(InvalidReply, match=f"the header {name.lower()} is set by the server"):
        reply().add_header(name, "1")


@given(name=st.text(max_size=20), value=st.text(max_size=40))
def test_whatever_is_taken_makes_one_line_of_latin_1(name: str, value: str) -> None:
    built = reply()
    try:
        built.add_header(name, value)
    except InvalidReply:
        return
    line = "{}: {}".format(*built.finished().headers[-1])
    assert len(line.encode("latin-1").splitlines()) == 1
    assert line.isprintable() or "\t" in line or "\xa0" in line or "\xad" in line


def test_setting_a_header_replaces_and_adding_keeps() -> None:
    built = reply()
    built.set_header("X-A", "1")
    built.set_header("x-a", "2")
    built.add_header("X-a", " 3 ")
    assert built.headers == [("content-type", "text/plain"), ("x-a", "2"), ("x-a", "3")]


def test_latin_1_is_taken() -> None:
    built = reply()
    built.set_header("x-name", "Zoë")
    assert built.header("X-Name") == "Zoë"


@pytest.mark.parametrize("status", [100, 199, 600, 0, -1])
def test_a_status_out_of_bounds_is_refused(status: int) -> None:
    with pytest.raises(InvalidReply, match=f"200 to 599, not {status}"):
        ReplyBuilder(status, b"", None)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    finished = ReplyBuilder(status, b"lost", "text/plain").finished()
    assert (finished.body, finished.headers) == (b"", [])


def test_cookies_are_added_and_their_values_checked() -> None:
    built = reply()
    built.add_cookie("session", "abc123", "; Path=/; HttpOnly")
    built.add_cookie("theme", "dark", "")
    assert built.headers[1:] == [("set-cookie", "session=abc123; Path=/; HttpOnly"), ("set-cookie", "theme=dark")]
    for name, value in (("a b", "x"), ("a", "x;y"), ("a", 'x"'), ("a", "x y"), ("a", "x,y")):
        with pytest.raises(InvalidReply, match="cookie"):
            built.add_cookie(name, value, "")


def test_headers_without_end_are_refused() -> None:
    built = reply()
    for n in range(MAX_HEADERS - 1):
        built.add_header("x-many", str(n))
    with pytest.raises(InvalidReply, match=f"{MAX_HEADERS} headers"):
        built.add_header("x-many", "one more")
    with pytest.raises(InvalidReply, match="more than 8192"):
        reply().set_header("x-long", "x" * 8193)
