"""What the supervisor says: sentences to a person at a terminal, events with fields to a log."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TextIO


class Voice:
    """Says things on ``stream``; ``format`` is the setting ``log_format``."""

    def __init__(self, format: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.for_people = format == "console" or (format == "auto" and self._stream.isatty())
        """Whether a person reads this."""

    def say(self, event: str, sentence: str, *, level: str = "info", **fields: object) -> None:
        """Say ``sentence`` to a person, or log ``event`` with ``fields``."""
        if not self.for_people:
            moment = time.time()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
            entry = {"timestamp": stamp, "level": level, "event": event, **fields, "message": sentence}
            self._write(json.dumps(entry))
        else:
            self._write(f"picloud: {sentence}")

    def show(self, text: str) -> None:
        """Show ``text`` to a person as it is."""
        self._write(text)

    def _write(self, text: str) -> None:
        # A terminal that was closed must not keep us from stopping in order.
        with contextlib.suppress(OSError, ValueError):
            print(text, file=self._stream, flush=True)
