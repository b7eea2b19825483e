"""A route: which script of an app answers a method on a path.

Patterns are segments between slashes: a literal, ``{name}`` for one segment, ``{name...}`` as the last one for the
rest of the path (also an empty rest). Two patterns that match the same requests have one *shape* and so one stream:
the second can't be added beside the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.names import check_app_name, check_script_name, stream_id
from picloud.domain.route_settings import PLAIN, RouteSettings

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANY: Final = "ANY"
MAX_PATTERN: Final = 512

_PARAM = re.compile(r"\{([a-z_][a-zA-Z0-9_]*)(\.\.\.)?\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+")


class Durability(StrEnum):
    """When a synchronous call is on disk.

    ``outbox``: the request before the run, the outcome after it. ``outcome``: both in one commit after the run,
    which is faster; a crash before it means that nothing happened.
    """

    OUTBOX = "outbox"
    OUTCOME = "outcome"

    @classmethod
    def named(cls, name: str) -> Durability:
        """The durability called ``name``. Raises :class:`Invalid`."""
        try:
            return cls(name)
        except ValueError:
            raise Invalid(f"{name!r} is no durability: expected outbox or outcome", field="durability") from None


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a pattern: a literal text, or a parameter's name; ``rest`` takes all that is left."""

    literal: str | None
    param: str | None
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed ``METHOD /path``."""

    method: str
    path: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read ``GET /hello/{name}``. Raises :class:`Invalid` naming the part that is wrong."""
        method, _, path = text.strip().partition(" ")
        method, path = method.upper(), path.strip()
        if method not in METHODS and method != ANY:
            raise Invalid(
                f"{text!r} begins with {method!r}: expected one of {', '.join((*METHODS, ANY))}, then a path",
                field="route",
                remedy="For example: 'GET /hello/{name}'.",
            )
        return cls(method, path, _parse_path(path))

    @property
    def shape(self) -> str:
        """The pattern with its parameters' names left out: equal for patterns that match the same."""
        return "/" + "/".join(
            s.literal if s.literal is not None else "{...}" if s.rest else "{}" for s in self.segments
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _parse_path(path: str) -> tuple[Segment, ...]:
    if not path.startswith("/") or len(path) > MAX_PATTERN:
        raise Invalid(
            f"the path {path[:80]!r} must begin with '/' and have at most {MAX_PATTERN} characters", field="route"
        )
    if path == "/":
        return ()
    segments: list[Segment] = []
    seen: set[str] = set()
    for part in path[1:].split("/"):
        if segments and segments[-1].rest:
            raise Invalid(f"in {path!r} {{{segments[-1].param}...}} must come last", field="route")
        segments.append(_parse_segment(part, path))
        name = segments[-1].param
        if name is not None:
            if name in seen:
                raise Invalid(f"in {path!r} the parameter {name!r} comes twice", field="route")
            seen.add(name)
    return tuple(segments)


def _parse_segment(part: str, path: str) -> Segment:
    if match := _PARAM.fullmatch(part):
        return Segment(None, match[1], match[2] is not None)
    if _LITERAL.fullmatch(part):
        return Segment(part, None)
    found = f"{part!r}" if part else "an empty part (two slashes, or one at the end)"
    raise Invalid(
        f"in {path!r} {found} is no segment: expected a literal, {{name}} or {{name...}}",
        field="route",
        remedy="Parameter names are letters, digits and '_', beginning with a lower-case letter.",
    )


class RouteAdded(Aggregate.Created):
    """Requests that match the pattern go to the script from now on."""

    app: str
    method: str
    path: str
    script: str
    durability: str


class RouteChanged(Aggregate.Event):
    """The route got another script, other parameter names or another durability; a removed one is back."""

    path: str
    script: str
    durability: str

    def apply(self, aggregate: Route) -> None:
        aggregate.path = self.path
        aggregate.script = self.script
        aggregate.durability = Durability(self.durability)
        aggregate.removed = False


class RouteConfigured(Aggregate.Event):
    """From now on these settings hold, whichever script the route leads to."""

    settings: RouteSettings

    def apply(self, aggregate: Route) -> None:
        aggregate.settings = self.settings


class RouteRemoved(Aggregate.Event):
    """Requests that match the pattern find nothing here any more; its settings are gone with it."""

    def apply(self, aggregate: Route) -> None:
        aggregate.removed = True
        aggregate.settings = PLAIN


class Route(Aggregate):
    """See the module."""

    def __init__(self, app: str, method: str, path: str, script: str, durability: str) -> None:
        self.app = app
        self.method = method
        self.path = path
        self.script = script
        self.durability = Durability(durability)
        self.settings = PLAIN
        self.removed = False

    @property
    def pattern(self) -> Pattern:
        """What it matches, under its present parameters' names."""
        return Pattern.parse(f"{self.method} {self.path}")

    @staticmethod
    def id_of(app: str, pattern: Pattern) -> UUID:
        """The stream id of the route with this method and shape in ``app``."""
        return stream_id("route", app, pattern.method, pattern.shape)

    @classmethod
    def add(cls, app: str, pattern: Pattern, script: str, *, durability: str, at: datetime) -> Route:
        """A new route."""
        check_app_name(app)
        check_script_name(script)
        return cls._create(
            RouteAdded,
            id=cls.id_of(app, pattern),
            app=app,
            method=pattern.method,
            path=pattern.path,
            script=script,
            durability=Durability.named(durability).value,
            timestamp=at,
        )

    def point(self, pattern: Pattern, script: str, *, durability: str, at: datetime, takeover: bool = False) -> bool:
        """Make the route lead to ``script``; return whether anything changed.

        Raises :class:`Conflict` if it leads to another script and ``takeover`` is not set.
        """
        chosen = Durability.named(durability)
        if not self.removed and self.script != script and not takeover:
            raise Conflict(
                f"{self.method} {self.path} of {self.app} leads to the script {self.script!r} already",
                field="route",
                remedy="Remove that route first, or choose another path.",
            )
        if not self.removed and (self.path, self.script, self.durability) == (pattern.path, script, chosen):
            return False
        self.trigger_event(
            RouteChanged, path=pattern.path, script=check_script_name(script), durability=chosen.value, timestamp=at
        )
        return True

    def configure(self, settings: RouteSettings, *, at: datetime) -> bool:
        """Let ``settings`` hold; return whether anything changed.

        Raises :class:`NotFound` if the route is gone, :class:`Invalid` or :class:`Conflict` for what can't be kept.
        """
        self._check_there()
        if settings.check() == self.settings:
            return False
        self.trigger_event(RouteConfigured, settings=settings, timestamp=at)
        return True

    def remove(self, *, at: datetime) -> None:
        """Take the route away. Raises :class:`NotFound` if it is gone."""
        self._check_there()
        self.trigger_event(RouteRemoved, timestamp=at)

    def _check_there(self) -> None:
        if self.removed:
            raise NotFound(f"there is no route {self.method} {self.path} in {self.app}", field="route")
