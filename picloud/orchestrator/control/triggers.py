"""Triggers: set, paused, resumed, removed, fired by hand, made up for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain.errors import Conflict, Disabled, Invalid, NotFound
from picloud.domain.firing import Target
from picloud.domain.invocation import Content, EventInput
from picloud.domain.metadata import Metadata
from picloud.domain.sample import fired_attributes, sample_event
from picloud.domain.script import Script
from picloud.domain.tick import backfill_id, due_text, tick_id
from picloud.domain.trigger import Delivery, Trigger
from picloud.domain.trigger_config import Cron, Queue
from picloud.log.appender import Entry, StreamConflict
from picloud.log.contents import get_content
from picloud.log.ids import new_id
from picloud.log.reader import read_first_events
from picloud.log.repository import collect, load
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.projections.queues import held

MAX_BACKFILL: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a trigger is to be. ``delivery`` is None to keep what it has."""

    app: str
    name: str
    kind: str
    script: str
    config: Mapping[str, Any]
    delivery: Delivery | None = None


def set_trigger(control: Control, command: Command, setting: Setting) -> bool:
    """Make or change a trigger of a script that exists; return whether anything changed.

    Raises :class:`NotFound`, :class:`Invalid` or :class:`Conflict`.
    """

    def use_case() -> bool:
        with control.sessions.session() as connection:
            existing_app(connection, setting.app)
            deployed_script(connection, setting.app, setting.script)
            trigger = load(connection, Trigger, Trigger.id_of(setting.app, setting.name))
        was = trigger.delivery if trigger is not None and not trigger.removed else Delivery()
        told: dict[str, Any] = {
            "kind": setting.kind,
            "script": setting.script,
            "config": setting.config,
            "delivery": setting.delivery or was,
            "at": control.now(),
        }
        if trigger is None:
            trigger = Trigger.create(setting.app, setting.name, **told)
        else:
            trigger.change(**told)
        return control.append(collect([trigger], command.metadata(setting.app))) is not None

    return control.decide(use_case)


def pause(control: Control, command: Command, app: str, name: str, note: str) -> None:
    """Let nothing come of a trigger. Raises :class:`NotFound` or :class:`Conflict`."""
    _change(control, command, app, name, lambda trigger: trigger.pause(note, at=control.now()))


def resume(control: Control, command: Command, app: str, name: str) -> None:
    """Let a trigger work again. Raises :class:`NotFound` or :class:`Conflict`."""
    _change(control, command, app, name, lambda trigger: trigger.resume(at=control.now()))


def remove(control: Control, command: Command, app: str, name: str) -> None:
    """Take a trigger away. Raises :class:`NotFound`, or :class:`Conflict` for a paused queue that holds messages."""

    def taken(trigger: Trigger) -> None:
        if trigger.kind == Queue.kind and trigger.paused is not None:
            with control.sessions.session() as connection:
                waiting = held(connection, trigger.id)
            if waiting:
                raise Conflict(
                    f"the queue {app}/{name} is paused and holds {waiting:,} messages, which nothing would run",
                    remedy=f"Resume it, or call them off: picloud queues purge {app}/{name}.",
                )
        trigger.remove(at=control.now())

    _change(control, command, app, name, taken)


