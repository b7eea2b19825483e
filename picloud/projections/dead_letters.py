"""Dead letters: invocations that used up their attempts, each with what it died of and what became of it since.

A dead letter is *open* until a replay of it succeeds (then it is *saved*, and names that replay) or somebody gives it
up (*discarded*, with the reason); while a replay goes on it is *replaying*. There is one letter for what was asked
once: a replay that dies makes no second one, but renews the first, which then tells of the latest death. A letter is
here until it is purged; the log keeps the invocation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from picloud.domain.invocation import (
    AttemptFailed,
    Cancelled,
    DeadLettered,
    Discarded,
    Replayed,
    Requested,
    Succeeded,
)
from picloud.domain.retention import DeadLettersPurged
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
        Column("requested_position", "bigint"),
        Column("requested_at", "timestamptz"),
        Column("died_as", "uuid"),
        Column("died_at", "timestamptz"),
        Column("reason", "text"),
        Column("attempts", "integer"),
        Column("error_kind", "text"),
        Column("error_message", "text"),
        Column("error_line", "integer"),
        Column("error_column", "integer"),
        Column("replays", "integer"),
        Column("replaying", "integer"),
        Column("saved_by", "uuid", nullable=True),
        Column("saved_at", "timestamptz", nullable=True),
        Column("discarded_by", "text", nullable=True),
        Column("discarded_at", "timestamptz", nullable=True),
        Column("discard_reason", "text", nullable=True),
    ),
    key=("id",),
    indexes=("letters_app ON {table} (app, position)", "letters_died_at ON {table} (died_at)"),
)
REPLAYS: Final = Table(
    name="replays",
    columns=(
        Column("id", "uuid"),
        Column("letter", "uuid"),
        Column("cause", "uuid"),
        Column("state", "text"),
    ),
    key=("id",),
    indexes=("replays_letter ON {table} (letter)", "replays_cause ON {table} (cause)"),
)


@dataclass(slots=True)
class LetterRow:
    """A dead letter: ``id`` is the first invocation, ``died_as`` the latest that died, a replay of it perhaps.

    ``position`` is that of the latest death; ``replays`` counts the tries to save it, ``replaying`` those that go on.
    """

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
    requested_position: int
    requested_at: datetime
    died_as: UUID
    died_at: datetime
    reason: str
    attempts: int
    error_kind: str
    error_message: str
    error_line: int
    error_column: int
    replays: int = 0
    replaying: int = 0
    saved_by: UUID | None = None
    saved_at: datetime | None = None
    discarded_by: str | None = None
    discarded_at: datetime | None = None
    discard_reason: str | None = None


@dataclass(slots=True)
class ReplayRow:
    """An invocation that replays a dead letter, by way of others perhaps.

    ``cause`` is what asked for it: an invocation that is replayed by hand, or a bulk job. ``state`` is ``replaying``,
    ``succeeded``, ``dead`` or ``cancelled``.
    """

    id: UUID
    letter: UUID
    cause: UUID
    state: str = "replaying"


class DeadLetters(Projection):
    """See the module."""

    name = "dead_letters"
    version = 2
    types = frozenset(
        {"AttemptFailed", "DeadLettered", "Discarded", "Replayed", "Succeeded", "Cancelled", "DeadLettersPurged"}
    )
    tables = (LETTERS, REPLAYS)

    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """See :meth:`Projection.fold`."""
        changed = False
        page: list[Fact] = []
        for fact in facts:
            page.append(fact)
            if isinstance(fact[1], DeadLettersPurged):
                # What the page did so far has to be in the table before rows are deleted by what they hold.
                changed |= _Page(self.schema, connection).fold(page[:-1])
                changed |= self._purge(connection, fact[1], fact[0].app)
                page = []
        changed |= _Page(self.schema, connection).fold(page)
        return Change() if changed else None

    def _purge(self, connection: psycopg.Connection, event: DeadLettersPurged, app: str) -> bool:
        statement = f"""
            WITH purged AS (
                DELETE FROM {self.schema}.letters WHERE app = %s AND died_at < %s RETURNING id
            )
            DELETE FROM {self.schema}.replays r USING purged p WHERE r.letter = p.id
        """
        connection.execute(statement.encode(), (app, event.before))
        return True


class _Page:
    """Letters and replays that a page of events touches."""

    def __init__(self, schema: str, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._replays = RowSet(REPLAYS, ReplayRow, schema)
        self._letters = RowSet(LETTERS, LetterRow, schema)

    def fold(self, facts: Sequence[Fact]) -> bool:
        """Write what the events do; return whether they did anything."""
        touched = {recorded.stream_id for recorded, event in facts if not isinstance(event, AttemptFailed)}
        known = self._replays.load(self._connection, touched)
        self._letters.load(self._connection, touched | {row.letter for row in known})
        died = [recorded.stream_id for recorded, event in facts if isinstance(event, DeadLettered)]
        requests = read_first_events(self._connection, died) if died else {}
        failures: dict[UUID, AttemptFailed] = {}
        for recorded, event in facts:
            stream = recorded.stream_id
            match event:
                case AttemptFailed():
                    failures[stream] = event
                case DeadLettered():
                    failed = failures.get(stream) or _last_failure(self._connection, recorded)
                    self._died(_letter(recorded, event, requests[stream], failed))
                case Replayed():
                    self._replayed(recorded, event.invocation)
                case Succeeded():
                    self._succeeded(recorded)
                case Cancelled():
                    self._replay_ended(stream, "cancelled")
                case Discarded():
                    self._discarded(recorded, event.reason)
        self._replays.write(self._connection)
        return self._letters.write(self._connection)

    def _letter_of(self, invocation: UUID) -> LetterRow | None:
        """The letter that the invocation is, or replays."""
        replay = self._replays.get(invocation)
        return self._letters.get(invocation if replay is None else replay.letter)

    def _died(self, death: LetterRow) -> None:
        letter = self._replay_ended(death.died_as, "dead")
        if letter is None:
            self._letters.put(death)
        elif letter.saved_by is None:
            for name in _OF_DEATH:
                setattr(letter, name, getattr(death, name))
            self._letters.put(letter)

    def _replayed(self, recorded: RecordedEvent, invocation: UUID) -> None:
        letter = self._letter_of(recorded.stream_id)
        if letter is None:
            return
        letter.replays += 1
        letter.replaying += 1
        self._letters.put(letter)
        self._replays.put(ReplayRow(invocation, letter.id, recorded.causation_id))

    def _succeeded(self, recorded: RecordedEvent) -> None:
        letter = self._replay_ended(recorded.stream_id, "succeeded")
        if letter is not None and letter.saved_by is None:
            letter.saved_by, letter.saved_at = recorded.stream_id, recorded.at

    def _replay_ended(self, invocation: UUID, state: str) -> LetterRow | None:
        """Note how a replay ended; return the letter that it was of, if it was one."""
        replay = self._replays.get(invocation)
        letter = None if replay is None else self._letters.get(replay.letter)
        if replay is None or letter is None:
            return None
        replay.state = state
        letter.replaying -= 1
        self._replays.put(replay)
        self._letters.put(letter)
        return letter

    def _discarded(self, recorded: RecordedEvent, reason: str) -> None:
        letter = self._letter_of(recorded.stream_id)
        if letter is not None:
            letter.discarded_by, letter.discarded_at = storable(recorded.actor), recorded.at
            letter.discard_reason = storable(reason)
            self._letters.put(letter)


_OF_DEATH: Final = (
    "position",
    "number",
    "sha256",
    "died_as",
    "died_at",
    "reason",
    "attempts",
    "error_kind",
    "error_message",
    "error_line",
    "error_column",
)
"""What a letter says of the latest death."""


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
        requested_position=founding.position,
        requested_at=founding.at,
        died_as=recorded.stream_id,
        died_at=recorded.at,
        reason=storable(event.reason),
        attempts=failed.attempt,
        error_kind=storable(failed.error.kind),
        error_message=storable(failed.error.message),
        error_line=failed.error.line,
        error_column=failed.error.column,
    )
