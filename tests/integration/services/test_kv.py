"""``kv::`` against a model: what runs read, see of their own, commit, and lose to one another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import gevent
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.domain.kv import Entry, evolve, key_id
from picloud.domain.message import MessagePublished
from picloud.domain.metadata import Metadata
from picloud.domain.quota import QuotaSet, quota_id
from picloud.log.appender import Appender, EffectRefused, QuotaExceeded, StreamConflict
from picloud.log.appender import Entry as Appended
from picloud.log.reader import read_stream
from picloud.manager.expiry import Expiry
from picloud.postgres.sessions import Sessions, connect
from picloud.services.kv import Kv
from picloud.services.past import PastKv
from picloud.services.work import Caller, ServiceError, Work


class Store:
    """An app's keys, and runs that use them."""

    def __init__(self, kv: Kv, appender: Appender, sessions: Sessions) -> None:
        self.kv = kv
        self.appender = appender
        self.sessions = sessions
        self.app = f"app-{uuid4()}"

    def run(self, *, careful: bool = False, app: str | None = None, ahead: float = 0) -> Work:
        """A run's work; its clock is so many seconds ahead."""
        clock_ms = int((datetime.now(UTC).timestamp() + ahead) * 1000)
        caller = Caller(
            invocation=uuid4(),
            attempt=1,
            title="demo/x",
            callers=(),
            correlation_id=uuid4(),
            clock_ms=clock_ms,
            deadline_ms=clock_ms + 10_000,
        )
        return Work(app or self.app, caller, careful=careful)

    def commit(self, work: Work) -> int:
        """The run succeeds: return the position of its last event."""
        metadata = Metadata(work.app, "test", uuid4(), uuid4())
        outcome = MessagePublished(originator_id=uuid4(), originator_version=1, topic="ended")
        return self.appender.append(Appended(event, metadata) for event in [*work.effects(), outcome])

    def value(self, key: str, *, ahead: float = 0) -> Any:
        """What the next run reads."""
        return self.kv.get(self.run(ahead=ahead), key)


@pytest.fixture(scope="module")
def parts(dsn: str) -> Iterator[tuple[Appender, Sessions]]:
    appender, sessions = Appender(dsn), Sessions(dsn, purpose="test", size=8)
    appender.start()
    yield appender, sessions
    appender.stop()
    sessions.close()


@pytest.fixture
def store(parts: tuple[Appender, Sessions]) -> Store:
    return Store(Kv(parts[1]), *parts)


KEYS = st.sampled_from(["a", "a/1", "a/2", "b", "é"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)
CALLS = st.one_of(
    st.tuples(st.just("set"), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("incr"), KEYS, st.integers(-5, 5)),
    st.tuples(st.just("append"), KEYS, VALUES),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("list"), st.sampled_from(["", "a", "a/", "x"])),
    st.tuples(st.just("page"), st.just("")),
    st.tuples(st.just("get_many"), st.lists(KEYS, max_size=3)),
    st.tuples(st.just("compare_and_set"), KEYS, VALUES, VALUES),
)


class Refused(Exception):
    """The model refuses a call."""


