"""An app: the name under which scripts, routes and their history live together."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain.egress import PLAIN, Egress
from picloud.domain.errors import Conflict, NotFound
from picloud.domain.names import check_app_name, stream_id


class AppCreated(Aggregate.Created):
    """The app's name is taken from now on."""

    name: str


class AppRemoved(Aggregate.Event):
    """The app answers no more; its history stays in the log."""

    def apply(self, aggregate: App) -> None:
        aggregate.removed = True


class AppRestored(Aggregate.Event):
    """A removed app was created again under the same name, empty."""

    def apply(self, aggregate: App) -> None:
        aggregate.removed = False
        aggregate.egress = PLAIN


class AppEgressChanged(Aggregate.Event):
    """From now on this is where the app's scripts may connect to."""

    egress: Egress

    def apply(self, aggregate: App) -> None:
        aggregate.egress = self.egress


class App(Aggregate):
    """See the module."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.removed = False
        self.egress = PLAIN

    @staticmethod
    def id_of(name: str) -> UUID:
        """The stream id of the app called ``name``."""
        return stream_id("app", name)

    @classmethod
    def create(cls, name: str, *, at: datetime) -> App:
        """A new app. Raises :class:`Invalid` for a name out of bounds."""
        return cls._create(AppCreated, id=cls.id_of(check_app_name(name)), name=name, timestamp=at)

    def restore(self, *, at: datetime) -> None:
        """Create a removed app again. Raises :class:`Conflict` if it is there."""
        if not self.removed:
            raise Conflict(f"there is an app {self.name!r} already", field="name", remedy="Use it, or choose a name.")
        self.trigger_event(AppRestored, timestamp=at)

    def let_out(self, egress: Egress, *, at: datetime) -> bool:
        """Let ``egress`` say where scripts may connect to; return whether that is new. Raises :class:`NotFound`."""
        if self.removed:
            raise NotFound(f"there is no app {self.name!r}", field="app")
        if egress == self.egress:
            return False
        self.trigger_event(AppEgressChanged, egress=egress, timestamp=at)
        return True

    def remove(self, *, at: datetime) -> None:
        """Take the app out of service. Raises :class:`NotFound` if it is gone."""
        if self.removed:
            raise NotFound(f"there is no app {self.name!r}", field="app")
        self.trigger_event(AppRemoved, timestamp=at)
