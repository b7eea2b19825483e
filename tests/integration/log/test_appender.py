"""The log's promises: durable, atomic per command, without gaps, in commit order, nothing twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import gevent
import psycopg
import pytest

from picloud.domain import lifecycle
from picloud.domain.invocation import Content, Failure, HttpInput, Requested, RunError, Started, Trigger
from picloud.domain.kv import KeyDeleted, KeyWritten, key_id
from picloud.domain.lifecycle import evolve
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict, Wake
from picloud.log.reader import AuditFilter, read_audit, read_head, read_page, read_stream
from picloud.postgres.sessions import connect

NODE = UUID(int=77)
CLAIM = "SELECT invocation_id, version, attempt, app, correlation_id FROM log.claim(%s, %s, %s, '{}', '{}')"


def metadata(app: str = "demo") -> Metadata:
    cause = uuid4()
    return Metadata(app, "test", cause, cause)


def requested(stream: UUID | None = None) -> Requested:
    return Requested(
        originator_id=stream or uuid4(),
        originator_version=1,
        app="demo",
        script="hello",
        number=1,
        sha256="ab" * 32,
        trigger=Trigger("http", "GET /"),
        input=HttpInput("GET", "/", {}, {}, {}, Content()),
    )


def started(request: Requested) -> Started:
    return Started(originator_id=request.originator_id, originator_version=2, attempt=1, node=NODE)


@pytest.fixture
def appender(dsn: str) -> Iterator[Appender]:
    appender = Appender(dsn)
    appender.start()
    yield appender
    appender.stop()


@pytest.fixture
def session(dsn: str) -> Iterator[psycopg.Connection]:
    with connect(dsn, purpose="test") as connection:
        yield connection


def pending(session: psycopg.Connection) -> set[UUID]:
    return {row[0] for row in session.execute("SELECT invocation_id FROM outbox.pending").fetchall()}


def test_a_command_that_is_in_its_own_way_is_refused_at_once(appender: Appender) -> None:
    event = requested()
    with pytest.raises(StreamConflict, match="of one command"):
        appender.append([Entry(event, metadata()), Entry(event, metadata())])


def test_what_is_acknowledged_is_stored_once_in_order_and_without_gaps(
    appender: Appender, session: psycopg.Connection
) -> None:
    head = read_head(session)
    acknowledged: dict[UUID, int] = {}

    def client() -> None:
        for _ in range(20):
            first = requested()
            acknowledged[first.originator_id] = appender.append(
                [Entry(first, metadata()), Entry(started(first), metadata())]
            )

    gevent.joinall([gevent.spawn(client) for _ in range(16)], raise_error=True)
    page = read_page(session, after=head, limit=10_000)
    assert [event.position for event in page] == list(range(head + 1, head + 641))
    assert {event.stream_id: event.position for event in page if event.version == 2} == acknowledged


def test_a_command_that_conflicts_is_refused_whole_and_takes_no_other_with_it(
    appender: Appender, session: psycopg.Connection
) -> None:
    taken, fresh = requested(), requested()
    appender.append([Entry(taken, metadata())])
    other = Requested(**{**_fields(taken), "script": "other"})
    good = [requested() for _ in range(20)]
    queued = [appender.append_later([Entry(event, metadata())]) for event in good[:10]]
    bad = appender.append_later([Entry(fresh, metadata()), Entry(other, metadata())])
    queued += [appender.append_later([Entry(event, metadata())]) for event in good[10:]]
    with pytest.raises(StreamConflict, match=str(taken.originator_id)):
        bad.wait()
    for waiting in queued:
        waiting.wait()
    assert read_stream(session, fresh.originator_id) == []
    assert all(len(read_stream(session, event.originator_id)) == 1 for event in good)


def test_two_that_want_the_same_version_at_once_get_one_winner(appender: Appender) -> None:
    stream = uuid4()
    rivals = [Requested(**{**_fields(requested(stream)), "script": name}) for name in ("one", "two", "three")]
    outcomes = []
    for waiting in [appender.append_later([Entry(rival, metadata())]) for rival in rivals]:
        try:
            outcomes.append(waiting.wait() > 0)
        except StreamConflict:
            outcomes.append(False)
    assert outcomes == [True, False, False]


def test_sessions_cut_again_and_again_lose_and_double_nothing(appender: Appender, session: psycopg.Connection) -> None:
    dice = random.Random(7)
    acknowledged: set[UUID] = set()
    done = False

    def client() -> None:
        for _ in range(60):
            first = requested()
            appender.append([Entry(first, metadata()), Entry(started(first), metadata())], timeout=None)
            acknowledged.add(first.originator_id)

    def cutter() -> None:
        while not done:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'picloud appender' AND datname = current_database()"
            )
            gevent.sleep(dice.random() * 0.02)

    head = read_head(session)
    cutting = gevent.spawn(cutter)
    gevent.joinall([gevent.spawn(client) for _ in range(8)], raise_error=True)
    done = True
    cutting.join()
    page = read_page(session, after=head, limit=10_000)
    assert len(page) == 2 * len(acknowledged) == 2 * 480
    assert {event.stream_id for event in page} == acknowledged


def test_with_the_database_away_the_caller_learns_in_time_that_nothing_happened() -> None:
    appender = Appender("host=/nonexistent dbname=none")
    appender.start()
    first = appender.append_later([Entry(requested(), metadata())])
    gevent.sleep(0)
    with pytest.raises(LogUnavailable) as refused:
        appender.append([Entry(requested(), metadata())], timeout=0.05)
    assert not refused.value.unknown, "it was never sent"
    with pytest.raises(LogUnavailable):
        first.wait(timeout=0.05)
    appender.stop(timeout=0.01)


def test_a_request_waits_in_the_outbox_unless_it_is_started_in_the_same_append(
    appender: Appender, session: psycopg.Connection
) -> None:
    waiting, born = requested(), requested()
    appender.append([Entry(waiting, metadata())])
    appender.append([Entry(born, metadata()), Entry(started(born), metadata())])
    rows = pending(session)
    assert waiting.originator_id in rows
    assert born.originator_id not in rows
    state = evolve(None, waiting)
    appender.append([Entry(lifecycle.cancel(state, "why"), metadata())])
    assert waiting.originator_id not in pending(session)


def test_a_claim_takes_rows_once_and_writes_starts_that_read_like_any_other(
    appender: Appender, session: psycopg.Connection
) -> None:
    session.execute("DELETE FROM outbox.pending")
    cause = metadata()
    requests = [requested() for _ in range(5)]
    appender.append([Entry(event, cause) for event in requests])
    first = session.execute(CLAIM, (NODE, "node:x", 3)).fetchall()
    second = session.execute(CLAIM, (NODE, "node:x", 3)).fetchall()
    third = session.execute(CLAIM, (NODE, "node:x", 3)).fetchall()
    assert (len(first), len(second), len(third)) == (3, 2, 0)
    assert {row[0] for row in first + second} == {event.originator_id for event in requests}
    claimed = read_stream(session, first[0][0])[1]
    assert claimed.event == Started(originator_id=first[0][0], originator_version=2, attempt=1, node=NODE)
    assert (claimed.actor, claimed.correlation_id, claimed.causation_id) == (
        "node:x",
        cause.correlation_id,
        first[0][0],
    )


def test_claims_and_cancellations_at_once_give_each_invocation_one_of_the_two(
    appender: Appender, dsn: str, session: psycopg.Connection
) -> None:
    session.execute("DELETE FROM outbox.pending")
    requests = [requested() for _ in range(200)]
    appender.append([Entry(event, metadata()) for event in requests])
    claimed: set[UUID] = set()
    cancelled: set[UUID] = set()

    def claim() -> None:
        with connect(dsn, purpose="test") as own:
            while rows := own.execute(CLAIM, (NODE, "node:x", 7)).fetchall():
                claimed.update(row[0] for row in rows)

    def cancel(part: list[Requested]) -> None:
        for event in part:
            try:
                appender.append([Entry(lifecycle.cancel(evolve(None, event), "why"), metadata())])
                cancelled.add(event.originator_id)
            except StreamConflict:
                pass

    gevent.joinall(
        [gevent.spawn(claim) for _ in range(2)] + [gevent.spawn(cancel, requests[i::4]) for i in range(4)],
        raise_error=True,
    )
    assert claimed | cancelled == {event.originator_id for event in requests}
    assert not claimed & cancelled
    assert pending(session) == set()


def test_values_are_there_at_once_and_a_deleted_key_keeps_counting(
    appender: Appender, session: psycopg.Connection
) -> None:
    stream = key_id("demo", "k")
    appender.append([Entry(KeyWritten(originator_id=stream, originator_version=1, key="k", value="1"), metadata())])
    appender.append([Entry(KeyDeleted(originator_id=stream, originator_version=2, key="k"), metadata())])
    row = session.execute("SELECT value, version FROM kv.entries WHERE app = 'demo' AND key = 'k'").fetchone()
    assert row == (None, 2)


def test_a_wake_is_sent_with_the_commit(appender: Appender, session: psycopg.Connection) -> None:
    session.execute("LISTEN test_wake")
    appender.append([Entry(requested(), metadata())], wakes=[Wake("test_wake", "hello")])
    notices = list(session.notifies(timeout=5.0, stop_after=1))
    assert [(notice.channel, notice.payload) for notice in notices] == [("test_wake", "hello")]


def test_the_audit_trail_is_filtered_and_paged_by_position(appender: Appender, session: psycopg.Connection) -> None:
    app = f"audit-{uuid4().hex[:8]}"
    first = requested()
    appender.append([Entry(first, metadata(app)), Entry(started(first), metadata(app))])
    everything = read_audit(session, AuditFilter(app=app))
    assert [event.type for event in everything] == ["Started", "Requested"]
    older = read_audit(session, AuditFilter(app=app, before=everything[0].position))
    assert [event.type for event in older] == ["Requested"]
    assert read_audit(session, AuditFilter(app=app, type="Started", newest_first=False))[0].version == 2
    assert read_audit(session, AuditFilter(app=app, actor="nobody")) == []


def test_a_command_that_postgresql_refuses_fails_alone(appender: Appender) -> None:
    zero = Metadata("demo", "a\0b", uuid4(), uuid4())
    bad = appender.append_later([Entry(requested(), zero)])
    good = appender.append_later([Entry(requested(), metadata())])
    with pytest.raises(psycopg.Error):
        bad.wait()
    assert good.wait() > 0


def _fields(event: Requested) -> dict[str, object]:
    return {name: getattr(event, name) for name in Requested.__dataclass_fields__}


def test_commands_of_one_stream_that_wait_together_are_written_one_after_the_other(
    appender: Appender, session: psycopg.Connection
) -> None:
    request = requested()
    state = evolve(evolve(None, request), started(request))
    (failed,) = lifecycle.fail(
        state,
        Failure(error=RunError("NodeLost", "gone"), lost=True),
        now=datetime(2030, 1, 1, tzinfo=UTC),
        random=0.0,
    )
    queued = [
        appender.append_later([Entry(request, metadata())]),
        appender.append_later([Entry(started(request), metadata())]),
        appender.append_later([Entry(failed, metadata())]),
    ]
    assert [waiting.wait(5.0) for waiting in queued] == sorted(waiting.wait(5.0) for waiting in queued)
    row = session.execute(
        "SELECT version, attempt FROM outbox.pending WHERE invocation_id = %s", (request.originator_id,)
    ).fetchone()
    assert row == (3, 2)
