"""How much memory the child uses, measured through a descriptor that was opened before the cage closed."""

from __future__ import annotations

import ctypes
import gc
import os
from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_BYTES: Final = 256 * 1024
_TIDY_BYTES: Final = 16 * 1024 * 1024


class Memory:
    """The address space of this process against its limit.

    The kernel refuses what is beyond the limit, in whatever run asks then. So a run is ended before: once all runs
    together have come near the limit, the one that grew most.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Opens a descriptor: make it before the cage closes. ``limit_bytes`` counts from now."""
        self._fd = os.open("/proc/self/statm", os.O_RDONLY)
        self._libc = ctypes.CDLL(None)
        # Fixed thresholds: large blocks go back to the kernel when they are freed.
        self._libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        self._libc.mallopt(_M_TRIM_THRESHOLD, _MMAP_BYTES)
        self._limit = limit_bytes
        self._ceiling = limit_bytes - max(limit_bytes // 8, min(32 * 1024 * 1024, limit_bytes // 2))
        self._start = self._floor = self._last = self._used()

    @property
    def fd(self) -> int:
        """The descriptor that must stay open."""
        return self._fd

    def growth(self) -> int:
        """Bytes taken (or, below 0, given back) since the last question."""
        used = self._used()
        grown, self._last = used - self._last, used
        return grown

    def short(self) -> bool:
        """Whether the last measurement came near the limit, and not for values in cycles that nobody uses."""
        if self._last - self._start <= self._ceiling:
            return False
        gc.collect()
        return self._used() - self._start > self._ceiling

    def tidy(self) -> None:
        """Give memory back to the kernel if runs have taken much of it. Call it while nothing runs.

        Raises MemoryError if so much stays that no run could live with the rest: another process is to begin anew.
        """
        if self._last - self._floor > _TIDY_BYTES:
            gc.collect()
            self._libc.malloc_trim(0)
            self._last = self._used()
            # What stays now (compiled programs) is no reason to tidy up again.
            self._floor = max(self._floor, self._last)
            if self.short():
                raise MemoryError("runs left too much memory behind")

    def message(self) -> str:
        """What a run is told that is ended for its memory."""
        return f"the run needs more than the executor's memory limit of {self._limit // (1024 * 1024)} MB"

    def _used(self) -> int:
        return int(os.pread(self._fd, 32, 0).split(b" ", 1)[0]) * PAGE
