"""Places of routes that run only so many calls at a time, shared by all nodes.

A place is an advisory lock of a session that the process has for nothing else. So a place is free again the moment
the process that occupied it is gone, however it went, and no clock is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

import psycopg
from gevent.lock import BoundedSemaphore

from picloud.postgres.sessions import connect

_OCCUPY: Final = "SELECT guards.occupy(%s::bigint[])"
_LEAVE: Final = "SELECT pg_advisory_unlock(%s)"


@dataclass(frozen=True, slots=True)
class Place:
    """An occupied place; ``session`` counts the sessions that the process had."""

    key: int
    session: int


class Places:
    """See the module."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.Connection | None = None
        self._session = 0
        self._held: set[int] = set()
        self._turn = BoundedSemaphore(1)

    def occupy(self, route: UUID, most: int) -> Place | None:
        """One of the route's ``most`` places; None if all are taken. Raises :class:`psycopg.Error`."""
        with self._turn:
            # A session's lock on what it has locked already would be granted: what we hold we must know ourselves.
            free = [place for number in range(most) if (place := _key(route, number)) not in self._held]
            if not free:
                return None
            key: int | None
            try:
                key = self._ask(_OCCUPY, free)
            except psycopg.OperationalError:
                if self._connection is not None:
                    raise
                # The session may have been gone for long, and all that it held is free again.
                key = self._ask(_OCCUPY, free)
            if key is None:
                return None
            self._held.add(key)
            return Place(key, self._session)

    def leave(self, place: Place) -> None:
        """Give a place back; one whose session broke is free already."""
        with self._turn:
            if place.session != self._session:
                return
            self._held.discard(place.key)
            try:
                self._ask(_LEAVE, place.key)
            except psycopg.Error:
                self._drop()

    def close(self) -> None:
        """Give all places back."""
        self._drop()

    def _ask(self, query: str, argument: object) -> int | None:
        if self._connection is None:
            self._session += 1
            self._connection = connect(self._dsn, purpose="places")
        try:
            row = self._connection.execute(query, (argument,), prepare=True).fetchone()
        except psycopg.OperationalError:
            if self._connection.closed:
                self._drop()
            raise
        return row[0] if row is not None else None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            connection.close()


def _key(route: UUID, number: int) -> int:
    return int.from_bytes(sha256(route.bytes + number.to_bytes(4, "big")).digest()[:8], "big", signed=True)
