"""The frames between the orchestrator and its executors."""

from __future__ import annotations

import random

import msgspec
import pytest

from picloud.executor.protocol import (
    MAX_FRAME,
    Answer,
    Call,
    Cancel,
    Done,
    FrameReader,
    FromChild,
    Hello,
    Limits,
    LogLine,
    Logs,
    NeedSource,
    ProtocolError,
    Reply,
    Result,
    Run,
    RunError,
    ToChild,
    frame,
)

TO_CHILD = [
    Run(
        1, "ab" * 32, None, "demo/hello", {"request": {"body": b"\xff", "params": {"name": "ada"}}}, Limits(), 7, 1_000
    ),
    Run(2, "cd" * 32, "40 + 2", "demo/answer", {}, Limits(operations=5), -1, 0),
    Run(3, "ef" * 32, None, "demo/answer", {}, Limits(), 0, 0, b"code"),
    Cancel(2, "asked for"),
    Answer(1, 3, True, {"rows": [1, 2.5, None, "x", b"y", True]}, ""),
    Answer(1, 4, False, None, "no such key"),
]
FROM_CHILD = [
    Hello(4711, {"network": False}, b"version"),
    NeedSource(1),
    Logs(1, [LogLine("print", "hi", 3, 0, 2), LogLine("info", "there", 4, 1, 0, {"n": 1})]),
    Call(1, 1, "kv", "get", ["key"]),
    Done(1, Result(Reply(200, [("content-type", "text/plain")], b"hi"), None, False, 3, 20, 25, [])),
    Done(2, Result(None, RunError("ErrorRuntime", "boom", 1, 2, ["f @ 3:4"]), False, 3, 20, 25, [])),
]


@pytest.mark.parametrize(("direction", "messages"), [(ToChild, TO_CHILD), (FromChild, FROM_CHILD)])
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(
    direction: object, messages: list[object]
) -> None:
    stream = b"".join(frame(message) for message in messages)  # type: ignore[arg-type]
    for seed in range(50):
        cut = random.Random(seed)
        reader = FrameReader(direction)
        received: list[object] = []
        at = 0
        while at < len(stream):
            size = cut.choice((1, 3, 17, 400))
            received += reader.feed(stream[at : at + size])
            at += size
        assert received == messages, f"cut with seed {seed}"


def test_a_frame_of_megabytes_arrives_whole() -> None:
    message = Answer(1, 1, True, b"x" * 5_000_000, "")
    stream = frame(message)
    reader = FrameReader(ToChild)
    received = [m for at in range(0, len(stream), 65_536) for m in reader.feed(stream[at : at + 65_536])]
    assert received == [message]


@pytest.mark.parametrize(
    "received",
    [
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x02\x91\x63",
        b"\x00\x00\x00\x03\x92\x0c\xa1",
        b"\x00\x00\x00\x00",
        (MAX_FRAME + 1).to_bytes(4, "big"),
        frame(Cancel(1, "a message of the other direction")),
        b"\x00\x00\x00\x0a" + msgspec.msgpack.encode([12, "number"]) + b"\xc0",
    ],
)
def test_what_is_no_message_is_refused(received: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameReader(FromChild).feed(received)


def test_a_value_that_no_frame_holds_is_refused_by_name() -> None:
    with pytest.raises(ProtocolError, match="Answer can't be sent"):
        frame(Answer(1, 1, True, object(), ""))
    with pytest.raises(ProtocolError, match="Answer can't be sent"):
        frame(Answer(1, 1, True, 2**70, ""))


def test_a_frame_that_is_too_long_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ProtocolError, match=f"more than {MAX_FRAME}"):
        frame(Answer(1, 1, True, b"x" * MAX_FRAME, ""))
