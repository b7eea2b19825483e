"""Bytes into lines and mails: the same however they are cut, in bounded memory whatever comes."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.smtp.lines import LONGEST_COMMAND, Content, Lines, LineTooLong

LINES = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x", b"x.", b"\n.\n", b"\r.\r", b"\n", b"\r"]), max_size=12)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(bounds)]


@given(lines=LINES, places=st.lists(st.integers(0, 1000), max_size=8))
def test_a_mail_comes_out_as_a_client_put_it_in_however_it_is_cut(lines: list[bytes], places: list[int]) -> None:
    whole = b"".join(line + b"\r\n" for line in lines)
    # What ends a mail early is no mail that a client can send: it doubles the dots of lines, not those behind "\n".
    stuffed = (b"\r\n" + whole).replace(b"\r\n.", b"\r\n..")[2:]
    content = Content(10_000)
    rest = None
    for piece in cut(stuffed + b".\r\nQUIT\r\n", places):
        rest = content.feed(piece) if rest is None else rest + piece
    assert rest == b"QUIT\r\n"
    assert content.whole() == whole
    assert content.size == len(stuffed)


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n..\r\n"])
def test_nothing_but_the_end_ends_a_mail(end: bytes) -> None:
    content = Content(1_000)
    assert content.feed(b"a" + end + b"MAIL FROM:<x@y>\r\n") is None


def test_an_empty_mail_is_one() -> None:
    content = Content(10)
    assert content.feed(b".\r\n") == b""
    assert content.whole() == b""


def test_of_a_mail_that_is_too_large_nothing_is_kept() -> None:
    content = Content(100_000)
    chunk = b"x" * 16_384
    tracemalloc.start()
    for _ in range(2_000):
        assert content.feed(chunk) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert content.too_large
    assert peak < 1_000_000
    assert content.feed(b"\r\n.") is None
    assert content.feed(b"\r\nNOOP\r\n") == b"NOOP\r\n"


@given(st.lists(st.sampled_from([b"NOOP", b"", b"MAIL FROM:<a@b>"]), max_size=5), st.lists(st.integers(0, 99)))
def test_lines_come_out_as_they_went_in_however_they_are_cut(commands: list[bytes], places: list[int]) -> None:
    lines = Lines()
    found = []
    for piece in cut(b"".join(command + b"\r\n" for command in commands) + b"half", places):
        lines.feed(piece)
        while (line := lines.next()) is not None:
            found.append(line)
    assert found == commands
    assert lines.rest() == b"half"


def test_a_line_that_does_not_end_is_dropped_and_told_of_once() -> None:
    lines = Lines()
    with pytest.raises(LineTooLong):
        _feed(lines, b"x" * (LONGEST_COMMAND + 1))
    for _ in range(100):
        assert _feed(lines, b"x" * 16_384) is None
    assert _feed(lines, b"x\r\nNOOP\r\n") == b"NOOP"
    with pytest.raises(LineTooLong):
        _feed(lines, b"x" * 5_000 + b"\r\nNOOP\n")
    assert lines.next() == b"NOOP"


def _feed(lines: Lines, data: bytes) -> bytes | None:
    lines.feed(data)
    return lines.next()
