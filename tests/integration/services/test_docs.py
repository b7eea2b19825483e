"""``docs::`` against a model: runs that read, write, find, commit or give up, beside one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from picloud.domain.collection import Collection
from picloud.domain.document import stream_of
from picloud.domain.merge_patch import merge
from picloud.domain.metadata import Metadata
from picloud.domain.quota import quota_id, set_quota
from picloud.log.appender import Appender, Entry, QuotaExceeded, StreamConflict
from picloud.log.ids import new_id
from picloud.log.reader import read_stream
from picloud.postgres.sessions import connect
from picloud.projections.inline import Docs as DocsProjection
from picloud.projections.progress import read_progress
from picloud.projections.rebuild import Rebuild
from picloud.services import docs
from picloud.services.docs import Docs
from picloud.services.docs_draft import DocsDraft
from picloud.services.documents import Documents, document_sessions
from picloud.services.schemas import Schemas, check_schema
from picloud.services.work import Caller, OutsideAnswers, ServiceError, Work

IDS: Final = ("a", "b", "c")
DATA = st.fixed_dictionaries(
    {"n": st.one_of(st.integers(0, 4), st.sampled_from([1.5, "x", None])), "t": st.sampled_from(["p", "q"])}
)
PATCHES = st.dictionaries(
    st.sampled_from(["n", "t", "u"]), st.one_of(st.integers(0, 4), st.none(), st.dictionaries(st.just("v"), st.none()))
)


class Bench:
    """The service on a database, without a platform around it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.sessions = document_sessions(dsn)
        self.appender = Appender(dsn)
        self.appender.start()
        self.docs = Docs(Documents(self.sessions), Schemas())

    def close(self) -> None:
        self.appender.stop()
        self.sessions.close()

    def work(self, app: str = "demo", *, outside: OutsideAnswers | None = None, run: Any = None) -> Work:
        caller = Caller(
            invocation=run or new_id(),
            attempt=1,
            title=f"{app}/test",
            callers=(),
            correlation_id=new_id(),
            clock_ms=1_900_000_000_000,
            deadline_ms=1_900_000_001_000,
        )
        return Work(app, caller, outside=outside or OutsideAnswers())

    def commit(self, work: Work) -> None:
        events = work.effects()
        metadata = Metadata(work.app, "test", work.caller.invocation, work.caller.invocation)
        if events:
            self.appender.append([Entry(event, metadata) for event in events])

    def verify(self) -> None:
        """Rebuild the projection from the log; what was live must have been equal."""
        rebuild = new_id()
        Rebuild(self.dsn, rebuild, DocsProjection, verify=True).run()
        with connect(self.dsn, purpose="test") as connection:
            progress = read_progress(connection, rebuild)
        assert progress is not None
        assert progress.difference is None


@pytest.fixture(scope="module")
def bench(dsn: str) -> Iterator[Bench]:
    bench = Bench(dsn)
    yield bench
    bench.close()


