"""What parent and child say to each other: length-prefixed MessagePack frames over a socketpair.

A frame is a 4-byte big-endian length and one MessagePack array whose first item is the message's tag. Both sides may
send several frames at once. A run is one script run with one set of inputs; ``run`` numbers it within its child.

To the child: Run, Cancel, Answer; the end of the stream tells it to exit.
From the child: Hello, NeedSource, Logs, Steps, Call, Done, Broken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from picloud.rhai.steps import Step

MAX_FRAME: Final = 64 * 1024 * 1024
"""Bytes of the longest frame that either side accepts."""

LENGTH_BYTES: Final = 4

PLATFORM: Final = "platform"
"""The service of a Call that the parent itself answers, before any door: ``zone`` gives the rules of a time zone."""


class ProtocolError(Exception):
    """The other side sent what is no frame of this protocol."""


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """What one run may use. Sizes of values count as Rhai counts them."""

    operations: int = 20_000_000
    wall_ms: int = 10_000
    output_bytes: int = 6 * 1024 * 1024
    log_lines: int = 1_000
    log_line_bytes: int = 8 * 1024
    string_bytes: int = 8 * 1024 * 1024
    array_items: int = 1_000_000
    map_items: int = 1_000_000
    call_levels: int = 64


class LogLine(msgspec.Struct, frozen=True, array_like=True):
    """What a script printed or logged.

    ``level`` is ``print``, or ``trace`` to ``error``; what ``debug`` got has the level ``debug``. ``at_ms`` is
    milliseconds since the run began; ``line`` is the script's line, or 0; ``seq`` counts the run's lines from 0.
    """

    level: str
    message: str
    at_ms: int
    seq: int
    line: int = 0
    fields: dict[str, Any] | None = None


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """The script's answer, shaped as an HTTP response; the content type is among the headers. The body is that of the
    file with the hash ``file``, unless that is empty."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    file: str = ""


class RunError(msgspec.Struct, frozen=True, array_like=True):
    """Why a run failed.

    ``kind`` is Rhai's name of the error (``ErrorVariableNotFound``, …), or one of the platform's: ``WallTimeLimit``,
    ``MemoryLimit``, ``OutputLimit``, ``InvalidAnswer``, ``Cancelled``. ``line`` and ``column`` are 0 where there is no
    place; ``call_stack`` is innermost first.
    """

    kind: str
    message: str
    line: int = 0
    column: int = 0
    call_stack: list[str] = []


class Result(msgspec.Struct, array_like=True):
    """How a run ended: ``reply`` if it answered, else ``error``.

    ``thrown`` tells that the answer was thrown on purpose (``throw #{status: 422, …}``). ``cpu_us`` is the computing
    time of this run alone, ``wall_us`` the time from its start to its end, waiting included.

    ``readings`` is what ``timestamp()`` read, in nanoseconds since its first reading: of a run that failed, and of a
    repeated one. Of a traced run ``steps`` are those that were asked for, and ``step_count`` is how many there were.
    """

    reply: Reply | None
    error: RunError | None
    thrown: bool
    operations: int
    cpu_us: int
    wall_us: int
    logs: list[LogLine]
    readings: list[int] = []
    step_count: int = 0
    steps: list[Step] = []


class Trace(msgspec.Struct, frozen=True, array_like=True):
    """Take down ``limit`` steps of the run, from number ``skip`` on."""

    skip: int = 0
    limit: int = 1_000


class Repeat(msgspec.Struct, frozen=True, array_like=True):
    """The run is one that was run before: ``readings`` are what ``timestamp()`` read then."""

    readings: list[int] = []
    trace: Trace | None = None


class Run(msgspec.Struct, array_like=True, tag=1):
    """Run a script. ``source`` may be left out for a script that the child has compiled before, or if ``program`` is
    given: its compiled code.

    ``ctx`` is the constant of that name, as plain values; ``ctx["request"]["body"]`` is bytes, and the child adds
    ``json``. ``seed`` feeds ``random::``, ``now_ms`` (Unix time) is the run's clock at its start. The first
    ``answered`` calls were made and answered by an earlier run of the invocation.
    """

    run: int
    sha256: str
    source: str | None
    name: str
    ctx: dict[str, Any]
    limits: Limits
    seed: int
    now_ms: int
    program: bytes | None = None
    repeat: Repeat | None = None
    answered: int = 0


class Cancel(msgspec.Struct, array_like=True, tag=2):
    """End the run with the error ``Cancelled`` and this reason."""

    run: int
    why: str


