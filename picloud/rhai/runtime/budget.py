"""The budget of operations that a run, and the modules that it imports, share.

The budget is an iterator. A loop of the language is a Python ``for`` over :attr:`Budget.ticks`, a call takes one
element: so a turn is paid for by the same byte code that makes it, and no counter is written. The iterator hands out
the present slice; when that is used up, the host gets its turn and another slice begins. It never ends but by
raising.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat
from operator import length_hint
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.runtime.functions import Module

_ENDLESS: Final = 1 << 62


class Budget:
    """So many operations, in slices."""

    __slots__ = ("_before", "_each", "_most", "_on_slice", "_slice", "modules", "resolved", "resolving", "ticks")

    def __init__(self, most: int, each: int, on_slice: Callable[[int], int | None]) -> None:
        """``most`` operations (0 is no limit) in slices of ``each``; after each ``on_slice`` is told how many were
        used.

        It may return the size of the slices to come.
        """
        self._most = most or _ENDLESS
        self._each = each
        self._on_slice = on_slice
        self._before = 0
        self._slice: repeat[None] = repeat(None, 0)
        self.modules = 0
        """Modules imported so far."""
        self.resolved: dict[str, Module] = {}
        self.resolving: set[str] = set()
        self.ticks: Iterator[None] = chain.from_iterable(iter(self._next_slice, None))

    @property
    def used(self) -> int:
        """Operations used so far."""
        return self._before - length_hint(self._slice)

    def pay(self, operations: int) -> None:
        """Take so many operations. Raises ErrorTooManyOperations, or what ``on_slice`` raises."""
        left = length_hint(self._slice)
        if operations <= left:
            # What is left of the slice stays an iterator that loops already hold, so it is used up by going through it.
            deque(islice(self._slice, operations), 0)
            return
        deque(self._slice, 0)
        self._before += operations - left
        if self._before > self._most:
            raise RhaiError("ErrorTooManyOperations")
        self._each = self._on_slice(self._before) or self._each

    def close(self) -> None:
        """The run is over: let go of what leads back here."""
        self.ticks = iter(())

    def _next_slice(self) -> repeat[None]:
        if self._before >= self._most:
            raise RhaiError("ErrorTooManyOperations")
        if self._before:
            self._each = self._on_slice(self._before) or self._each
        size = min(self._each, self._most - self._before)
        self._before += size
        self._slice = repeat(None, size)
        return self._slice
