"""Filters and orders mean the same in the database and in a run: what agrees is drawn by chance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from picloud.domain.document_filter import Condition, parse_filter
from picloud.domain.document_order import Order, sorted_by
from picloud.postgres.sessions import Sessions
from picloud.services.documents import Documents, Query, TooSlow, document_sessions

LONG: Final = "x" * 149

TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ab", "%", "_", "\\", "\\%", "ä", "\ud7ff", "\U0010ffff", "'", '"', "{}", "$1", "0"]
    ),
    st.sampled_from([LONG, LONG + "y", LONG + "yz", LONG + "z", LONG + "yé"]),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=4),
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([1.0, -0.0, 0.1, 1e300, -1e300, 5e-324, 1e23, 2.0**53, 9.2e18]),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
NAMES = st.sampled_from(["a", "b", "0", "1", "-1", "+1", " 1", "01", "ö", "'; --", '"', "{", "}", ",", "\\", "or"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join).filter(lambda path: path not in ("and", "or", "not"))
PATTERNS = (
    st.lists(st.sampled_from(["%", "_", "a", "x", "ä", "\\%", "\\_", "\\\\", LONG]), max_size=5)
    .map("".join)
    .filter(lambda pattern: len(pattern) <= 256)
)
OPERATIONS = st.one_of(
    st.fixed_dictionaries({"eq": VALUES}),
    st.fixed_dictionaries({"ne": VALUES}),
    st.fixed_dictionaries({"in": st.lists(VALUES, max_size=4)}),
    st.fixed_dictionaries({"like": PATTERNS}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.dictionaries(st.sampled_from(["lt", "le", "gt", "ge"]), st.one_of(NUMBERS, TEXTS), min_size=1, max_size=2),
)
FILTERS = st.recursive(
    st.dictionaries(PATHS, st.one_of(SCALARS, OPERATIONS), max_size=3),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=4,
)
SORTS = st.lists(st.tuples(st.sampled_from(["", "-"]), PATHS), max_size=3, unique_by=lambda each: each[1]).map(
    lambda fields: [sign + path for sign, path in fields]
)


@pytest.fixture(scope="module")
def sessions(dsn: str) -> Iterator[Sessions]:
    sessions = document_sessions(dsn)
    yield sessions
    sessions.close()


@pytest.fixture(scope="module")
def documents(sessions: Sessions) -> Documents:
    return Documents(sessions)


def store(sessions: Sessions, data: list[Any]) -> list[tuple[str, Any]]:
    """Have the collection hold these documents, as the append would write them."""
    rows = [(f"id-{number:03}", each) for number, each in enumerate(data)]
    with sessions.session() as connection:
        connection.execute("DELETE FROM docs.documents")
        texts = [json.dumps(each, ensure_ascii=False) for _, each in rows]
        connection.execute(
            "INSERT INTO docs.documents (app, collection, id, version, created, updated, bytes, data, body)"
            " SELECT 'demo', 'things', d.id, 1, now(), now(), octet_length(d.data), d.data, d.data::jsonb"
            " FROM unnest(%s::text[], %s::text[]) AS d (id, data)",
            ([name for name, _ in rows], texts),
        )
    return rows


def query(condition: Condition, order: Order) -> Query:
    return Query(app="demo", collection="things", condition=condition, order=order, limit=1000, most_bytes=10**9)


@settings(max_examples=300)
@given(data=st.lists(DOCUMENTS, max_size=8), wanted=FILTERS)
@example(data=[{"a": 9223372036854774784.0}], wanted={"a": {"lt": 9223372036854774900}})
@example(data=[{"a": LONG + "yz"}], wanted={"a": {"gt": LONG + "y"}})
def test_the_database_finds_what_a_run_finds_among_its_own(
    sessions: Sessions, documents: Documents, data: list[Any], wanted: Any
) -> None:
    rows = store(sessions, data)
    condition = parse_filter(wanted)
    found = documents.find(query(condition, Order()))
    assert [each.id for each in found.documents] == [name for name, each in rows if condition.holds(each)]
    assert documents.count(query(condition, Order())) == len(found.documents)


@settings(max_examples=200)
@given(data=st.lists(DOCUMENTS, max_size=8), sort=SORTS, limit=st.integers(1, 3))
def test_both_sort_alike_and_pages_add_up_to_the_list(
    sessions: Sessions, documents: Documents, data: list[Any], sort: list[str], limit: int
) -> None:
    rows = store(sessions, data)
    order = Order.parse(sort)
    wanted = [name for name, _ in sorted_by(order, rows)]
    asked = query(parse_filter(None), order)
    assert [each.id for each in documents.find(asked).documents] == wanted
    seen: list[str] = []
    asked = replace(asked, limit=limit)
    while True:
        found = documents.find(asked)
        seen += [each.id for each in found.documents]
        if not found.more:
            break
        last = found.documents[-1]
        cursor = order.cursor(order.place_of(last.id, json.loads(last.data)))
        asked = replace(asked, behind=order.behind(cursor))
    assert seen == wanted


def test_a_find_names_nothing_but_parameters(sessions: Sessions, documents: Documents) -> None:
    store(sessions, [{"a'b": 1, 'x" ; DROP SCHEMA docs; --': "y"}, {"a": "%'; --"}])
    for wanted in (
        {"a'b": 1},
        {'x" ; DROP SCHEMA docs; --': "y"},
        {"a": "%'; --"},
        {"a": {"like": "\\%'; --"}},
        {"a": {"in": ["%'; --", "'"]}},
    ):
        found = documents.find(query(parse_filter(wanted), Order.parse(["a'; --"])))
        assert len(found.documents) == 1, wanted


def test_a_question_that_takes_too_long_is_cut_off(dsn: str) -> None:
    impatient = document_sessions(dsn, seconds=0.2)
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE docs.documents")
        with pytest.raises(TooSlow):
            Documents(impatient).find(query(parse_filter(None), Order()))
    impatient.close()