def modelled(model: dict[str, Any], call: tuple[Any, ...]) -> Any:
    """What a call gives and does, on a dictionary."""
    name, *args = call
    match name:
        case "set":
            model[args[0]] = args[1]
        case "delete":
            model.pop(args[0], None)
        case "incr":
            held = model.get(args[0], 0)
            if type(held) is not int or not -(2**63) <= held + args[1] < 2**63:
                raise Refused
            model[args[0]] = held + args[1]
        case "append":
            held = model.get(args[0], [])
            if not isinstance(held, list):
                raise Refused
            model[args[0]] = [*held, args[1]]
        case "get":
            return model.get(args[0])
        case "list":
            return sorted(key for key in model if key.startswith(args[0]))
        case "page":
            return {"entries": [{"key": key, "value": model[key]} for key in sorted(model)], "cursor": None}
        case "get_many":
            return {key: model[key] for key in args[0] if key in model}
        case "compare_and_set":
            key, was, value = args
            if json.dumps(model.get(key), sort_keys=True) != json.dumps(was, sort_keys=True):
                return False
            if was is None and key in model:
                return False
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
            return True
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(CALLS, max_size=6), st.booleans()), max_size=5))
def test_runs_one_after_the_other_do_to_keys_what_they_do_to_a_dictionary(
    parts: tuple[Appender, Sessions], runs: list[tuple[list[tuple[Any, ...]], bool]]
) -> None:
    store = Store(Kv(parts[1]), *parts)
    committed: dict[str, Any] = {}
    for calls, succeeds in runs:
        # What is only looked at by the commit otherwise is told at the call.
        work, model = store.run(careful=True), dict(committed)
        for call in calls:
            try:
                expected = modelled(model, call)
            except Refused:
                with pytest.raises(ServiceError):
                    store.kv.functions[call[0]](work, *call[1:])
                continue
            assert store.kv.functions[call[0]](work, *call[1:]) == expected
        if succeeds:
            store.commit(work)
            committed = model
    final = store.run()
    assert store.kv.list(final, "") == sorted(committed)
    assert {key: store.kv.get(final, key) for key in committed} == committed
    usage = [len(committed), sum(len(key.encode()) + len(_text(value)) for key, value in committed.items())]
    with store.sessions.session() as connection:
        row = connection.execute("SELECT items, bytes FROM kv.usage WHERE app = %s", (store.app,)).fetchone()
        assert list(row or (0, 0)) == usage
        for key in committed:
            entry = Entry()
            for recorded in read_stream(connection, key_id(store.app, key)):
                event: Any = recorded.event
                entry = evolve(entry, event, recorded.at)
            assert json.loads(entry.value or "null") == committed[key]


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def test_many_that_add_and_append_without_reading_never_conflict(store: Store) -> None:
    def client(number: int) -> None:
        for _ in range(10):
            work = store.run()
            store.kv.incr(work, "hits", 2)
            store.kv.append(work, "seen", number)
            store.commit(work)

    gevent.joinall([gevent.spawn(client, number) for number in range(20)], raise_error=True)
    assert store.value("hits") == 400
    seen = store.value("seen")
    assert sorted(seen) == sorted(number for number in range(20) for _ in range(10))


def test_who_wrote_on_what_another_changed_is_refused_and_who_only_wrote_is_not(store: Store) -> None:
    reader, writer, blind = store.run(), store.run(), store.run()
    store.kv.set(reader, "n", (store.kv.get(reader, "n") or 0) + 1)
    store.kv.set(writer, "n", 10)
    store.kv.set(blind, "n", 20)
    store.commit(writer)
    with pytest.raises(StreamConflict):
        store.commit(reader)
    store.commit(blind)
    assert store.value("n") == 20


def test_of_two_compare_and_sets_at_once_one_counts(store: Store) -> None:
    one, other = store.run(), store.run()
    assert store.kv.compare_and_set(one, "lock", None, "one")
    assert store.kv.compare_and_set(other, "lock", None, "other")
    store.commit(one)
    with pytest.raises(StreamConflict):
        store.commit(other)
    assert not store.kv.compare_and_set(store.run(), "lock", None, "other")


def test_a_counter_that_holds_something_else_by_now_is_refused_and_told_when_the_run_is_careful(store: Store) -> None:
    blind, between = store.run(), store.run()
    store.kv.incr(blind, "n")
    store.kv.set(between, "n", "text")
    store.commit(between)
    with pytest.raises(EffectRefused, match="no integer"):
        store.commit(blind)
    with pytest.raises(ServiceError, match='kv::incr: the key has "text", and only an integer can be added to'):
        store.kv.incr(store.run(careful=True), "n")


