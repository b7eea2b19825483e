"""Values on their way out of a script: as plain data for services, as JSON for answers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.executor.json_text import JsonText, TooLong
from picloud.executor.plain import DEEPEST, NotPlain, parse_json, plain, value_of
from picloud.rhai.values import Char, FnPtr, InclusiveRange, Range, Timestamp


def json_text(value: Any, most_bytes: int = 1_000_000, indent: str = "") -> str:
    return JsonText(most_bytes, lambda: None, indent=indent).of(value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abé\n"\\ ', max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_of_data_survives_as_json(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    assert parse_json(json_text(value)) == value
    assert parse_json(json_text(value, indent="  ")) == value


@given(VALUES)
def test_the_text_is_never_longer_than_it_may_be(value: Any) -> None:
    size = len(json_text(value).encode())
    assert json_text(value, size) == json_text(value)
    with pytest.raises(TooLong):
        json_text(value, size - 1)


@given(VALUES)
def test_plain_data_is_its_own_plain_form(value: Any) -> None:
    assert plain(value) == value
    assert value_of(plain(value)) == value


def test_maps_are_written_in_the_order_of_their_keys() -> None:
    assert json_text({"b": 1, "a": {"d": (), "c": 2} | {"d": None}}) == '{"a":{"c":2,"d":null},"b":1}'
    assert json_text({"b": [1, 2], "a": {}, "c": []}, indent="  ") == (
        '{\n  "a": {},\n  "b": [\n    1,\n    2\n  ],\n  "c": []\n}'
    )


def test_characters_become_strings_and_blobs_bytes() -> None:
    assert json_text([Char("ä"), Char('"')]) == '["ä","\\""]'
    assert plain({"c": Char("ä"), "b": bytearray(b"\x00\xff")}) == {"c": "ä", "b": b"\x00\xff"}
    assert value_of({"b": b"\xff", "n": 2**64}) == {"b": bytearray(b"\xff"), "n": float(2**64)}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "the value is NaN"),
        ([1, {"price": math.inf}], "[1].price is infinity"),
        ({"a b": [-math.inf]}, '["a b"][0] is -infinity'),
        ({"f": FnPtr("foo")}, "f is a function"),
        ([Range(0, 1)], "[0] is a range"),
        ([InclusiveRange(0, 1)], "[0] is a range"),
        ({"at": Timestamp(0)}, "at is a timestamp"),
    ],
)
def test_what_has_no_plain_form_is_named_with_its_place(value: Any, said: str) -> None:
    for convert in (plain, json_text):
        with pytest.raises(NotPlain) as refused:
            convert(value)
        assert str(refused.value) == said


def test_a_blob_has_no_json() -> None:
    with pytest.raises(NotPlain, match="body is a blob"):
        json_text({"body": bytearray(b"x")})


def test_nesting_is_bounded() -> None:
    value: Any = 1
    for _ in range(DEEPEST):
        value = [value]
    assert plain(value) == value
    assert json_text(value) == "[" * DEEPEST + "1" + "]" * DEEPEST
    for convert in (plain, json_text):
        with pytest.raises(NotPlain, match=f"deeper than {DEEPEST}"):
            convert([value])


def test_a_small_value_that_means_a_long_text_stops_at_the_limit_and_gives_way() -> None:
    value: Any = [1]
    for _ in range(40):
        value = [value, value]
    pauses: list[int] = []
    with pytest.raises(TooLong):
        JsonText(1_000_000, lambda: pauses.append(1)).of(value)
    assert len(pauses) > 50


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", float(2**63)),
        ("-9223372036854775809", -float(2**63)),
        ('{"a":[18446744073709551616,1]}', {"a": [float(2**64), 1]}),
        ('"\\ud83d\\ude00"', "😀"),
        (b" [1, 2.50, true, null] ", [1, 2.5, True, None]),
    ],
)
def test_numbers_beyond_64_bits_are_read_as_floats(text: str | bytes, value: Any) -> None:
    parsed = parse_json(text)
    assert parsed == value
    assert repr(parsed) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "NaN",
        "nul",
        '{"a":1}x',
        '"\\ud800"',
        '"\\ud800\\u0041"',
        "1e999",
        "1" * 400,
        "[" * 100_000,
        b'"\xff"',
        b"\xff",
        "'a'",
        "{a:1}",
        "\ud800",
    ],
)
def test_what_is_no_json_is_refused_with_a_reason(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)