class Run:
    """A run: what it wrote (None: deleted), what it saw at first sight (None: nothing), and in which version."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.own: dict[str, Any] = {}
        self.sights: dict[str, Any] = {}
        self.seen: dict[str, int] = {}


class DocsMachine(RuleBasedStateMachine):
    """Two apps with one collection each; several runs at a time in the one, one bystander in the other."""

    runs = Bundle("runs")
    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.collection = f"c{new_id().hex}"
        self.committed: dict[str, Any] = {}
        self.versions: dict[str, int] = {}

    @rule(target=runs)
    def begin(self) -> Run:
        return Run(self.bench.work())

    def view(self, run: Run) -> dict[str, Any]:
        """The documents as the run finds them."""
        joined = {**self.committed, **run.own}
        return {name: data for name, data in joined.items() if data is not None}

    def note(self, run: Run, name: str) -> None:
        if name not in run.own:
            run.seen.setdefault(name, self.versions.get(name, 0))
            run.sights.setdefault(name, self.committed.get(name))

    def known(self, run: Run, name: str) -> Any:
        """The document as a run knows it by its id."""
        self.note(run, name)
        return run.own[name] if name in run.own else run.sights[name]

    @rule(run=runs, name=st.sampled_from(IDS))
    def get(self, run: Run, name: str) -> None:
        wanted = self.known(run, name)
        found = self.bench.docs.get(run.work, self.collection, name)
        assert (found and found["data"]) == wanted
        if found:
            assert (found["created"] is None) == (name in run.own)

    @rule(run=runs, name=st.sampled_from(IDS), data=DATA)
    def insert(self, run: Run, name: str, data: Any) -> None:
        taken = self.known(run, name) is not None
        if taken:
            with pytest.raises(ServiceError, match="already"):
                self.bench.docs.insert(run.work, self.collection, data, {"id": name})
        else:
            assert self.bench.docs.insert(run.work, self.collection, data, {"id": name}) == name
            run.own[name] = data

    @rule(run=runs, data=DATA)
    def insert_without_an_id(self, run: Run, data: Any) -> None:
        run.own[self.bench.docs.insert(run.work, self.collection, data)] = data

    @rule(run=runs, name=st.sampled_from(IDS), data=DATA)
    def replace(self, run: Run, name: str, data: Any) -> None:
        there = self.known(run, name) is not None
        if there:
            self.bench.docs.replace(run.work, self.collection, name, data)
            run.own[name] = data
        else:
            with pytest.raises(ServiceError, match="no document"):
                self.bench.docs.replace(run.work, self.collection, name, data)

    @rule(run=runs, name=st.sampled_from(IDS), patch=PATCHES)
    def patch(self, run: Run, name: str, patch: Any) -> None:
        before = self.known(run, name)
        if before is None:
            with pytest.raises(ServiceError, match="no document"):
                self.bench.docs.patch(run.work, self.collection, name, patch)
        else:
            run.own[name] = merge(before, patch)
            assert self.bench.docs.patch(run.work, self.collection, name, patch)["data"] == run.own[name]

    @rule(run=runs, name=st.sampled_from(IDS))
    def delete(self, run: Run, name: str) -> None:
        there = self.known(run, name) is not None
        assert self.bench.docs.delete(run.work, self.collection, name) == there
        if there:
            run.own[name] = None

    @rule(run=runs, wanted=st.sampled_from([{}, {"n": {"gt": 1}}, {"t": "p"}, {"not": {"n": {"in": [1, 2, None]}}}]))
    def find(self, run: Run, wanted: Any) -> None:
        def fits(data: Any) -> bool:
            n = data.get("n")
            number = isinstance(n, int | float)
            if wanted == {}:
                return True
            if "t" in wanted:
                return bool(data.get("t") == "p")
            return number and n > 1 if "n" in wanted else n not in (1, 2, None)

        view = self.view(run)
        expected = {name: data for name, data in view.items() if fits(data)}
        found = self.bench.docs.find(run.work, self.collection, wanted)
        assert {each["id"]: each["data"] for each in found} == expected
        assert [each["id"] for each in found] == sorted(expected)
        assert self.bench.docs.count(run.work, self.collection, wanted) == len(expected)
        for name in expected:
            self.note(run, name)

    @rule(run=runs, sort=st.sampled_from(["n", "-n", ["t", "-n"], "-$id"]), limit=st.integers(1, 3))
    def page(self, run: Run, sort: Any, limit: int) -> None:
        whole = [each["id"] for each in self.bench.docs.find(run.work, self.collection, {}, {"sort": sort})]
        seen: list[str] = []
        cursor = None
        for _ in range(len(whole) + 1):
            options = {"sort": sort, "limit": limit, "cursor": cursor}
            page = self.bench.docs.page(run.work, self.collection, {}, options)
            seen += [each["id"] for each in page["documents"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert seen == whole
        assert set(seen) == set(self.view(run))
        for name in seen:
            self.note(run, name)

    @rule(run=consumes(runs))
    def commit(self, run: Run) -> None:
        changed = {
            name: data for name, data in run.own.items() if data is not None or self.committed.get(name) is not None
        }
        stale = {name for name in run.own if run.seen.get(name, 0) != self.versions.get(name, 0) and _writes(run, name)}
        if stale:
            with pytest.raises(StreamConflict):
                self.bench.commit(run.work)
            return
        self.bench.commit(run.work)
        for name, data in changed.items():
            if _writes(run, name):
                self.versions[name] = self.versions.get(name, 0) + 1
                self.committed = {**self.committed, name: data}
        self.committed = {name: data for name, data in self.committed.items() if data is not None}

    @rule(run=consumes(runs))
    def give_up(self, run: Run) -> None:
        """The run failed: nothing of it is kept."""

    @invariant()
    def others_see_what_was_committed(self) -> None:
        work = self.bench.work()
        found = self.bench.docs.find(work, self.collection)
        assert {each["id"]: each["data"] for each in found} == self.committed
        assert {each["id"]: each["version"] for each in found} == {name: self.versions[name] for name in self.committed}
        assert self.bench.docs.count(self.bench.work("shop"), self.collection) == 0


def _writes(run: Run, name: str) -> bool:
    """Whether the run's draft has an event for the document."""
    events = run.work.draft(DocsDraft).events()
    return any(event.document == name for event in events)


