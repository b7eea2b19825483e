"""Children end with their parent, and never take it with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from picloud.process import Child

DEADLINE = 10.0


def python(program: str, **options) -> Child:
    return Child([sys.executable, "-c", program], environment=dict(os.environ), **options)


def test_a_child_tells_its_exit_status() -> None:
    child = python("raise SystemExit(7)")
    assert child.wait(DEADLINE)
    assert child.status == 7


def test_a_killed_child_tells_the_signal() -> None:
    child = python("import time; time.sleep(600)")
    assert child.poll() is None
    child.send(signal.SIGKILL)
    assert child.wait(DEADLINE)
    assert child.status == -signal.SIGKILL


def test_a_program_that_is_not_there_shows_as_127(tmp_path: Path) -> None:
    output = (tmp_path / "output").open("wb")
    child = Child(["/no/such/program"], environment={}, output=output.fileno())
    assert child.wait(DEADLINE)
    assert child.status == 127
    assert "No such file" in (tmp_path / "output").read_text()


def test_waiting_gives_up_in_time() -> None:
    child = python("import time; time.sleep(600)")
    before = time.monotonic()
    assert not child.wait(0.1)
    assert time.monotonic() - before < 5.0
    child.send(signal.SIGKILL)
    child.wait(DEADLINE)


def test_a_child_gets_the_environment_it_was_given_and_no_open_files(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output, (tmp_path / "secret").open("wb") as secret:
        os.set_inheritable(secret.fileno(), False)
        child = Child(
            [sys.executable, "-c", "import os; print(sorted(os.environ), sorted(os.listdir('/proc/self/fd')))"],
            environment={"LC_ALL": "C", "LC_CTYPE": "C"},
            output=output.fileno(),
        )
        assert child.wait(DEADLINE)
    # The fourth is the one that lists.
    assert (tmp_path / "output").read_text() == "['LC_ALL', 'LC_CTYPE'] ['0', '1', '2', '3']\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_kernel_sends_the_death_signal_when_the_parent_is_killed(number: signal.Signals) -> None:
    program = (
        "import os, sys, time; from signal import Signals; from picloud.process import Child\n"
        "child = Child([sys.executable, '-c', 'import time; time.sleep(600)'], environment=dict(os.environ),\n"
        "              death_signal=Signals(int(sys.argv[1])))\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(int(number))], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    # Until then it is still the launcher, which looks for its parent itself.
    deadline = time.monotonic() + DEADLINE
    while "sleep" not in " ".join(child.cmdline()[-1:]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    psutil.wait_procs([child], timeout=DEADLINE)
    assert not child.is_running()


def test_signals_to_our_terminal_do_not_reach_a_child() -> None:
    child = python("import time; time.sleep(600)")
    try:
        assert os.getpgid(child.pid) == child.pid
        assert os.getsid(child.pid) == child.pid
    finally:
        child.send_group(signal.SIGKILL)
        child.wait(DEADLINE)


def test_blocked_and_ignored_signals_are_not_inherited() -> None:
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
    try:
        child = python("import time; time.sleep(600)")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    deadline = time.monotonic() + DEADLINE
    while "sleep" not in " ".join(psutil.Process(child.pid).cmdline()[-1:]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send(signal.SIGTERM)
    assert child.wait(DEADLINE)
    assert child.status == -signal.SIGTERM


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_child_may_become_another_user_for_good(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output:
        child = Child(["/usr/bin/id"], environment={}, user=(65531, 65532), output=output.fileno())
        assert child.wait(DEADLINE)
    assert (tmp_path / "output").read_text().strip() == "uid=65531 gid=65532 groups=65532"
