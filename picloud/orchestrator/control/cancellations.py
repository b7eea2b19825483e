"""Many invocations called off at once: those of a filter, a bounded number of them at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from picloud.domain import lifecycle
from picloud.domain.errors import Invalid
from picloud.domain.invocation import ENDED, State
from picloud.domain.metadata import Metadata
from picloud.log.appender import Entry, Pending, StreamConflict
from picloud.log.briefs import read_briefs
from picloud.orchestrator.cancellation import cancel_wake
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.orchestrator.control.replays import SAMPLE, caught_up
from picloud.projections.queries import InvocationFilter, count_invocations, invocations, select_invocations

MOST_AT_ONCE: Final = 10_000
"""So many are called off by one request at most."""
CHUNK: Final = 500
OPEN: Final = [state.value for state in State if state not in ENDED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which invocations are to be called off; None means any that has not ended. Times are those of the requests.

    ``up_to`` is the last position at which a request was meant; None for the log's head.
    """

    app: str
    script: str | None = None
    state: str | None = None
    trigger: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    up_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledMany:
    """What became of it. ``matching`` were there, ``cancelled`` were called off, ``ended`` by themselves meanwhile.

    With ``more``, ask again, with ``up_to``.
    """

    matching: int
    cancelled: int
    ended: int
    more: bool
    up_to: int
    sample: list[dict[str, Any]]


def cancel_many(control: Control, command: Command, wanted: Wanted, *, reason: str, dry_run: bool) -> CancelledMany:
    """Call off what ``wanted`` says, the oldest first; with ``dry_run`` only count.

    Raises :class:`NotFound`, :class:`Invalid`, or ``LogUnavailable`` if the list is far behind the log.
    """
    if wanted.state is not None and wanted.state not in OPEN:
        raise Invalid(
            f"invocations that are {wanted.state!r} can't be cancelled: expected {', '.join(OPEN)}",
            field="filter.state",
        )
    with control.sessions.session() as connection:
        existing_app(connection, wanted.app)
    head = caught_up(control, "invocations")
    up_to = head if wanted.up_to is None else min(wanted.up_to, head)
    asked = InvocationFilter(
        app=wanted.app,
        script=wanted.script,
        states=OPEN if wanted.state is None else [wanted.state],
        trigger=wanted.trigger,
        since=wanted.since,
        until=wanted.until,
        before=up_to + 1,
        limit=SAMPLE,
    )
    with control.sessions.transaction() as connection:
        # One snapshot: the sample is of what is counted.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        matching = count_invocations(connection, asked)
        sample = invocations(connection, asked)
        chosen = [] if dry_run else select_invocations(connection, replace(asked, limit=MOST_AT_ONCE))
    cancelled = 0
    for start in range(0, len(chosen), CHUNK):
        cancelled += _cancel(control, command, chosen[start : start + CHUNK], reason)
    return CancelledMany(
        matching=matching,
        cancelled=cancelled,
        ended=len(chosen) - cancelled,
        more=matching > len(chosen) and not dry_run,
        up_to=up_to,
        sample=sample,
    )


def _cancel(control: Control, command: Command, chosen: list[UUID], reason: str) -> int:
    """Call these off; return how many were. Whoever went on meanwhile is looked at again until it stands still."""
    cancelled = 0
    left = chosen
    while left:
        with control.sessions.session() as connection:
            briefs = read_briefs(connection, left)
        appends: list[tuple[UUID, Pending]] = []
        for invocation, brief in briefs.items():
            state = brief.invocation
            if state.ended:
                continue
            metadata = Metadata(brief.metadata.app, command.actor, brief.metadata.correlation_id, command.request_id)
            # Only who runs has somebody who is to be told.
            wakes = [cancel_wake(invocation)] if state.state is State.RUNNING else []
            entry = Entry(lifecycle.cancel(state, reason), metadata)
            appends.append((invocation, control.appender.append_later([entry], wakes=wakes)))
        left = []
        for invocation, append in appends:
            try:
                append.wait()
                cancelled += 1
            except StreamConflict:
                left.append(invocation)
    return cancelled