def test_runs_see_and_leave_what_the_model_says(bench: Bench) -> None:
    class Machine(DocsMachine):
        pass

    Machine.bench = bench
    run_state_machine_as_test(Machine, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))
    bench.verify()


TOO_DEEP: Final = {"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}
CALLS: Final = [
    ("insert", (5, {}), "docs::insert takes the collection as a string, not i64"),
    ("insert", ("a b", {}), "docs::insert: 'a b' can't name a collection"),
    ("insert", ("c", 5), "docs::insert: a document is a map, found an integer"),
    ("insert", ("c", {"a": b"x"}), "docs::insert: data.a is a blob"),
    ("insert", ("c", TOO_DEEP), "deeper than 32 levels"),
    ("insert", ("c", {}, {"id": 5}), "docs::insert: id is a string, not i64"),
    ("insert", ("c", {}, {"id": "a/b"}), "docs::insert: 'a/b' can't be a document's id"),
    ("insert", ("c", {}, {"ids": "a"}), "docs::insert has no option 'ids': did you mean 'id'?"),
    ("get", (None, "a"), "docs::get takes the collection as a string, not ()"),
    ("get", ("c", 5), "docs::get takes the id as a string, not i64"),
    ("get", ("c", ""), "docs::get: '' can't be a document's id"),
    ("replace", ("c", "a", []), 'docs::replace: c has no document "a"'),
    ("replace", ("there", "a", []), "docs::replace: a document is a map, found an array"),
    ("replace", ("there", "a", {}, {"version": 7}), 'docs::replace: the document "a" of there has version 1, not 7'),
    ("replace", ("there", "a", {}, {"version": "1"}), "docs::replace: version is the version that"),
    ("patch", ("c", "a", {}), 'docs::patch: c has no document "a"'),
    ("patch", ("there", "a", 5), "docs::patch takes the patch as a map"),
    ("patch", ("there", "a", {"x": b"x"}), "docs::patch: patch.x is a blob"),
    ("patch", ("there", "a", {"x": "x" * 262_144}), "docs::patch: a document has 262,144 bytes at most"),
    ("delete", ("c", []), "docs::delete takes the id as a string, not array"),
    ("delete", ("there", "a", {"version": 2}), 'docs::delete: the document "a" of there has version 1, not 2'),
    ("find", ("c", 5), "docs::find: filter is a map"),
    ("find", ("c", {"a": {"gtt": 1}}), "docs::find: filter.a has no operator 'gtt': did you mean 'gt'?"),
    ("find", ("c", {}, {"sort": 5}), "docs::find: sort is a field"),
    ("find", ("c", {}, {"sort": ["a", 5]}), "docs::find: sort has fields as strings"),
    ("find", ("c", {}, {"limit": 0}), "docs::find: limit is a number from 1 to 1,000, found 0"),
    ("find", ("c", {}, {"limit": 1001}), "docs::find: limit is a number from 1 to 1,000, found 1001"),
    ("find", ("c", {}, {"limit": "5"}), "docs::find: limit is an integer"),
    ("find", ("c", {}, {"cursor": "x"}), "docs::find has no option 'cursor'"),
    ("find", ("c", {}, 5), "docs::find takes its options as a map"),
    ("page", ("c", {}, {"cursor": "x"}), "docs::page: 'x' is no cursor"),
    ("page", ("c", {}, {"cursor": 5}), "docs::page: cursor is what the page before gave"),
    ("count", ("c", {"a": {"in": 5}}), "docs::count: filter.a.in is an array of values"),
    ("count", (5,), "docs::count takes the collection as a string, not i64"),
]


@pytest.mark.parametrize(("function", "arguments", "told"), CALLS)
def test_bad_input_is_told_with_what_is_expected(bench: Bench, function: str, arguments: Any, told: str) -> None:
    work = bench.work()
    bench.docs.insert(work, "there", {"n": 1}, {"id": "a"})
    with pytest.raises(ServiceError) as refused:
        bench.docs.functions[function](work, *arguments)
    assert told in str(refused.value)
    assert len(work.effects()) == 1, "what was refused has changed nothing"


HOSTILE: Final = [
    "'; DROP SCHEMA docs CASCADE; --",
    '"; DROP SCHEMA docs CASCADE; --',
    "$1",
    "%(p0)s",
    "%s",
    "{}",
    "a\\",
    "\u202e",
    "shop\x1fthings",
    "..",
    "*",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_argument_of_a_function_names_anothers_documents(bench: Bench, hostile: str) -> None:
    """Whatever is put in each place: it is refused, or finds nothing of the other app and does it no harm."""
    shop = bench.work("shop")
    name = f"x{new_id().hex}"
    bench.docs.insert(shop, name, {"secret": "s3cret", hostile: hostile}, {"id": "a"})
    bench.commit(shop)
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("get", (hostile, "a")),
        ("get", (name, hostile)),
        ("get", (name, "a")),
        ("find", (hostile,)),
        ("find", (name, {hostile: {"exists": True}})),
        ("find", (name, {"secret": hostile})),
        ("find", (name, {"secret": {"like": hostile}})),
        ("find", (name, {"or": [{hostile: hostile}, {"not": {hostile: hostile}}]}, {"sort": hostile})),
        ("page", (name, {}, {"cursor": hostile})),
        ("count", (name, {hostile: {"in": [hostile]}})),
        ("delete", (name, "a")),
        ("replace", (name, "a", {})),
        ("patch", (name, "a", {hostile: hostile})),
    ]
    work = bench.work()
    for function, arguments in calls:
        try:
            found = bench.docs.functions[function](work, *arguments)
        except ServiceError as refused:
            found = str(refused).replace(hostile, "")
        if isinstance(found, dict):
            found = found["documents"] or found["cursor"]
        told = isinstance(found, str) and found.startswith(f"docs::{function}") and "s3cret" not in found
        assert told or not found, (function, arguments, found)
    assert work.effects() == []
    [kept] = bench.docs.find(bench.work("shop"), name, {hostile: hostile} if hostile != ".." else {})
    assert kept["data"]["secret"] == "s3cret"


def test_a_run_writes_so_many_documents_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "MAX_WRITES", 3)
    monkeypatch.setattr(docs, "MAX_WRITTEN_BYTES", 100)
    work = bench.work()
    for number in range(3):
        bench.docs.insert(work, "limited", {"n": number})
    with pytest.raises(ServiceError, match="a run may write 3 documents at most"):
        bench.docs.insert(work, "limited", {})
    work = bench.work()
    bench.docs.insert(work, "limited", {"n": "x" * 60}, {"id": "a"})
    for _ in range(3):
        bench.docs.replace(work, "limited", "a", {"n": "y" * 60})
    with pytest.raises(ServiceError, match="100 bytes together at most"):
        bench.docs.insert(work, "limited", {"n": "x" * 60})
    assert [event.document for event in work.effects()] == ["a"]


