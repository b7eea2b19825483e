"""Dead letters: invocations that used up their attempts, each with what it died of and what became of it since.

A dead letter is *open* until a replay of it succeeds (then it is *saved*, and names that replay) or somebody gives it
up (*discarded*, with the reason). A replay of a replay counts for the dead letter at the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain.invocation import AttemptFailed, DeadLettered, Discarded, Replayed, Requested, Succeeded
from picloud.log.reader import RecordedEvent, read_first_events, read_stream
from picloud.projections.projection import Change, Fact, Projection
from picloud.projections.rowset import RowSet
from picloud.projections.table import Column, Table, storable

LETTERS: Final = Table(
    name="letters",
    columns=(
        Column("id", "uuid"),
        Column("position", "bigint"),
        Column("app", "text"),
        Column("script", "text"),
        Column("number", "integer"),
        Column("sha256", "text"),
        Column("trigger_kind", "text"),
        Column("trigger_name", "text"),
        Column("method", "text"),
        Column("path", "text"),
        Column("correlation_id", "uuid"),
        Column("replay_of", "uuid", nullable=True),
        Column("requested_at", "timestamptz"),
        Column("died_at", "timestamptz"),
        Column("reason", "text"),
        Column("attempts", "integer"),
        Column("error_kind", "text"),
        Column("error_message", "text"),
        Column("error_line", "integer"),
        Column("error_column", "integer"),
        Column("replays", "integer"),
        Column("saved_by", "uuid", nullable=True),
        Column("saved_at", "timestamptz", nullable=True),
        Column("discarded_by", "text", nullable=True),
        Column("discarded_at", "timestamptz", nullable=True),
        Column("discard_reason", "text", nullable=True),
    ),
    key=("id",),
    indexes=("letters_app ON {table} (app, position)",),
)
REPLAYS: Final = Table(name="replays", columns=(Column("id", "uuid"), Column("letter", "uuid")), key=("id",))


@dataclass(slots=True)
class LetterRow:
    """A dead letter. ``position`` is that of its death; ``replays`` counts the tries to save it."""

    id: UUID
    position: int
    app: str
    script: str
    number: int
    sha256: str
    trigger_kind: str
    trigger_name: str
    method: str
    path: str
    correlation_id: UUID
    replay_of: UUID | None
    requested_at: datetime
    died_at: datetime
    reason: str
    attempts: int
    error_kind: str
    error_message: str
    error_line: int
    error_column: int
    replays: int = 0
    saved_by: UUID | None = None
    saved_at: datetime | None = None
    discarded_by: str | None = None
    discarded_at: datetime | None = None
    discard_reason: str | None = None


@dataclass(slots=True)
class ReplayRow:
    """An invocation that replays a dead letter, by way of others perhaps."""

    id: UUID
    letter: UUID


class DeadLetters(Projection):
    """See the module."""

    name = "dead_letters"
    version = 1
    types = frozenset({"AttemptFailed", "DeadLettered", "Discarded", "Replayed", "Succeeded"})
    tables = (LETTERS, REPLAYS)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        replays = RowSet(REPLAYS, ReplayRow, self.schema)
        letters = RowSet(LETTERS, LetterRow, self.schema)
        touched = {recorded.stream_id for recorded, event in facts if not isinstance(event, AttemptFailed)}
        known = replays.load(connection, touched)
        letters.load(connection, touched | {row.letter for row in known})
        died = [recorded.stream_id for recorded, event in facts if isinstance(event, DeadLettered)]
        requests = read_first_events(connection, died) if died else {}
        failures: dict[UUID, AttemptFailed] = {}
        for recorded, event in facts:
            stream = recorded.stream_id
            match event:
                case AttemptFailed():
                    failures[stream] = event
                case DeadLettered():
                    failed = failures.get(stream) or _last_failure(connection, recorded)
                    letters.put(_letter(recorded, event, requests[stream], failed))
                case Replayed():
                    earlier = replays.get(stream)
                    letter = letters.get(stream if earlier is None else earlier.letter)
                    if letter is not None:
                        letter.replays += 1
                        letters.put(letter)
                        replays.put(ReplayRow(event.invocation, letter.id))
                case Succeeded():
                    replay = replays.get(stream)
                    letter = None if replay is None else letters.get(replay.letter)
                    if letter is not None and letter.saved_by is None:
                        letter.saved_by, letter.saved_at = stream, recorded.at
                        letters.put(letter)
                case Discarded():
                    letter = letters.get(stream)
                    assert letter is not None, "only what is dead is discarded"
                    letter.discarded_by, letter.discarded_at = recorded.actor, recorded.at
                    letter.discard_reason = storable(event.reason)
                    letters.put(letter)
        replays.write(connection)
        return Change() if letters.write(connection) else None


def _last_failure(connection: psycopg.Connection, death: RecordedEvent) -> AttemptFailed:
    """The failure that a death stands behind, from the log."""
    for recorded in reversed(read_stream(connection, death.stream_id)):
        event: Any = recorded.event
        if isinstance(event, AttemptFailed) and recorded.position < death.position:
            return event
    raise AssertionError(f"nothing failed before the death of {death.stream_id}")


def _letter(recorded: RecordedEvent, event: DeadLettered, founding: RecordedEvent, failed: AttemptFailed) -> LetterRow:
    requested = founding.event
    assert isinstance(requested, Requested)
    return LetterRow(
        id=recorded.stream_id,
        position=recorded.position,
        app=requested.app,
        script=requested.script,
        number=requested.number,
        sha256=requested.sha256,
        trigger_kind=requested.trigger.kind,
        trigger_name=storable(requested.trigger.name),
        method=storable(requested.input.method),
        path=storable(requested.input.path),
        correlation_id=founding.correlation_id,
        replay_of=requested.replay_of,
        requested_at=founding.at,
        died_at=recorded.at,
        reason=storable(event.reason),
        attempts=failed.attempt,
        error_kind=storable(failed.error.kind),
        error_message=storable(failed.error.message),
        error_line=failed.error.line,
        error_column=failed.error.column,
    )
