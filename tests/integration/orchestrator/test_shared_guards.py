"""What guards share through the database: buckets, places, and which key the vault has."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from uuid import UUID, uuid4

import gevent
import psycopg
import pytest

from picloud.domain.route_settings import RateLimit
from picloud.orchestrator.guards.places import Places
from picloud.orchestrator.guards.rates import Rates
from picloud.orchestrator.vault import ensure_vault_key, known_keys, read_keys
from picloud.postgres.sessions import Sessions, connect

BACKEND = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'picloud places'"


def taken(dsn: str, limit: RateLimit, route: UUID, times: int) -> int:
    """How many of so many greenlets on four sessions were granted one more."""
    sessions = Sessions(dsn, purpose="test", size=4)
    rates = Rates(sessions)
    jobs = [gevent.spawn(rates.take, limit, route, "ada") for _ in range(times)]
    granted = sum(job.get().granted for job in jobs)
    sessions.close()
    return granted


@pytest.mark.parametrize("text", ["7/1h", "1/1h", "60/1h", "999/1h"])
def test_a_bucket_gives_exactly_what_it_holds(fresh_dsn: str, text: str) -> None:
    limit = RateLimit.parse(text)
    assert taken(fresh_dsn, limit, uuid4(), limit.count + 25) == limit.count


def test_a_bucket_fills_evenly_and_never_over(fresh_dsn: str) -> None:
    limit, route = RateLimit.parse("50/1s"), uuid4()
    began = time.monotonic()
    granted = taken(fresh_dsn, limit, route, 60)
    while (passed := time.monotonic() - began) < 1.0:
        granted += taken(fresh_dsn, limit, route, 5)
    assert 50 + 50 * 0.9 - 2 <= granted <= 50 + 50 * (time.monotonic() - began), passed


def test_who_never_comes_back_is_forgotten(fresh_dsn: str) -> None:
    rates = Rates(sessions := Sessions(fresh_dsn, purpose="test"))
    limit, route = RateLimit.parse("1000/1s"), uuid4()
    for number in range(1_500):
        rates.take(limit, route, str(number))
    with sessions.session() as connection:
        left = connection.execute("SELECT count(*) FROM guards.buckets").fetchone()
    sessions.close()
    assert left is not None
    assert left[0] < 1_200


def test_places_are_shared_and_free_again_with_their_session(fresh_dsn: str) -> None:
    route, one, other = uuid4(), Places(fresh_dsn), Places(fresh_dsn)
    held = [places.occupy(route, 3) for places in (one, other, one)]
    assert all(held)
    assert len({place.key for place in held if place}) == 3
    assert one.occupy(route, 3) is None
    assert other.occupy(route, 3) is None
    assert one.occupy(uuid4(), 1) is not None, "another route has places of its own"
    assert held[0] is not None
    one.leave(held[0])
    again = other.occupy(route, 3)
    assert again is not None
    assert again.key == held[0].key
    with psycopg.connect(fresh_dsn, autocommit=True) as database:
        database.execute(BACKEND)
    found = [one.occupy(route, 3) for _ in range(4)]
    assert [place is not None for place in found] == [True, True, True, False]
    one.leave(held[0])
    assert one.occupy(route, 3) is None, "a place of a session that is gone gives nothing back"
    one.close()
    other.close()


def test_the_first_node_makes_the_key_and_another_one_has_to_be_given_it(fresh_dsn: str, tmp_path: Path) -> None:
    first, second = tmp_path / "one" / "vault.key", tmp_path / "two" / "vault.key"
    assert ensure_vault_key(first, fresh_dsn) is None
    assert ensure_vault_key(first, fresh_dsn) is None, "the second start finds it"
    key = read_keys(first)[0].id
    assert key in (ensure_vault_key(second, fresh_dsn) or "")
    assert not second.exists(), "a key of its own would seal what nobody else can open"
    second.parent.mkdir()
    second.write_text(first.read_text())
    assert ensure_vault_key(second, fresh_dsn) is None
    new = base64.b64encode(b"n" * 32).decode()
    second.write_text(f"{new}\n{first.read_text()}")
    assert ensure_vault_key(second, fresh_dsn) is None
    with connect(fresh_dsn, purpose="test") as connection:
        assert known_keys(connection) == [key, read_keys(second)[0].id]
