"""Restarts come quickly at first, then more slowly, and leave nothing of the dead behind."""

from __future__ import annotations

import os
import signal
import sys
import time

import psutil
import pytest

from picloud.process import Child
from picloud.supervisor.service import FIRST_PAUSE, LONGEST_PAUSE, Service, ending

DEADLINE = 10.0
SLEEP = "import time; time.sleep(600)"


def python(program: str) -> Child:
    return Child([sys.executable, "-c", program], environment=dict(os.environ))


def await_death(service: Service) -> int:
    deadline = time.monotonic() + DEADLINE
    while (status := service.died()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return status


def test_pauses_double_up_to_the_longest() -> None:
    service = Service("short", lambda: python("pass"))
    pauses = []
    for _ in range(7):
        service.start()
        await_death(service)
        pauses.append(service.pause())
    expected = [min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(7)]
    assert pauses == pytest.approx(expected, abs=0.1)


def test_a_long_life_begins_anew() -> None:
    service = Service("long", lambda: python("pass"))
    for _ in range(4):
        service.start()
        await_death(service)
    service.start()
    assert service.child is not None
    service.child.started -= 60.0
    await_death(service)
    assert service.pause() == pytest.approx(FIRST_PAUSE, abs=0.1)


def test_a_start_that_raises_counts_as_a_death() -> None:
    def fail() -> Child:
        raise OSError("no")

    service = Service("none", fail)
    with pytest.raises(OSError, match="no"):
        service.start()
    assert service.child is None
    assert 0 < service.pause() <= FIRST_PAUSE
    assert not service.is_due()


def test_a_death_is_told_once_and_the_next_start_is_due_after_the_pause() -> None:
    service = Service("one", lambda: python(SLEEP))
    service.start()
    assert service.died() is None
    assert service.due is None
    assert service.child is not None
    service.child.send(signal.SIGKILL)
    assert await_death(service) == -signal.SIGKILL
    assert service.died() is None
    time.sleep(service.pause())
    assert service.is_due()


def test_workers_of_a_dead_master_are_killed() -> None:
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"
    service = Service("master", lambda: python(program))
    service.start()
    assert service.child is not None
    master = psutil.Process(service.child.pid)
    deadline = time.monotonic() + DEADLINE
    while not (workers := master.children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    service.child.send(signal.SIGKILL)
    await_death(service)
    psutil.wait_procs(workers, timeout=DEADLINE)
    assert not any(worker.is_running() for worker in workers)


def test_endings_are_told_in_words() -> None:
    assert ending(-9) == "was killed by SIGKILL"
    assert ending(3) == "ended with exit code 3"
