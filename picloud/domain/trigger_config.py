"""What the kinds of triggers are told: one class per kind, read from and written as plain values.

A kind's configuration is stored as the plain values that :func:`checked_config` gives, with all defaults in place, so
that what a default is to be may change without changing triggers that exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Final

from picloud.domain.control_events import CONTROL_EVENTS, is_matched, meant_by
from picloud.domain.duration import format_duration, parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.mailbox import check_address, check_senders
from picloud.domain.names import check_script_name
from picloud.domain.schedule import Schedule
from picloud.domain.size import format_size, parse_size
from picloud.domain.subject import check_pattern

DAY_MS: Final = 86_400_000
OVERLAPS: Final = ("skip", "queue", "allow")
MAX_BATCH: Final = 100
LEAST_MAIL: Final = 1024
MOST_MAIL: Final = 64 * 1024 * 1024
CATCH_UPS: Final = ("none", "last", "all")

_EVENT_PATTERN: Final = re.compile(r"[A-Za-z*]{1,64}")


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule: ``cron`` in the time of ``zone``.

    ``overlap`` says what becomes of a tick while the one before goes on (``skip``, ``queue``, ``allow``).
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


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of the trigger's name: what is sent to it is taken by this trigger alone.

    A run gets up to ``batch`` messages at once; it begins when there are so many, or when the first of them has waited
    for ``batch_wait``.
    """

    kind: ClassVar[str] = "queue"

    batch: int = 1
    batch_wait: str = "0s"

    def checked(self) -> Queue:
        """The same with its texts in one form. Raises :class:`Invalid`."""
        if not 1 <= self.batch <= MAX_BATCH:
            raise Invalid(f"a batch has 1 to {MAX_BATCH} messages, found {self.batch}", field="config.batch")
        wait = parse_duration(self.batch_wait, field="config.batch_wait", most_ms=300_000)
        if wait and self.batch == 1:
            raise Invalid("a batch of 1 has nothing to wait for", field="config.batch_wait", remedy="Set batch too.")
        return Queue(self.batch, format_duration(wait))

    @property
    def batch_wait_ms(self) -> int:
        """``batch_wait`` in milliseconds."""
        return parse_duration(self.batch_wait, field="config.batch_wait")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Runs for each invocation of the app that dies; of ``script`` alone, if that is said."""

    kind: ClassVar[str] = "dead_letter"

    script: str = ""

    def checked(self) -> DeadLetter:
        """The same. Raises :class:`Invalid`."""
        if self.script:
            check_script_name(self.script, field="config.script")
        return self


@dataclass(frozen=True, slots=True)
class Log:
    """Runs for each event of the platform in the app whose type matches ``events``: ``ScriptDeployed``, ``Route*``."""

    kind: ClassVar[str] = "log"

    events: str

    def checked(self) -> Log:
        """The same. Raises :class:`Invalid`."""
        if not _EVENT_PATTERN.fullmatch(self.events):
            raise Invalid(
                f"{self.events[:60]!r} is no pattern of event types: expected letters and '*'",
                field="config.events",
                remedy="For example: 'ScriptDeployed', 'Route*'.",
            )
        if not any(is_matched(self.events, known) for known in CONTROL_EVENTS):
            meant = meant_by(self.events)
            raise Invalid(
                f"{self.events!r} matches no event of an app",
                field="config.events",
                remedy=f"Did you mean {meant!r}?" if meant else f"There are {', '.join(CONTROL_EVENTS)}.",
            )
        return self


@dataclass(frozen=True, slots=True)
class Email:
    """Mail to ``APP+ADDRESS@DOMAIN``; ``address`` is the trigger's name unless it is said.

    ``senders`` are patterns of the envelope's senders, with commas between them; none let everybody send. Mails larger
    than ``max_size`` are refused; without it, what the server takes at most holds.
    """

    kind: ClassVar[str] = "email"

    address: str = ""
    senders: str = ""
    max_size: str = ""

    def checked(self) -> Email:
        """The same with its texts in one form. Raises :class:`Invalid`."""
        return Email(
            check_address(self.address) if self.address else "",
            check_senders(self.senders),
            format_size(_mail_size(self.max_size)) if self.max_size else "",
        )

    @property
    def max_bytes(self) -> int | None:
        """``max_size`` in bytes; None if it isn't said."""
        return _mail_size(self.max_size) if self.max_size else None


def _mail_size(text: str) -> int:
    return parse_size(text, field="config.max_size", least=LEAST_MAIL, most=MOST_MAIL)


Config = Cron | Topic | Queue | DeadLetter | Log | Email

KINDS: Final[dict[str, type[Config]]] = {kind.kind: kind for kind in (Cron, Topic, Queue, DeadLetter, Log, Email)}


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
