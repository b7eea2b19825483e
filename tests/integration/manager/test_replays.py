"""A replay job asks for each of its selection once and in order, whatever happens to who carries it out."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import gevent
import psycopg
import pytest

from picloud.domain import lifecycle, replay_job
from picloud.domain.invocation import (
    Content,
    Failure,
    HttpInput,
    Invocation,
    InvocationEvent,
    Reply,
    Requested,
    RunError,
    Trigger,
    Usage,
)
from picloud.domain.metadata import Metadata
from picloud.domain.rate import Rate
from picloud.domain.replay_job import Chosen, Edit, ReplayJob, ReplayOrder, replay_id, selection_content
from picloud.domain.retention import purge
from picloud.domain.script import Script
from picloud.log.appender import Appender, Entry
from picloud.log.contents import put_content
from picloud.log.reader import read_stream
from picloud.log.repository import collect, load_invocation_with_metadata
from picloud.manager.replays import Replays
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS
from picloud.projections.queries import replay_job as row_of
from picloud.projections.replay_jobs import ReplayJobs

from .processes import manager, wait_until

NODE = UUID(int=7)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
LETTERS = Chosen(state="open")
FOLLOWERS = """
    SELECT FROM pg_stat_activity WHERE application_name = 'picloud follower' AND datname = current_database()
