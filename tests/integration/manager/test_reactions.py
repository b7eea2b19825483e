"""Reactions to deaths and to events of the platform: each is asked for once, whoever is killed, and none for ever."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from picloud.domain import lifecycle
from picloud.domain.app import App
from picloud.domain.invocation import Content, Failure, HttpInput, Requested, RunError, Trigger
from picloud.domain.metadata import Metadata
from picloud.domain.reaction import reaction_id
from picloud.domain.script import Script
from picloud.domain.trigger import Delivery
from picloud.domain.trigger import Trigger as Watcher
from picloud.log.appender import Appender, Entry
from picloud.log.reader import read_head
from picloud.log.repository import collect
from picloud.manager.reactions import Reactor
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS
from picloud.projections.reactions import Reactions
from picloud.projections.tracking import status

from ..projections.tables import contents
from ..projections.test_rebuild import rebuild
from .processes import manager, wait_until

NODE = UUID(int=7)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def appender(fresh_dsn: str) -> Iterator[Appender]:
    appender = Appender(fresh_dsn)
    appender.start()
    yield appender
    appender.stop()


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


class Demo:
    """An app with a script to notify, for a test to go on with."""

    def __init__(self, appender: Appender, app: str = "demo") -> None:
        self.appender = appender
        self.app = app
        self.script = Script.create(app, "notify", at=NOW)
        self.script.deploy("ab" * 32, 10, at=NOW)
        self.append(App.create(app, at=NOW), self.script)

    def append(self, *aggregates: Any, cause: UUID | None = None) -> None:
        root = cause or uuid4()
        self.appender.append(collect(aggregates, Metadata(self.app, "token:ada", root, root)))

    def trigger(self, name: str, kind: str, **config: Any) -> Watcher:
        """A new trigger that leads to the script."""
        told: dict[str, Any] = {"script": "notify", "config": config, "delivery": Delivery(), "at": NOW}
        trigger = Watcher.create(self.app, name, kind=kind, **told)
        self.append(trigger)
        return trigger

    def deploy(self, *, cause: UUID | None = None) -> None:
        """The script anew."""
        self.script.deploy(f"{uuid4().int:064x}"[:64], 10, at=NOW)
        self.append(self.script, cause=cause)

    def die(self, script: str = "orders", *, kind: str = "api", **given: Any) -> UUID:
        """An invocation that dies at once; its death is version 4 of its stream."""
        stream = uuid4()
        requested = Requested(
            originator_id=stream,
            originator_version=1,
            app=self.app,
            script=script,
            number=1,
            sha256="ab" * 32,
            trigger=Trigger(kind, "ada"),
        )
        state = lifecycle.evolve(None, replace(requested, **given))
        started = lifecycle.start(state, NODE)
        failure = Failure(error=RunError("ErrorRuntime", "no stock", 3, 7, ["f"]))
        ends = lifecycle.fail(lifecycle.evolve(state, started), failure, now=NOW, random=0.0)
        events = (state.requested, started, *ends)
        self.appender.append([Entry(event, Metadata(self.app, "test", stream, stream)) for event in events])
        return stream


@contextmanager
def reacting(dsn: str) -> Iterator[Reactor]:
    """A leader's follower and reactor."""
    sessions, appender = Sessions(dsn, purpose="test", size=2), Appender(dsn)
    appender.start()
    reactor = Reactor(appender=appender, sessions=sessions)
    follower = Follower(
        dsn,
        [kind() for kind in PROJECTIONS.values()],
        on_changed=lambda name: reactor.look() if name == Reactions.name else None,
    )
    follower.start()
    greenlet = reactor.start()
    try:
        yield reactor
        assert not greenlet.dead
    finally:
        reactor.stop()
        follower.stop()
        appender.stop()
        sessions.close()


def reactions(session: psycopg.Connection) -> dict[UUID, tuple[str, dict[str, Any]]]:
    """The first event of each reaction, by its stream: its type and content."""
    rows = session.execute(
        "SELECT originator_id, topic, convert_from(state, 'UTF8') FROM log.events WHERE topic = 'ReactionSkipped'"
        " OR topic = 'Requested' AND actor ~ '^(dead_letter|log):' ORDER BY notification_id"
    ).fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: (row[1], json.loads(row[2])) for row in rows}


def quiet(session: psycopg.Connection) -> bool:
    """Whether every projection is at the head and nothing is owed."""
    head = read_head(session)
    if any(each.position < head for each in status(session)):
        return False
    return session.execute("SELECT count(*) FROM reactions.owed").fetchone() == (0,)


