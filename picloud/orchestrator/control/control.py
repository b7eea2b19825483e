"""What every use case needs: who asks, the log, and the catalog that has to catch up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry, StreamConflict, Wake
from picloud.orchestrator.control.catalog_watch import CatalogWatch
from picloud.postgres.sessions import Sessions

if TYPE_CHECKING:
    # The manager uses use cases too, and has no need of the compiler that comes with this.
    from picloud.orchestrator.programs import Programs

CATCH_UP_SECONDS: Final = 5.0
RETRIES: Final = 3
"""So often a command is decided anew when another one got in between."""

Result = TypeVar("Result")


class NotCaughtUp(Exception):
    """The command is stored, at ``position``, but the ``projection`` doesn't show it yet."""

    def __init__(self, position: int, projection: str = "catalog") -> None:
        super().__init__(f"stored at position {position}, but the {projection} has not caught up with it yet")
        self.position = position


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Who asks, and by which request: ``request_id`` is the direct cause, ``correlation_id`` the root of the chain."""

    actor: str
    request_id: UUID
    correlation_id: UUID

    def metadata(self, app: str) -> Metadata:
        """The audit record of what the command does in ``app``."""
        return Metadata(app, self.actor, self.correlation_id, self.request_id)


class Control:
    """See the module."""

    def __init__(self, appender: Appender, sessions: Sessions, catalog: CatalogWatch, programs: Programs) -> None:
        self.appender = appender
        self.sessions = sessions
        self.catalog = catalog
        self.programs = programs

    @staticmethod
    def now() -> datetime:
        """The time of a decision."""
        return datetime.now(UTC)

    def append(self, entries: Sequence[Entry], *, wakes: Sequence[Wake] = ()) -> int | None:
        """Append and wait for the catalog; None if there was nothing to append.

        Raises :class:`StreamConflict`, ``LogUnavailable`` or :class:`NotCaughtUp`.
        """
        if not entries:
            return None
        position = self.appender.append(entries, wakes=wakes)
        if not self.catalog.wait(position, CATCH_UP_SECONDS):
            raise NotCaughtUp(position)
        return position

    def decide(self, use_case: Callable[[], Result]) -> Result:
        """Run ``use_case``, again if another command got in between."""
        for _ in range(RETRIES):
            try:
                return use_case()
            except StreamConflict:
                continue
        return use_case()
