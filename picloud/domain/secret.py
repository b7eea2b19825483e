"""A secret of an app: a name, and numbered versions of a value that nobody is shown again.

An event holds a value's cipher text, which opens for this app, name and number alone. Setting a secret again makes the
next version; the one before ends at once, or stays readable for a grace, so that what was signed with it can still be
checked. What has ended can't be read any more, though the log keeps its cipher text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain.errors import Invalid, NotFound, VersionMismatch
from picloud.domain.names import check_app_name, stream_id

MAX_SECRET_BYTES: Final = 64 * 1024
MAX_OLDER: Final = 4
"""So many versions before the present one may be in their grace at a time."""
MAX_GRACE: Final = timedelta(days=30)

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def check_key_name(name: str, what: str) -> str:
    """Return ``name`` if it can name a secret or a setting. Raises :class:`Invalid`."""
    if not is_key_name(name):
        raise Invalid(
            f"{name[:80]!r} can't name a {what}: expected 1 to 63 letters, digits, '_', '.' or '-', beginning with a "
            "letter",
            field="name",
            remedy="For example: 'STRIPE_KEY'.",
        )
    return name


def is_key_name(name: str) -> bool:
    """Whether ``name`` can name a secret or a setting."""
    return _NAME.fullmatch(name) is not None


def check_secret_value(value: str) -> str:
    """Return ``value`` if it can be kept. Raises :class:`Invalid`, which says nothing of it but its size."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Invalid("the secret holds half a character, which UTF-8 can't write", field="value") from None
    if not 1 <= size <= MAX_SECRET_BYTES:
        raise Invalid(
            f"a secret has 1 to {MAX_SECRET_BYTES:,} bytes as UTF-8, this one has {size:,}",
            field="value",
            remedy="What is larger belongs into a file that is encrypted, with the key for a secret.",
        )
    return value


def about_secret(app: str, name: str, number: int) -> str:
    """What a version's cipher text is bound to."""
    return f"secret {app}/{name} {number}"


@dataclass(frozen=True, slots=True)
class SealedVersion:
    """One version: its cipher text, and when it ends; None for the present one, which doesn't.

    ``fingerprint`` is equal for equal values of one secret under one key of the vault, and tells nothing else.
    """

    number: int
    sealed: str
    fingerprint: str
    set_at: datetime
    until: datetime | None = None

    def readable(self, at: datetime) -> bool:
        """Whether a script may still read it."""
        return self.until is None or at < self.until


class SecretCreated(Aggregate.Created):
    """The secret's name is taken in its app; it has no value yet."""

    app: str
    name: str


class SecretSet(Aggregate.Event):
    """The next version has this cipher text. Versions before it end: the last one at ``before_until``, those in their
    grace as was said; all of them now if that is None.
    """

    number: int
    sealed: str
    fingerprint: str
    before_until: datetime | None = None

    def apply(self, aggregate: Secret) -> None:
        made = SealedVersion(self.number, self.sealed, self.fingerprint, self.timestamp)
        aggregate.versions = with_version(aggregate.versions, made, self.before_until)
        aggregate.last_number = self.number


class SecretExpired(Aggregate.Event):
    """The grace of the versions before the present one is over."""

    def apply(self, aggregate: Secret) -> None:
        aggregate.versions = aggregate.versions[:1]


@dataclass(frozen=True, slots=True)
class Resealed:
    """A version's cipher text and fingerprint under another key."""

    number: int
    sealed: str
    fingerprint: str


class SecretResealed(Aggregate.Event):
    """The same values under another key of the vault; what isn't named has ended."""

    versions: list[Resealed]

    def apply(self, aggregate: Secret) -> None:
        aggregate.versions = resealed(aggregate.versions, self.versions)


class SecretRemoved(Aggregate.Event):
    """The secret is no more; a later one of the same name goes on counting."""

    def apply(self, aggregate: Secret) -> None:
        aggregate.versions = []


