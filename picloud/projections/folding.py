"""One step of following: a page of the log into the tables of the projections that stand in front of it.

A page is one transaction: first the tracking rows move, which holds everybody else off, then the rows are written, and
with the commit goes what changed as a NOTIFY. The commit need not reach the disk at once: what a crash takes back, it
takes back together with the position, and it is folded again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import psycopg
import structlog

from picloud.log.reader import RecordedEvent, read_span
from picloud.projections.projection import Page, Projection, Unfoldable
from picloud.projections.tracking import Tracked, advance, fail, read_tracking

PAGE_BYTES: Final = 8 * 1024 * 1024
CHANNEL_PREFIX: Final = "picloud_"

_NOTIFY: Final = "SELECT pg_notify(channel, payload) FROM unnest(%b::text[], %b::text[]) AS u (channel, payload)"

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Standing:
    """A projection and where it stands."""

    projection: Projection
    tracked: Tracked


def _position(standing: _Standing) -> int:
    return standing.tracked.position


def prepare_session(connection: psycopg.Connection) -> None:
    """Have commits not wait for the disk, and times come in UTC, which psycopg reads faster than a zone with rules."""
    connection.execute("SET synchronous_commit = off; SET timezone = 'UTC'")


class Folder:
    """Folds page by page on a connection that was made ready by :func:`prepare_session`.

    ``on_changed`` is called with a projection's name after a page that changed its rows was committed.
    """

    def __init__(
        self,
        projections: Sequence[Projection],
        *,
        page_size: int = 2_000,
        on_changed: Callable[[str], None] | None = None,
    ) -> None:
        self._projections = [projection for projection in projections if not projection.inline]
        self._page_size = page_size
        self.behind = False
        self._on_changed = on_changed
        self._standings: list[_Standing] | None = None

    def forget(self) -> None:
        """Read where the projections stand again, at the next step."""
        self._standings = None

    def step(self, connection: psycopg.Connection) -> int:
        """Fold one page into each of the projections; return how many events it had, 0 if all stand at the head.

        ``behind`` then tells whether there is more to be folded at once.
        Projections that stand together read together; one that is far behind doesn't hold up the others.
        Raises :class:`psycopg.OperationalError` if the database is lost.
        """
        if self._standings is None:
            self._standings = self._read_standings(connection)
        folded = 0
        self.behind = False
        furthest_first = sorted(self._standings, key=_position, reverse=True)
        for position, together in groupby(furthest_first, key=_position):
            folded = max(folded, self._fold_group(connection, position, list(together)))
        return folded

    def _read_standings(self, connection: psycopg.Connection) -> list[_Standing]:
        tracking = read_tracking(connection)
        standings = []
        for projection in self._projections:
            tracked = tracking.get(projection.name)
            if tracked is None or tracked.version != projection.version or tracked.error is not None:
                continue
            standings.append(_Standing(projection, tracked))
        return standings

    def _fold_group(self, connection: psycopg.Connection, position: int, group: list[_Standing]) -> int:
        span = read_span(connection, after=position, up_to=position + self._page_size, max_bytes=PAGE_BYTES)
        events = span.events
        if not events:
            return 0
        self.behind |= events[-1].position == span.reached
        page = Page(events)
        try:
            self._fold(connection, group, page)
        except psycopg.errors.SerializationFailure:
            self.forget()
        except Exception as error:
            if _is_outage(error):
                raise
            for standing in group:
                self._fold_alone(connection, standing, page)
        return len(events)

    def _fold(self, connection: psycopg.Connection, group: list[_Standing], page: Page) -> None:
        changed: list[tuple[str, str]] = []
        # In a pipeline the database is waited for once, and not for each statement.
        with connection.pipeline(), connection.transaction():
            advance(connection, [standing.tracked for standing in group], page.last)
            for standing in group:
                projection = standing.projection
                change = projection.fold(connection, page.facts(projection.types))
                if change is not None:
                    changed.append((projection.name, change.payload(page.last)))
            if changed:
                names, payloads = zip(*changed, strict=True)
                connection.execute(_NOTIFY, ([CHANNEL_PREFIX + name for name in names], list(payloads)), prepare=True)
        for standing in group:
            was = standing.tracked
            standing.tracked = Tracked(was.name, was.version, page.last, None)
        if self._on_changed is not None:
            for name, _ in changed:
                self._on_changed(name)

    def _fold_alone(self, connection: psycopg.Connection, standing: _Standing, page: Page) -> bool:
        """Fold what can be folded; stop the projection in front of the event that can't. Tell whether all could."""
        try:
            self._fold(connection, [standing], page)
        except psycopg.errors.SerializationFailure:
            self.forget()
            return False
        except Exception as error:
            if _is_outage(error):
                raise
            if len(page.events) > 1:
                first, second = page.halves()
                return self._fold_alone(connection, standing, first) and self._fold_alone(connection, standing, second)
            self._stop(connection, standing, page.events[0], error)
            return False
        return True

    def _stop(
        self, connection: psycopg.Connection, standing: _Standing, recorded: RecordedEvent, error: Exception
    ) -> None:
        if not isinstance(error, Unfoldable):
            error = Unfoldable(recorded, f"{type(error).__name__}: {error}")
        fail(connection, standing.tracked, str(error))
        self.forget()
        _log.error("projection.failed", projection=standing.tracked.name, error=str(error))


def _is_outage(error: Exception) -> bool:
    """Whether trying the same again may go well: the database is away or busy, rather than that it refuses the row."""
    if isinstance(error, psycopg.OperationalError):
        return not (error.sqlstate or "").startswith("54")
    return isinstance(error, psycopg.InterfaceError)
