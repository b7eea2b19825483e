"""``files::`` against a dict: runs that read, write, list, and succeed or fail, in any order; and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from picloud.domain.media_types import media_type
from picloud.domain.metadata import Metadata
from picloud.domain.node import NodeStarted
from picloud.log.appender import Appender, EffectRefused, Entry, QuotaExceeded, StreamConflict
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.installation import PROJECTIONS
from picloud.projections.progress import read_progress
from picloud.projections.rebuild import Rebuild
from picloud.services.files import Files, FilesDraft, read_again
from picloud.services.work import Caller, OutOfStore, ServiceError, Work
from tests.databases import HASHES

PATHS = ["a", "a/b", "a/b/c.txt", "a/bc", "a0", "site/index.html", "ü/ö.bin", "z z"]
CONTENTS = [b"", b"x", b"hello", bytes(range(256)), b"y" * 300_000, b"ab" * 131_072]


def work_of(app: str) -> Work:
    caller = Caller(
        invocation=uuid4(),
        attempt=1,
        title=f"{app}/test",
        callers=(),
        correlation_id=uuid4(),
        clock_ms=0,
        deadline_ms=0,
    )
    return Work(app, caller)


class Store:
    """Files on a database of their own, and runs that commit."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.sessions = Sessions(dsn, purpose="test", size=2)
        self.files = Files(self.sessions)
        self.appender = Appender(dsn)
        self.appender.start()

    def call(self, work: Work, function: str, *args: Any) -> Any:
        answer = self.files.functions[function](work, *args)
        if isinstance(answer, OutOfStore):
            assert read_again(self.sessions, function, args, answer.sha256) == answer.value, "as a repetition gets it"
            return answer.value
        return answer

    def commit(self, work: Work) -> None:
        """Append what the run did, together with an event of its own, as the runner does with its outcome."""
        stream = uuid4()
        metadata = Metadata(work.app, "test", stream, stream)
        own = NodeStarted(originator_id=stream, originator_version=1, host="x", pid=1, capacity=1)
        self.appender.append([Entry(event, metadata) for event in [*work.effects(), own]])

    def close(self) -> None:
        self.appender.stop()
        self.sessions.close()


@pytest.fixture
def store(fresh_dsn: str) -> Iterator[Store]:
    store = Store(fresh_dsn)
    yield store
    store.close()


@contextmanager
def run(store: Store, app: str = "demo") -> Iterator[Work]:
    work = work_of(app)
    yield work
    store.commit(work)


def all_listed(store: Store, work: Work, prefix: str, limit: int, *, folders: bool) -> tuple[list[str], list[str]]:
    """Names of files and folders, page by page."""
    files: list[str] = []
    found: list[str] = []
    cursor = None
    while True:
        options = {"limit": limit} | ({"delimiter": "/"} if folders else {}) | ({"cursor": cursor} if cursor else {})
        page = store.call(work, "list", prefix, options)
        assert len(page["files"]) + len(page["folders"]) <= limit
        files += [file["path"] for file in page["files"]]
        found += page["folders"]
        cursor = page["cursor"]
        if cursor is None:
            return files, found


def expected_list(model: dict[str, Any], prefix: str, *, folders: bool) -> tuple[list[str], list[str]]:
    files, found = [], set()
    for path in sorted(path for path in model if path.startswith(prefix)):
        cut = path.find("/", len(prefix)) if folders else -1
        if cut < 0:
            files.append(path)
        else:
            found.add(path[: cut + 1])
    return files, sorted(found)


