"""``picloud up`` and ``picloud doctor``: clear about what they find, and clean about what they leave."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.acceptance.platform import PICLOUD, Platform, free_port

DEADLINE = 40.0


def wait_until(true: Callable[[], object], message: str, deadline: float = DEADLINE) -> None:
    end = time.monotonic() + deadline
    while not true():
        assert time.monotonic() < end, message
        time.sleep(0.05)


def tree(platform: Platform) -> list[psutil.Process]:
    supervisor = psutil.Process(platform.pid)
    return [supervisor, *supervisor.children(recursive=True)]


def findings(platform: Platform, *, expect: int) -> dict[str, dict[str, str]]:
    answer = platform.run("doctor", "--json", expect=expect)
    return {finding["subject"]: finding for finding in json.loads(answer.stdout)}


def test_the_start_tells_the_url_the_token_and_what_to_try(own_platform: Platform) -> None:
    said = "".join(own_platform.output)
    assert own_platform.url in said
    token = own_platform.data / "owner.token"
    assert str(token) in said
    assert token.stat().st_mode & 0o777 == 0o600
    assert "deploy examples/hello.rhai --app demo --route 'GET /hello/{name}'" in said
    assert f"curl {own_platform.url}/apps/demo/hello/ada" in said
    assert "logs demo" in said


def test_a_second_start_keeps_the_token_and_the_database(own_platform: Platform) -> None:
    token = own_platform.token
    with psycopg.connect(own_platform.dsn) as session:
        session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert own_platform.stop() == 0
    own_platform.start()
    assert own_platform.token == token
    with psycopg.connect(own_platform.dsn) as session:
        assert session.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_ctrl_c_ends_everything_and_says_so(own_platform: Platform) -> None:
    processes = tree(own_platform)
    assert own_platform.stop() == 0
    _, alive = psutil.wait_procs(processes, timeout=1.0)
    assert alive == []
    assert own_platform.output[-1] == "picloud: stopped\n"
    assert not any("Traceback" in line for line in own_platform.output)


def test_a_second_supervisor_on_the_same_folder_is_refused(own_platform: Platform) -> None:
    answer = own_platform.run("up", expect=1)
    assert f"already running on {own_platform.data} (process {own_platform.pid})" in answer.stderr
    assert own_platform.call("GET", "/healthz").status == 200, "the first one is not disturbed"


def test_a_taken_port_is_told_before_anything_is_made(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [PICLOUD, "up", "--data", data / "new", "--listen", address]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert answer.returncode == 1
    assert f"is taken by process {os.getpid()}" in answer.stderr
    assert "--listen" in answer.stderr
    assert not (data / "new" / "postgres").exists()


def test_an_unreachable_database_is_told_and_waited_for(data: Path) -> None:
    command = [PICLOUD, "up", "--data", data, "--listen", f"127.0.0.1:{free_port()}", "--database", "host=/nowhere"]
    starting = subprocess.Popen(
        command,
        env={**os.environ, "PICLOUD_LOG_FORMAT": "console"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert starting.stdout is not None
    said = ""
    while "waiting for the database" not in said:
        line = starting.stdout.readline()
        assert line, said
        said += line
    assert "the database can't be reached" in said
    starting.send_signal(signal.SIGINT)
    assert starting.wait(DEADLINE) == 0


def test_ctrl_c_while_the_database_is_being_made_leaves_nothing_running(data: Path) -> None:
    starting = subprocess.Popen(
        [PICLOUD, "up", "--data", data, "--listen", f"127.0.0.1:{free_port()}"],
        env={**os.environ, "PICLOUD_LOG_FORMAT": "console"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert starting.stdout is not None
    assert "first start" in starting.stdout.readline()
    starting.send_signal(signal.SIGINT)
    assert starting.wait(DEADLINE) == 0

    def left() -> list[list[str]]:
        commands = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
        return [command for command in commands if str(data) in " ".join(command)]

    wait_until(lambda: left() == [], f"still running: {left()}")


def test_a_killed_supervisor_leaves_nothing_running_and_the_next_start_works(own_platform: Platform) -> None:
    left = tree(own_platform)
    psutil.Process(own_platform.pid).kill()
    psutil.wait_procs(left[:1], timeout=DEADLINE)
    own_platform.start()
    assert own_platform.call("GET", "/healthz").status == 200
    # What is dead and not yet collected by init runs no more.
    assert [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def test_a_killed_supervisors_processes_end_by_themselves(own_platform: Platform) -> None:
    left = tree(own_platform)
    psutil.Process(own_platform.pid).kill()
    _, alive = psutil.wait_procs(left, timeout=DEADLINE)
    assert alive == []


@pytest.mark.parametrize("role", ["gunicorn", "manager", "postgres"])
def test_what_dies_is_started_again(own_platform: Platform, role: str) -> None:
    (process,) = own_platform.processes(role)
    process.kill()
    name = "http" if role == "gunicorn" else role
    wait_until(lambda: f"picloud: {name} is started again\n" in own_platform.output, f"{role} did not come back")

    def ready() -> bool:
        try:
            headers = {"Authorization": f"Bearer {own_platform.token}"}
            return own_platform.call("GET", "/readyz", headers=headers).status == 200
        except OSError:
            return False

    wait_until(ready, f"not ready after {role} was killed")
    assert any(f"{name} was killed by SIGKILL" in line for line in own_platform.output)
    assert not process.is_running()


def test_a_healthy_installation_has_nothing_wrong(platform: Platform) -> None:
    found = findings(platform, expect=0)
    for subject in ("data folder", "platform", "owner token", "database", "schema", "clock", "durability"):
        assert found[subject]["severity"] == "ok", found[subject]


def test_doctor_says_that_a_token_is_missing(own_platform: Platform) -> None:
    (own_platform.data / "owner.token").unlink()
    found = findings(own_platform, expect=1)
    assert found["owner token"]["severity"] == "wrong"
    assert "picloud up" in found["owner token"]["remedy"]


def test_doctor_says_that_migrations_are_behind(own_platform: Platform) -> None:
    with psycopg.connect(own_platform.dsn) as session:
        session.execute("DELETE FROM picloud.migrations WHERE name = (SELECT max(name) FROM picloud.migrations)")
    found = findings(own_platform, expect=1)
    assert "lacks 1 migration" in found["schema"]["found"]
    assert "picloud migrate" in found["schema"]["remedy"]


def test_doctor_says_that_the_port_is_taken_when_nothing_runs(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [PICLOUD, "doctor", "--json", "--data", data, "--listen", address]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert answer.returncode == 1
    found = {finding["subject"]: finding for finding in json.loads(answer.stdout)}
    assert found["port"]["severity"] == "wrong"


def test_doctor_says_that_the_database_is_unreachable(data: Path) -> None:
    command = [PICLOUD, "doctor", "--json", "--data", data, "--database", "host=/nowhere dbname=x"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    found = {finding["subject"]: finding for finding in json.loads(answer.stdout)}
    assert found["database"]["severity"] == "wrong"
    assert "PICLOUD_DATABASE" in found["database"]["remedy"]


def test_doctor_changes_nothing(data: Path) -> None:
    subprocess.run([PICLOUD, "doctor", "--data", data / "new"], capture_output=True, timeout=DEADLINE, check=False)
    assert not (data / "new").exists()


def test_the_program_starts_from_anywhere_and_takes_no_modules_from_there(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken from the current folder')")
    (tmp_path / "click.py").write_text("raise SystemExit('taken from the current folder')")
    answer = subprocess.run([PICLOUD, "version"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("PiCloud ")


def test_the_command_line_is_quick() -> None:
    times = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([PICLOUD, "--help"], capture_output=True, check=True)
        times.append(time.monotonic() - began)
    assert min(times) < 0.3, f"picloud --help took {min(times):.3f} s at best"
