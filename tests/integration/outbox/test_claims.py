"""What a claim takes first: apps in turn, urgent things early, nothing never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from picloud.domain.firing import Order, Target
from picloud.domain.flow import FlowControl
from picloud.domain.invocation import Cancelled, Content, EventInput
from picloud.domain.metadata import Metadata
from picloud.domain.trigger import Delivery
from picloud.log.appender import Appender, Entry
from picloud.log.reader import read_stream
from picloud.postgres.sessions import connect

CLAIM = "SELECT invocation_id, app, batch FROM log.claim(%s, 'node:test', %s, %s::text[], %s::integer[])"


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    yield appender
    appender.stop()


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


def send(appender: Appender, app: str, count: int, *, flow: FlowControl | None = None, priority: int = 0) -> list[UUID]:
    """Ask for ``count`` runs at once."""
    target = Target(
        app=app,
        kind="topic",
        trigger="t",
        script="run",
        number=1,
        sha256="ab" * 32,
        delivery=Delivery(flow=flow or FlowControl()),
    )
    now = datetime.now(UTC)
    event = EventInput({}, Content(text="{}"))
    asked = [target.request(uuid4(), event, now=now, order=Order(priority=priority)) for _ in range(count)]
    for start in range(0, count, 1_000):
        metadata = Metadata(app, "test", uuid4(), uuid4())
        appender.append([Entry(event, metadata) for event in asked[start : start + 1_000]])
    return [event.originator_id for event in asked]


def claim(session: psycopg.Connection, room: int, **busy: int) -> list[tuple[UUID, str]]:
    rows = session.execute(CLAIM, (uuid4(), room, list(busy), list(busy.values()))).fetchall()
    return [(row[0], row[1]) for row in rows]


def test_apps_take_turns_whatever_one_of_them_has_waiting(appender: Appender, session: psycopg.Connection) -> None:
    send(appender, "many", 5_000)
    (first,) = send(appender, "new", 1)
    assert first in [stream for stream, _ in claim(session, 2)]


def test_who_runs_least_here_comes_first(appender: Appender, session: psycopg.Connection) -> None:
    send(appender, "many", 100)
    send(appender, "new", 2)
    assert [app for _, app in claim(session, 1, many=3)] == ["new"]
    assert [app for _, app in claim(session, 3, many=3, new=1)] == ["many", "many", "new"]


def test_all_room_is_used_when_only_one_app_wants_it(appender: Appender, session: psycopg.Connection) -> None:
    send(appender, "many", 100)
    assert len(claim(session, 64, many=64)) == 64


def test_the_urgent_goes_first_and_what_has_waited_longer_goes_before_it(
    appender: Appender, session: psycopg.Connection
) -> None:
    (waiting,) = send(appender, "a", 1)
    session.execute("UPDATE outbox.pending SET rank = rank - interval '31 seconds'")
    (usual,) = send(appender, "a", 1)
    (urgent,) = send(appender, "a", 1, priority=3)
    assert [stream for stream, _ in claim(session, 1)] == [waiting]
    assert [stream for stream, _ in claim(session, 1)] == [urgent]
    assert [stream for stream, _ in claim(session, 1)] == [usual]


def test_of_what_is_debounced_in_one_append_the_last_one_stays(appender: Appender, session: psycopg.Connection) -> None:
    asked = send(appender, "a", 3, flow=FlowControl(debounce_ms=60_000))
    left = [row[0] for row in session.execute("SELECT invocation_id FROM outbox.pending").fetchall()]
    assert left == asked[-1:]
    for stream in asked[:-1]:
        (_, cancelled) = read_stream(session, stream)
        assert isinstance(cancelled.event, Cancelled)
        assert "debounced" in cancelled.event.reason
        assert (cancelled.app, cancelled.actor, cancelled.version) == ("a", "system", 2)
