"""Histories for the benchmarks: made, waited for, read."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from picloud.domain import lifecycle
from picloud.domain.invocation import (
    Content,
    Failure,
    HttpInput,
    Reply,
    Requested,
    RunError,
    Started,
    Succeeded,
    Trigger,
    Usage,
)
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry
from picloud.log.ids import new_id
from tests.acceptance.platform import Platform

_NODE = UUID(int=99)
_READ = """
    SELECT notification_id, originator_id, originator_version, topic, state, recorded_at, app, actor, correlation_id,
           causation_id
    FROM log.events
    WHERE notification_id > %s
    ORDER BY notification_id
    LIMIT 5000
"""


def succeeded(dsn: str) -> int:
    """How many invocations have succeeded."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM log.events WHERE topic = 'Succeeded'").fetchone()
    assert row is not None
    return int(row[0])


def wait_settled(dsn: str, timeout: float = 120.0) -> None:
    """Return when every invocation has ended."""
    query = """
        SELECT count(*) FILTER (WHERE topic = 'Requested')
               - count(*) FILTER (WHERE topic IN ('Succeeded', 'DeadLettered'))
        FROM log.events
    """
    end = time.monotonic() + timeout
    with psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            row = connection.execute(query).fetchone()
            if row is not None and row[0] == 0:
                return
            assert time.monotonic() < end, f"{row} invocations still run"
            time.sleep(0.05)


def _request(app: str, script: str, number: int, sha256: str) -> tuple[Requested, Metadata]:
    stream = new_id()
    requested = Requested(
        originator_id=stream,
        originator_version=1,
        app=app,
        script=script,
        number=number,
        sha256=sha256,
        trigger=Trigger("http", f"GET /{script}/{{name}}"),
        input=HttpInput("GET", f"/{script}/ada", {"name": "ada"}, {}, {"host": "x", "user-agent": "bench"}, Content()),
    )
    return requested, Metadata(app, "bench", stream, stream)


def wake_latencies(dsn: str, app: str, script: str, *, count: int) -> list[float]:
    """Milliseconds from ``Requested``, appended by this process, to ``Started`` on a node, one after the other."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        version = connection.execute(
            "SELECT current, sha256 FROM catalog.scripts WHERE app = %s AND name = %s", (app, script)
        ).fetchone()
        assert version is not None
        appender = Appender(dsn)
        appender.start()
        streams = []
        for _ in range(count):
            requested, metadata = _request(app, script, *version)
            streams.append(requested.originator_id)
            appender.append([Entry(requested, metadata)])
            wait_settled(dsn)
        appender.stop()
        rows = connection.execute(
            """
            SELECT extract(epoch FROM s.recorded_at - r.recorded_at)::float8 * 1000
            FROM log.events r
            JOIN log.events s ON s.originator_id = r.originator_id AND s.topic = 'Started'
            WHERE r.topic = 'Requested' AND r.originator_id = ANY (%s)
            """,
            (streams,),
        ).fetchall()
    return sorted(row[0] for row in rows)


def write_invocations(dsn: str, events: int) -> None:
    """Append ``events`` events of succeeded invocations, as requests make them."""
    appender = Appender(dsn)
    appender.start()
    for _ in range(events // 300):
        entries = []
        for _ in range(100):
            requested, metadata = _request("bench", "outbox", 1, "ab" * 32)
            stream = requested.originator_id
            entries += [
                Entry(requested, metadata),
                Entry(Started(originator_id=stream, originator_version=2, attempt=1, node=_NODE), metadata),
                Entry(
                    Succeeded(
                        originator_id=stream,
                        originator_version=3,
                        attempt=1,
                        reply=Reply(200, [("content-type", "application/json")], Content(text='{"message":"Hello"}')),
                        usage=Usage(clock_ms=1, duration_us=300, cpu_us=100, operations=5),
                    ),
                    metadata,
                ),
            ]
        appender.append(entries)
    appender.stop()


def write_dead_letters(dsn: str, count: int) -> None:
    """Append ``count`` dead letters, as failing requests make them."""
    appender = Appender(dsn)
    appender.start()
    with psycopg.connect(dsn) as connection:
        version = connection.execute(
            "SELECT current, sha256 FROM catalog.scripts WHERE app = 'bench' AND name = 'outbox'"
        ).fetchone()
    assert version is not None
    failure = Failure(error=RunError("ErrorRuntime", "Runtime error: timeout", 1, 1))
    for _ in range(count // 100):
        entries = []
        for _ in range(100):
            requested, metadata = _request("bench", "outbox", *version)
            started = lifecycle.start(lifecycle.evolve(None, requested), _NODE)
            running = lifecycle.evolve(lifecycle.evolve(None, requested), started)
            ends = lifecycle.fail(running, failure, now=datetime.now(UTC), random=0.0)
            entries += [Entry(event, metadata) for event in (requested, started, *ends)]
        appender.append(entries)
    appender.stop()


def replay_seconds(platform: Platform, count: int) -> tuple[float, float]:
    """Seconds from the command to replay all dead letters until all were asked for, and until all have ended."""
    with psycopg.connect(platform.dsn, autocommit=True) as connection:
        _wait_caught_up(connection)
    began = time.perf_counter()
    answer = platform.api("POST", "/apps/bench/replays", {"name": "all"})
    assert answer.json["count"] == count, answer.text
    asked = 0.0
    while True:
        job = platform.api("GET", "/apps/bench/replays/all").json
        if not asked and job["reached"] == count:
            asked = time.perf_counter() - began
        if job["state"] == "finished":
            assert job["succeeded"] == count, job
            return asked, time.perf_counter() - began
        assert time.perf_counter() < began + 120, job
        time.sleep(0.05)


def raw_read_rate(dsn: str) -> float:
    """Events per second when the whole log is only read, in pages of 5,000 rows."""
    position = count = 0
    began = time.perf_counter()
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.cursor(binary=True)
        while rows := cursor.execute(_READ, (position,), prepare=True).fetchall():
            count += len(rows)
            position = rows[-1][0]
    return count / (time.perf_counter() - began)


def rebuild_rate(platform: Platform) -> float:
    """Events per second of a rebuild of ``invocations`` through the platform's own command."""
    with psycopg.connect(platform.dsn, autocommit=True) as connection:
        _wait_caught_up(connection)
        platform.run("projections", "rebuild", "invocations")
        row = connection.execute(
            "SELECT convert_from(state, 'UTF8')::jsonb FROM log.events WHERE topic = 'RebuildFinished'"
            " ORDER BY notification_id DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    return float(row[0]["events"] / row[0]["seconds"])


def wait_caught_up(dsn: str) -> None:
    """Return when the invocations projection has reached the head."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        _wait_caught_up(connection)


def _wait_caught_up(connection: psycopg.Connection) -> None:
    end = time.monotonic() + 120
    query = """
        SELECT (SELECT max(notification_id) FROM log.events) - position
        FROM projections.tracking
        WHERE name = 'invocations'
    """
    while True:
        row = connection.execute(query).fetchone()
        if row is not None and row[0] <= 0:
            return
        assert time.monotonic() < end, f"the projection lags by {row}"
        time.sleep(0.1)
