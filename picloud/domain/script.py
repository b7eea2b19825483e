"""A script: numbered versions of a Rhai source, one of which is current.

The source itself is kept once by its SHA-256; the events hold the hash. Deploying makes the next number,
rolling back makes an older number current again, so a number always means one source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain.errors import Conflict, Invalid, NotFound, VersionMismatch
from picloud.domain.names import check_app_name, check_label, check_script_name, stream_id


class ScriptCreated(Aggregate.Created):
    """The script's name is taken in its app; it has no version yet."""

    app: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The version of a script that another one imports."""

    number: int
    sha256: str


class ScriptDeployed(Aggregate.Event):
    """A source became the next version, and current. ``size`` is in bytes.

    ``imports`` are the versions that its imports stand for, by the names of the scripts, those of what is imported
    included; None for a version from before imports were pinned.
    """

    number: int
    sha256: str
    size: int
    imports: dict[str, Pin] | None = None

    def apply(self, aggregate: Script) -> None:
        aggregate.versions[self.number] = ScriptVersion(self.number, self.sha256, self.size, self.imports)
        aggregate.current = self.number


class ScriptRolledBack(Aggregate.Event):
    """An earlier version became current again."""

    number: int
    from_number: int

    def apply(self, aggregate: Script) -> None:
        aggregate.current = self.number


class ScriptDisabled(Aggregate.Event):
    """Calls are refused, with the reason, until it is enabled."""

    reason: str

    def apply(self, aggregate: Script) -> None:
        aggregate.disabled = self.reason


class ScriptEnabled(Aggregate.Event):
    """Calls are taken again."""

    def apply(self, aggregate: Script) -> None:
        aggregate.disabled = None


class ScriptRemoved(Aggregate.Event):
    """The script can't be called any more; its versions stay known, and a later deploy goes on counting."""

    def apply(self, aggregate: Script) -> None:
        aggregate.current = None
        aggregate.disabled = None


@dataclass(frozen=True, slots=True)
class ScriptVersion:
    """One numbered version. ``size`` is in bytes, ``imports`` as in :class:`ScriptDeployed`."""

    number: int
    sha256: str
    size: int
    imports: Mapping[str, Pin] | None = None


class Script(Aggregate):
    """See the module. ``current`` is None before the first deploy and after a removal."""

    def __init__(self, app: str, name: str) -> None:
        self.app = app
        self.name = name
        self.versions: dict[int, ScriptVersion] = {}
        self.current: int | None = None
        self.disabled: str | None = None

    @staticmethod
    def id_of(app: str, name: str) -> UUID:
        """The stream id of the script ``app/name``."""
        return stream_id("script", app, name)

    @classmethod
    def create(cls, app: str, name: str, *, at: datetime) -> Script:
        """A new script without versions. Raises :class:`Invalid` for names out of bounds."""
        check_app_name(app)
        check_script_name(name)
        return cls._create(ScriptCreated, id=cls.id_of(app, name), app=app, name=name, timestamp=at)

    @property
    def title(self) -> str:
        """``app/name``."""
        return f"{self.app}/{self.name}"

    def expect(self, number: int | None) -> None:
        """Raise :class:`VersionMismatch` unless ``number`` (0 for none) is current; None expects nothing."""
        if number is None or number == (self.current or 0):
            return
        now = f"at version {self.current}" if self.current else "not deployed"
        seen = f"version {number}" if number else "no version"
        raise VersionMismatch(
            f"{self.title} is {now}, but the change was made on {seen}: someone else deployed in between",
            field="If-Match",
            remedy=f"Look at what changed (picloud versions {self.title}), then deploy on top of it, or force it.",
        )

    def deploy(self, sha256: str, size: int, *, imports: Mapping[str, Pin] | None = None, at: datetime) -> int:
        """Make the source the current version and return its number; the same source on the same imports again changes
        nothing."""
        pins = dict(imports or {})
        current = self.versions.get(self.current or 0)
        if current is not None and current.sha256 == sha256 and dict(current.imports or {}) == pins:
            return current.number
        number = max(self.versions, default=0) + 1
        self.trigger_event(ScriptDeployed, number=number, sha256=sha256, size=size, imports=pins, timestamp=at)
        return number

    def roll_back(self, number: int, *, at: datetime) -> None:
        """Make version ``number`` current again. Raises :class:`NotFound` or :class:`Conflict`."""
        current = self._deployed()
        if number not in self.versions:
            known = f"versions 1 to {max(self.versions)}"
            raise NotFound(
                f"{self.title} has no version {number}: it has {known}",
                field="version",
                remedy=f"See picloud versions {self.title}.",
            )
        if number == current:
            raise Conflict(f"version {number} of {self.title} is current already", field="version")
        self.trigger_event(ScriptRolledBack, number=number, from_number=current, timestamp=at)

    def disable(self, reason: str, *, at: datetime) -> None:
        """Refuse calls from now on, giving ``reason``."""
        self._deployed()
        if self.disabled is not None:
            raise Conflict(f"{self.title} is disabled already: {self.disabled}", field="reason")
        self.trigger_event(ScriptDisabled, reason=check_label(reason, field="reason"), timestamp=at)

    def enable(self, *, at: datetime) -> None:
        """Take calls again."""
        self._deployed()
        if self.disabled is None:
            raise Conflict(f"{self.title} is enabled already")
        self.trigger_event(ScriptEnabled, timestamp=at)

    def remove(self, *, at: datetime) -> None:
        """Take the script out of service."""
        self._deployed()
        self.trigger_event(ScriptRemoved, timestamp=at)

    def version_numbered(self, number: int) -> ScriptVersion:
        """The version called ``number``. Raises :class:`NotFound`."""
        if number not in self.versions:
            raise NotFound(f"{self.title} has no version {number}", field="version")
        return self.versions[number]

    def _deployed(self) -> int:
        if self.current is None:
            raise NotFound(f"there is no script {self.title}", field="script", remedy="Deploy it first.")
        return self.current


def check_source_size(size: int, limit: int) -> None:
    """Raise :class:`Invalid` if a source of ``size`` bytes is above ``limit``."""
    if size > limit:
        raise Invalid(
            f"the script has {size} bytes, more than the limit of {limit}",
            field="source",
            remedy="Split it into several scripts.",
        )
