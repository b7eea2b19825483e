"""No secret that a run was given stands in what is kept of it, however it is wrapped; and it can be put back."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.executor.redaction import LEAST, Redaction, mark
from picloud.rhai.packages.escapes import string_debug

VALUES = st.text(min_size=LEAST, max_size=40).filter(lambda value: value not in "[secret KEY]")
AROUND = st.text(max_size=20)


def knowing(*secrets: tuple[str, Any]) -> Redaction:
    redaction = Redaction()
    for name, value in secrets:
        redaction.learn(name, value)
    return redaction


@given(VALUES, AROUND, AROUND)
def test_a_value_is_found_in_every_text(value: str, before: str, after: str) -> None:
    redaction = knowing(("KEY", value))
    for form in (value, string_debug(value), json.dumps(value), json.dumps(value, ensure_ascii=False)):
        kept = redaction.text(f"{before}{form}{after}")
        # What is around it may begin or end as it does.
        assert kept.count(value) <= max(0, f"{before}{mark('KEY')}{after}".count(value))
        assert mark("KEY") in kept


@given(VALUES.filter(lambda value: len(value.splitlines()) == 1), AROUND.filter(lambda text: "…" not in text))
def test_a_value_that_was_cut_off_is_found(value: str, before: str) -> None:
    redaction = knowing(("KEY", value))
    for length in range(LEAST, len(value)):
        assert redaction.text(f"{before}{value[:length]}…").endswith(f"{mark('KEY')}…")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_a_record_gets_its_secrets_back(plain: Any) -> None:
    redaction = knowing(("KEY", "correct horse"))
    whole = {"a": [plain, "x correct horse y"], "correct horse": b"\x00correct horse", "n": [1, None, 0.5]}
    kept = redaction.plain(whole)
    assert "correct horse" not in repr(kept)
    assert redaction.restored(kept) == whole


@pytest.mark.parametrize("value", ["", "12345", 1234567, None, ["12345"]])
def test_what_is_short_or_no_text_is_not_looked_for(value: Any) -> None:
    redaction = knowing(("KEY", value))
    assert not redaction
    assert redaction.text("12345 stays, 1234567 too") == "12345 stays, 1234567 too"


def test_the_longer_of_two_secrets_is_found_first() -> None:
    redaction = knowing(("USER", "ada-lovelace"), ("LOGIN", "ada-lovelace:pa55word"))
    assert redaction.text("ada-lovelace:pa55word and ada-lovelace") == "[secret LOGIN] and [secret USER]"


def test_all_versions_are_found_and_the_newest_is_put_back() -> None:
    redaction = knowing(("KEY", ["newer value", "older value"]))
    assert redaction.text("newer value, older value") == "[secret KEY], [secret KEY]"
    assert redaction.restored("[secret KEY]") == "newer value"


def test_a_value_of_several_lines_is_found_line_by_line_and_in_urls() -> None:
    key = "-----BEGIN KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w\n-----END KEY-----\n"
    redaction = knowing(("PEM", key), ("PASSWORD", "a&b=c d/e"))
    assert redaction.text("line MIGHAgEAMBMGByqGSM49, then AgEGCCqGSM49AwEHBG0w") == (
        "line [secret PEM], then [secret PEM]"
    )
    assert redaction.text(f"https://x.example/?p={quote('a&b=c d/e', safe='')}") == (
        "https://x.example/?p=[secret PASSWORD]"
    )


def test_a_large_value_of_one_letter_takes_no_time() -> None:
    redaction = knowing(("KEY", "a" * 65_536))
    assert redaction.text("a" * 65_535 + "b…") == "a" * 65_535 + "b…"
    redaction.text("b" + "a" * 65_000 + "…")