def test_a_value_with_a_ttl_is_gone_for_every_reader_when_its_time_has_come(store: Store) -> None:
    work = store.run()
    store.kv.set(work, "s", 1, {"ttl": "1h"})
    store.kv.incr(work, "window", 5, {"ttl": "10m"})
    store.commit(work)
    assert (store.value("s"), store.value("s", ahead=3_601)) == (1, None)
    assert store.kv.list(store.run(ahead=3_601), "") == []
    again = store.run()
    store.kv.incr(again, "window", 1, {"ttl": "2h"})
    store.commit(again)
    assert (store.value("window", ahead=590), store.value("window", ahead=601)) == (6, None)
    late = store.run(ahead=3_601)
    assert store.kv.get(late, "s") is None
    store.kv.set(late, "s", 2)
    store.commit(late)
    assert store.value("s", ahead=10**6) == 2


def test_what_has_expired_is_swept_with_an_event_and_counted_no_more(store: Store, session: psycopg.Connection) -> None:
    work = store.run(ahead=-60)
    store.kv.set(work, "short", 1, {"ttl": "1s"})
    store.kv.set(work, "long", 1)
    store.commit(work)
    assert Expiry(appender=store.appender, sessions=store.sessions).sweep() >= 1
    assert [event.type for event in read_stream(session, key_id(store.app, "short"))] == ["KeyWritten", "KeyDeleted"]
    usage = session.execute("SELECT items FROM kv.usage WHERE app = %s", (store.app,)).fetchone()
    assert usage == (1,)


def test_an_expired_counter_begins_anew(store: Store) -> None:
    past = store.run(ahead=-60)
    store.kv.incr(past, "n", 7, {"ttl": "1s"})
    store.commit(past)
    now = store.run()
    store.kv.incr(now, "n", 1)
    store.commit(now)
    assert store.value("n") == 1


def test_what_goes_beyond_the_quota_is_refused_whole(store: Store) -> None:
    quota = QuotaSet(originator_id=quota_id(store.app), originator_version=1, service="kv", items=2)
    store.appender.append([Appended(quota, Metadata(store.app, "test", uuid4(), uuid4()))])
    work = store.run()
    for key in "abc":
        store.kv.set(work, key, 1)
    with pytest.raises(QuotaExceeded, match=r"would hold 3 items of at most 2.*picloud quotas set"):
        store.commit(work)
    assert store.value("a") is None
    fits = store.run()
    store.kv.set(fits, "a", 1)
    store.kv.set(fits, "b", 1)
    store.commit(fits)
    gone = store.run()
    store.kv.delete(gone, "a")
    store.kv.set(gone, "c", 1)
    store.commit(gone)
    assert store.kv.list(store.run(), "") == ["b", "c"]


def test_a_page_goes_on_where_the_last_one_ended_whatever_came_between(store: Store) -> None:
    work = store.run()
    for number in range(25):
        store.kv.set(work, f"k{number:02}", number)
    store.commit(work)
    first = store.kv.page(store.run(), "k", {"limit": 10})
    between = store.run()
    store.kv.set(between, "k05x", 1)
    store.kv.delete(between, "k12")
    store.commit(between)
    found = [entry["key"] for entry in first["entries"]]
    cursor = first["cursor"]
    while cursor is not None:
        page = store.kv.page(store.run(), "k", {"limit": 10, "cursor": cursor})
        found += [entry["key"] for entry in page["entries"]]
        cursor = page["cursor"]
    assert found == [f"k{number:02}" for number in range(25) if number != 12]


def test_no_app_sees_the_keys_of_another(store: Store) -> None:
    work = store.run()
    store.kv.set(work, "mine", 1)
    store.commit(work)
    other = store.run(app=f"other-{uuid4()}")
    assert store.kv.get(other, "mine") is None
    assert store.kv.list(other, "") == []
    assert store.kv.page(other, "", {"cursor": store.kv.page(store.run(), "")["cursor"] or "bQ"})["entries"] == []
    store.kv.incr(other, "mine", 5)
    store.commit(other)
    assert store.value("mine") == 1


