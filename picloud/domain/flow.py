"""Flow control: what an invocation waits for beside its due time, and how a trigger asks for that.

A trigger's :class:`FlowControl` speaks of keys: paths into what happened (``data.customer.id``, ``topic``). From it and
an event follows the :class:`Flow` of one invocation, where keys have become ids: invocations with one *ordering* id run
one after the other, in the order in which they were asked for; of those with one *concurrency* id no more run at a time
than the trigger allows; a *throttle* puts runs off so that they keep apart; a *debounce* lets only the last one run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from picloud.domain.duration import parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.names import stream_id

MOST_PRIORITY: Final = 9
PRIORITY_MS: Final = 10_000
"""Each step of priority is worth so much waiting: what waits longer goes first in the end, and nothing starves."""
MAX_CONCURRENCY: Final = 1_000
MAX_KEY: Final = 255
"""Characters of an ordering key or another key; a longer one is refused."""

APP: Final = "app"
SCRIPT: Final = "script"
TRIGGER: Final = "trigger"

_PATH: Final = re.compile(r"data(?:\.[A-Za-z0-9_-]{1,64}){0,8}|[a-z][a-z_]{0,31}")
_BARE_UNIT: Final = re.compile(r"/(?=[a-z]+$)")
_RATE: Final = re.compile(r"(\d{1,6})/(.+)")


@dataclass(frozen=True, slots=True)
class Throttle:
    """Runs with this ``id`` are ``every_ms`` milliseconds apart, after ``burst`` of them at once."""

    id: UUID
    every_ms: int
    burst: int


@dataclass(frozen=True, slots=True)
class Debounce:
    """Of what waits with this ``id`` only the last one runs; none is put off for longer than ``most_ms``, if not 0."""

    id: UUID
    most_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What an invocation waits for. ``trigger`` is the stream whose limits and pause hold for it."""

    trigger: UUID
    ordering: UUID | None = None
    concurrency: UUID | None = None
    priority: int = 0
    throttle: Throttle | None = None
    debounce: Debounce | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowControl:
    """How a trigger's invocations are to flow.

    ``concurrency`` runs at a time have the same ``concurrency_key`` (0 is no limit): ``trigger``, ``script``, ``app``,
    or a path. ``throttle`` runs may start within ``throttle_ms`` milliseconds, with one ``throttle_key``. What comes
    within ``debounce_ms`` behind another with the same ``debounce_key`` takes its place, for ``debounce_most_ms`` at
    the longest (0 is for ever). ``ordering_key`` is the path of the ordering key, for what has none of its own.
    ``priority`` is 0 to 9.
    """

    concurrency: int = 0
    concurrency_key: str = TRIGGER
    ordering_key: str = ""
    priority: int = 0
    throttle: int = 0
    throttle_ms: int = 0
    throttle_key: str = TRIGGER
    debounce_ms: int = 0
    debounce_most_ms: int = 0
    debounce_key: str = TRIGGER

    def check(self) -> FlowControl:
        """Return it if it can be kept. Raises :class:`Invalid`."""
        if not 0 <= self.concurrency <= MAX_CONCURRENCY:
            raise Invalid(f"concurrency is 0 to {MAX_CONCURRENCY:,}, found {self.concurrency}", field="concurrency")
        check_priority(self.priority)
        for name in ("concurrency_key", "throttle_key", "debounce_key"):
            _check_path(getattr(self, name), field=name)
        if self.ordering_key:
            _check_path(self.ordering_key, field="ordering_key")
        if self.throttle and self.throttle_ms < self.throttle:
            raise Invalid("a throttle allows one run a millisecond at most", field="throttle")
        if self.debounce_most_ms and self.debounce_most_ms < self.debounce_ms:
            raise Invalid("the longest debounce is shorter than the debounce itself", field="debounce_most")
        return self


def check_priority(priority: int, *, field: str = "priority") -> int:
    """Return ``priority`` if it is one. Raises :class:`Invalid`."""
    if not 0 <= priority <= MOST_PRIORITY:
        raise Invalid(f"a priority is 0 to {MOST_PRIORITY} (the most urgent), found {priority}", field=field)
    return priority


def check_key(key: str, *, field: str) -> str:
    """Return ``key`` if it can be an ordering key. Raises :class:`Invalid`."""
    if len(key) > MAX_KEY:
        raise Invalid(f"a key has at most {MAX_KEY} characters, found {len(key)}", field=field)
    return key


def parse_rate(text: str, *, field: str) -> tuple[int, int]:
    """A rate such as ``10/1m``, or ``10/m``, as a count and milliseconds. Raises :class:`Invalid`."""
    match = _RATE.fullmatch(_BARE_UNIT.sub("/1", text))
    if match is None or int(match[1]) == 0:
        raise Invalid(
            f"{text[:40]!r} is no rate: expected a count and a time",
            field=field,
            remedy="For example: '10/m' (ten a minute), '1/5s'.",
        )
    return int(match[1]), parse_duration(match[2], field=field, least_ms=1)


def value_at(path: str, attributes: Mapping[str, str], data: Callable[[], Any]) -> str:
    """What ``path`` finds, as text: in the event's attributes, or in its data (JSON); empty if there is nothing.

    ``data`` is called only if the path leads there.
    """
    name, _, rest = path.partition(".")
    if name != "data":
        return attributes.get(name, "")
    found = data()
    for step in rest.split(".") if rest else ():
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return ""
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True, separators=(",", ":"))


def ordering_id(trigger: UUID, key: str) -> UUID:
    """The id of an ordering key: keys of different triggers have nothing to do with each other."""
    return stream_id("ordering", str(trigger), key)


def scoped_id(what: str, path: str, *, trigger: UUID, app: str, script: str, value: Callable[[], str]) -> UUID:
    """The id of ``what`` (concurrency, throttle, debounce) for the key that ``path`` names.

    A concurrency key that is the trigger itself has the trigger's own id.
    """
    if path == TRIGGER:
        return trigger if what == "concurrency" else stream_id(what, str(trigger))
    if path == APP:
        return stream_id(what, "app", app)
    if path == SCRIPT:
        return stream_id(what, "script", app, script)
    return stream_id(what, str(trigger), value())


def _check_path(path: str, *, field: str) -> None:
    if not _PATH.fullmatch(path):
        raise Invalid(
            f"{path[:60]!r} is no key: expected app, script, trigger, an attribute of the event or a path in its data",
            field=field,
            remedy="For example: 'data.customer.id', 'topic'.",
        )
