"""Reactions: asks for the run that a dead_letter or log trigger owes to each of its events.

What is owed is a projection, so nothing is forgotten with a leader: a new one finds the same rows. A reaction's stream
follows from trigger and event, so a second leader meets a version that is taken. Woken when the projection changes.

A chain of dead letters is as long as the callers that its requests name. Of a log trigger's events nobody knows which
run caused them; but a run that changes the platform keeps its root cause, and so a chain is found there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog

from picloud.domain.errors import Invalid
from picloud.domain.firing import Target
from picloud.domain.invocation import EventInput, Requested
from picloud.domain.metadata import Metadata
from picloud.domain.reaction import ReactionSkipped
from picloud.domain.trigger import Trigger
from picloud.domain.trigger_config import DeadLetter, Log
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.contents import pack
from picloud.log.reader import AuditFilter, RecordedEvent, read_audit, read_stream
from picloud.log.repository import load
from picloud.manager.part import Part
from picloud.manager.reports import death_report, log_report
from picloud.postgres.sessions import Sessions
from picloud.projections.reactions import OwedRow, owed
from picloud.projections.triggers import ScriptNow, scripts_now

PAGE: Final = 200
"""Reactions that are asked for together."""
NEWEST_REQUESTS: Final = 200
"""So many requests with the same root cause are looked through for a chain of log triggers."""
BEGINNING: Final = (0, UUID(int=0))

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reaction:
    """A reaction that is owed by a trigger that is there. ``stream`` is the cause's, the whole of it for a death."""

    row: OwedRow
    trigger: Trigger
    stream: list[RecordedEvent]

    @property
    def cause(self) -> RecordedEvent:
        return next(recorded for recorded in self.stream if recorded.version == self.row.version)


class Reactor(Part):
    """See the module. Lives on the leader, from ``start`` to ``stop``; call ``look`` when something may be owed."""

    name = "reactor"

    def __init__(
        self, *, appender: Appender, sessions: Sessions, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__()
        self._appender = appender
        self._sessions = sessions
        self._clock = clock
        self._done = BEGINNING

    def work(self) -> None:
        """Ask for all that is owed."""
        while self._next_page():
            pass

    def _next_page(self) -> bool:
        """Ask for what is owed next; return whether there was anything."""
        with self._sessions.session() as connection:
            rows = owed(connection, after=self._done, limit=PAGE)
            reactions = _load(connection, rows)
            scripts = scripts_now(connection, {(each.trigger.app, each.trigger.script) for each in reactions})
        pending = []
        for reaction in reactions:
            event, metadata = self._event(reaction, scripts)
            pending.append(self._appender.append_later([Entry(event, metadata)]))
        for append in pending:
            try:
                append.wait(None)
            except StreamConflict:
                # Another leader has asked for it.
                continue
        if rows:
            # What is owed later stands behind these, which go when the projection comes to what was asked for.
            self._done = (rows[-1].position, rows[-1].id)
        return bool(rows)

    def _event(
        self, reaction: _Reaction, scripts: dict[tuple[str, str], ScriptNow]
    ) -> tuple[Requested | ReactionSkipped, Metadata]:
        trigger, cause = reaction.trigger, reaction.cause
        metadata = Metadata(trigger.app, f"{trigger.kind}:{trigger.name}", cause.correlation_id, cause.stream_id)
        script = scripts.get((trigger.app, trigger.script))
        if trigger.paused is not None:
            return _skipped(reaction, "the trigger is paused"), metadata
        if script is None:
            return _skipped(reaction, f"there is no script {trigger.app}/{trigger.script}"), metadata
        if script.disabled is not None:
            why = f"{trigger.app}/{trigger.script} is disabled: {script.disabled}"
            return _skipped(reaction, why), metadata
        try:
            return self._requested(reaction, script), metadata
        except Invalid as error:
            return _skipped(reaction, error.message), metadata

    def _requested(self, reaction: _Reaction, script: ScriptNow) -> Requested:
        trigger = reaction.trigger
        target = Target(
            app=trigger.app,
            kind=trigger.kind,
            trigger=trigger.name,
            script=trigger.script,
            number=script.number,
            sha256=script.sha256,
            delivery=trigger.delivery,
        )
        callers, report = self._told(reaction)
        payload = json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        event = EventInput({}, pack(payload, self._sessions))
        return target.request(reaction.row.id, event, now=self._clock(), payload=payload, callers=callers)

    def _told(self, reaction: _Reaction) -> tuple[tuple[str, ...], dict[str, Any]]:
        """The scripts that led to the reaction, and what its script is told."""
        cause = reaction.cause
        if reaction.trigger.kind == Log.kind:
            return self._log_chain(cause), log_report(cause)
        requested = reaction.stream[0].event
        assert isinstance(requested, Requested)
        chain = (*requested.callers, f"{requested.app}/{requested.script}")
        return chain, death_report(reaction.stream, cause, self._sessions)

    def _log_chain(self, cause: RecordedEvent) -> tuple[str, ...]:
        """The scripts of the latest log trigger before the event that has the same root cause."""
        wanted = AuditFilter(
            type="Requested", correlation_id=cause.correlation_id, before=cause.position, limit=NEWEST_REQUESTS
        )
        with self._sessions.session() as connection:
            for recorded in read_audit(connection, wanted):
                requested = recorded.event
                if isinstance(requested, Requested) and requested.trigger.kind == Log.kind:
                    return (*requested.callers, f"{requested.app}/{requested.script}")
        return ()


def _load(connection: psycopg.Connection, rows: Sequence[OwedRow]) -> list[_Reaction]:
    triggers = {watcher: load(connection, Trigger, watcher) for watcher in {row.watcher for row in rows}}
    found = []
    for row in rows:
        trigger = triggers[row.watcher]
        if trigger is None or trigger.removed:
            # Its row goes when the projection comes to the removal.
            continue
        whole = trigger.kind == DeadLetter.kind
        found.append(
            _Reaction(row, trigger, read_stream(connection, row.stream, after=0 if whole else row.version - 1))
        )
    return found


def _skipped(reaction: _Reaction, reason: str) -> ReactionSkipped:
    row = reaction.row
    _log.warning("reaction.skipped", app=reaction.trigger.app, trigger=reaction.trigger.name, reason=reason)
    return ReactionSkipped(
        originator_id=row.id,
        originator_version=1,
        trigger=row.watcher,
        stream=row.stream,
        version=row.version,
        reason=reason,
    )
