"""Settings: what goes in comes out, of the same type; what doesn't fit is refused by place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain.errors import Invalid, NotFound, VersionMismatch
from picloud.domain.setting import MAX_DEPTH, MAX_SETTING_BYTES, Kind, Setting, typed

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LEAVES = (
    st.text(max_size=20)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner | st.none(), max_size=4) | st.dictionaries(st.text(max_size=8), inner | st.none(), max_size=4)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through."""
    return repr(one) == repr(other)


@given(VALUES)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    kind, text = typed(value, None)
    assert same(json.loads(text), value)
    assert typed(value, kind) == (kind, text)
    assert text.isascii(), "PostgreSQL holds it, zero characters too"


@given(VALUES, st.sampled_from(Kind))
def test_a_value_of_another_type_is_refused(value: Any, kind: Kind) -> None:
    found = Kind.of(value)
    if found is kind:
        return
    if found is Kind.INT and kind is Kind.FLOAT:
        assert typed(value, kind) == (Kind.FLOAT, json.dumps(float(value)))
        return
    with pytest.raises(Invalid, match=f"expected an? {kind}") as refused:
        typed(value, kind)
    assert refused.value.field == "value"


DEEP: Any = 1
for _ in range(MAX_DEPTH + 1):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "can't be null"),
        (2**63, "out of range"),
        ({"a": [1, -(2**63) - 1]}, r"at a\[1\] is out of range"),
        (float("nan"), "no finite"),
        ({"rate": float("inf")}, "at rate is no finite"),
        ("\ud800", "half a character"),
        ({"\ud800": 1}, "half a character"),
        ("x" * MAX_SETTING_BYTES, "bytes at most"),
        (DEEP, "nested deeper"),
    ],
    ids=str,
)
def test_what_no_script_could_hold_is_refused(value: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        typed(value, None)


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(Invalid, match="out of range"):
        typed(10**400, Kind.FLOAT)


def test_a_setting_keeps_its_type_until_another_is_named() -> None:
    setting = Setting.create("demo", "RATE", at=NOW)
    assert setting.set(5, None, at=NOW)
    assert not setting.set(5, None, at=NOW), "the same again is no change"
    with pytest.raises(Invalid, match="a string, expected an int"):
        setting.set("five", None, at=NOW)
    assert setting.set("five", Kind.STRING, at=NOW)
    assert (setting.number, setting.kind, setting.value) == (2, Kind.STRING, '"five"')


def test_a_removed_setting_goes_on_counting_and_is_of_any_type() -> None:
    setting = Setting.create("demo", "RATE", at=NOW)
    setting.set(5, None, at=NOW)
    setting.remove(at=NOW)
    with pytest.raises(NotFound, match="no setting 'RATE'"):
        setting.remove(at=NOW)
    setting.expect(0)
    setting.set([1], None, at=NOW)
    assert (setting.number, setting.kind) == (2, Kind.LIST)
    with pytest.raises(VersionMismatch, match="at version 2, but the change was made on version 1"):
        setting.expect(1)


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="expected string, int, float, bool, list, map"):
        Kind.named("number")
