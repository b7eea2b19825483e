"""Rate limits: buckets that all nodes share, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from picloud.domain.names import stream_id
from picloud.domain.route_settings import RateLimit
from picloud.postgres.sessions import Sessions

_TAKE: Final = "SELECT taken, remaining, wait, refill FROM guards.take(%s, %s, %s)"
_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Quota:
    """What came of a request for one more: whether it is granted, how many are left, and the whole seconds (rounded
    up) until one is there again, and until all are."""

    granted: bool
    remaining: int
    wait_s: int
    refill_s: int


class Rates:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def take(self, limit: RateLimit, route: UUID, who: str) -> Quota:
        """One more for ``who`` on ``route``. Raises :class:`psycopg.Error`."""
        bucket = stream_id("bucket", str(route), limit.by, who)
        with self._sessions.session() as connection:
            cursor = connection.cursor(binary=True)
            cursor.execute(_TAKE, (bucket, limit.count, limit.period_ms * 1_000), prepare=True)
            row = cursor.fetchone()
        assert row is not None
        granted, remaining, wait, refill = row
        return Quota(granted, remaining, _seconds(wait), _seconds(refill))


def _seconds(microseconds: int) -> int:
    return -(-microseconds // _US)
