"""Ranges and preconditions, against what slicing bytes gives and what RFC 9110 says."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picloud.http.conditions import Span, Unsatisfiable, Verdict, judge, span_of

HASH = "ab" * 32
OTHER = "cd" * 32


def served(header: str | None, content: bytes, if_range: str | None = None) -> bytes | None:
    """What a client gets: a part, or the whole; None for a 416."""
    try:
        span = span_of(header, if_range, sha256=HASH, size=len(content))
    except Unsatisfiable:
        return None
    return content if span is None else content[span.start : span.stop]


@given(content=st.binary(max_size=40), first=st.integers(0, 60), length=st.none() | st.integers(0, 60))
@example(content=b"", first=0, length=None)
def test_a_range_from_the_front_is_a_slice(content: bytes, first: int, length: int | None) -> None:
    last = None if length is None else first + length
    found = served(f"bytes={first}-{'' if last is None else last}", content)
    if first >= len(content):
        assert found is None, "behind the end there is nothing to send"
    else:
        assert found == (content[first:] if last is None else content[first : last + 1])


@given(content=st.binary(max_size=40), length=st.integers(0, 60))
@example(content=b"", length=5)
def test_a_range_from_the_back_is_a_slice(content: bytes, length: int) -> None:
    found = served(f"bytes=-{length}", content)
    assert found == (None if length == 0 else content[-length:])


@given(size=st.integers(1, 2**50), first=st.integers(0, 2**70), last=st.integers(0, 2**70))
def test_no_span_goes_beyond_the_content(size: int, first: int, last: int) -> None:
    try:
        span = span_of(f"bytes={first}-{last}", None, sha256=HASH, size=size)
    except Unsatisfiable:
        assert first >= size
        return
    assert span is None or 0 <= span.start < span.stop <= size


@given(st.text(alphabet="bytes=-0123456789, \tBYTESx*", max_size=30))
def test_no_header_does_harm(header: str) -> None:
    found = served(header, b"0123456789")
    assert found is None or found in b"0123456789"


@pytest.mark.parametrize(
    "header",
    [
        None, "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=1-2-3", "bytes=+1-2", "bytes=0x1-",
        "chars=0-1", "bytes=0-1,3-4", "bytes=0-1, -2", "bytes=1.5-2", "bytes=-1-", "bytes=١-٢", "1-2", "bytes:0-1",
        "bytes=,", "bytes=0-1;x",
    ],
)  # fmt: skip
def test_what_is_no_single_range_asks_for_the_whole(header: str | None) -> None:
    assert served(header, b"0123456789") == b"0123456789"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", b"0"), ("Bytes=2-3", b"23"), ("bytes = 2-3", b"23"), ("bytes= 2-3 ", b"23"), (" bytes=9-", b"9"),
        ("bytes=,2-3,", b"23"), ("bytes=0002-0000000000000000000000003", b"23"),
        ("bytes=0-" + "9" * 5_000, b"0123456789"), ("bytes=-" + "9" * 5_000, b"0123456789"),
        ("bytes=10-", None), ("bytes=10-20", None), ("bytes=-0", None),
        ("bytes=" + "9" * 5_000 + "-", None), ("bytes=-000", None),
    ],
)  # fmt: skip
def test_the_edges_of_ranges(header: str, expected: bytes | None) -> None:
    assert served(header, b"0123456789") == expected


@pytest.mark.parametrize(
    ("if_range", "part"),
    [
        (f'"{HASH}"', True), (f' "{HASH}" ', True), (f'W/"{HASH}"', False), (f'"{OTHER}"', False), (HASH, False),
        ("*", False), ("", False), ("Sun, 06 Nov 1994 08:49:37 GMT", False),
    ],
)  # fmt: skip
def test_a_part_is_sent_only_of_what_the_client_has_the_rest_of(if_range: str, part: bool) -> None:
    assert served("bytes=2-3", b"0123456789", if_range) == (b"23" if part else b"0123456789")
    assert served("bytes=99-", b"0123456789", if_range) == (None if part else b"0123456789")


@pytest.mark.parametrize(
    ("held", "if_match", "if_none_match", "reading", "verdict"),
    [
        (HASH, None, None, True, Verdict.GO_ON),
        (None, None, None, False, Verdict.GO_ON),
        (HASH, None, f'"{HASH}"', True, Verdict.NOT_MODIFIED),
        (HASH, None, f'W/"{HASH}"', True, Verdict.NOT_MODIFIED),
        (HASH, None, f'"x", "{HASH}"', True, Verdict.NOT_MODIFIED),
        (HASH, None, f'"a,b" ,,"{HASH}",', True, Verdict.NOT_MODIFIED),
        (HASH, None, "*", True, Verdict.NOT_MODIFIED),
        (HASH, None, f'"{OTHER}"', True, Verdict.GO_ON),
        (HASH, None, HASH, True, Verdict.GO_ON),
        (HASH, None, "", True, Verdict.GO_ON),
        (HASH, None, "*", False, Verdict.FAILED),
        (None, None, "*", False, Verdict.GO_ON),
        (HASH, None, f'"{HASH}"', False, Verdict.FAILED),
        (HASH, f'"{HASH}"', None, False, Verdict.GO_ON),
        (HASH, f'"{OTHER}", "{HASH}"', None, True, Verdict.GO_ON),
        (HASH, f'W/"{HASH}"', None, False, Verdict.FAILED),
        (HASH, f'"{OTHER}"', None, True, Verdict.FAILED),
        (HASH, "*", None, False, Verdict.GO_ON),
        (HASH, "rubbish", None, False, Verdict.FAILED),
        (None, "*", None, False, Verdict.FAILED),
        (None, f'"{HASH}"', None, False, Verdict.FAILED),
        (HASH, f'"{HASH}"', f'"{HASH}"', True, Verdict.NOT_MODIFIED),
        (HASH, f'"{OTHER}"', f'"{HASH}"', True, Verdict.FAILED),
    ],
)
def test_conditions_are_judged_as_rfc_9110_has_them(
    held: str | None, if_match: str | None, if_none_match: str | None, reading: bool, verdict: Verdict
) -> None:
    assert judge(held, if_match, if_none_match, reading=reading) is verdict


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_condition_does_harm(if_match: str, if_none_match: str) -> None:
    assert judge(HASH, if_match, if_none_match, reading=True) in Verdict


def test_a_span_is_what_it_says() -> None:
    assert span_of("bytes=1-2", None, sha256=HASH, size=3) == Span(1, 3)
