"""Flow control as the API takes and shows it."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.domain.errors import Invalid
from picloud.domain.flow import FlowControl
from picloud.domain.trigger import Delivery, TriggerLimits
from picloud.http.api.flow_schemas import FlowIn, FlowOut, read_flow, shown_flow

ALL = {
    "concurrency": 5,
    "concurrency_key": "data.customer",
    "ordering_key": "data.id",
    "priority": 5,
    "throttle": "10/1m",
    "throttle_key": "app",
    "debounce": "5s",
    "debounce_most": "1m",
    "debounce_key": "topic",
}


def shown(flow: FlowControl) -> dict[str, Any]:
    return shown_flow(flow, TriggerLimits.of("topic", {"topic": "a"}, Delivery(flow=flow)))


def read(given: dict[str, Any], was: FlowControl | None = None) -> FlowControl:
    return read_flow(FlowIn().load(given), was or FlowControl())


def test_what_is_sent_is_shown_back() -> None:
    assert shown(read(ALL)) == ALL
    assert FlowOut().validate(shown(read(ALL))) == {}
    assert FlowOut().validate(shown(FlowControl())) == {}


@pytest.mark.parametrize("name", ALL)
def test_what_is_left_out_stays(name: str) -> None:
    was = read(ALL)
    kept = read({key: value for key, value in ALL.items() if key != name}, was)
    assert kept == was
    assert read({}, was) == was
    assert read_flow(None, was) == was


def test_an_empty_text_and_nought_take_away() -> None:
    nothing = {"concurrency": 0, "ordering_key": "", "priority": 0, "throttle": "", "debounce": "", "debounce_most": ""}
    off = shown(read(nothing, read(ALL)))
    assert {name: value for name, value in off.items() if value} == {}


def test_a_queue_has_a_limit_unless_it_says_otherwise() -> None:
    limits = TriggerLimits.of("queue", {}, Delivery())
    assert shown_flow(FlowControl(), limits)["concurrency"] == 10


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"throttle": "often"}, "flow.throttle"),
        ({"throttle": "0/1m"}, "flow.throttle"),
        ({"throttle": "10/1ms"}, "flow.throttle"),
        ({"debounce": "soon"}, "flow.debounce"),
        ({"debounce": "2d"}, "flow.debounce"),
        ({"debounce": "1m", "debounce_most": "5s"}, "flow.debounce_most"),
        ({"concurrency_key": "data..id"}, "flow.concurrency_key"),
        ({"throttle_key": "Data"}, "flow.throttle_key"),
        ({"debounce_key": "data.a b"}, "flow.debounce_key"),
        ({"ordering_key": "data.ü"}, "flow.ordering_key"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(given)
    assert refused.value.field == field