class FilesMachine(RuleBasedStateMachine):
    """One app's runs, one after the other; ``committed`` is what others see, ``own`` what the run sees."""

    store: Store

    @initialize()
    def begin(self) -> None:
        self.app = f"app-{uuid4().hex[:12]}"
        self.committed: dict[str, tuple[bytes, str, dict[str, str]]] = {}
        self._open()

    def _open(self) -> None:
        self.work = work_of(self.app)
        self.own = dict(self.committed)

    @rule(path=st.sampled_from(PATHS), content=st.sampled_from(CONTENTS), metadata=st.sampled_from([{}, {"by": "ada"}]))
    def write(self, path: str, content: bytes, metadata: dict[str, str]) -> None:
        self.store.call(self.work, "write", path, content, {"metadata": metadata} if metadata else None)
        self.own[path] = content, media_type(path), metadata

    @rule(path=st.sampled_from(PATHS))
    def delete(self, path: str) -> None:
        self.store.call(self.work, "delete", path)
        self.own.pop(path, None)

    @rule(source=st.sampled_from(PATHS), goal=st.sampled_from(PATHS), function=st.sampled_from(["copy", "move"]))
    def copy_or_move(self, source: str, goal: str, function: str) -> None:
        if source not in self.own:
            with pytest.raises(ServiceError, match="there is no file"):
                self.store.call(self.work, function, source, goal)
            return
        self.store.call(self.work, function, source, goal)
        self.own[goal] = self.own[source]
        if function == "move" and source != goal:
            del self.own[source]

    @rule(path=st.sampled_from(PATHS), offset=st.integers(0, 300_010), length=st.none() | st.integers(0, 300_010))
    def read_a_part(self, path: str, offset: int, length: int | None) -> None:
        options = {"offset": offset} | ({} if length is None else {"length": length})
        found = self.store.call(self.work, "read", path, options)
        held = self.own.get(path)
        stop = None if length is None else offset + length
        assert found == (None if held is None else held[0][offset:stop])

    @rule(path=st.sampled_from(PATHS))
    def look(self, path: str) -> None:
        held = self.own.get(path)
        assert self.store.call(self.work, "exists", path) is (held is not None)
        assert self.store.call(self.work, "read", path) == (None if held is None else held[0])
        told = self.store.call(self.work, "metadata", path)
        if held is None:
            assert told is None
        else:
            found = (told["size"], told["sha256"], told["content_type"], told["metadata"])
            assert found == (len(held[0]), sha256(held[0]).hexdigest(), held[1], held[2])

    @rule(prefix=st.sampled_from(["", "a", "a/", "a/b", "ü/", "none"]), limit=st.integers(1, 4), folders=st.booleans())
    def list(self, prefix: str, limit: int, folders: bool) -> None:
        found = all_listed(self.store, self.work, prefix, limit, folders=folders)
        assert found == expected_list(self.own, prefix, folders=folders)

    @rule()
    def succeed(self) -> None:
        self.store.commit(self.work)
        self.committed = self.own
        self._open()

    @rule()
    def fail(self) -> None:
        self._open()

    @invariant()
    def usage_is_counted(self) -> None:
        with self.store.sessions.session() as connection:
            row = connection.execute("SELECT items, bytes FROM files.usage WHERE app = %s", (self.app,)).fetchone()
        sizes = [len(content) for content, _, _ in self.committed.values()]
        assert (row or (0, 0)) == (len(sizes), sum(sizes))


def test_files_do_what_a_dict_does(store: Store) -> None:
    class Machine(FilesMachine):
        pass

    Machine.store = store
    case = Machine.TestCase
    case.settings = settings(max_examples=25, stateful_step_count=30, deadline=None, derandomize=True)
    case().runTest()
    assert stored_contents(store.dsn) <= {sha256(content).hexdigest() for content in CONTENTS}, "each is stored once"
    rebuilt = uuid4()
    Rebuild(store.dsn, rebuilt, PROJECTIONS["files"], verify=True).run()
    with connect(store.dsn, purpose="test") as session:
        progress = read_progress(session, rebuilt)
    assert progress is not None
    assert (progress.phase, progress.difference) == ("swapped", None)


def stored_contents(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT sha256 FROM log.blobs WHERE NOT sha256 = ANY (%s)", (list(HASHES),)
        ).fetchall()
    return {row[0] for row in rows}


