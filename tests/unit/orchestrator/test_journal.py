"""What is kept of a run's calls, and how much of it."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import msgspec
import pytest

from picloud.executor.protocol import Limits
from picloud.orchestrator.journal import FORMAT, Journal, Recorder, UnreadableJournal, unpacked
from picloud.services.work import Withheld

VALUES: list[Any] = [None, True, 1, 2**63, 1.5, "text", b"\x00\xff", [1, [2]], {"a": {"b": None}}]


def recorded(recorder: Recorder) -> Journal:
    return unpacked(recorder.journal(Limits(), [0, 5]).packed())


def test_calls_are_kept_in_order_with_answers_and_refusals() -> None:
    recorder = Recorder(100_000)
    for value in VALUES:
        recorder.answered("kv", "get", ["key", value], value)
    recorder.refused("kv", "set", [5, 1], "kv::set takes a key as a string, not i64")
    journal = recorded(recorder)
    assert [call.value for call in journal.calls[:-1]] == VALUES
    assert [call.args[1] for call in journal.calls[:-1]] == VALUES
    assert journal.calls[-1].refusal == "kv::set takes a key as a string, not i64"
    assert (journal.made, journal.truncated, journal.readings) == (len(VALUES) + 1, False, [0, 5])


def test_what_is_kept_is_what_was_told_then() -> None:
    recorder = Recorder(10_000)
    answer = [1]
    recorder.answered("kv", "get", ["a"], answer)
    answer.append(2)
    assert recorded(recorder).calls[0].value == [1]


def test_sources_are_kept_by_their_hash() -> None:
    recorder = Recorder(1_000)
    source = "fn f() { 1 } // " + "x" * 100_000
    recorder.answered("modules", "source", ["tools"], source)
    recorder.answered("modules", "source", ["nothing"], None)
    journal = recorded(recorder)
    assert [call.sha256 for call in journal.calls] == [hashlib.sha256(source.encode()).hexdigest(), None]
    assert not journal.truncated


def test_secrets_are_not_kept() -> None:
    recorder = Recorder(1_000)
    recorder.answered("secrets", "get", ["key"], Withheld("hunter2"))
    packed = recorder.journal(Limits(), []).packed()
    assert b"hunter2" not in zlib.decompress(packed)
    (call,) = unpacked(packed).calls
    assert (call.withheld, call.value) == (True, None)


def test_a_record_ends_where_its_room_does_and_counts_on() -> None:
    recorder = Recorder(1_000)
    recorder.answered("kv", "get", ["small"], 1)
    recorder.answered("kv", "get", ["large"], "x" * 2_000)
    recorder.answered("kv", "get", ["small again"], 1)
    journal = recorded(recorder)
    assert [call.args for call in journal.calls] == [["small"]], "nothing behind a gap"
    assert (journal.made, journal.truncated) == (3, True)


def test_nothing_is_kept_where_nothing_is_to_be() -> None:
    recorder = Recorder(0)
    recorder.answered("kv", "get", ["a"], 1)
    assert not recorder.keeps
    assert (recorded(recorder).calls, recorder.made) == ([], 1)


def test_what_can_not_be_encoded_ends_the_record() -> None:
    recorder = Recorder(1_000)
    recorder.answered("kv", "get", ["a"], object())
    recorder.answered("kv", "get", ["b"], 1)
    assert recorded(recorder).truncated


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", zlib.compress(b"\x01"), zlib.compress(msgspec.msgpack.encode([FORMAT + 1, 0, [], [], []]))],
)
def test_what_is_no_journal_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableJournal):
        unpacked(data)
