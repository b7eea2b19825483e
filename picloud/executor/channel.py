"""The child's end of the socketpair: blocking, one thread, frames gathered until they are flushed."""

from __future__ import annotations

import os
import select
from time import monotonic
from typing import Any, Final

from picloud.executor.protocol import FrameReader, FromChild, ToChild, frame

READ_BYTES: Final = 65_536
FLUSH_BYTES: Final = 262_144
"""Frames of so many bytes together are sent without waiting for more."""


class Channel:
    """Frames to and from the parent over a descriptor. ``closed`` turns true when the parent is gone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._reader = FrameReader(ToChild)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._unsent_since = 0.0
        self.closed = False

    def receive(self, patience: float | None) -> list[Any]:
        """The messages that are there, after waiting up to ``patience`` seconds for some (None: for ever)."""
        if patience is not None and not self._poll.poll(patience * 1000):
            return []
        received = os.read(self._fd, READ_BYTES)
        if not received:
            self.closed = True
            return []
        return self._reader.feed(received)

    def send(self, message: FromChild) -> None:
        """Keep a message for the next flush. Raises :class:`ProtocolError` if it can't be encoded."""
        encoded = frame(message)
        if not self._unsent:
            self._unsent_since = monotonic()
        self._unsent.append(encoded)
        self._unsent_bytes += len(encoded)
        if self._unsent_bytes >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is kept; blocks while the parent's buffer is full."""
        if not self._unsent:
            return
        unsent, self._unsent, self._unsent_bytes = b"".join(self._unsent), [], 0
        sent = os.write(self._fd, unsent)
        while sent < len(unsent):
            sent += os.write(self._fd, memoryview(unsent)[sent:])

    def overdue(self, seconds: float) -> bool:
        """Whether a message has been kept for longer than that."""
        return bool(self._unsent) and monotonic() - self._unsent_since > seconds
