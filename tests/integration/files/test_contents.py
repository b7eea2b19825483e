"""Contents in chunks: what comes in goes out, any part of it; each is there once; what nobody needs goes, no more."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from uuid import uuid4

import gevent
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picloud.domain.file import FileDeleted, FileWritten, file_id
from picloud.domain.metadata import Metadata
from picloud.log import blobs
from picloud.log.appender import Appender, Entry
from picloud.log.blobs import CHUNK_BYTES, Upload, UploadLost, keep, read, strange
from picloud.log.contents import ContentMissing
from picloud.manager.sweeping import Sweeping
from picloud.postgres.sessions import Sessions, connect

from ..manager.processes import wait_until

AGE = "UPDATE log.blobs SET touched_at = touched_at - interval '31 days'"
AGE_HOLDS = "UPDATE log.holds SET since = since - interval '31 days'"


@pytest.fixture
def sessions(fresh_dsn: str) -> Iterator[Sessions]:
    sessions = Sessions(fresh_dsn, purpose="test", size=3)
    yield sessions
    sessions.close()


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    yield appender
    appender.stop()


@pytest.fixture(scope="module")
def shared(dsn: str) -> Iterator[Sessions]:
    sessions = Sessions(dsn, purpose="test", size=3)
    yield sessions
    sessions.close()


def chunks(session: psycopg.Connection) -> int:
    row = session.execute("SELECT count(*) FROM log.chunks").fetchone()
    assert row is not None
    return int(row[0])


def write(appender: Appender, content: bytes, *, app: str = "demo", path: str = "a", version: int = 1) -> None:
    stream = file_id(app, path)
    digest = sha256(content).hexdigest()
    event = FileWritten(
        originator_id=stream,
        originator_version=version,
        path=path,
        sha256=digest,
        size=len(content),
        content_type="text/plain",
    )
    appender.append([Entry(event, Metadata(app, "test", uuid4(), uuid4()))])


def delete(appender: Appender, *, app: str = "demo", path: str = "a", version: int = 2) -> None:
    event = FileDeleted(originator_id=file_id(app, path), originator_version=version, path=path)
    appender.append([Entry(event, Metadata(app, "test", uuid4(), uuid4()))])


EDGES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 5]


@settings(max_examples=40)
@given(
    size=st.sampled_from(EDGES),
    cuts=st.lists(st.integers(1, CHUNK_BYTES + 7), min_size=1, max_size=6),
    start=st.sampled_from(EDGES) | st.integers(0, 4 * CHUNK_BYTES),
    stop=st.none() | st.sampled_from(EDGES) | st.integers(0, 4 * CHUNK_BYTES),
)
def test_any_part_of_a_content_comes_out_as_it_went_in(
    shared: Sessions, size: int, cuts: list[int], start: int, stop: int | None
) -> None:
    content = (b"%d " % size * (size // 2 + 1))[:size]
    upload = Upload(shared)
    at, number = 0, 0
    while at < size:
        cut = cuts[number % len(cuts)]
        upload.write(content[at : at + cut])
        at, number = at + cut, number + 1
    stored = upload.finish("demo")
    assert (stored.sha256, stored.size) == (sha256(content).hexdigest(), size)
    assert read(shared, stored.sha256, start, stop) == content[start:stop]


def test_the_same_bytes_are_stored_once(sessions: Sessions, session: psycopg.Connection) -> None:
    content = b"z" * (2 * CHUNK_BYTES + 1)
    for app in ("one", "other", "one"):
        keep(content, app, sessions)
        assert chunks(session) == 3
    together = [Upload(sessions) for _ in range(3)]
    for upload in together:
        upload.write(b"more")
    for upload in together:
        upload.finish("one")
    assert chunks(session) == 4


def test_who_does_not_have_the_bytes_cannot_name_them_by_their_hash(
    sessions: Sessions, session: psycopg.Connection, appender: Appender
) -> None:
    digest = keep(b"secret", "theirs", sessions).sha256
    assert strange(session, "theirs", [digest]) == []
    assert strange(session, "ours", [digest, "ab" * 32]) == [digest, "ab" * 32]
    write(appender, b"secret", app="theirs")
    assert strange(session, "ours", [digest]) == [digest]
    keep(b"secret", "ours", sessions)
    assert strange(session, "ours", [digest]) == []


def test_an_upload_that_breaks_off_leaves_nothing(sessions: Sessions, session: psycopg.Connection) -> None:
    upload = Upload(sessions)
    upload.write(b"x" * (5 * CHUNK_BYTES + 3))
    assert chunks(session) == 5
    with pytest.raises(ContentMissing):
        read(sessions, upload.sha256)
    upload.discard()
    assert chunks(session) == 0
    with pytest.raises(UploadLost):
        upload.finish("demo")
    assert chunks(session) == 0


def test_what_a_killed_process_left_of_an_upload_is_swept(sessions: Sessions, session: psycopg.Connection) -> None:
    upload = Upload(sessions)
    upload.write(b"x" * (70 * CHUNK_BYTES))
    sweeping = Sweeping(sessions=sessions, days=30)
    assert sweeping.sweep() == (0, 0), "it may be going on"
    session.execute(AGE)
    assert sweeping.sweep() == (0, 1)
    assert chunks(session) == 0
    with pytest.raises(UploadLost):
        upload.write(b"x" * CHUNK_BYTES)


def test_discarding_late_harms_nothing_that_was_kept(sessions: Sessions, session: psycopg.Connection) -> None:
    upload = Upload(sessions)
    upload.write(b"kept")
    digest = upload.finish("demo").sha256
    upload.discard()
    assert read(sessions, digest) == b"kept"


def test_content_goes_when_nobody_has_needed_it_for_long_and_not_before(
    sessions: Sessions, session: psycopg.Connection, appender: Appender
) -> None:
    sweeping = Sweeping(sessions=sessions, days=30)
    named, held, loose = (keep(content, "demo", sessions).sha256 for content in (b"named", b"held", b"loose"))
    write(appender, b"named")
    session.execute(AGE)
    session.execute(AGE_HOLDS)
    keep(b"held", "other", sessions)
    assert sweeping.sweep() == (1, 0)
    assert read(sessions, named) == b"named", "a file names it"
    assert read(sessions, held) == b"held", "another app has just stored it"
    with pytest.raises(ContentMissing):
        read(sessions, loose)
    assert chunks(session) == 3, "who reads it still comes to its end"
    assert sweeping.sweep(broken_off_seconds=-1) == (0, 1)
    assert chunks(session) == 2


def test_what_was_overwritten_or_deleted_is_kept_for_its_time_from_then_on(
    sessions: Sessions, session: psycopg.Connection, appender: Appender
) -> None:
    sweeping = Sweeping(sessions=sessions, days=30)
    for content in (b"first", b"second"):
        keep(content, "demo", sessions)
    write(appender, b"first")
    session.execute(AGE)
    session.execute(AGE_HOLDS)
    write(appender, b"second", version=2)
    delete(appender, version=3)
    assert sweeping.sweep() == (0, 0)
    session.execute(AGE_HOLDS)
    assert sweeping.sweep() == (2, 0)


def test_a_copy_elsewhere_keeps_the_content(
    sessions: Sessions, session: psycopg.Connection, appender: Appender
) -> None:
    sweeping = Sweeping(sessions=sessions, days=30)
    digest = keep(b"shared", "demo", sessions).sha256
    write(appender, b"shared")
    write(appender, b"shared", path="b")
    write(appender, b"shared", app="other")
    delete(appender)
    delete(appender, path="b")
    session.execute(AGE)
    session.execute(AGE_HOLDS)
    assert sweeping.sweep() == (0, 0)
    assert read(sessions, digest) == b"shared"


def test_nothing_is_given_up_where_it_is_kept_for_ever(sessions: Sessions, session: psycopg.Connection) -> None:
    keep(b"old", "demo", sessions)
    session.execute(AGE)
    session.execute(AGE_HOLDS)
    assert Sweeping(sessions=sessions, days=0).sweep() == (0, 0)


def test_storing_at_the_moment_of_giving_up_saves_the_content(
    sessions: Sessions, session: psycopg.Connection, fresh_dsn: str
) -> None:
    digest = keep(b"contended", "demo", sessions).sha256
    session.execute(AGE)
    session.execute(AGE_HOLDS)
    with connect(fresh_dsn, purpose="test") as other, other.transaction():
        # It has the content in its hands, and hasn't committed yet.
        other.execute("UPDATE log.blobs SET touched_at = clock_timestamp() WHERE sha256 = %s", (digest,))
        giving_up = gevent.spawn(lambda: blobs.give_up(session, 30))
        with connect(fresh_dsn, purpose="test") as watch:
            wait_until(lambda: _waits(watch), "the sweep waits for the row")
        other.execute("UPDATE log.holds SET since = now() WHERE sha256 = %s", (digest,))
    assert giving_up.get() == 0
    assert read(sessions, digest) == b"contended"
    with sessions.session() as connection:
        assert strange(connection, "demo", [digest]) == [], "and its hold"


def _waits(session: psycopg.Connection) -> bool:
    row = session.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    ).fetchone()
    return row is not None and row[0] > 0
