"""What the kinds of triggers are told: one class per kind, read from and written as plain values.

A kind's configuration is stored as the plain values that :func:`checked_config` gives, with all defaults in place, so
that what a default is to be may change without changing triggers that exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Final

from picloud.domain.duration import format_duration, parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.schedule import Schedule
from picloud.domain.subject import check_pattern

DAY_MS: Final = 86_400_000
OVERLAPS: Final = ("skip", "allow")
CATCH_UPS: Final = ("none", "last", "all")


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule: ``cron`` in the time of ``zone``.

    ``overlap`` says what becomes of a tick while the one before goes on (``skip``, ``allow``).
    ``catch_up`` says which ticks that nobody fired in time are made up for (``none``, the ``last`` one, ``all``), if
    they are no older than ``window``. Each tick is put off by up to ``jitter``, always the same for the same tick.
    """

    kind: ClassVar[str] = "cron"

    cron: str
    zone: str = "UTC"
    overlap: str = "skip"
    catch_up: str = "last"
    window: str = "1d"
    jitter: str = "0s"

    def checked(self) -> Cron:
        """The same with its texts in one form. Raises :class:`Invalid`."""
        schedule = Schedule.parse(self.cron, self.zone)
        _one_of(self.overlap, OVERLAPS, "overlap")
        _one_of(self.catch_up, CATCH_UPS, "catch_up")
        window = parse_duration(self.window, field="config.window", least_ms=1_000)
        jitter = parse_duration(self.jitter, field="config.jitter", most_ms=DAY_MS)
        return Cron(
            schedule.expression,
            schedule.zone,
            self.overlap,
            self.catch_up,
            format_duration(window),
            format_duration(jitter),
        )

    @property
    def schedule(self) -> Schedule:
        """When it is due."""
        return Schedule(self.cron, self.zone)


@dataclass(frozen=True, slots=True)
class Topic:
    """A subscription to what is published to topics that match the pattern ``topic``."""

    kind: ClassVar[str] = "topic"

    topic: str

    def checked(self) -> Topic:
        """The same. Raises :class:`Invalid`."""
        return Topic(check_pattern(self.topic))


Config = Cron | Topic

KINDS: Final[dict[str, type[Config]]] = {kind.kind: kind for kind in (Cron, Topic)}


def read_config(kind: str, given: Mapping[str, Any], *, field: str = "config") -> Config:
    """The checked configuration of a trigger of ``kind``. Raises :class:`Invalid` that names the field."""
    made = KINDS.get(kind)
    if made is None:
        raise Invalid(f"there is no trigger of kind {kind[:40]!r}: expected {', '.join(KINDS)}", field="kind")
    known = {described.name: described for described in fields(made)}
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(known)}."
            raise Invalid(f"a {kind} trigger has no setting {name[:40]!r}", field=f"{field}.{name}", remedy=meant)
        wanted = _TYPES[str(known[name].type)]
        if type(value) is not wanted:
            raise Invalid(
                f"expected {_SAID[wanted]}, found {_SAID.get(type(value), type(value).__name__)}",
                field=f"{field}.{name}",
            )
    for name, described in known.items():
        if name not in given and _required(described):
            raise Invalid(f"a {kind} trigger needs {name!r}", field=f"{field}.{name}")
    return made(**given).checked()


def checked_config(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it is stored, with all defaults. Raises :class:`Invalid`."""
    return asdict(read_config(kind, given))


_TYPES: Final[dict[str, type]] = {"str": str, "int": int, "bool": bool}
_SAID: Final = {str: "a text", int: "a whole number", bool: "true or false", float: "a number", dict: "an object"}


def _required(described: Field[Any]) -> bool:
    return described.default is MISSING


def _one_of(value: str, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        raise Invalid(f"{value[:40]!r} is none of {', '.join(choices)}", field=f"config.{name}")