def test_the_past_of_keys_is_told_at_any_position(store: Store) -> None:
    positions = []
    changes: list[Callable[[Work], None]] = [
        lambda work: store.kv.set(work, "n", 1),
        lambda work: store.kv.incr(work, "n", 4),
        lambda work: store.kv.delete(work, "n"),
        lambda work: store.kv.incr(work, "n", 2),
    ]
    for change in changes:
        work = store.run()
        change(work)
        positions.append(store.commit(work))
    values = [PastKv(store.sessions, position).get(store.run(), "n") for position in positions]
    assert values == [1, 5, None, 2]


@pytest.mark.parametrize(
    ("function", "args", "told"),
    [
        ("get", [7], "kv::get takes a key as a string, not i64"),
        ("get", [""], "a key has 1 to 512 bytes and no zero byte, this one has 0"),
        ("get", ["x" * 513], "this one has 513"),
        ("get", ["a\0b"], "no zero byte"),
        ("set", ["a", b"\x00"], "can't be stored as JSON"),
        ("set", ["a", "x" * 300_000], "262144 bytes at most as JSON, this one has 300002"),
        ("set", ["a", 1, {"tll": "1h"}], "has no option 'tll': did you mean 'ttl'?"),
        ("set", ["a", 1, {"ttl": "soon"}], "'soon' is no duration"),
        ("set", ["a", 1, {"ttl": "0s"}], "expected 1ms to 3650d"),
        ("set", ["a", 1, {"ttl": 5}], 'ttl is a string such as "1h", not i64'),
        ("incr", ["a", 1.5], "kv::incr adds an integer, not f64"),
        ("incr", ["a", True], "kv::incr adds an integer, not bool"),
        ("append", [None, 1], "takes a key as a string, not ()"),
        ("compare_and_set", ["a", b"", 1], "can't be stored as JSON"),
        ("delete", [[]], "takes a key as a string, not array"),
        ("list", [1], "takes a prefix as a string, not i64"),
        ("page", ["", {"limit": 0}], "limit is from 1 to 200, not 0"),
        ("page", ["", {"cursor": "!!"}], "the cursor '!!' is none that kv::page gave"),
        ("get_many", ["a"], "takes an array of 1,000 keys at most, not string"),
        ("get_many", [["a"] * 1001], "takes an array of 1,000 keys at most, not 1,001"),
        ("get_many", [["a", 1]], "takes a key as a string, not i64"),
    ],
)
def test_bad_arguments_are_refused_in_words(store: Store, function: str, args: list[Any], told: str) -> None:
    with pytest.raises(ServiceError) as refused:
        store.kv.functions[function](store.run(), *args)
    assert told in str(refused.value)


def test_a_run_writes_so_many_keys_at_most(store: Store) -> None:
    work = store.run()
    for number in range(1_000):
        store.kv.set(work, str(number), 1)
    with pytest.raises(ServiceError, match="1,000 keys at most"):
        store.kv.set(work, "more", 1)


@pytest.fixture
def session(dsn: str) -> Iterator[psycopg.Connection]:
    with connect(dsn, purpose="test") as connection:
        yield connection


def test_the_ttl_of_a_key_is_an_event_and_a_row(store: Store, session: psycopg.Connection) -> None:
    work = store.run()
    store.kv.set(work, "s", 1, {"ttl": "1h"})
    store.commit(work)
    (recorded,) = read_stream(session, key_id(store.app, "s"))
    event: Any = recorded.event
    row = session.execute("SELECT expires FROM kv.entries WHERE app = %s", (store.app,)).fetchone()
    assert row == (event.expires,)
    assert abs(event.expires - recorded.at - timedelta(hours=1)) < timedelta(minutes=1)
