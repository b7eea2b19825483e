"""Values that have expired are deleted, by events as anybody's: until then they only aren't shown.

It looks every ten minutes, so that a value that expired keeps its place in the app's quota for no longer than that.
"""

from __future__ import annotations

from typing import Final

import structlog

from picloud.domain.kv import KeyDeleted, key_id
from picloud.domain.metadata import SYSTEM, Metadata
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.ids import new_id
from picloud.manager.part import Part
from picloud.postgres.sessions import Sessions
from picloud.projections.keys import ExpiredRow, expired

PERIOD_SECONDS: Final = 600.0
PAGE: Final = 500

_log = structlog.get_logger(__name__)


class Expiry(Part):
    """See the module."""

    name = "expiry"

    def __init__(self, *, appender: Appender, sessions: Sessions, period: float = PERIOD_SECONDS) -> None:
        super().__init__()
        self._appender = appender
        self._sessions = sessions
        self._period = period

    def sweep(self) -> int:
        """Delete what has expired; return how many keys that were."""
        deleted = 0
        while True:
            with self._sessions.session() as connection:
                rows = expired(connection, PAGE)
            done = sum(self._delete(row) for row in rows)
            deleted += done
            if len(rows) < PAGE or not done:
                return deleted

    def _delete(self, row: ExpiredRow) -> bool:
        cause = new_id()
        event = KeyDeleted(originator_id=key_id(row.app, row.key), originator_version=row.version + 1, key=row.key)
        try:
            self._appender.append([Entry(event, Metadata(row.app, SYSTEM, cause, cause))])
        except StreamConflict:
            return False
        return True

    def work(self) -> float:
        """Delete what has expired; look again after the period."""
        deleted = self.sweep()
        if deleted:
            _log.info("expiry.swept", keys=deleted)
        return self._period
