"""Content of files that nobody needs any more is taken away: what was overwritten or deleted long ago, and what is left
of uploads that broke off with the process that took them in.

Looked at once an hour: nothing waits for it, and what is too old by an hour does no harm.
"""

from __future__ import annotations

from typing import Final

import structlog

from picloud.log.blobs import give_up
from picloud.log.blobs import sweep as take_away
from picloud.manager.part import Part
from picloud.postgres.sessions import Sessions

PAUSE_SECONDS: Final = 3_600.0
BROKEN_OFF_SECONDS: Final = 86_400.0
"""So long nothing comes for an upload until it counts as broken off, and content given up can still be read to its
end."""

_log = structlog.get_logger(__name__)


class Sweeping(Part):
    """See the module. ``days`` is how long content is kept that no file names; 0 keeps it for ever."""

    name = "sweeping"

    def __init__(self, *, sessions: Sessions, days: int) -> None:
        super().__init__()
        self._sessions = sessions
        self._days = days

    def sweep(self, *, broken_off_seconds: float = BROKEN_OFF_SECONDS) -> tuple[int, int]:
        """Give up what has had its time, and take away what has no name; return how many of each."""
        given_up = 0
        if self._days:
            with self._sessions.session() as connection:
                given_up = give_up(connection, self._days)
        swept = take_away(self._sessions, seconds=broken_off_seconds)
        if given_up or swept:
            _log.info("contents.swept", given_up=given_up, swept=swept)
        return given_up, swept

    def work(self) -> float:
        """Take away what is to be taken away; look again in an hour."""
        self.sweep()
        return PAUSE_SECONDS