class Answer(msgspec.Struct, array_like=True, tag=3):
    """What a service answered to a Call: ``value``, or ``error`` if ``ok`` is false; ``value`` is then what is
    thrown in the script, if that is anything but the text."""

    run: int
    call: int
    ok: bool
    value: Any
    error: str


class Hello(msgspec.Struct, array_like=True, tag=11):
    """The cage is closed and runs are welcome. ``features`` tells which parts of the cage are in force.

    ``compiler`` is the version of its compiler: code of another one isn't for this child.
    """

    pid: int
    features: dict[str, bool]
    compiler: bytes = b""


class NeedSource(msgspec.Struct, array_like=True, tag=12):
    """The script isn't among the compiled ones: send Run again with its source."""

    run: int


class Logs(msgspec.Struct, array_like=True, tag=13):
    """Log lines of a run that goes on; before a checkpoint also its ``readings`` of ``timestamp()`` so far, and that it
    has run for ``elapsed_ms``."""

    run: int
    lines: list[LogLine]
    readings: list[int] = []
    elapsed_ms: int = -1


class Call(msgspec.Struct, array_like=True, tag=14):
    """The script called a service; its run sleeps until the Answer. A ``call`` of 0 is posted: nobody waits for an
    answer, and a refusal is the end of the run."""

    run: int
    call: int
    service: str
    function: str
    args: list[Any]


class Done(msgspec.Struct, array_like=True, tag=15):
    """The run ended."""

    run: int
    result: Result


class Broken(msgspec.Struct, array_like=True, tag=16):
    """The child can't go on and exits: a required part of the cage is missing, or a defect."""

    reason: str


class Steps(msgspec.Struct, array_like=True, tag=17):
    """Steps of a traced run, in order."""

    run: int
    steps: list[Step]


ToChild = Run | Cancel | Answer
FromChild = Hello | NeedSource | Logs | Call | Done | Broken | Steps


class SoFar(msgspec.Struct, frozen=True):
    """What a run that goes on has told of itself. ``refused`` is what was said to a call that it doesn't wait for."""

    logs: list[LogLine] = []
    readings: list[int] = []
    elapsed_ms: int = 0
    refused: str = ""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the orchestrator asks of the pool.

    ``program``, for the compiled code or None, and then ``source`` are called, in the asking greenlet, only if the
    child doesn't know ``sha256`` yet; they may block.
    ``name`` is shown in errors (``app/script``). ``ctx`` holds plain values; see :class:`Run`. A ``nested`` run is one
    that another run waits for: it needs no room of its own.
    """

    invocation: str
    sha256: str
    source: Callable[[], str]
    name: str
    ctx: dict[str, Any]
    seed: int
    now_ms: int
    limits: Limits = Limits()
    program: Callable[[], bytes | None] = lambda: None
    nested: bool = False
    repeat: Repeat | None = None
    answered: int = 0


_encode = msgspec.msgpack.Encoder().encode


def frame(message: ToChild | FromChild) -> bytes:
    """The message as bytes, length first. Raises :class:`ProtocolError` if it is too long or can't be encoded."""
    try:
        body = _encode(message)
    except (TypeError, OverflowError, RecursionError, ValueError) as error:
        raise ProtocolError(f"{type(message).__name__} can't be sent: {error}") from error
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"{type(message).__name__} has {len(body)} bytes, more than {MAX_FRAME}")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class FrameReader:
    """Cuts a stream of bytes into messages of one direction."""

    __slots__ = ("_buffer", "_decode", "_wanted")

    def __init__(self, messages: Any) -> None:
        """``messages`` is the union of the message types to expect: ``ToChild`` or ``FromChild``."""
        self._decode = msgspec.msgpack.Decoder(messages).decode
        self._buffer = bytearray()
        self._wanted = LENGTH_BYTES

    def feed(self, received: bytes) -> list[Any]:
        """The messages that are whole now, in order. Raises :class:`ProtocolError` for what is no message."""
        buffer = self._buffer
        buffer += received
        size = len(buffer)
        if size < self._wanted:
            return []
        messages, start, self._wanted = [], 0, LENGTH_BYTES
        view = memoryview(buffer)
        try:
            while size - start >= LENGTH_BYTES:
                body = start + LENGTH_BYTES
                length = int.from_bytes(view[start:body], "big")
                if length > MAX_FRAME:
                    raise ProtocolError(f"a frame of {length} bytes, more than {MAX_FRAME}")
                end = body + length
                if end > size:
                    self._wanted = LENGTH_BYTES + length
                    break
                try:
                    messages.append(self._decode(view[body:end]))
                except msgspec.MsgspecError as error:
                    raise ProtocolError(f"no message of this protocol: {error}") from error
                start = end
        finally:
            view.release()
        if start:
            del buffer[:start]
        return messages
