"""ops/backup copies a running database whole, and its instructions restore it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg

import picloud
from picloud.postgres.server import Server

BACKUP = Path(picloud.__file__).parent.parent / "ops" / "backup"


def started(folder: Path) -> Server:
    server = Server(folder)
    server.prepare()
    server.start()
    server.wait_ready()
    return server


def test_a_backup_of_a_running_database_is_restored_with_all_that_was_committed(data: Path) -> None:
    server = started(data / "postgres")
    (data / "owner.token").write_text("pic_owner\n")
    with psycopg.connect(server.dsn) as session:
        session.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")

    copy = data / "copy"
    ran = subprocess.run(
        [BACKUP, copy, data], env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "verified" in ran.stdout
    server.stop()

    restored = data / "restored"
    (restored / "postgres").mkdir(parents=True, mode=0o700)
    data.chmod(0o711)
    for archive, place in (("base.tar.gz", "postgres"), ("pg_wal.tar.gz", "postgres/pg_wal")):
        subprocess.run(["tar", "-xzf", copy / archive, "-C", restored / place], check=True)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "picloud-postgres:", restored / "postgres"], check=True)
    again = started(restored / "postgres")
    with psycopg.connect(again.dsn) as session:
        row = session.execute("SELECT count(*) FROM kept").fetchone()
    again.stop()
    assert row == (1000,)
    assert (copy / "owner.token").read_text() == "pic_owner\n"
