"""One run of a program: its limits, its budget of operations, its way to the host and to script functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.values import FnPtr

_ENDLESS: Final = 1 << 62


class Host(Protocol):
    """What a run needs from outside. All may be left out: see ``DefaultHost``."""

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
    """See the module.

    ``budget`` is a list of one integer: what is left of the present slice. Generated code takes from it in place; who
    finds it below zero calls ``next_slice``.
    """

    __slots__ = ("_slice", "budget", "call", "depth", "host", "limits", "max_depth", "operations")

    def __init__(self, limits: Limits, host: Host, call: Callable[[FnPtr, tuple[Any, ...], Any], Any]) -> None:
        self.limits = limits
        self.host = host
        self.call = call
        self.operations = 0
        self.depth = 0
        self.max_depth = limits.max_call_levels
        self._slice = 0
        self.budget = [0]
        self._refill()

    @property
    def used(self) -> int:
        """Operations used so far."""
        return self.operations + self._slice - self.budget[0]

    def pay(self, operations: int) -> None:
        """Take so many operations. Raises ErrorTooManyOperations, or what the host's hook raises."""
        self.budget[0] -= operations
        if self.budget[0] < 0:
            self.next_slice()

    def next_slice(self) -> None:
        """The slice is used up: count it, let the host have its turn, begin another."""
        self.operations = self.used
        most = self.limits.max_operations
        if most and self.operations > most:
            self._slice = self.budget[0] = 0
            raise RhaiError("ErrorTooManyOperations", "Too many operations")
        self._slice = self.budget[0] = 0
        self.host.on_slice(self.operations)
        self._refill()

    def nanoseconds(self) -> int:
        """The clock behind ``timestamp``."""
        return time.monotonic_ns()

    def _refill(self) -> None:
        most = self.limits.max_operations
        left = most - self.operations if most else _ENDLESS
        self._slice = self.budget[0] = min(self.limits.slice_operations, left)