def test_what_was_read_and_then_written_is_checked_by_version(store: Store) -> None:
    with run(store) as first:
        store.call(first, "write", "a", b"1")
    one, other = work_of("demo"), work_of("demo")
    for work in (one, other):
        held = store.call(work, "read", "a")
        store.call(work, "write", "a", held + b"+")
    store.commit(one)
    with pytest.raises(StreamConflict):
        store.commit(other)
    again = work_of("demo")
    assert store.call(again, "read", "a") == b"1+", "nothing of the other was kept"


def test_two_runs_that_never_looked_do_not_conflict_and_the_later_one_counts(store: Store) -> None:
    one, other = work_of("demo"), work_of("demo")
    store.call(one, "write", "a", b"one")
    store.call(other, "write", "a", b"other")
    store.call(other, "delete", "never-there")
    store.commit(one)
    store.commit(other)
    assert store.call(work_of("demo"), "read", "a") == b"other"


def test_a_failed_run_stores_nothing(store: Store) -> None:
    store.call(work_of("demo"), "write", "a", b"never")
    assert stored_contents(store.dsn) == set()


def test_no_argument_of_one_app_names_a_file_of_another(store: Store) -> None:
    with run(store, "theirs") as theirs:
        store.call(theirs, "write", "secret.txt", b"secret")
    ours = work_of("ours")
    for path in ("secret.txt", "theirs/secret.txt", "app/theirs/secret.txt", "%2e%2e/theirs/secret.txt"):
        assert store.call(ours, "read", path) is None
        assert not store.call(ours, "exists", path)
        for function in ("copy", "move"):
            with pytest.raises(ServiceError, match="there is no file"):
                store.call(ours, function, path, "mine")
        with pytest.raises(ServiceError, match="there is no file"):
            store.call(ours, "reply", path)
    assert store.call(ours, "list", "")["files"] == []
    cursor = store.call(theirs, "list", "", {"limit": 1})["cursor"]
    assert store.call(ours, "list", "", {"cursor": cursor} if cursor else {})["files"] == []
    store.call(ours, "write", "secret.txt", b"ours")
    store.commit(ours)
    assert store.call(work_of("theirs"), "read", "secret.txt") == b"secret"