def with_version(
    versions: Sequence[SealedVersion], made: SealedVersion, before_until: datetime | None
) -> list[SealedVersion]:
    """The versions, newest first, once ``made`` is among them."""
    if before_until is None:
        return [made]
    older = [replace(each, until=before_until) if each.until is None else each for each in versions]
    return [made, *(each for each in older if each.readable(made.set_at))][: 1 + MAX_OLDER]


def resealed(versions: Sequence[SealedVersion], anew: Sequence[Resealed]) -> list[SealedVersion]:
    """The versions with their new cipher texts."""
    by_number = {each.number: each for each in anew}
    return [
        replace(each, sealed=by_number[each.number].sealed, fingerprint=by_number[each.number].fingerprint)
        for each in versions
        if each.number in by_number
    ]


class Secret(Aggregate):
    """See the module. ``versions`` are those that may be readable, newest first: none before the first and after a
    removal.
    """

    def __init__(self, app: str, name: str) -> None:
        self.app = app
        self.name = name
        self.versions: list[SealedVersion] = []
        self.last_number = 0

    @staticmethod
    def id_of(app: str, name: str) -> UUID:
        """The stream id of the secret ``name`` of ``app``."""
        return stream_id("secret", app, name)

    @classmethod
    def create(cls, app: str, name: str, *, at: datetime) -> Secret:
        """A new secret without a value. Raises :class:`Invalid`."""
        check_app_name(app)
        check_key_name(name, "secret")
        return cls._create(SecretCreated, id=cls.id_of(app, name), app=app, name=name, timestamp=at)

    @property
    def current(self) -> SealedVersion | None:
        """The present version, None if there is none."""
        return self.versions[0] if self.versions else None

    def expect(self, number: int | None) -> None:
        """Raise :class:`VersionMismatch` unless ``number`` (0 for none) is current; None expects nothing."""
        now = self.current.number if self.current is not None else 0
        if number is None or number == now:
            return
        found = f"at version {now}" if now else "not set"
        raise VersionMismatch(
            f"the secret {self.name!r} of {self.app} is {found}, but the change was made on "
            f"{f'version {number}' if number else 'no version'}: someone else set it in between",
            field="If-Match",
            remedy=f"Look at it (picloud secrets {self.app}), then set it again.",
        )

    def set(self, sealed: str, fingerprint: str, *, grace: timedelta, at: datetime) -> int:
        """Make this cipher text, sealed for the number that is returned, the present version.

        The one before stays readable for ``grace``. Raises :class:`Invalid` if that is too long.
        """
        if not timedelta(0) <= grace <= MAX_GRACE:
            raise Invalid(f"a grace is {MAX_GRACE.days} days at most", field="grace")
        number = self.next_number
        until = at + grace if grace and self.current is not None else None
        self.trigger_event(
            SecretSet, number=number, sealed=sealed, fingerprint=fingerprint, before_until=until, timestamp=at
        )
        return number

    @property
    def next_number(self) -> int:
        """The number that the next version gets."""
        return self.last_number + 1

    def expire(self, *, at: datetime) -> bool:
        """End the grace of all older versions; return whether there was one. Raises :class:`NotFound`."""
        self._there()
        if not any(each.readable(at) for each in self.versions[1:]):
            return False
        self.trigger_event(SecretExpired, timestamp=at)
        return True

    def reseal(self, anew: Sequence[Resealed], *, at: datetime) -> None:
        """Keep the same values under another key."""
        self.trigger_event(SecretResealed, versions=list(anew), timestamp=at)

    def remove(self, *, at: datetime) -> None:
        """Take it away. Raises :class:`NotFound` if it is gone."""
        self._there()
        self.trigger_event(SecretRemoved, timestamp=at)

    def _there(self) -> None:
        if not self.versions:
            raise no_secret(self.app, self.name)


def no_secret(app: str, name: str) -> NotFound:
    """That there is none of that name."""
    return NotFound(f"there is no secret {name[:80]!r} in {app}", field="name", remedy=f"See picloud secrets {app}.")