def test_what_is_found_is_bounded_by_its_bytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "MAX_FOUND_BYTES", 250)
    work = bench.work()
    for number in range(6):
        bench.docs.insert(work, "large", {"n": number, "text": "x" * 80}, {"id": f"{number}"})
    bench.commit(work)
    work = bench.work()
    with pytest.raises(ServiceError, match="has more than 250 bytes; take it page by page"):
        bench.docs.find(work, "large")
    assert len(bench.docs.find(work, "large", {}, {"limit": 2})) == 2
    # A document of the run's own that belongs behind the cut comes on its page, not before.
    bench.docs.insert(work, "large", {"n": 4.5, "text": ""}, {"id": "own"})
    bench.docs.delete(work, "large", "1")
    seen: list[float] = []
    cursor = None
    for _ in range(6):
        page = bench.docs.page(work, "large", {}, {"sort": "n", "cursor": cursor})
        assert len(page["documents"]) <= 3
        seen += [each["data"]["n"] for each in page["documents"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == [0, 2, 3, 4, 4.5, 5]


def test_a_repeated_run_makes_the_same_ids(bench: Bench) -> None:
    first = bench.work()
    ids = [bench.docs.insert(first, "made", {}) for _ in range(3)]
    again = bench.work(outside=first.outside.again(), run=first.caller.invocation)
    assert [bench.docs.insert(again, "made", {}) for _ in range(3)] == ids
    assert ids == sorted(ids)


def test_an_app_keeps_no_more_than_its_quota(bench: Bench) -> None:
    stream = quota_id("small")
    metadata = Metadata("small", "test", stream, stream)
    bench.appender.append([Entry(set_quota("small", 0, "docs", items=2, size=100), metadata)])
    work = bench.work("small")
    for name in ("a", "b"):
        bench.docs.insert(work, "things", {"n": 1}, {"id": name})
    bench.commit(work)
    more, larger, swapped = bench.work("small"), bench.work("small"), bench.work("small")
    bench.docs.insert(more, "things", {})
    with pytest.raises(QuotaExceeded, match="3 items of at most 2"):
        bench.commit(more)
    bench.docs.replace(larger, "things", "a", {"n": "x" * 100})
    with pytest.raises(QuotaExceeded, match="bytes of at most 100"):
        bench.commit(larger)
    bench.docs.delete(swapped, "things", "a")
    bench.docs.insert(swapped, "things", {"n": 2}, {"id": "c"})
    bench.commit(swapped)
    assert bench.docs.count(bench.work("small"), "things") == 2


def test_a_schema_holds_for_scripts(bench: Bench) -> None:
    collection = Collection("demo", "strict")
    text = check_schema({"required": ["n"], "properties": {"n": {"type": "integer"}}})
    stream = Collection.stream_of("demo", "strict")
    bench.appender.append([Entry(collection.with_schema(text), Metadata("demo", "test", stream, stream))])
    work = bench.work()
    bench.docs.insert(work, "strict", {"n": 1}, {"id": "a"})
    for function, arguments in (
        ("insert", ({"n": "x"},)),
        ("replace", ("a", {})),
        ("patch", ("a", {"n": None})),
    ):
        with pytest.raises(
            ServiceError, match=f"docs::{function}: the document doesn't fit the schema of strict: data"
        ):
            bench.docs.functions[function](work, "strict", *arguments)
    assert [event.data for event in work.effects()] == ['{"n":1}']


def test_a_documents_history_is_in_the_log(bench: Bench) -> None:
    for step in (
        lambda work: bench.docs.insert(work, "told", {"n": 1}, {"id": "a"}),
        lambda work: bench.docs.patch(work, "told", "a", {"m": 2}),
        lambda work: (bench.docs.patch(work, "told", "a", {"m": 3}), bench.docs.patch(work, "told", "a", {"n": None})),
        lambda work: bench.docs.delete(work, "told", "a"),
        lambda work: bench.docs.insert(work, "told", {"n": -0.0}, {"id": "a"}),
    ):
        work = bench.work()
        step(work)
        bench.commit(work)
    with connect(bench.dsn, purpose="test") as connection:
        events: list[Any] = [each.event for each in read_stream(connection, stream_of("demo", "told", "a"))]
    assert [(type(event).__name__, getattr(event, "data", None)) for event in events] == [
        ("DocumentInserted", '{"n":1}'),
        ("DocumentPatched", '{"m":2,"n":1}'),
        ("DocumentReplaced", '{"m":3}'),
        ("DocumentDeleted", None),
        ("DocumentInserted", '{"n":-0.0}'),
    ]
    assert events[1].patch == '{"m": 2}'
    found = bench.docs.get(bench.work(), "told", "a")
    assert found is not None
    assert (found["version"], str(found["data"]["n"])) == (5, "-0.0")
    bench.verify()
