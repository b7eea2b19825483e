"""What a filter finds in a message's data."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.domain.errors import Invalid
from picloud.domain.waiting import MAX_BYTES, MAX_MEMBERS, check_filter, fits

DATA = {"order": 7, "paid": True, "customer": {"id": "ada"}, "items": [{"sku": "tea"}, 2.0], "none": None}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, True),
        ({"order": 7}, True),
        ({"order": 7.0}, True),
        ({"order": "7"}, False),
        ({"order": True}, False),
        ({"paid": True}, True),
        ({"paid": 1}, False),
        ({"customer.id": "ada", "order": 7}, True),
        ({"customer.id": "ada", "order": 8}, False),
        ({"customer": {"id": "ada"}}, True),
        ({"customer": {"id": "ada", "more": 1}}, False),
        ({"items.0.sku": "tea"}, True),
        ({"items.1": 2}, True),
        ({"items": [{"sku": "tea"}, 2]}, True),
        ({"items.2": None}, False),
        ({"none": None}, True),
        ({"nothing": None}, False),
        ({"order.deep": 7}, False),
        ({"": 7}, False),
    ],
)
def test_a_filter_compares_members_by_dotted_paths(wanted: dict[str, Any], found: bool) -> None:
    assert fits(check_filter(wanted), DATA) is found


@pytest.mark.parametrize("data", [None, 7, "text", [], True])
def test_data_without_members_fits_only_an_empty_filter(data: Any) -> None:
    assert fits({}, data)
    assert not fits({"order": 7}, data)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({f"m{n}": n for n in range(MAX_MEMBERS + 1)}, "16 members at most, this one has 17"),
        ({"blob": b"\x00"}, "without blobs"),
        ({"nan": float("nan")}, "what JSON has"),
        ({"text": "x" * MAX_BYTES}, "bytes at most as JSON"),
    ],
)
def test_a_filter_that_messages_cannot_be_compared_with_is_refused(wanted: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        check_filter(wanted)