def settle(session: psycopg.Connection) -> dict[UUID, tuple[str, dict[str, Any]]]:
    wait_until(partial(quiet, session), "nothing is owed")
    return reactions(session)


def payload(content: dict[str, Any]) -> Any:
    return json.loads(content["event"]["data"]["text"])


def test_a_death_runs_the_scripts_that_wait_for_it_and_tells_them_all(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    demo = Demo(appender)
    of_orders = demo.trigger("alert", "dead_letter", script="orders")
    of_any = demo.trigger("alert-all", "dead_letter")
    demo.trigger("alert-mail", "dead_letter", script="mail")
    Demo(appender, "other").trigger("alert", "dead_letter")
    headers = {"authorization": "Bearer secret", "x-a": "b"}
    asked = HttpInput("POST", "/orders", {}, {"q": "1"}, headers, Content(text="x" * 70_000))
    dead = demo.die(input=asked, callers=("demo/shop",), depth=1)
    with reacting(fresh_dsn):
        found = settle(session)
    assert set(found) == {reaction_id(each.id, dead, 4) for each in (of_orders, of_any)}
    topic, requested = found[reaction_id(of_orders.id, dead, 4)]
    assert (topic, requested["trigger"]) == ("Requested", {"kind": "dead_letter", "name": "alert"})
    assert requested["callers"] == ["demo/shop", "demo/orders"]
    stored = session.execute(
        "SELECT convert_from(content, 'UTF8') FROM log.contents WHERE encode(sha256, 'hex') = %s",
        (requested["event"]["data"]["sha256"],),
    ).fetchone()
    assert stored is not None
    told = json.loads(stored[0])
    assert told["error"] == {
        "kind": "ErrorRuntime",
        "message": "no stock",
        "line": 3,
        "column": 7,
        "call_stack": ["f"],
    }
    assert (told["invocation"], told["script"], told["version"], told["attempts"]) == (str(dead), "orders", 1, 1)
    assert (told["reason"], told["replay_of"]) == ("attempt 1 of 1 failed", None)
    request = told["input"]["request"]
    assert (request["method"], request["query"], request["headers"]) == ("POST", {"q": "1"}, {"x-a": "b"})
    assert (request["body"], request["body_bytes"], request["body_cut"]) == ("x" * 65_536, 70_000, True)


def test_triggers_that_came_later_or_are_paused_or_removed_are_owed_nothing(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    demo = Demo(appender)
    paused, removed = demo.trigger("paused", "dead_letter"), demo.trigger("removed", "dead_letter")
    paused.pause("quiet", at=NOW)
    demo.append(paused)
    demo.die()
    removed.remove(at=NOW)
    demo.append(removed)
    demo.trigger("later", "dead_letter")
    with reacting(fresh_dsn):
        assert settle(session) == {}
        paused.resume(at=NOW)
        demo.append(paused)
        dead = demo.die()
        wait_until(lambda: len(reactions(session)) == 2, "both that work")
        assert reaction_id(paused.id, dead, 4) in settle(session)


def test_the_death_of_a_dead_letter_run_or_of_its_replay_starts_no_other(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    demo = Demo(appender)
    demo.trigger("alert", "dead_letter")
    demo.die("notify", kind="dead_letter")
    demo.die("notify", kind="dead_letter", replay_of=uuid4())
    with reacting(fresh_dsn):
        assert settle(session) == {}


def test_a_chain_that_is_too_long_ends_with_a_reason_in_the_log(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    demo = Demo(appender)
    demo.trigger("alert", "dead_letter")
    demo.die(callers=("demo/orders",) * 16, depth=16)
    with reacting(fresh_dsn):
        ((topic, content),) = settle(session).values()
    assert topic == "ReactionSkipped"
    assert "18th script in a row" in content["reason"]
    assert content["reason"].endswith("demo/orders → demo/notify")


@pytest.mark.parametrize(("act", "why"), [("disable", "demo/notify is disabled: holidays"), ("remove", "no script")])
def test_what_can_not_run_is_skipped_with_the_reason(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection, act: str, why: str
) -> None:
    demo = Demo(appender)
    demo.trigger("alert", "dead_letter")
    if act == "disable":
        demo.script.disable("holidays", at=NOW)
    else:
        demo.script.remove(at=NOW)
    demo.append(demo.script)
    demo.die()
    with reacting(fresh_dsn):
        ((topic, content),) = settle(session).values()
    assert topic == "ReactionSkipped"
    assert why in content["reason"]


def test_a_log_trigger_runs_for_the_types_that_it_names_but_not_for_itself(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    demo = Demo(appender)
    scripts, triggers = demo.trigger("audit", "log", events="Script*"), demo.trigger("meta", "log", events="Trigger*")
    demo.deploy()
    scripts.pause("", at=NOW)
    demo.append(scripts)
    triggers.pause("", at=NOW)
    demo.append(triggers)
    demo.die()
    with reacting(fresh_dsn):
        found = settle(session)
    kinds = {topic for topic, _ in found.values()}
    # Both are paused by the time that they are asked for: what they are owed is told, and not run.
    assert kinds == {"ReactionSkipped"}
    assert set(found) == {reaction_id(scripts.id, demo.script.id, 3), reaction_id(triggers.id, scripts.id, 2)}


def test_a_log_trigger_tells_who_did_what_when(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    demo = Demo(appender)
    demo.trigger("audit", "log", events="ScriptDeployed")
    demo.deploy()
    with reacting(fresh_dsn):
        ((topic, content),) = settle(session).values()
    assert topic == "Requested"
    told = payload(content)
    assert (told["type"], told["actor"], told["app"], told["version"]) == ("ScriptDeployed", "token:ada", "demo", 3)
    assert told["content"]["number"] == 2
    assert datetime.fromisoformat(told["time"]).tzinfo is not None


def test_a_log_trigger_whose_script_changes_the_platform_ends_after_sixteen(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    """Each reaction deploys, as its script would by the API: with the same root cause."""
    demo, root = Demo(appender), uuid4()
    demo.trigger("again", "log", events="ScriptDeployed")
    with reacting(fresh_dsn):
        for count in range(1, 30):
            demo.deploy(cause=root)
            wait_until(lambda count=count: len(reactions(session)) == count, f"reaction {count}")
            if [topic for topic, _ in reactions(session).values()][-1] == "ReactionSkipped":
                break
        demo.deploy()
        wait_until(lambda count=count: len(reactions(session)) == count + 1, "one with another root cause")
    found = list(reactions(session).values())
    assert [topic for topic, _ in found] == ["Requested"] * 17 + ["ReactionSkipped", "Requested"]
    assert "demo/notify → demo/notify" in found[17][1]["reason"]


def test_two_leaders_ask_once(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    demo = Demo(appender)
    trigger = demo.trigger("alert", "dead_letter")
    with reacting(fresh_dsn) as first, reacting(fresh_dsn) as second:
        dead = []
        for _ in range(50):
            dead.append(demo.die())
            first.look()
            second.look()
        wait_until(lambda: len(reactions(session)) == 50, "50 reactions")
        assert set(settle(session)) == {reaction_id(trigger.id, each, 4) for each in dead}


def test_a_killed_leader_loses_none_and_doubles_none(
    fresh_dsn: str, appender: Appender, session: psycopg.Connection
) -> None:
    demo = Demo(appender)
    alert, audit = demo.trigger("alert", "dead_letter"), demo.trigger("audit", "log", events="ScriptDeployed")
    expected = set()
    with manager(fresh_dsn):
        wait_until(partial(quiet, session), "a leader")
    for _ in range(4):
        with manager(fresh_dsn) as process:
            before = len(reactions(session))
            for _ in range(30):
                expected.add(reaction_id(alert.id, demo.die(), 4))
                demo.deploy()
                expected.add(reaction_id(audit.id, demo.script.id, demo.script.version))
            wait_until(lambda before=before: len(reactions(session)) > before, "some reactions")
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    with manager(fresh_dsn):
        found = settle(session)
    assert set(found) == expected
    assert {topic for topic, _ in found.values()} == {"Requested"}
    assert session.execute("SELECT count(*) FROM outbox.pending").fetchone() == (len(expected),)


def test_what_is_owed_is_the_same_in_a_rebuild(fresh_dsn: str, appender: Appender, session: psycopg.Connection) -> None:
    demo = Demo(appender)
    demo.trigger("alert", "dead_letter")
    demo.trigger("audit", "log", events="*")
    demo.die()
    demo.deploy()
    follower = Follower(fresh_dsn, [kind() for kind in PROJECTIONS.values()])
    follower.start()
    wait_until(lambda: all(each.lag == 0 for each in status(session)), "the projections at the head")
    follower.stop()
    live = contents(session)
    assert session.execute("SELECT count(*) FROM reactions.owed").fetchone() == (2,)
    progress = rebuild(fresh_dsn, Reactions.name)
    assert (progress.phase, progress.difference) == ("swapped", None)
    assert contents(session) == live