def fire(control: Control, command: Command, app: str, name: str, data: Content, *, sample: bool = False) -> UUID:
    """Run what the trigger leads to, now, also while it is paused; return the invocation's id once that is committed.

    The script finds ``data``, which is JSON, or a ``sample`` of what the kind gives. What is asked of a paused queue
    waits. Raises :class:`NotFound`, :class:`Disabled`, or :class:`Invalid` for a sample beside data.
    """
    if sample and data != Content():
        raise Invalid("a sample has its own data", field="sample", remedy="Give data, or ask for the sample.")
    invocation, now = new_id(), control.now()
    with control.sessions.session() as connection:
        trigger = existing_trigger(connection, app, name)
        target = target_of(connection, trigger)
        payload = get_content(connection, data.sha256) if data.sha256 is not None else None
    event = sample_event(trigger.settings, invocation=invocation, app=app, now=now)
    if not sample:
        event = replace(event, attributes=fired_attributes(trigger.settings, event), data=data)
    event = replace(event, attributes={**event.attributes, "fired_by": command.actor})
    requested = target.request(invocation, event, now=now, payload=payload)
    metadata = Metadata(app, command.actor, command.correlation_id, command.request_id)
    control.appender.append([Entry(requested, metadata)])
    return invocation


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill found: due times in the range, and how many of them it made up for."""

    due: int
    fired: int


def backfill(
    control: Control, command: Command, app: str, name: str, *, since: datetime, until: datetime, dry_run: bool
) -> Backfill:
    """Fire the ticks from ``since`` on, before ``until``, that have no invocation yet. Doing it twice changes nothing.

    Raises :class:`NotFound`, :class:`Disabled`, or :class:`Invalid` for a trigger without a schedule, a range that
    isn't past, or one with more than 10,000 ticks.
    """
    with control.sessions.session() as connection:
        trigger = existing_trigger(connection, app, name)
        target = target_of(connection, trigger)
    dues = _past_ticks(control, trigger, since, until)
    known: set[UUID] = set()
    ids = {due: (tick_id(trigger.id, due), backfill_id(trigger.id, due)) for due in dues}
    for start in range(0, len(dues), 1_000):
        asked = [stream for due in dues[start : start + 1_000] for stream in ids[due]]
        with control.sessions.session() as connection:
            first = read_first_events(connection, asked)
        known |= {stream for stream, recorded in first.items() if recorded.type == "Requested"}
    open_dues = [due for due in dues if known.isdisjoint(ids[due])]
    if dry_run:
        return Backfill(len(dues), len(open_dues))
    fired = 0
    for start in range(0, len(open_dues), 500):
        pending = []
        for due in open_dues[start : start + 500]:
            event = EventInput({"due": due_text(due), "fired_by": command.actor})
            requested = target.request(ids[due][1], event, now=control.now())
            metadata = Metadata(app, command.actor, command.correlation_id, command.request_id)
            pending.append(control.appender.append_later([Entry(requested, metadata)]))
        for append in pending:
            try:
                append.wait()
                fired += 1
            except StreamConflict:
                # Somebody else does the same.
                continue
    return Backfill(len(dues), fired)


def existing_trigger(connection: psycopg.Connection, app: str, name: str) -> Trigger:
    """The trigger, as the log has it. Raises :class:`NotFound`."""
    existing_app(connection, app)
    trigger = load(connection, Trigger, Trigger.id_of(app, name))
    if trigger is None or trigger.removed:
        raise NotFound(f"there is no trigger {name!r} in {app}", field="trigger", remedy=f"See picloud triggers {app}.")
    return trigger


def deployed_script(connection: psycopg.Connection, app: str, name: str) -> Script:
    """The script, if it has a current version. Raises :class:`NotFound`."""
    script = load(connection, Script, Script.id_of(app, name))
    if script is None or script.current is None:
        raise NotFound(f"there is no script {app}/{name}", field="script", remedy="Deploy it first.")
    return script


def target_of(connection: psycopg.Connection, trigger: Trigger) -> Target:
    """What the trigger leads to now. Raises :class:`NotFound` or :class:`Disabled`."""
    script = deployed_script(connection, trigger.app, trigger.script)
    if script.disabled is not None:
        raise Disabled(f"{script.title} is disabled: {script.disabled}")
    assert script.current is not None
    version = script.versions[script.current]
    config = trigger.settings
    return Target(
        app=trigger.app,
        kind=trigger.kind,
        trigger=trigger.name,
        script=trigger.script,
        number=version.number,
        sha256=version.sha256,
        delivery=trigger.delivery,
        serial=isinstance(config, Cron) and config.overlap == "queue",
    )


def _past_ticks(control: Control, trigger: Trigger, since: datetime, until: datetime) -> list[datetime]:
    config = trigger.settings
    if not isinstance(config, Cron):
        raise Invalid(f"a {trigger.kind} trigger has no schedule to go back to", field="trigger")
    if not since < until <= control.now():
        raise Invalid(
            "the range must begin before it ends, and end in the past",
            field="until",
            remedy="Give both as RFC 3339, for example 2026-01-31T00:00:00Z.",
        )
    dues: list[datetime] = []
    for due in config.schedule.between(since, until):
        dues.append(due)
        if len(dues) > MAX_BACKFILL:
            raise Invalid(
                f"the range holds more than {MAX_BACKFILL:,} ticks", field="since", remedy="Take it in parts."
            )
    return dues


def _change(control: Control, command: Command, app: str, name: str, change: Callable[[Trigger], None]) -> None:
    def use_case() -> None:
        with control.sessions.session() as connection:
            trigger = existing_trigger(connection, app, name)
        change(trigger)
        control.append(collect([trigger], command.metadata(app)))

    control.decide(use_case)
