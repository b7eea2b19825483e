"""Indexes of collections: made, dropped, taken over half-made, made anew by a rebuild, and used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import psycopg
import pytest

from picloud.domain.collection import Collection, Index
from picloud.domain.document_filter import parse_filter
from picloud.domain.document_order import Order
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry
from picloud.log.ids import new_id
from picloud.manager import document_indexes
from picloud.manager.document_indexes import bring_up_to_date
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.collections import collections_of
from picloud.projections.document_indexes import WantedIndex, create_index
from picloud.projections.inline import Docs
from picloud.projections.rebuild import Rebuild
from picloud.services.documents import Documents, Query, document_sessions

NAMES = "o'rders--"
"""No collection is called so; the statements must hold all the same."""


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


class Settings:
    """The settings of one collection, changed through the log."""

    def __init__(self, dsn: str) -> None:
        self.appender = Appender(dsn)
        self.appender.start()
        self.collection = Collection("demo", "orders")

    def has(self, *indexes: Index) -> None:
        for index in {*self.collection.indexes} - {*indexes}:
            self._append(self.collection.without_index(index))
        for index in indexes:
            if index not in self.collection.indexes:
                self._append(self.collection.with_index(index))

    def _append(self, event: Any) -> None:
        stream = event.originator_id
        self.appender.append([Entry(event, Metadata("demo", "test", stream, stream))])
        self.collection = self.collection.configured(event)


@pytest.fixture
def settings(fresh_dsn: str) -> Iterator[Settings]:
    settings = Settings(fresh_dsn)
    yield settings
    settings.appender.stop()


def states(session: psycopg.Connection) -> dict[str, str]:
    [row] = collections_of(session, "demo", "orders")
    return {",".join(index.fields): index.state for index in row.indexes}


def there(session: psycopg.Connection) -> int:
    row = session.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'by\\_%'").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("few", [10_000, -1], ids=["at once", "concurrently"])
def test_indexes_come_and_go_as_collections_want_them(
    session: psycopg.Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(document_indexes, "FEW", few)
    status, both = Index(("status",)), Index(("status", "address.city"))
    settings.has(status, both)
    assert states(session) == {"status": "waiting", "status,address.city": "waiting"}
    bring_up_to_date(session)
    assert states(session) == {"status": "ready", "status,address.city": "ready"}
    settings.has(both)
    bring_up_to_date(session)
    assert states(session) == {"status,address.city": "ready"}
    assert there(session) == 1
    settings.has()
    bring_up_to_date(session)
    assert there(session) == 0


def test_an_index_that_a_killed_leader_left_half_made_is_made_anew(
    session: psycopg.Connection, settings: Settings
) -> None:
    status = Index(("status",))
    settings.has(status)
    bring_up_to_date(session)
    name = status.name("demo", "orders")
    session.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (f"docs.{name}",))
    assert states(session) == {"status": "building"}
    bring_up_to_date(session)
    assert states(session) == {"status": "ready"}


def test_an_index_that_can_not_be_made_says_why_and_is_tried_again(
    session: psycopg.Connection, settings: Settings
) -> None:
    status = Index(("status",))
    settings.has(status)
    bring_up_to_date(session)
    name = status.name("demo", "orders")
    session.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (f"docs.{name}",))
    session.execute(f"COMMENT ON INDEX docs.{name} IS 'failed: the disk is full'".encode())
    [row] = collections_of(session, "demo", "orders")
    assert (row.indexes[0].state, row.indexes[0].reason) == ("failed", "the disk is full")
    full = psycopg.errors.DiskFull("the disk is full")
    with patch.object(document_indexes, "create_index", side_effect=full):
        bring_up_to_date(session)
    assert states(session) == {"status": "waiting"}, "nothing of it was left, not even the reason"
    bring_up_to_date(session)
    assert states(session) == {"status": "ready"}


def test_names_go_into_the_statement_as_literals(session: psycopg.Connection) -> None:
    wanted = WantedIndex("de'mo", NAMES, Index(("a'b; --", '"c"', "d\\e")))
    session.execute(create_index(wanted, "docs", concurrently=False))
    row = session.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", (wanted.name,)).fetchone()
    assert row is not None
    assert "'o''rders--'" in row[0]


def test_a_rebuild_makes_the_indexes_again(fresh_dsn: str, session: psycopg.Connection, settings: Settings) -> None:
    settings.has(Index(("status",)))
    bring_up_to_date(session)
    Rebuild(fresh_dsn, new_id(), Docs, verify=True).run()
    assert states(session) == {"status": "ready"}
    assert there(session) == 1


def test_a_find_by_an_index_looks_at_what_it_finds_alone(
    fresh_dsn: str, session: psycopg.Connection, settings: Settings
) -> None:
    """Of 100,000 documents: an equality with a sort, a range with its sort, a page further on, a list of values."""
    settings.has(Index(("status", "total")), Index(("total",)), Index(("name",)))
    session.execute(
        "INSERT INTO docs.documents (app, collection, id, version, created, updated, bytes, data, body)"
        " SELECT 'demo', 'orders', 'id-' || n, 1, now(), now(), 10, d.text, d.text::jsonb"
        " FROM generate_series(1, 100000) n,"
        ' LATERAL (SELECT format(\'{"status":"s%s","total":%s,"name":"n%s"}\', n %% 50, n, n)) AS d (text)'.replace(
            "%%", "%"
        ).encode()
    )
    bring_up_to_date(session)
    sessions = document_sessions(fresh_dsn)
    documents = Documents(sessions)
    order = Order.parse("total")
    place = order.place_of("id-50000", {"total": 50_000})
    for wanted, sort, behind in (
        ({"status": "s7"}, ["total"], None),
        ({"status": "s7", "total": {"gt": 99_000}}, ["-total"], None),
        ({"total": {"ge": 99_990}}, ["total"], None),
        ({}, ["-total"], None),
        ({}, ["total"], place),
        ({"name": {"in": ["n5", "n50000", "no"]}}, [], None),
        ({"name": {"like": "n9999%"}}, ["name"], None),
        ({"name": "n77"}, [], None),
    ):
        query = Query(
            app="demo",
            collection="orders",
            condition=parse_filter(wanted),
            order=Order.parse(sort),
            behind=behind,
            limit=20,
            most_bytes=10**9,
        )
        with explained(sessions) as plans:
            found = documents.find(query)
        assert found.documents, wanted
        touched = max(rows_of(plan) for plan in plans)
        assert touched <= 200, (wanted, sort, json.dumps(plans, indent=1))
    sessions.close()


class explained:
    """The plans, with the rows that were touched, of what is asked in the block."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.plans: list[Any] = []

    def __enter__(self) -> list[Any]:
        execute = psycopg.Connection.execute

        def execute_explained(connection: Any, query: Any, parameters: Any = None, **options: Any) -> Any:
            if b"docs.documents" in query and parameters:
                row = execute(
                    connection, b"EXPLAIN (ANALYZE, FORMAT JSON) " + query, parameters, prepare=False
                ).fetchone()
                assert row is not None
                self.plans.append(row[0][0]["Plan"])
            return execute(connection, query, parameters, **options)

        self._patch = patch.object(psycopg.Connection, "execute", execute_explained)
        self._patch.start()
        return self.plans

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


def rows_of(plan: dict[str, Any]) -> float:
    """The most rows that any part of the plan read, kept or not."""
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return max([own, *(rows_of(part) for part in plan.get("Plans", []))])
