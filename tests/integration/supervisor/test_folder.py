"""The data folder: private, and in one supervisor's hands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from picloud.supervisor.folder import DataFolder, FolderError, holder


def test_a_new_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "a" / "b")
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert DataFolder(tmp_path).path.stat().st_mode & 0o067 == 0


def test_a_second_supervisor_is_told_who_has_it(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)
    first.lock()
    with pytest.raises(FolderError, match=rf"already running on {tmp_path} \(process {os.getpid()}\)"):
        DataFolder(tmp_path).lock()


def test_the_folder_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from picloud.supervisor.folder import DataFolder\n"
        "DataFolder(Path(sys.argv[1])).lock(); print('locked', flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    other.stdout.readline()
    assert holder(tmp_path) == other.pid
    other.kill()
    other.wait()
    assert holder(tmp_path) is None
    DataFolder(tmp_path).lock()


def test_nobody_holds_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path / "nowhere") is None


def test_what_a_killed_supervisor_left_is_ended_politely_then_hard(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    polite = "import time; print(flush=True); time.sleep(600)"
    left = [
        subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **marker}, stdout=subprocess.PIPE)
        for program, marker in (
            (polite, folder.marker()),
            (stubborn, folder.marker()),
            (polite, DataFolder(tmp_path / "other").marker()),
        )
    ]
    for process in left:
        assert process.stdout is not None
        process.stdout.readline()
    folder.lock()
    # Reaped in the background, as init does for orphans.
    import gevent

    reapers = [gevent.spawn(process.wait) for process in left[:2]]
    assert folder.end_leftovers(patience=0.5) == 2
    gevent.joinall(reapers, timeout=10)
    assert [process.returncode for process in left[:2]] == [-signal.SIGTERM, -signal.SIGKILL]
    assert psutil.Process(left[2].pid).is_running(), "another folder's processes are left alone"
    left[2].kill()
    left[2].wait()


def test_a_folder_that_cannot_be_made_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="can't be made: Not a directory"):
        DataFolder(tmp_path / "file" / "data")
