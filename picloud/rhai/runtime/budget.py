"""The budget of operations that a run, and the modules that it imports, share.

The budget is an iterator. A loop of the language is a Python ``for`` over :attr:`Budget.ticks`, a call takes one
element: so a turn is paid for by the same byte code that makes it, and no counter is written. The iterator hands out
the present portion; when that is used up, the clock is looked at, the host may get its turn, and another portion
begins. It never ends but by raising.

An operation may be a turn of an empty loop (20 ns), or straight code and calls of natives that need not pay (some
microseconds). So portions are sized by what operations have taken lately, to last about :data:`PORTION_SECONDS`, and
never get longer than :data:`MOST_PORTION`: even if the operations of a run turn from the cheapest to the dearest, the
clock is looked at within 20 ms. That is the machine's clock, for to ask for the thread's own time takes ten times as
long; the latter decides whether the host has its turn early, for what other processes take is not the script's. When
the count of operations that the host asked for is reached, or :data:`SLICE_SECONDS` have passed, the host has its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from operator import length_hint
from time import monotonic, thread_time
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.runtime.functions import Module

_ENDLESS: Final = 1 << 62
FIRST_PORTION: Final = 500
LEAST_PORTION: Final = 10
MOST_PORTION: Final = 1_000
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
        "_purse",
        "_slice",
        "_told",
        "_used",
        "_worked",
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
        """Operations used, and those of the present portion and in the purse."""
        self._purse = 0
        """Operations that may be paid for before the clock is looked at."""
        self._due = each
        """So many will be used when the slice ends."""
        self._portion = FIRST_PORTION
        self._used = 0
        """Operations used when the clock was last looked at."""
        self._looked = self._told = monotonic()
        """When that was, and when the host had its turn."""
        self._worked = thread_time()
        """The thread's own time then."""
        self._slice: repeat[None] = repeat(None, 0)
        self.modules = 0
        """Modules imported so far."""
        self.resolved: dict[str, Module] = {}
        self.resolving: set[str] = set()
        self.ticks: Iterator[None] = chain.from_iterable(iter(self._next_portion, None))

    @property
    def used(self) -> int:
        """Operations used so far."""
        return self._before - length_hint(self._slice) - self._purse

    def pay(self, operations: int) -> None:
        """Take so many operations. Raises ErrorTooManyOperations, or what ``on_slice`` raises."""
        left = self._purse - operations
        if left >= 0:
            self._purse = left
            return
        used = self.used + operations
        left = length_hint(self._slice)
        if used + left > self._most:
            # Loops hold what is left of the portion already, so it is taken from them by going through it.
            deque(self._slice, 0)
            left = 0
        self._purse = 0
        self._before = used + left
        if used > self._most:
            raise RhaiError("ErrorTooManyOperations")
        self._look(used)
        self._purse = max(0, min(self._portion, self._due - used, self._most - used - left))
        self._before += self._purse

    def close(self) -> None:
        """The run is over: let go of what leads back here."""
        self.ticks = iter(())

    def _next_portion(self) -> repeat[None]:
        used = self._before - self._purse
        self._purse = 0
        if used >= self._most:
            raise RhaiError("ErrorTooManyOperations")
        self._look(used)
        size = min(self._portion, self._due - used, self._most - used)
        self._before = used + size
        self._slice = repeat(None, size)
        return self._slice

    def _look(self, used: int) -> None:
        """Look at the clock: give the host its turn if a slice is over, and size the next portion."""
        if not used:
            return
        now = monotonic()
        taken = max(now - self._looked, 1e-7)
        fitting = int((used - self._used) * PORTION_SECONDS / taken)
        self._portion = max(LEAST_PORTION, min(fitting, self._portion * 2, MOST_PORTION))
        if used >= self._due or (now - self._told >= SLICE_SECONDS and thread_time() - self._worked >= SLICE_SECONDS):
            self._each = self._on_slice(used) or self._each
            self._due = used + self._each
            now = self._told = monotonic()
            self._worked = thread_time()
        self._used, self._looked = used, now
