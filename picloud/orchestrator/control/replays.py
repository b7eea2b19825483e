"""Replay jobs: a selection looked at, frozen and begun; jobs paused, resumed, aborted. The leader carries them out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain import replay_job
from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.invocation import ENDED
from picloud.domain.metadata import Metadata
from picloud.domain.replay_job import (
    CURRENT,
    MOST_SELECTED,
    ORIGINAL,
    Chosen,
    ReplayJob,
    ReplayJobEvent,
    ReplayOrder,
    job_id,
    selection_content,
)
from picloud.domain.script import Script
from picloud.log.appender import Entry, LogUnavailable, StreamConflict
from picloud.log.contents import put_content
from picloud.log.reader import read_first_events, read_head, read_stream
from picloud.log.repository import load
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control, NotCaughtUp
from picloud.projections.queries import (
    DeadLetterFilter,
    InvocationFilter,
    dead_letters,
    invocations,
    select_invocations,
    select_letters,
)
from picloud.projections.waiting import wait_for_position

SAMPLE: Final = 5
"""So many of a selection are shown before it is replayed: the newest."""
CATCH_UP_SECONDS: Final = 10.0
LETTERS: Final = "dead_letters"
MOST_TRIES: Final = 50
ENDED_STATES: Final = sorted(state.value for state in ENDED)
REPLAYABLE: Final = ("open", "discarded", "saved")
"""States of dead letters that a job may choose."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What an order would replay: the ids in the order of their requests, and rows of some, as lists show them."""

    invocations: list[UUID]
    sample: list[dict[str, Any]]


def select(control: Control, order: ReplayOrder) -> Selection:
    """Choose what the order means now, with all that is in the log by now.

    Raises :class:`NotFound`, :class:`Invalid`, or ``LogUnavailable`` if the lists are far behind the log.
    """
    order = _checked(order)
    projection = LETTERS if order.chosen.source == LETTERS else "invocations"
    with control.sessions.session() as connection:
        existing_app(connection, order.app)
        _check_version(connection, order)
    caught_up(control, projection)
    with control.sessions.transaction() as connection:
        # One snapshot: the sample is of what is counted.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if projection == LETTERS:
            letters = _letter_filter(order)
            return Selection(
                select_letters(connection, replace(letters, limit=MOST_SELECTED + 1)),
                dead_letters(connection, letters),
            )
        wanted = _invocation_filter(order)
        return Selection(
            select_invocations(connection, replace(wanted, limit=MOST_SELECTED + 1)),
            invocations(connection, wanted),
        )


def start(control: Control, command: Command, order: ReplayOrder) -> tuple[UUID, Selection]:
    """Freeze the selection and begin the job; return its id once it is listed.

    Raises what :func:`select` does, and :class:`Conflict` if the name was used.
    """
    order = _checked(order)
    job = job_id(order.app, order.name)
    with control.sessions.session() as connection:
        if read_first_events(connection, [job]):
            raise _name_taken(order)
    selection = select(control, order)
    with control.sessions.session() as connection:
        content = put_content(connection, selection_content(selection.invocations))
    event = replay_job.start(order, selection=content, count=len(selection.invocations))
    try:
        position = control.appender.append([Entry(event, command.metadata(order.app))])
    except StreamConflict:
        raise _name_taken(order) from None
    _listed(control, position)
    return job, selection


def pause(control: Control, command: Command, app: str, name: str, note: str) -> None:
    """Ask for nothing more for now. Raises :class:`NotFound` or :class:`Conflict`."""
    _change(control, command, app, name, lambda job: replay_job.pause(job, note))


def resume(control: Control, command: Command, app: str, name: str) -> None:
    """Go on. Raises :class:`NotFound` or :class:`Conflict`."""
    _change(control, command, app, name, replay_job.resume)


def abort(control: Control, command: Command, app: str, name: str, reason: str) -> None:
    """Ask for nothing more, ever. Raises :class:`NotFound` or :class:`Conflict`."""
    _change(control, command, app, name, lambda job: replay_job.abort(job, reason))


def existing_job(connection: psycopg.Connection, app: str, name: str) -> ReplayJob:
    """The job, as the log has it. Raises :class:`NotFound`."""
    existing_app(connection, app)
    job: ReplayJob | None = None
    for recorded in read_stream(connection, job_id(app, name)):
        event: Any = recorded.event
        job = replay_job.evolve(job, event)
    if job is None:
        raise no_such_job(app, name)
    return job


