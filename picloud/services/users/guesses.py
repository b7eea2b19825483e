"""How often somebody may try: exact over all nodes, and counted at once, whatever becomes of the run that tries.

Who tries too often is refused with an error that is an answer too: unless the script catches it, its client gets 429
with ``Retry-After``. A name that nobody has is counted like any other, so the limit tells nothing. A right password
gives the name's tries back, and the address its one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from picloud.domain.names import stream_id
from picloud.postgres.sessions import Sessions
from picloud.services.work import ServiceError, Work

_TAKE: Final = "SELECT taken, wait FROM guards.take(%s, %s, %s)"
_FORGET: Final = "DELETE FROM guards.buckets WHERE id = %s"
_GIVE_BACK: Final = "UPDATE guards.buckets SET full_at = full_at - %s WHERE id = %s"
_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many tries (``count``) at once, and then evenly, so many in ``minutes``. ``of`` says whose, to people."""

    what: str
    count: int
    minutes: int

    @property
    def period_us(self) -> int:
        """Microseconds in which all of them are there again."""
        return self.minutes * _MINUTE_US


PASSWORDS: Final = Allowance("passwords", 10, 10)
"""Of one name."""
CODES: Final = Allowance("codes", 5, 15)
"""Of one name and purpose."""
SENT: Final = Allowance("codes sent", 5, 60)
"""To one name."""
ADDRESSES: Final = Allowance("tries of an address", 100, 10)
"""Of passwords and codes from one address, whatever the name: many people may share it."""


class Guesses:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def take(self, work: Work, function: str, allowance: Allowance, who: str) -> None:
        """One more try; ``who`` is a mark, or an address. Raises :class:`ServiceError`.

        A run that is repeated because others got in its way has tried before.
        """
        bucket = _bucket(work.app, allowance, who)
        try:
            work.outside.take(bucket.bytes)
        except LookupError:
            self._take(function, allowance, bucket)
            work.outside.keep(bucket.bytes, None)

    def forgive(self, app: str, allowance: Allowance, who: str) -> None:
        """The last try was right: all are there again."""
        with self._sessions.session() as connection:
            connection.execute(_FORGET, (_bucket(app, allowance, who),), prepare=True)

    def give_back(self, app: str, allowance: Allowance, who: str) -> None:
        """The last try was right: it doesn't count."""
        step = allowance.period_us // allowance.count
        with self._sessions.session() as connection:
            connection.execute(_GIVE_BACK, (step, _bucket(app, allowance, who)), prepare=True)

    def _take(self, function: str, allowance: Allowance, bucket: UUID) -> None:
        with self._sessions.session() as connection:
            row = connection.execute(_TAKE, (bucket, allowance.count, allowance.period_us), prepare=True).fetchone()
        assert row is not None
        taken, wait_us = row
        if not taken:
            raise limited(function, allowance, max(1, -(-wait_us // 1_000_000)))


def limited(function: str, allowance: Allowance, seconds: int) -> ServiceError:
    """The refusal of somebody who is to come back in so many seconds."""
    said = f"too many tries; the next one is possible in {seconds} s"
    body = {"error": said, "retry_after": seconds}
    return ServiceError(f"{function}: {said} ({allowance.what})", thrown=answer(429, body, seconds))


def answer(status: int, body: Any, seconds: int) -> dict[str, Any]:
    """What a script gets thrown, and its client gets if the script doesn't catch it."""
    return {"status": status, "headers": {"retry-after": str(seconds)}, "body": body, "retry_after": seconds}


def _bucket(app: str, allowance: Allowance, who: str) -> UUID:
    return stream_id("guesses", app, allowance.what, who)
