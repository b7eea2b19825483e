"""Many schedules for the benchmarks: made, waited for, fired."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psutil
import psycopg

from picloud.domain.metadata import Metadata
from picloud.domain.trigger import Delivery, Trigger
from picloud.log.appender import Appender
from picloud.log.repository import collect
from tests.benchmarks import processes

SCRIPT = "empty"
FIRING = """
    SELECT min(recorded_at) FILTER (WHERE topic = 'Requested'), max(recorded_at) FILTER (WHERE topic = 'Requested'),
           count(*) FILTER (WHERE topic = 'Requested'), max(recorded_at) FILTER (WHERE topic <> 'Requested'),
           count(*) FILTER (WHERE topic <> 'Requested')
    FROM log.events
    WHERE recorded_at >= %s AND topic IN ('Requested', 'Succeeded', 'DeadLettered')
"""


def write_schedules(dsn: str, count: int) -> datetime:
    """Make ``count`` schedules that are due on one minute of each day; return when that is next.

    It is far enough for a leader to take them on and for a look at how it waits.
    """
    now = datetime.now(UTC)
    due = (now + timedelta(minutes=4)).replace(second=0, microsecond=0)
    appender = Appender(dsn)
    appender.start()
    for start in range(0, count, 500):
        triggers = [
            Trigger.create(
                "bench",
                f"schedule-{number}",
                kind="cron",
                script=SCRIPT,
                config={"cron": f"{due.minute} {due.hour} * * *"},
                delivery=Delivery(),
                at=now,
            )
            for number in range(start, min(start + 500, count))
        ]
        root = uuid4()
        appender.append(collect(triggers, Metadata("bench", "bench", root, root)))
    appender.stop()
    with psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            row = connection.execute("SELECT count(*) FROM catalog.triggers WHERE kind = 'cron'").fetchone()
            if row == (count,):
                return due
            time.sleep(0.1)


def cpu_until_quiet(process: psutil.Process) -> float:
    """CPU seconds of the process until it has used next to none for two seconds."""
    used = 0.0
    while True:
        time.sleep(2.0)
        now = processes.cpu_seconds([process])
        if now - used < 0.02:
            return now
        used = now


def firing(dsn: str, due: datetime, count: int) -> tuple[float, float, float]:
    """Seconds from ``due`` until the first and the last was fired, and until all had been run."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            row = connection.execute(FIRING, (due,)).fetchone()
            if row is not None and row[2] >= count and row[4] >= count:
                first, last, done = ((each - due).total_seconds() for each in (row[0], row[1], row[3]))
                return first, last, done
            assert datetime.now(UTC) < due + timedelta(minutes=3), f"not all were fired: {row}"
            time.sleep(0.2)
