"""Triggers: what they may be told, and how they change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from picloud.domain import lifecycle
from picloud.domain.catalogue import EVENT_TYPES
from picloud.domain.control_events import CONTROL_EVENTS
from picloud.domain.duration import format_duration, parse_duration
from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.firing import Target
from picloud.domain.invocation import (
    DeadLettered,
    EventInput,
    Failure,
    Invocation,
    RetryPolicy,
    RunError,
    RunLimits,
    Started,
)
from picloud.domain.tick import backfill_id, put_off, tick_id
from picloud.domain.trigger import Delivery, Trigger

AT = datetime(2030, 1, 1, tzinfo=UTC)
DAILY = {"cron": "0  3 * * *"}


def made(config: dict[str, Any] = DAILY, kind: str = "cron", **given: Any) -> Trigger:
    told = {"script": "clean", "delivery": Delivery(), "at": AT} | given
    return Trigger.create("demo", "nightly", kind=kind, config=config, **told)


def test_defaults_are_stored_with_the_trigger() -> None:
    assert made().config == {
        "cron": "0 3 * * *",
        "zone": "UTC",
        "overlap": "skip",
        "catch_up": "last",
        "window": "1d",
        "jitter": "0s",
    }


@pytest.mark.parametrize(
    ("kind", "config", "field", "said"),
    [
        ("cron", {}, "config.cron", "needs 'cron'"),
        ("cron", {"cron": 5}, "config.cron", "expected a text, found a whole number"),
        ("cron", DAILY | {"zon": "UTC"}, "config.zon", "no setting 'zon'"),
        ("cron", DAILY | {"overlap": "maybe"}, "config.overlap", "none of skip"),
        ("cron", DAILY | {"catch_up": "some"}, "config.catch_up", "none of none, last, all"),
        ("cron", DAILY | {"jitter": "2d"}, "config.jitter", "0s to 1d"),
        ("cron", DAILY | {"zone": "Nowhere"}, "config.zone", "no time zone"),
        ("topic", {"topic": "a..b"}, "config.topic", "an empty word"),
        ("dead_letter", {"script": "No!"}, "config.script", "can't name a script"),
        ("dead_letter", {"scrip": "orders"}, "config.scrip", "no setting 'scrip'"),
        ("log", {}, "config.events", "needs 'events'"),
        ("log", {"events": "Script-*"}, "config.events", "letters and '\\*'"),
        ("log", {"events": "Scirpt*"}, "config.events", "matches no event"),
        ("log", {"events": "Requested"}, "config.events", "matches no event"),
        ("carrier-pigeon", {}, "kind", "expected cron, topic"),
    ],
)
def test_what_it_cannot_be_told_is_refused_by_name(kind: str, config: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        made(config, kind)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("Scirpt*", "Did you mean 'Script*'?"),
        ("scriptdeployed", "Did you mean 'ScriptDeployed'?"),
        ("RouteAded", "Did you mean 'RouteAdded'?"),
        ("Trigger", "Did you mean 'Trigger*'?"),
        ("KeyWritten", "There are ScriptCreated, ScriptDeployed"),
    ],
)
def test_a_pattern_of_events_that_matches_none_is_refused_with_one_that_does(pattern: str, remedy: str) -> None:
    with pytest.raises(Invalid) as refused:
        made({"events": pattern}, "log")
    assert refused.value.remedy.startswith(remedy)


def test_every_event_that_a_log_trigger_may_name_exists() -> None:
    assert set(CONTROL_EVENTS) <= set(EVENT_TYPES)
    assert made({"events": "*"}, "log").config == {"events": "*"}


def test_it_changes_within_its_kind_and_tells_whether_it_did() -> None:
    trigger = made()
    told: dict[str, Any] = {"script": "clean", "delivery": Delivery(), "at": AT}
    assert not trigger.change(kind="cron", config=DAILY, **told)
    assert trigger.change(kind="cron", config=DAILY | {"zone": "Asia/Tokyo"}, **told)
    with pytest.raises(Conflict, match="is of kind cron, not topic"):
        trigger.change(kind="topic", config={"topic": "a"}, **told)
    trigger.remove(at=AT)
    assert trigger.change(kind="topic", config={"topic": "a"}, **told)
    assert not trigger.removed


def test_it_is_paused_with_a_note_and_resumed() -> None:
    trigger = made()
    trigger.pause("moving house", at=AT)
    assert trigger.paused == "moving house"
    with pytest.raises(Conflict, match="moving house"):
        trigger.pause("", at=AT)
    trigger.resume(at=AT)
    with pytest.raises(Conflict, match="not paused"):
        trigger.resume(at=AT)
    trigger.remove(at=AT)
    with pytest.raises(NotFound):
        trigger.pause("", at=AT)


def running(retry: RetryPolicy, *, now: datetime = AT) -> Invocation:
    target = Target(
        app="demo",
        kind="cron",
        trigger="nightly",
        script="clean",
        number=1,
        sha256="00",
        delivery=Delivery(retry, RunLimits(100, 0)),
    )
    requested = target.request(UUID(int=1), EventInput({"due": "x"}), now=now)
    state = lifecycle.evolve(None, requested)
    return lifecycle.evolve(state, Started(originator_id=state.id, originator_version=2, attempt=1, node=UUID(int=2)))


def failed(state: Invocation, kind: str = "ErrorRuntime", *, now: datetime = AT) -> list[Any]:
    return list(lifecycle.fail(state, Failure(error=RunError(kind, "no")), now=now, random=0.5))


def test_delays_that_are_listed_are_waited_exactly_the_last_again() -> None:
    policy = RetryPolicy(attempts=9, delays_ms=(1_000, 60_000))
    assert [policy.delay(n, 0.3).total_seconds() for n in (1, 2, 3, 8)] == [1, 60, 60, 60]


def test_only_errors_of_the_kinds_named_are_tried_again() -> None:
    state = running(RetryPolicy(attempts=3, retry_on=("WallTimeLimit",)))
    assert len(failed(state, "WallTimeLimit")) == 1
    dead = failed(state, "ErrorRuntime")[-1]
    assert isinstance(dead, DeadLettered)
    assert "ErrorRuntime is not tried again" in dead.reason


def test_no_run_begins_after_the_deadline() -> None:
    state = running(RetryPolicy(attempts=3, delays_ms=(2_000,), deadline_ms=5_000))
    assert state.requested.expires == AT + timedelta(seconds=5)
    assert len(failed(state)) == 1
    dead = failed(state, now=AT + timedelta(seconds=3))[-1]
    assert isinstance(dead, DeadLettered)
    assert "after the deadline" in dead.reason


def test_a_tick_has_one_stream_and_is_always_put_off_by_as_much() -> None:
    trigger = Trigger.id_of("demo", "nightly")
    other = AT + timedelta(seconds=1)
    assert tick_id(trigger, AT) == tick_id(trigger, AT.astimezone())
    assert len({tick_id(trigger, AT), tick_id(trigger, other), backfill_id(trigger, AT)}) == 3
    offs = {put_off(tick_id(trigger, AT + timedelta(seconds=n)), AT, 10_000) - AT for n in range(50)}
    assert max(offs) <= timedelta(seconds=10)
    assert len(offs) > 40


@pytest.mark.parametrize(("text", "ms"), [("250ms", 250), ("1h30m", 5_400_000), ("7d", 604_800_000), ("0s", 0)])
def test_durations_are_read_and_written(text: str, ms: int) -> None:
    assert (parse_duration(text, field="x"), format_duration(ms)) == (ms, text)


@pytest.mark.parametrize("text", ["", "5", "1.5s", "-1s", "s", "5 s", "9" * 30 + "d", None, 5, "400d"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(Invalid, match="no duration"):
        parse_duration(text, field="x")
