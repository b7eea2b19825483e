"""What was ever written can be read, and says what it said."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import MapperDeserialisationError

from picloud.domain.catalogue import EVENT_TYPES
from picloud.domain.invocation import Requested
from picloud.log.mapper import MAPPER, EventMapper

AT = datetime(2030, 1, 1, tzinfo=UTC)
SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "stored_events.jsonl").read_text().splitlines()]


def says(written: Any, stored: Any) -> bool:
    """Whether all of ``stored`` is in ``written``; parts of an event that have got more fields since may say more."""
    if isinstance(stored, dict):
        return isinstance(written, dict) and all(key in written and says(written[key], stored[key]) for key in stored)
    return bool(written == stored)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["type"])
def test_a_stored_event_of_every_type_ever_written_is_read_and_written_the_same(sample: dict[str, str]) -> None:
    stream, version, state = UUID(sample["stream"]), int(sample["version"]), sample["state"].encode()
    event = MAPPER.decode(sample["type"], stream, version, AT, state)
    assert (event.originator_id, event.originator_version) == (stream, version)
    name, written = MAPPER.encode(event)
    assert name == sample["type"]
    assert says(json.loads(written), json.loads(state))
    assert MAPPER.decode(name, stream, version, AT, written) == event


def test_there_is_a_sample_of_every_type() -> None:
    assert {sample["type"] for sample in SAMPLES} == set(EVENT_TYPES)


def test_fields_at_their_default_are_not_written() -> None:
    sample = next(s for s in SAMPLES if s["type"] == "Requested")
    event = MAPPER.decode("Requested", UUID(sample["stream"]), 1, AT, sample["state"].encode())
    assert isinstance(event, Requested)
    plain = dataclasses.replace(event, owner=None, replay_of=None, depth=0)
    written = json.loads(MAPPER.encode(plain)[1])
    assert not {"owner", "replay_of", "depth"} & set(written)
    assert MAPPER.decode("Requested", plain.originator_id, 1, AT, MAPPER.encode(plain)[1]) == plain


@pytest.mark.parametrize(
    ("name", "state"), [("NeverHeardOf", b"{}"), ("Started", b'{"attempt":"x"}'), ("Started", b"")]
)
def test_what_cannot_be_read_is_named(name: str, state: bytes) -> None:
    with pytest.raises(MapperDeserialisationError, match=f"event 3 of stream 00000000-.*{name}"):
        MAPPER.decode(name, UUID(int=1), 3, AT, state)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    originator_id: UUID
    originator_version: int
    name: str

    class_version = 2

    @staticmethod
    def upcast_v1_v2(state: dict[str, object]) -> None:
        state["name"] = state.pop("label")


def test_an_old_version_of_a_type_is_upcast() -> None:
    mapper = EventMapper({"Renamed": Renamed})
    assert mapper.decode("Renamed", UUID(int=1), 1, AT, b'{"label":"x"}') == Renamed(
        originator_id=UUID(int=1), originator_version=1, name="x"
    )
    new = Renamed(originator_id=UUID(int=1), originator_version=1, name="y")
    assert mapper.decode("Renamed", UUID(int=1), 1, AT, mapper.encode(new)[1]) == new