def no_such_job(app: str, name: str) -> NotFound:
    """What is told of a name that no job has."""
    return NotFound(f"there is no replay job {name!r} in {app}", field="job", remedy=f"See picloud replays {app}.")


def _change(
    control: Control, command: Command, app: str, name: str, decide: Callable[[ReplayJob], ReplayJobEvent]
) -> None:
    def use_case() -> int:
        with control.sessions.session() as connection:
            job = existing_job(connection, app, name)
        metadata = Metadata(app, command.actor, command.correlation_id, command.request_id)
        return control.appender.append([Entry(decide(job), metadata)])

    # A job at full speed appends to its stream every few milliseconds.
    for _ in range(MOST_TRIES):
        try:
            position = use_case()
        except StreamConflict:
            continue
        _listed(control, position)
        return
    raise Conflict(f"the replay job {app}/{name} is too busy to be changed", remedy="Try again.")


def _checked(order: ReplayOrder) -> ReplayOrder:
    """The order, with the states that it means if it names none."""
    chosen = order.chosen
    if chosen.source == LETTERS:
        if chosen.state is None:
            chosen = replace(chosen, state="open")
        elif chosen.state not in REPLAYABLE:
            raise Invalid(
                f"dead letters that are {chosen.state!r} can't be replayed: expected {', '.join(REPLAYABLE)}",
                field="filter.state",
            )
    else:
        if chosen.state is not None and chosen.state not in ENDED_STATES:
            raise Invalid(
                f"invocations that are {chosen.state!r} can't be replayed: expected {', '.join(ENDED_STATES)}",
                field="filter.state",
                remedy="Wait for their end, or cancel them first.",
            )
        for name in ("kind", "text"):
            if getattr(chosen, name) is not None:
                raise Invalid(f"invocations aren't found by {name}, only dead letters are", field=f"filter.{name}")
    return replace(order, chosen=chosen).check()


def _check_version(connection: psycopg.Connection, order: ReplayOrder) -> None:
    chosen = order.chosen
    if chosen.script is None or order.version == ORIGINAL:
        return
    script = load(connection, Script, Script.id_of(order.app, chosen.script))
    if script is None or script.current is None:
        raise NotFound(
            f"there is no script {order.app}/{chosen.script}",
            field="filter.script",
            remedy="Deploy it first, or replay on the version 'original'.",
        )
    if order.version != CURRENT:
        script.version_numbered(int(order.version))


def _letter_filter(order: ReplayOrder) -> DeadLetterFilter:
    chosen = order.chosen
    return DeadLetterFilter(
        app=order.app,
        script=chosen.script,
        state=chosen.state,
        trigger=chosen.trigger,
        kind=chosen.kind,
        text=chosen.text,
        since=_time(chosen.since),
        until=_time(chosen.until),
        limit=SAMPLE,
    )


def _invocation_filter(order: ReplayOrder) -> InvocationFilter:
    chosen = order.chosen
    return InvocationFilter(
        app=order.app,
        script=chosen.script,
        states=ENDED_STATES if chosen.state is None else [chosen.state],
        trigger=chosen.trigger,
        since=_time(chosen.since),
        until=_time(chosen.until),
        limit=SAMPLE,
    )


def chosen_from(source: str, values: dict[str, Any]) -> Chosen:
    """A choice as events hold it: times as text in UTC."""
    given = {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    return Chosen(source=source, **given)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _name_taken(order: ReplayOrder) -> Conflict:
    return Conflict(
        f"there was a replay job {order.name!r} in {order.app} already",
        field="name",
        remedy="Each job has a name of its own, such as mend-orders-2.",
    )


def caught_up(control: Control, projection: str) -> int:
    """Wait until the projection has come to what is the log's head now; return that.

    Raises ``LogUnavailable`` if it is too far behind.
    """
    with control.sessions.session() as connection:
        head = read_head(connection)
    if not wait_for_position(control.sessions, projection, head, timeout=CATCH_UP_SECONDS):
        name = projection.replace("_", " ")
        raise LogUnavailable(f"the list of {name} is far behind the log; see picloud projections", unknown=False)
    return head


def _listed(control: Control, position: int) -> None:
    if not wait_for_position(control.sessions, "replay_jobs", position, timeout=CATCH_UP_SECONDS):
        raise NotCaughtUp(position, "list of replay jobs")
