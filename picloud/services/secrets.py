"""``secrets::``: an app's secrets, opened for a run that asks.

    secrets::get(name)    the present value
    secrets::live(name)   all values that hold: the present one, then those in their grace, the newer first

A run sees the secrets as they were at its first look. Answers are withheld from every record; what is recorded is which
version was read, how often, with the run's outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from picloud.domain.invocation import SecretRead
from picloud.domain.secret import SealedVersion, about_secret
from picloud.domain.vault import VaultError
from picloud.services.arguments import name_of
from picloud.services.work import ServiceError, Withheld, Work

MAX_READS: Final = 1_000
"""So often one run may read secrets."""

Versions = Mapping[str, Sequence[SealedVersion]]
"""The readable versions of an app's secrets by name, newest first."""


@dataclass(slots=True)
class Reading:
    """What a run has seen of its app's secrets: all of them as they were at first, those that it had opened, and how
    often it read which.
    """

    app: str
    seen: Versions | None = None
    counts: dict[tuple[str, int], int] = field(default_factory=dict)
    opened: dict[tuple[str, int], str] = field(default_factory=dict, repr=False)

    def events(self) -> list[Any]:
        """None: reads are told by the event that ends the run."""
        return []


class Secrets:
    """See the module."""

    def __init__(self, of_app: Callable[[str], Versions], opened: Callable[..., bytes]) -> None:
        """``opened(sealed, about=…)`` opens a cipher text, or raises :class:`VaultError`."""
        self._of_app = of_app
        self._opened = opened
        self.functions: dict[str, Callable[..., Any]] = {"get": self.get, "live": self.live}

    def get(self, work: Work, name: Any) -> Withheld:
        """The present value of the secret called ``name``."""
        version = self._versions(work, name, "secrets::get")[0]
        return Withheld(self._open(work, name, version, "secrets::get"), version.number)

    def live(self, work: Work, name: Any) -> Withheld:
        """The present value, and those that are in their grace."""
        now = datetime.now(UTC)
        versions = [each for each in self._versions(work, name, "secrets::live") if each.readable(now)]
        values = [self._open(work, name, version, "secrets::live") for version in versions]
        return Withheld(values, [version.number for version in versions])

    def again(self, work: Work, function: str, name: Any, numbers: Sequence[int]) -> tuple[Any, str]:
        """What ``function`` answers to a run that is repeated and read these versions, the newest first, when it ran.

        A version that isn't readable any more isn't shown to anybody: the present one stands for it. Returns the
        answer, and what is to be said of it, nothing if it is what it was.
        """
        now = datetime.now(UTC)
        title = f"secrets::{function}"
        numbers = numbers[:1] if function == "get" else numbers
        there = [each for each in self._versions(work, name, title) if each.readable(now)]
        wanted = [each for each in there if each.number in numbers] or there[:1]
        said = ""
        if not numbers:
            said = f'the version of the secret "{name}" was not recorded: the present one stands for it'
        elif gone := set(numbers) - {each.number for each in wanted}:
            stands = ", ".join(str(each.number) for each in wanted)
            said = f'version {max(gone)} of the secret "{name}" is gone: version {stands} stands for it'
        values = [self._open(work, name, version, title) for version in wanted]
        return (values[0] if function == "get" else values), said

    def _versions(self, work: Work, name: Any, function: str) -> Sequence[SealedVersion]:
        name_of(name, function, "name of a secret")
        reading = work.draft(Reading)
        if reading.seen is None:
            reading.seen = self._of_app(work.app)
        versions = reading.seen.get(name)
        if not versions:
            raise ServiceError(missing(function, work.app, name, reading.seen))
        return versions

    def _open(self, work: Work, name: str, version: SealedVersion, function: str) -> str:
        reading = work.draft(Reading)
        counts, which = reading.counts, (name, version.number)
        if sum(counts.values()) >= MAX_READS:
            raise ServiceError(f"{function}: a run may read secrets {MAX_READS:,} times; keep the value in a variable")
        value = reading.opened.get(which)
        if value is None:
            try:
                value = self._opened(version.sealed, about=about_secret(work.app, name, version.number)).decode()
            except VaultError as error:
                raise ServiceError(f'{function}: "{name}" can\'t be opened on this node: {error}') from error
            reading.opened[which] = value
        counts[which] = counts.get(which, 0) + 1
        return value


def reads_of(work: Work) -> list[SecretRead]:
    """The secrets that a run has read, for the event that ends it."""
    return [SecretRead(name, number, count) for (name, number), count in work.draft(Reading).counts.items()]


def missing(function: str, app: str, name: str, there: Versions) -> str:
    """What a script is told of a secret that isn't there."""
    near = get_close_matches(name[:80], there, n=1)
    meant = f'; did you mean "{near[0]}"?' if near else f"; set it with: picloud secrets set {app} {name[:80]}"
    return f'{function}: the app {app} has no secret "{name[:80]}"{meant}'
