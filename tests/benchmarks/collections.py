"""A hundred thousand documents for the benchmarks of ``docs::``, and the scripts that look into them."""

from __future__ import annotations

import time
from typing import Final

import psycopg

from picloud.domain.document import DocumentInserted, stream_of
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry
from picloud.log.ids import new_id
from tests.acceptance.platform import Platform

COUNT: Final = 100_000
STATES: Final = 1_000
"""An equality finds so many-th part of the documents."""
BATCH: Final = 1_000
INDEX_SECONDS: Final = 300.0

SCRIPTS: Final = {
    "none": "random::int(0, 999)",
    "by-index": 'docs::find("orders", #{status: `s${random::int(0, 999)}`}, #{sort: "-total", limit: 10}).len()',
    "range": 'docs::find("orders", #{total: #{ge: random::int(0, 99_000)}}, #{sort: "total", limit: 10}).len()',
    "get": 'docs::get("orders", `order-${random::int(0, 99_999)}`).version',
    "insert": 'docs::insert("new", #{status: "open", total: random::int(0, 1000), customer: "somebody"})',
    "insert-many": 'for i in 0..100 { docs::insert("new", #{status: "open", total: i, customer: "somebody"}); } ()',
}


def write_orders(dsn: str, app: str) -> float:
    """Append the documents; return how many a second."""
    appender = Appender(dsn)
    appender.start()
    began = time.perf_counter()
    pending = []
    for first in range(0, COUNT, BATCH):
        cause = new_id()
        entries = []
        for number in range(first, first + BATCH):
            document = f"order-{number}"
            data = f'{{"status":"s{number % STATES}","total":{number},"customer":{{"name":"Nobody {number}"}}}}'
            inserted = DocumentInserted(
                originator_id=stream_of(app, "orders", document),
                originator_version=1,
                collection="orders",
                document=document,
                data=data,
            )
            entries.append(Entry(inserted, Metadata(app, "bench", cause, cause)))
        pending.append(appender.append_later(entries))
    for each in pending:
        each.wait(None)
    appender.stop()
    return COUNT / (time.perf_counter() - began)


def index_seconds(platform: Platform, app: str, *indexes: list[str]) -> float:
    """Have indexes made by the leader; return the seconds until they are ready."""
    path = f"/apps/{app}/collections/orders"
    began = time.perf_counter()
    for fields in indexes:
        answer = platform.api("POST", f"{path}/indexes", {"fields": fields})
        assert answer.status == 201, answer.text
    while any(index["state"] != "ready" for index in platform.api("GET", path).json["indexes"]):
        assert time.perf_counter() - began < INDEX_SECONDS, "the indexes don't get ready"
        time.sleep(0.05)
    with psycopg.connect(platform.dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE docs.documents")
    return time.perf_counter() - began
