"""``python -m tests.rhai.hostile.hoard NAME MEGABYTES``: run a hoarding script as an executor does, alone.

It is ended when a slice finds that memory comes near the limit. Prints how it ended, and how many megabytes were
resident at most beyond those of the beginning.
"""

from __future__ import annotations

import gc
import resource
import sys

from picloud.executor.memory import Memory
from picloud.executor.protocol import Limits
from picloud.executor.script import language_limits
from picloud.rhai import DefaultHost, Engine, RhaiError
from tests.rhai.hostile.hoarding import HOARDING

SLICE = 20_000
"""Operations."""


class Ended(BaseException):
    """The run takes too much memory."""


class _Watch(DefaultHost):
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def on_slice(self, operations: int) -> int | None:
        self.memory.growth()
        if self.memory.short():
            raise Ended
        return SLICE


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Run the command."""
    name, megabytes = sys.argv[1], int(sys.argv[2])
    engine = Engine(language_limits(Limits()))
    program = engine.compile(HOARDING[name])
    engine.compile("1").run()
    memory = Memory(megabytes * 1024 * 1024)
    gc.collect()
    gc.freeze()
    gc.set_threshold(3_000, 20, 1_000_000)
    before = _resident()
    try:
        program.run(host=_Watch(memory))
        ending = "value"
    except RhaiError as error:
        ending = error.inner
    except Ended:
        ending = "ended"
    print(ending, _resident() - before)


if __name__ == "__main__":
    main()
