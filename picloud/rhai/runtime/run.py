"""One run of a program: its limits, its budget of operations, its way to the host and to script functions.

The budget is an iterator. A loop of the language is a Python ``for`` over :attr:`Run.ticks`, a call takes one element:
so a turn is paid for by the same byte code that makes it, and no counter is written. The iterator hands out the present
slice; when that is used up, the host gets its turn and another slice begins. It never ends but by raising.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from operator import length_hint
from typing import Any, Final, Protocol

from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.values import FnPtr

_ENDLESS: Final = 1 << 62


class Host(Protocol):
    """What a run needs from outside."""

    def on_print(self, text: str) -> None:
        """``print`` was called."""

    def on_debug(self, text: str, line: int, column: int) -> None:
        """``debug`` was called at this place."""

    def on_slice(self, operations: int) -> None:
        """So many operations were used so far. It may raise to end the run, or switch to another greenlet."""

    def resolve(self, path: str) -> Any:
        """The module called ``path``, or None."""


class DefaultHost:
    """Prints nowhere, never interrupts, knows no module."""

    def on_print(self, text: str) -> None:
        """Drop it."""

    def on_debug(self, text: str, line: int, column: int) -> None:
        """Drop it."""

    def on_slice(self, operations: int) -> None:
        """Go on."""

    def resolve(self, path: str) -> Any:
        """There is none."""
        return None


class Run:
    """See the module. Natives use :attr:`limits`, :attr:`host`, :meth:`pay`, :meth:`call` and what else stands below."""

    __slots__ = ("_before", "_most", "_slice", "depth", "host", "limits", "ticks")

    def __init__(self, limits: Limits, host: Host) -> None:
        self.limits = limits
        self.host = host
        self.depth = 0
        """Levels of calls of script functions, up to date wherever a native may call back."""
        self._most = limits.max_operations or _ENDLESS
        self._before = 0
        self._slice: repeat[None] = repeat(None, 0)
        self.ticks: Iterator[None] = chain.from_iterable(iter(self._next_slice, None))

    @property
    def operations(self) -> int:
        """Operations used so far."""
        return self._before - length_hint(self._slice)

    def pay(self, operations: int) -> None:
        """Take so many operations. Raises ErrorTooManyOperations, or what the host's hook raises."""
        left = length_hint(self._slice)
        if operations <= left:
            # What is left of the slice stays an iterator that loops already hold, so it is used up by going through it.
            deque(islice(self._slice, operations), 0)
            return
        deque(self._slice, 0)
        self._before += operations - left
        if self._before > self._most:
            raise RhaiError("ErrorTooManyOperations")
        self.host.on_slice(self._before)

    def call(self, pointer: FnPtr, arguments: Sequence[Any], this: list[Any] | None = None) -> Any:
        """Call a function pointer.

        ``this`` is a list of one element, the value that ``this`` is bound to; look into it after the call, for the
        function may have changed it.
        """
        raise NotImplementedError

    def nanoseconds(self) -> int:
        """The clock behind ``timestamp``."""
        return time.monotonic_ns()

    def _next_slice(self) -> repeat[None]:
        if self._before >= self._most:
            raise RhaiError("ErrorTooManyOperations")
        if self._before:
            self.host.on_slice(self._before)
        size = min(self.limits.slice_operations, self._most - self._before)
        self._before += size
        self._slice = repeat(None, size)
        return self._slice
