"""What a projection is, and a page of events as projections get it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import psycopg
from eventsourcing.persistence import MapperDeserialisationError

from picloud.domain.catalogue import EVENT_TYPES
from picloud.log.reader import RecordedEvent
from picloud.projections.table import Table

Fact = tuple[RecordedEvent, Any]
"""An event as the log holds it, and decoded."""

EVERYTHING: Final = "*"
_MAX_PAYLOAD: Final = 7_000


class Unfoldable(Exception):
    """An event that can't be folded. The message names its position and type and says why."""

    def __init__(self, recorded: RecordedEvent, why: object) -> None:
        super().__init__(f"{recorded.type} at position {recorded.position}: {why}")


@dataclass(frozen=True, slots=True)
class Change:
    """That rows changed. ``apps`` are the apps that readers should look at again, ``*`` for all; empty says nothing."""

    apps: frozenset[str] = frozenset()

    def payload(self, position: int) -> str:
        """What is notified: the position, then the apps if there are any."""
        if not self.apps:
            return str(position)
        names = EVERYTHING if EVERYTHING in self.apps else ",".join(sorted(self.apps))
        return f"{position} {names if len(names) <= _MAX_PAYLOAD else EVERYTHING}"


class Projection(ABC):
    """A read model bound to the ``schema`` that holds its tables; a rebuild binds a second one to another schema.

    ``types`` names the events that it is made of. ``version`` goes up when the same events would give other rows, or
    the tables change: the manager then rebuilds. ``inline`` ones are written by the append, never by a follower.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    types: ClassVar[frozenset[str]]
    tables: ClassVar[tuple[Table, ...]]
    inline: ClassVar[bool] = False

    def __init__(self, schema: str | None = None) -> None:
        self.schema = schema or self.name

    @abstractmethod
    def fold(self, connection: psycopg.Connection, facts: Sequence[Fact]) -> Change | None:
        """Write what the events, in the order of the log, do to the rows; return None if they do nothing.

        The caller owns the transaction, and never gives an event twice.
        """

    def create(self, connection: psycopg.Connection) -> None:
        """Make the schema and the empty tables, without indexes."""
        connection.execute(f"CREATE SCHEMA {self.schema}".encode())
        for table in self.tables:
            table.create(connection, self.schema)

    def create_indexes(self, connection: psycopg.Connection) -> None:
        """Make the tables' indexes."""
        for table in self.tables:
            table.create_indexes(connection, self.schema)


class Page:
    """One or more recorded events in the order of the log, each decoded once whoever needs it."""

    def __init__(self, events: list[RecordedEvent]) -> None:
        self.events = events
        self._decoded: dict[int, Any] = {}

    @property
    def last(self) -> int:
        """The last position."""
        return self.events[-1].position

    def facts(self, types: frozenset[str]) -> list[Fact]:
        """The events of those types. Raises :class:`Unfoldable` for one that can't be read, or of a type unknown."""
        return [(recorded, self._decode(recorded)) for recorded in self.events if _wanted(recorded, types)]

    def halves(self) -> tuple[Page, Page]:
        """The page as two."""
        first, second = self.events[: len(self.events) // 2], self.events[len(self.events) // 2 :]
        return Page(first), Page(second)

    def _decode(self, recorded: RecordedEvent) -> Any:
        event = self._decoded.get(recorded.position)
        if event is None:
            try:
                event = self._decoded[recorded.position] = recorded.event
            except MapperDeserialisationError as error:
                raise Unfoldable(recorded, error) from error
        return event


def _wanted(recorded: RecordedEvent, types: frozenset[str]) -> bool:
    if recorded.type in types:
        return True
    if recorded.type not in EVENT_TYPES:
        # It may concern the projection for all that this code can tell.
        raise Unfoldable(recorded, "this version of PiCloud doesn't know the type")
    return False
