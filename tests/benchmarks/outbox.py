"""What waits, for the benchmarks: messages sent and run, and claims beside a hundred thousand others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg

from picloud.domain.firing import Order, Target
from picloud.domain.invocation import Content, EventInput
from picloud.domain.metadata import Metadata
from picloud.domain.trigger import Delivery
from picloud.log.appender import Appender, Entry
from tests.acceptance.platform import Platform

QUIET = 'kv::set("last", ctx.event.data)'
EMPTY = "()"
LONGEST_WAIT = 300.0

# A node that runs much of the busy app's takes the other's first.
_CLAIM = "SELECT count(*) FROM log.claim(%s, 'node:bench', 1, '{bench}', '{100}')"
_ENDED = """
    SELECT count(*)
    FROM log.events e
    WHERE e.topic = ANY ('{Succeeded,DeadLettered,Cancelled}') AND e.notification_id > %s
"""
_FIRST_RUN = """
    SELECT extract(epoch FROM s.recorded_at - r.recorded_at)::float8 * 1000
    FROM log.events r
    JOIN log.events s ON s.originator_id = r.originator_id AND s.topic = 'Started'
    WHERE r.originator_id = %s AND r.topic = 'Requested'
"""


def subscribe(platform: Platform, count: int) -> None:
    """``count`` triggers on the topic ``fan.COUNT``, whose script does nothing."""
    platform.deploy("bench", "empty", EMPTY)
    for number in range(count):
        content = {"kind": "topic", "script": "empty", "config": {"topic": f"fan.{count}"}}
        answer = platform.api("PUT", f"/apps/bench/triggers/fan-{count}-{number}", content)
        assert answer.status == 200, answer.text


def publish_seconds(platform: Platform, subscribers: int, messages: int) -> tuple[float, float]:
    """Milliseconds of one publish (the median), and seconds until all of ``messages`` were run by all subscribers."""
    head, began, taken = _head(platform), time.perf_counter(), []
    for number in range(messages):
        at = time.perf_counter()
        answer = platform.api("POST", f"/apps/bench/topics/fan.{subscribers}", {"n": number})
        assert answer.status == 202, answer.text
        taken.append(time.perf_counter() - at)
    _wait_ended(platform, head, messages * subscribers)
    return sorted(taken)[len(taken) // 2] * 1000, time.perf_counter() - began


def queue_seconds(platform: Platform, name: str, messages: int) -> float:
    """Seconds from the first of ``messages`` that are sent, a hundred at a time, until all were run."""
    head, began = _head(platform), time.perf_counter()
    for start in range(0, messages, 100):
        content = [{"data": start + number} for number in range(min(100, messages - start))]
        answer = platform.api("POST", f"/apps/bench/queues/{name}/messages", content)
        assert answer.status == 202, answer.text
    _wait_ended(platform, head, messages)
    return time.perf_counter() - began


def claims_beside(dsn: str, pending: int, *, due: bool, rounds: int) -> tuple[float, float]:
    """Milliseconds of claims of one due row beside ``pending`` others, and of ``SELECT 1`` in turns with them."""
    with _waiting(dsn, pending, due=due), psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE outbox.pending")
        appender = Appender(dsn)
        appender.start()
        claims, selects = [], []
        for _ in range(rounds):
            appender.append([_request("other", "bench")])
            at = time.perf_counter()
            row = connection.execute(_CLAIM, (uuid4(),), prepare=True).fetchone()
            claims.append(time.perf_counter() - at)
            assert row == (1,)
            at = time.perf_counter()
            connection.execute("SELECT 1", prepare=True).fetchone()
            selects.append(time.perf_counter() - at)
        appender.stop()
    return sorted(claims)[rounds // 2] * 1000, sorted(selects)[rounds // 2] * 1000


def first_run_beside(platform: Platform, pending: int, app: str) -> float:
    """Milliseconds from a request of ``app`` to its start while ``pending`` invocations of another app are run."""
    with _waiting(platform.dsn, pending, due=True, script="slow"), psycopg.connect(platform.dsn) as connection:
        connection.autocommit = True
        # Then the nodes are full of the other app's.
        _wait_ended(platform, _head(platform), min(pending, 200))
        appender = Appender(platform.dsn)
        appender.start()
        entry = _request(app, "bench", script="outbox", connection=connection)
        appender.append([entry])
        end = time.monotonic() + LONGEST_WAIT
        while (row := connection.execute(_FIRST_RUN, (entry.event.originator_id,)).fetchone()) is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        appender.stop()
    return float(row[0])


@contextmanager
def _waiting(dsn: str, count: int, *, due: bool, script: str = "outbox") -> Iterator[None]:
    """``count`` invocations in the outbox; what is left of them at the end is dropped."""
    appender = Appender(dsn)
    appender.start()
    later = datetime.now(UTC) + timedelta(days=1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for start in range(0, count, 500):
            size = min(500, count - start)
            order = Order(due=None if due else later + timedelta(seconds=start))
            entries = [_request("bench", "bench", order, script=script, connection=connection) for _ in range(size)]
            appender.append(entries)
        appender.stop()
        yield
        connection.execute("DELETE FROM outbox.pending")


_versions: dict[tuple[str, str, str], tuple[int, str]] = {}


def _request(
    app: str,
    trigger: str,
    order: Order = Order(),  # noqa: B008 - frozen
    *,
    script: str = "outbox",
    connection: psycopg.Connection | None = None,
) -> Entry:
    number, sha256 = 1, "ab" * 32
    if connection is not None:
        key = (connection.info.dsn, app, script)
        if key not in _versions:
            query = "SELECT current, sha256 FROM catalog.scripts WHERE app = %s AND name = %s"
            _versions[key] = connection.execute(query, (app, script)).fetchone() or (number, sha256)
        number, sha256 = _versions[key]
    target = Target(
        app=app, kind="topic", trigger=trigger, script=script, number=number, sha256=sha256, delivery=Delivery()
    )
    cause = uuid4()
    event = target.request(cause, EventInput({}, Content(text="{}")), now=datetime.now(UTC), order=order)
    return Entry(event, Metadata(app, "bench", cause, cause))


def _head(platform: Platform) -> int:
    with psycopg.connect(platform.dsn) as connection:
        row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM log.events").fetchone()
    assert row is not None
    return int(row[0])


def _wait_ended(platform: Platform, head: int, count: int) -> None:
    """Return when ``count`` invocations have ended behind the position ``head``."""
    end = time.monotonic() + LONGEST_WAIT
    with psycopg.connect(platform.dsn, autocommit=True) as connection:
        while (row := connection.execute(_ENDED, (head,)).fetchone()) is not None and row[0] < count:
            assert time.monotonic() < end, f"{row[0]} of {count} have ended"
            time.sleep(0.05)
