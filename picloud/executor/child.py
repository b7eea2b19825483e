"""The child's beginning: import everything, close the cage, say Hello, run scripts until the parent is gone.

Whatever a script may need later must be imported here: no file can be opened once the cage is closed.
"""

from __future__ import annotations

import gc
import os
import signal

from picloud.executor.cage import CageError, close
from picloud.executor.channel import Channel
from picloud.executor.memory import Memory
from picloud.executor.protocol import Broken, Hello
from picloud.executor.scheduler import Scheduler
from picloud.executor.script import Scripts
from picloud.executor.traced import active_run
from picloud.rhai.cache import compiler_version

SOCKET_FD = 3


def main(memory_mb: int) -> None:
    """Serve the parent at descriptor 3. Never returns."""
    os.closerange(SOCKET_FD + 1, 4096)
    os.environ.clear()
    # The parent ends its children; a signal to the whole group of the platform isn't for them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(SOCKET_FD)
    status = 1
    try:
        _serve(channel, memory_mb * 1024 * 1024)
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        pass
    except CageError as error:
        _break(channel, str(error))
    except BaseException as error:  # noqa: BLE001 - the last word of a process that ends
        _break(channel, f"{type(error).__name__}: {error}")
    os._exit(status)


def _serve(channel: Channel, memory_bytes: int) -> None:
    memory = Memory(memory_bytes)
    scripts = Scripts()
    scripts.warm()
    compiler = compiler_version() or b""
    scheduler = Scheduler(channel, memory, scripts.run, active_run)
    features = close(memory_bytes=memory_bytes, highest_fd=memory.fd)
    # What is there now stays: the collector needn't look at it again. Values of scripts are seldom in cycles, and a
    # look at all of a run's values would hold up all others; those that are left are found when nothing runs.
    gc.collect()
    gc.freeze()
    gc.set_threshold(3_000, 20, 1_000_000)
    channel.send(Hello(os.getpid(), {feature.name: feature.in_force for feature in features}, compiler))
    channel.flush()
    scheduler.serve()


def _break(channel: Channel, reason: str) -> None:
    try:
        channel.send(Broken(reason[:1000]))
        channel.flush()
    except OSError:
        pass
