"""The budget of operations that a run, and the modules that it imports, share.

The budget is an iterator. A loop of the language is a Python ``for`` over :attr:`Budget.ticks`, a call takes one
element: so a turn is paid for by the same byte code that makes it, and no counter is written. The iterator hands out
the present portion; when that is used up, the clock is looked at, the host may get its turn, and another portion
begins. It never ends but by raising.

An operation may be a turn of an empty loop (30 ns) or a call of a native on the largest value that need not pay for
its size (some microseconds). So portions are sized by what operations have taken lately, to last about
:data:`PORTION_SECONDS`, and never get longer than :data:`MOST_PORTION`: even if the operations of a run turn from the
cheapest to the dearest, the clock is looked at within 20 ms. When the count of operations that the host asked for is
reached, or :data:`SLICE_SECONDS` have passed, the host has its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat
from operator import length_hint
from time import thread_time
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.runtime.functions import Module

_ENDLESS: Final = 1 << 62
FIRST_PORTION: Final = 500
LEAST_PORTION: Final = 10
MOST_PORTION: Final = 4_000
PORTION_SECONDS: Final = 0.001
SLICE_SECONDS: Final = 0.005


class Budget:
    """So many operations, in slices."""

    __slots__ = (
        "_before",
        "_due",
        "_each",
        "_looked",
        "_most",
        "_on_slice",
        "_portion",
        "_slice",
        "_told",
        "_used",
        "modules",
        "resolved",
        "resolving",
        "ticks",
    )

    def __init__(self, most: int, each: int, on_slice: Callable[[int], int | None]) -> None:
        """``most`` operations (0 is no limit) in slices of ``each``; after each, ``on_slice`` is told how many were
        used. It is told earlier if a slice takes long.

        It may return the size of the slices to come.
        """
        self._most = most or _ENDLESS
        self._each = each
        self._on_slice = on_slice
        self._before = 0
        """Operations used, and those of the present portion."""
        self._due = each
        """So many will be used when the slice ends."""
        self._portion = FIRST_PORTION
        self._used = 0
        """Operations used when the clock was last looked at."""
        self._looked = self._told = thread_time()
        """When that was, and when the host had its turn, in the thread's own time: what other processes take is not
        the script's."""
        self._slice: repeat[None] = repeat(None, 0)
        self.modules = 0
        """Modules imported so far."""
        self.resolved: dict[str, Module] = {}
        self.resolving: set[str] = set()
        self.ticks: Iterator[None] = chain.from_iterable(iter(self._next_portion, None))

    @property
    def used(self) -> int:
        """Operations used so far."""
        return self._before - length_hint(self._slice)

    def pay(self, operations: int) -> None:
        """Take so many operations. Raises ErrorTooManyOperations, or what ``on_slice`` raises."""
        left = length_hint(self._slice)
        if operations <= left:
            # What is left of the portion stays an iterator that loops already hold, so it is used up by going
            # through it.
            deque(islice(self._slice, operations), 0)
            return
        deque(self._slice, 0)
        self._before += operations - left
        if self._before > self._most:
            raise RhaiError("ErrorTooManyOperations")
        self._look()

    def close(self) -> None:
        """The run is over: let go of what leads back here."""
        self.ticks = iter(())

    def _next_portion(self) -> repeat[None]:
        before = self._before
        if before >= self._most:
            raise RhaiError("ErrorTooManyOperations")
        self._look()
        size = min(self._portion, self._due - before, self._most - before)
        self._before = before + size
        self._slice = repeat(None, size)
        return self._slice

    def _look(self) -> None:
        """Look at the clock: give the host its turn if a slice is over, and size the next portion."""
        used, now = self._before, thread_time()
        if not used:
            return
        taken = max(now - self._looked, 1e-7)
        fitting = int((used - self._used) * PORTION_SECONDS / taken)
        self._portion = max(LEAST_PORTION, min(fitting, self._portion * 2, MOST_PORTION))
        if used >= self._due or now - self._told >= SLICE_SECONDS:
            self._each = self._on_slice(used) or self._each
            self._due = used + self._each
            now = self._told = thread_time()
        self._used, self._looked = used, now
