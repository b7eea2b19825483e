"""``kill -9`` of anything, under load, loses no accepted request, doubles no effect, and needs nobody to mend it."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.acceptance.checker import Verdict, read_verdict
from tests.acceptance.load import COUNTER, ROUTE, Answers, Load
from tests.acceptance.platform import Platform

QUIET_SECONDS = 30.0
READER = "let n = 0; for i in 0..3000 { kv::get(`key ${i}`); n += 1; } n"
"""Runs for long enough to be met in the middle of it."""


def settled(dsn: str) -> Verdict:
    """The verdict once nothing is open any more, or after a deadline."""
    end = time.monotonic() + QUIET_SECONDS
    verdict = read_verdict(dsn)
    while verdict.open and time.monotonic() < end:
        time.sleep(0.2)
        verdict = read_verdict(dsn)
    return verdict


def judge(dsn: str, answers: Answers, *, least: int) -> None:
    """The promises, from the log alone and from what the clients were told."""
    verdict = settled(dsn)
    assert not verdict.faults, "\n".join(verdict.faults[:20])
    assert not verdict.open, f"{len(verdict.open)} accepted invocations never ended"
    told = answers.succeeded
    assert len(told) >= least, f"only {len(told)} calls were answered: {answers.counts}"
    assert len(set(told)) == len(told), "an invocation answered two calls"
    assert set(told) <= verdict.succeeded, "a 2xx was given for what is not in the log as succeeded"
    for key, writes in verdict.writes.items():
        assert verdict.values[key] == str(writes), f"{key} is {verdict.values[key]} after {writes} successful runs"
    assert sum(verdict.writes.values()) == len(verdict.succeeded), "each success counted once, and nothing else did"


@pytest.mark.parametrize("role", ["executor", "worker", "manager", "gunicorn"])
def test_a_killed_process_loses_and_doubles_nothing(own_platform: Platform, role: str) -> None:
    own_platform.deploy("load", "counter", COUNTER, ROUTE)
    dice = random.Random(role)
    with Load([own_platform.port]) as load:
        load.wait_for(200)
        for _ in range(2):
            dice.choice(own_platform.some(role)).kill()
            load.wait_for(200)
    judge(own_platform.dsn, load.answers, least=600)


def test_outcome_durability_keeps_the_same_promises(own_platform: Platform) -> None:
    own_platform.deploy("load", "counter", COUNTER, ROUTE, durability="outcome")
    with Load([own_platform.port]) as load:
        load.wait_for(200)
        own_platform.some("worker")[0].kill()
        load.wait_for(200)
        own_platform.some("executor")[0].kill()
        load.wait_for(200)
    judge(own_platform.dsn, load.answers, least=600)


def test_a_killed_database_is_back_and_answers_within_five_seconds(own_platform: Platform) -> None:
    own_platform.deploy("load", "counter", COUNTER, ROUTE)
    with Load([own_platform.port]) as load:
        load.wait_for(200)
        _kill_database(own_platform)
        _wait_for_database(own_platform.dsn)
        back = time.monotonic()
        load.wait_for(1)
        assert time.monotonic() - back < 5.0
        load.wait_for(200)
    judge(own_platform.dsn, load.answers, least=400)


def test_a_run_that_loses_the_database_is_run_again_when_it_is_back(own_platform: Platform) -> None:
    own_platform.deploy("long", "reader", READER, "GET /read")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(own_platform.call, "GET", "/apps/long/read")
        _wait_for_event(own_platform.dsn, "Started")
        _kill_database(own_platform)
        answer = call.result(60)
    assert (answer.status, answer.json) == (200, 3000), answer.text
    whole = own_platform.api("GET", f"/invocations/{answer.headers['picloud-invocation']}").json
    assert [attempt.get("lost") for attempt in whole["attempts"]] == [True, None]


def test_the_whole_platform_killed_goes_on_where_it_was(own_platform: Platform) -> None:
    own_platform.deploy("load", "counter", COUNTER, ROUTE)
    with Load([own_platform.port]) as load:
        load.wait_for(200)
        own_platform.kill()
        own_platform.start()
        load.wait_for(200)
    judge(own_platform.dsn, load.answers, least=400)


def test_requests_in_flight_end_before_a_stop(own_platform: Platform) -> None:
    own_platform.deploy("load", "counter", COUNTER, ROUTE)
    with Load([own_platform.port]) as load:
        load.wait_for(200)
        assert own_platform.stop() == 0
    own_platform.start()
    judge(own_platform.dsn, load.answers, least=200)
    statuses = set(load.answers.counts) - {200}
    assert statuses <= {503}, f"a stop is no failure of a script: {load.answers.counts}"


def test_two_nodes_share_work_and_one_killed_loses_nothing(own_platform: Platform, data: Path) -> None:
    own_platform.deploy("load", "counter", COUNTER, ROUTE)
    second = Platform(data, database=own_platform.dsn)
    second.start()
    with Load([own_platform.port, second.port]) as load:
        load.wait_for(400)
        second.kill()
        load.wait_for(200)
    judge(own_platform.dsn, load.answers, least=600)


def test_nothing_is_left_running_after_a_stop(own_platform: Platform) -> None:
    tree = [process.pid for process in psutil.Process(own_platform.pid).children(recursive=True)]
    assert own_platform.stop() == 0
    assert not [pid for pid in tree if psutil.pid_exists(pid)]


def _kill_database(platform: Platform) -> None:
    for process in platform.processes("postgres"):
        for child in [process, *process.children(recursive=True)]:
            child.kill()


def _wait_for_event(dsn: str, topic: str) -> None:
    end = time.monotonic() + 20.0
    with psycopg.connect(dsn, autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM log.events WHERE topic = %s", (topic,)).fetchone() is None:
            assert time.monotonic() < end, f"there is no {topic}"
            time.sleep(0.01)


def _wait_for_database(dsn: str) -> None:
    end = time.monotonic() + 30.0
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < end, "the database didn't come back"
            time.sleep(0.05)