def test_an_app_keeps_no_more_than_its_quota(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from picloud.domain.quota import DEFAULTS, Quota

    monkeypatch.setitem(DEFAULTS, "files", Quota(items=2, bytes=10))
    with run(store) as work:
        store.call(work, "write", "a", b"12345")
        store.call(work, "write", "b", b"12345")
    for path, content in (("c", b""), ("a", b"123456")):
        work = work_of("demo")
        store.call(work, "write", path, content)
        with pytest.raises(QuotaExceeded, match="picloud quotas set demo files"):
            store.commit(work)
    with run(store) as work:
        store.call(work, "move", "a", "c")
    with run(store, "other") as work:
        store.call(work, "write", "a", b"1")


def test_a_run_answers_with_no_file_that_it_did_not_name(store: Store) -> None:
    with run(store) as work:
        store.call(work, "write", "a", b"mine")
    work = work_of("demo")
    told = store.call(work, "reply", "a")
    draft = work.draft(FilesDraft)
    assert draft.answered(told["sha256"]) is not None
    assert draft.answered(sha256(b"theirs").hexdigest()) is None, "whatever an executor says"


def test_a_file_is_never_left_without_its_content(store: Store) -> None:
    with run(store) as work:
        store.call(work, "write", "a", b"content")
    work = work_of("demo")
    store.call(work, "copy", "a", "b")
    with psycopg.connect(store.dsn) as connection:
        connection.execute("UPDATE log.blobs SET sha256 = NULL WHERE sha256 = %s", (sha256(b"content").hexdigest(),))
    with pytest.raises(EffectRefused, match="not there any more"):
        store.commit(work)


BAD = [
    ("write", ("", b""), "1 to 1,024 bytes"),
    ("write", ("/a", b""), "neither begins nor ends"),
    ("write", ("a/../b", b""), "no part '..'"),
    ("write", ("a\x00", b""), "control"),
    ("write", ("a\\b", b""), "backslash"),
    ("write", (7, b""), "a path is a string, not i64"),
    ("write", ("a", 7), "a string or a blob, not i64"),
    ("write", ("a", None), r"a string or a blob, not \(\)"),
    ("write", ("a", {"x": 1}), "json::stringify"),
    ("write", ("a", b"", 5), "options as a map"),
    ("write", ("a", b"", {"type": "x"}), "no option 'type'"),
    ("write", ("a", b"", {"content_type": 5}), "content_type is"),
    ("write", ("a", b"", {"content_type": "rubbish"}), "no content type"),
    ("write", ("a", b"", {"metadata": {"a": 1}}), "a text on one line"),
    ("write", ("a", b"", {"metadata": {"ä": "x"}}), "can't name metadata"),
    ("write", ("a", b"x" * (16 * 1024 * 1024 + 1)), "16,777,216 bytes at most"),
    ("read", ("..",), "no part"),
    ("read", ("a", {"offset": -1}), "an integer from 0, not -1"),
    ("read", ("a", {"offset": "1"}), "an integer from 0"),
    ("read", ("a", {"length": 1.5}), "an integer from 0"),
    ("read_text", ([],), "a path is a string, not array"),
    ("metadata", (None,), r"a path is a string, not \(\)"),
    ("exists", ("a//b",), "no empty part"),
    ("list", (5,), "a prefix is a string, not i64"),
    ("list", ("\x00",), "no control characters"),
    ("list", ("", {"limit": 0}), "1 to 1,000, not 0"),
    ("list", ("", {"limit": 1001}), "1 to 1,000, not 1001"),
    ("list", ("", {"delimiter": "-"}), "the delimiter is '/'"),
    ("list", ("", {"cursor": "???"}), "none that files::list gave"),
    ("list", ("", {"cursor": "AA"}), "none that files::list gave"),
    ("copy", ("no", "b"), "there is no file 'no' in demo"),
    ("copy", ("held", "/b"), "neither begins"),
    ("copy", (1, "b"), "a path is a string"),
    ("move", ("held", ".."), "no part"),
    ("move", ("held", 5), "a path is a string"),
    ("delete", ("a/",), "neither begins nor ends"),
    ("reply", ("no",), "reply::file: there is no file 'no'"),
    ("reply", (True,), "reply::file: a path is a string, not bool"),
]


@pytest.mark.parametrize(("function", "args", "said"), BAD)
def test_bad_input_is_refused_by_name_and_reason(
    shared: Store, function: str, args: tuple[Any, ...], said: str
) -> None:
    work = work_of("demo")
    shared.call(work, "write", "held", b"x")
    with pytest.raises(ServiceError, match=said) as refused:
        shared.call(work, function, *args)
    assert str(refused.value).startswith(f"{'reply::file' if function == 'reply' else 'files::' + function}")
    assert [event.path for event in work.effects()] == ["held"], "nothing else was kept"


@pytest.fixture(scope="module")
def shared(dsn: str) -> Iterator[Store]:
    store = Store(dsn)
    yield store
    store.close()


def test_limits_of_one_run(shared: Store) -> None:
    work = work_of("demo")
    for number in range(1_000):
        shared.call(work, "write", f"many/{number}", b"")
    with pytest.raises(ServiceError, match="1,000 files at most"):
        shared.call(work, "write", "one-more", b"")
    with run(shared) as writer:
        shared.call(writer, "write", "large", b"x" * (9 * 1024 * 1024))
        shared.call(writer, "write", "binary", b"\xff\xfe")
    work = work_of("demo")
    with pytest.raises(ServiceError, match="Read parts with"):
        shared.call(work, "read", "large")
    with pytest.raises(ServiceError, match="byte 0 can't be read"):
        shared.call(work, "read_text", "binary")
    work = work_of("demo")
    part = {"offset": 1024 * 1024, "length": 8 * 1024 * 1024}
    for _ in range(8):
        assert len(shared.call(work, "read", "large", part)) == 8 * 1024 * 1024
    with pytest.raises(ServiceError, match="reads 67,108,864 bytes at most"):
        shared.call(work, "read", "large", part)