"""


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    script = Script.create("demo", "orders", at=NOW)
    for digit in "12":
        script.deploy(digit * 64, 5, at=NOW)
    appender.append(collect([script], Metadata("demo", "test", uuid4(), uuid4())))
    yield appender
    appender.stop()


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def at_work(dsn: str, appender: Appender, clock: Clock | None = None) -> Iterator[Replays]:
    """One that carries jobs out, with the projections that it goes by."""
    sessions = Sessions(dsn, purpose="test", size=2)
    found = Replays(appender=appender, sessions=sessions, **({"clock": clock} if clock else {}))
    follower = Follower(
        dsn,
        [kind() for kind in PROJECTIONS.values()],
        on_changed=lambda name: found.look() if name == ReplayJobs.name else None,
    )
    follower.start()
    greenlet = found.start()
    try:
        yield found
        assert not greenlet.dead
    finally:
        found.stop()
        follower.stop()
        sessions.close()


def request(number: int = 0, *, script: str = "orders") -> Requested:
    body = Content(text=json.dumps({"number": number, "currency": "DEM"}))
    return Requested(
        originator_id=uuid4(),
        originator_version=1,
        app="demo",
        script=script,
        number=1,
        sha256="1" * 64,
        trigger=Trigger("http", "POST /orders"),
        input=HttpInput("POST", "/orders", {}, {}, {}, body),
    )


def run_of(requested: Requested, *, dies: bool) -> list[InvocationEvent]:
    """The events of an invocation from the request to the end of its only run."""
    return [requested, *_run(lifecycle.evolve(None, requested), dies=dies)]


def _run(state: Invocation, *, dies: bool) -> list[InvocationEvent]:
    started = lifecycle.start(state, NODE)
    running = lifecycle.evolve(state, started)
    if dies:
        failure = Failure(error=RunError("ErrorRuntime", "no"))
        return [started, *lifecycle.fail(running, failure, now=NOW, random=0.0)]
    return [started, lifecycle.succeed(running, Reply(200, [], Content()), usage=Usage(), logs=[])]


def letters(appender: Appender, count: int) -> list[UUID]:
    """So many dead letters, in the order of their requests."""
    found = []
    for start in range(0, count, 100):
        entries = []
        for number in range(start, min(start + 100, count)):
            events = run_of(request(number), dies=True)
            stream = events[0].originator_id
            found.append(stream)
            entries += [Entry(event, Metadata("demo", "test", stream, stream)) for event in events]
        appender.append(entries)
    return found


def begin(appender: Appender, session: psycopg.Connection, selection: list[UUID], **order: Any) -> UUID:
    content = put_content(session, selection_content(selection))
    wanted = ReplayOrder(app="demo", name=order.pop("name", "mend"), chosen=order.pop("chosen", LETTERS), **order)
    event = replay_job.start(wanted, selection=content, count=len(selection))
    appender.append([Entry(event, Metadata("demo", "token:ada", uuid4(), uuid4()))])
    return event.originator_id


def state_of(session: psycopg.Connection, job: UUID) -> ReplayJob:
    state = None
    for recorded in read_stream(session, job):
        event: Any = recorded.event
        state = replay_job.evolve(state, event)
    assert state is not None
    return state


def change(appender: Appender, session: psycopg.Connection, job: UUID, decide: Callable[[ReplayJob], Any]) -> ReplayJob:
    """Let somebody do something to the job; return it as it is then."""
    while True:
        state = state_of(session, job)
        event = decide(state)
        try:
            appender.append([Entry(event, Metadata("demo", "token:ada", uuid4(), uuid4()))])
        except Exception:
            continue
        return replay_job.evolve(state, event)


def asked(session: psycopg.Connection, job: UUID) -> list[UUID]:
    """What the job asked for: the old invocations, in the order of the log."""
    rows = session.execute(
        "SELECT originator_id FROM log.events WHERE topic = 'Replayed' AND causation_id = %s ORDER BY notification_id",
        (job,),
    ).fetchall()
    return [row[0] for row in rows]


def end(appender: Appender, session: psycopg.Connection, replay: UUID, *, dies: bool) -> None:
    loaded = load_invocation_with_metadata(session, replay)
    assert loaded is not None
    state, metadata = loaded
    appender.append([Entry(event, metadata) for event in _run(state, dies=dies)])


def listed(session: psycopg.Connection, job: UUID) -> dict[str, Any]:
    return row_of(session, job) or {}


def shows(session: psycopg.Connection, job: UUID, **wanted: Any) -> None:
    """Wait until the list of jobs shows that."""
    wait_until(
        lambda: all(listed(session, job).get(name) == value for name, value in wanted.items()),
        f"{wanted}; the job is {listed(session, job)}",
    )


def test_a_job_asks_for_all_in_order_and_ends_with_the_last_of_its_replays(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    found = letters(appender, 600)
    with at_work(fresh_dsn, appender):
        job = begin(appender, session, found)
        shows(session, job, state="finishing", asked=600, going_on=600, skipped=0)
        assert asked(session, job) == found
        replays = [replay_id(job, number) for number in range(600)]
        for number, replay in enumerate(replays[:-1]):
            end(appender, session, replay, dies=number % 100 == 7)
        shows(session, job, state="finishing", going_on=1, succeeded=593, dead=6)
        end(appender, session, replays[-1], dies=False)
        shows(session, job, state="finished", going_on=0, succeeded=594, dead=6)
        wait_until(lambda: _saved(session) == 594, "the letters that were saved")
    first, last = read_stream(session, job)[0], read_stream(session, job)[-1]
    assert last.type == "ReplayJobFinished"
    assert last.event.counts == replay_job.Counts(asked=600, succeeded=594, dead=6)  # type: ignore[attr-defined]
    loaded = load_invocation_with_metadata(session, replays[0])
    assert loaded is not None
    again, metadata = loaded
    assert (again.requested.replay_of, again.requested.number) == (found[0], 2), "on the current version"
    assert (metadata.correlation_id, metadata.causation_id, metadata.actor) == (found[0], job, "replay:mend")
    assert first.actor == "token:ada"


def _saved(session: psycopg.Connection) -> int:
    row = session.execute("SELECT count(*) FROM dead_letters.letters WHERE saved_by IS NOT NULL").fetchone()
    assert row is not None
    return int(row[0])


def test_payloads_are_patched_or_replaced_and_versions_chosen(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    found = letters(appender, 2)
    no_json = request()
    no_json = lifecycle.replace(no_json, input=lifecycle.replace(no_json.input, body=Content(text="plain")))
    stream = no_json.originator_id
    appender.append([Entry(event, Metadata("demo", "test", stream, stream)) for event in run_of(no_json, dies=True)])
    with at_work(fresh_dsn, appender):
        patch = Edit(patch='{"currency":"EUR","number":null}')
        job = begin(appender, session, [*found, stream], edit=patch, version="original")
        shows(session, job, state="finishing", asked=2, skipped=1)
        assert listed(session, job)["reasons"] == {"its payload is no JSON, so it can't be patched": 1}
        loaded = load_invocation_with_metadata(session, replay_id(job, 0))
        assert loaded is not None
        assert loaded[0].requested.input.body == Content(text='{"currency":"EUR"}')
        assert loaded[0].requested.number == 1
        edit = Edit(body=Content(text="other"))
        whole = Chosen(source="invocations", script="orders")
        second = begin(appender, session, found[:1], name="other", edit=edit, version="2", chosen=whole)
        shows(session, second, state="finishing", asked=1)
        loaded = load_invocation_with_metadata(session, replay_id(second, 0))
        assert loaded is not None
        assert (loaded[0].requested.input.body, loaded[0].requested.number) == (Content(text="other"), 2)


def test_what_is_no_longer_as_it_was_chosen_is_skipped_with_the_reason(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    gone = request(script="gone")
    metadata = Metadata("demo", "test", gone.originator_id, gone.originator_id)
    appender.append([Entry(event, metadata) for event in run_of(gone, dies=True)])
    saved, twice, discarded, going_on, left, purged = letters(appender, 6)
    for letter, ends in ((saved, [False]), (twice, [True, False]), (going_on, [])):
        latest = letter
        for dies in [*ends, None]:
            if dies is None and letter is not going_on:
                break
            latest = _replayed_by_hand(appender, session, latest)
            if dies is not None:
                end(appender, session, latest, dies=dies)
    loaded = load_invocation_with_metadata(session, discarded)
    assert loaded is not None
    appender.append([Entry(lifecycle.discard(loaded[0], "no"), loaded[1])])
    selection = [gone.originator_id, saved, twice, discarded, going_on, left, purged, uuid4()]
    with at_work(fresh_dsn, appender):
        wait_until(lambda: session.execute("SELECT FROM dead_letters.letters").rowcount == 7, "the letters")
        session.execute("DELETE FROM dead_letters.letters WHERE id = %s", (purged,))
        job = begin(appender, session, selection)
        shows(session, job, state="finishing", asked=1, skipped=7)
        assert asked(session, job) == [left]
        assert listed(session, job)["reasons"] == {
            "demo/gone is not deployed any more": 1,
            "a replay has saved it meanwhile": 2,
            "it was discarded meanwhile": 1,
            "another replay of it goes on": 1,
            "it was purged meanwhile": 1,
            "there is no such invocation": 1,
        }
        wait_until(lambda: listed(session, job)["state"] != "running", "no more to ask for")
        end(appender, session, replay_id(job, 5), dies=False)
        shows(session, job, state="finished", succeeded=1)


def _replayed_by_hand(appender: Appender, session: psycopg.Connection, invocation: UUID) -> UUID:
    loaded = load_invocation_with_metadata(session, invocation)
    assert loaded is not None
    state, metadata = loaded
    again = uuid4()
    events = lifecycle.replay(state, again, number=1, sha256="1" * 64)
    of_replay = Metadata("demo", "token:ada", metadata.correlation_id, invocation)
    appender.append([Entry(event, of_replay) for event in events])
    return again


def test_a_purge_takes_letters_out_of_a_job_that_has_not_come_to_them(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    found = letters(appender, 4)
    clock = Clock()
    with at_work(fresh_dsn, appender, clock) as replays:
        job = begin(appender, session, found, rate=Rate(1, 1_000))
        wait_until(lambda: len(asked(session, job)) == 1, "the first")
        event = purge("demo", before=datetime.now(UTC) + timedelta(days=1), count=4)
        appender.append([Entry(event, Metadata("demo", "system", uuid4(), uuid4()))])
        wait_until(lambda: not session.execute("SELECT FROM dead_letters.letters").rowcount, "the purge")
        clock.now += 1.5
        replays.look()
        shows(session, job, state="finishing", asked=1, skipped=3, reasons={"it was purged meanwhile": 3})


def test_a_rate_is_kept_by_the_clock(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    found = letters(appender, 60)
    clock = Clock()
    with at_work(fresh_dsn, appender, clock) as replays:
        job = begin(appender, session, found, rate=Rate(50, 1_000))
        wait_until(lambda: len(asked(session, job)) == 5, "what is due in a tenth of a second")
        for number in range(1, 5):
            replays.look()
            gevent.sleep(0.05)
            assert len(asked(session, job)) == 5 * number, "not before its time"
            clock.now += 0.1001
            replays.look()
            wait_until(lambda: len(asked(session, job)) == 5 * (number + 1), "the next five")  # noqa: B023
        clock.now += 3_600
        for _ in range(20):
            replays.look()
            gevent.sleep(0.01)
        assert len(asked(session, job)) <= 35, "an outage is no reason for a flood"


def test_a_paused_job_asks_for_nothing_and_a_resumed_one_goes_on_where_it_was(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    found = letters(appender, 2_000)
    with at_work(fresh_dsn, appender):
        job = begin(appender, session, found)
        paused = change(appender, session, job, lambda state: replay_job.pause(state, "full"))
        shows(session, job, state="paused", note="full", asked=paused.asked)
        gevent.sleep(0.2)
        assert len(asked(session, job)) == paused.asked < 2_000, "the pause was the last word"
        change(appender, session, job, replay_job.resume)
        shows(session, job, state="finishing", asked=2_000)
    assert asked(session, job) == found


def test_an_aborted_job_asks_for_nothing_more(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    found = letters(appender, 2_000)
    with at_work(fresh_dsn, appender):
        job = begin(appender, session, found)
        aborted = change(appender, session, job, lambda state: replay_job.abort(state, "enough"))
        shows(session, job, state="aborted", note="enough", asked=aborted.asked)
        gevent.sleep(0.2)
        assert asked(session, job) == found[: aborted.asked]
        if aborted.asked:
            end(appender, session, replay_id(job, 0), dies=False)
            shows(session, job, state="aborted", succeeded=1)


def test_two_at_once_ask_for_each_once(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    found = letters(appender, 3_000)
    other = Appender(fresh_dsn)
    other.start()
    try:
        with at_work(fresh_dsn, appender), at_work(fresh_dsn, other):
            job = begin(appender, session, found)
            shows(session, job, state="finishing", asked=3_000)
            for number in range(3_000):
                if number % 1_000 == 0:
                    end(appender, session, replay_id(job, number), dies=False)
            shows(session, job, going_on=2_997)
    finally:
        other.stop()
    assert asked(session, job) == found


def test_somebody_who_replays_or_discards_in_between_holds_up_nothing(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    found = letters(appender, 1_000)
    by_hand = found[::100]
    with at_work(fresh_dsn, appender):
        job = begin(appender, session, found, rate=Rate(5_000, 1_000))
        busy = [gevent.spawn(_meddle, appender, fresh_dsn, letter) for letter in by_hand]
        gevent.joinall(busy, raise_error=True)
        wait_until(lambda: listed(session, job).get("state") == "finishing", "all dealt with")
    counts = listed(session, job)
    assert counts["asked"] + counts["skipped"] == 1_000
    assert asked(session, job) == [letter for letter in found if letter in set(asked(session, job))], "in order"
    assert set(found) - set(asked(session, job)) <= set(by_hand)


def _meddle(appender: Appender, dsn: str, letter: UUID) -> None:
    """Discard the letter, unless its stream is too quick."""
    with connect(dsn, purpose="test") as session:
        for _ in range(100):
            loaded = load_invocation_with_metadata(session, letter)
            assert loaded is not None
            try:
                appender.append([Entry(lifecycle.discard(loaded[0], "no"), loaded[1])])
            except Exception:
                continue
            return


def test_a_leader_that_is_killed_in_the_middle_is_followed_by_one_that_goes_on_there(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    found = letters(appender, 400)
    with manager(fresh_dsn) as first:
        wait_until(lambda: bool(session.execute(FOLLOWERS).rowcount), "the first leading")
        with manager(fresh_dsn):
            job = begin(appender, session, found, rate=Rate(200, 1_000))
            wait_until(lambda: len(asked(session, job)) > 50, "a job under way")
            first.send_signal(signal.SIGKILL)
            first.wait(10)
            assert len(asked(session, job)) < 400, "it was in the middle"
            wait_until(lambda: len(asked(session, job)) == 400, "the rest, by the other")
            shows(session, job, state="finishing", asked=400)
    assert asked(session, job) == found
    advances = [recorded.event.reached for recorded in read_stream(session, job) if recorded.version > 1]  # type: ignore[attr-defined]
    assert advances == sorted(set(advances))
    assert state_of(session, job).asked == 400
