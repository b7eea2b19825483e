"""What a route does with a request beside running its script: who may call, how often, from which pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from picloud.domain.errors import Invalid
from picloud.domain.flow import MAX_CONCURRENCY, parse_rate
from picloud.domain.invocation import RetryPolicy, RunLimits
from picloud.domain.route_auth import Auth, check_header
from picloud.domain.trigger import Delivery

DAY_MS: Final = 86_400_000
LEAST_PERIOD_MS: Final = 1_000
MAX_MAX_AGE_MS: Final = DAY_MS
MAX_ENTRIES: Final = 100
EVERY: Final = "*"

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}://(?:[a-z0-9.-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Bucket(StrEnum):
    """Whose requests are counted together."""

    CALLER = "caller"
    """Each authenticated caller apart; on a route that is open, each address."""
    ADDRESS = "address"
    HEADER = "header"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``count`` requests in ``period_ms`` milliseconds: so many at once, and then evenly."""

    count: int
    period_ms: int
    bucket: Bucket = Bucket.CALLER
    header: str = ""

    @classmethod
    def parse(cls, text: str, by: str = "caller") -> RateLimit:
        """The limit ``60/1m``, counted by ``caller``, ``address``, ``route`` or ``header:NAME``.

        Raises :class:`Invalid`.
        """
        count, period_ms = parse_rate(text, field="rate.limit")
        if not LEAST_PERIOD_MS <= period_ms <= DAY_MS or count > period_ms:
            raise Invalid(
                f"the rate {text!r} is out of bounds: expected a period of 1s to 1d, and at most 1,000 a second",
                field="rate.limit",
            )
        kind, colon, header = by.partition(":")
        if kind not in set(Bucket) or bool(colon) != (kind == Bucket.HEADER):
            raise Invalid(
                f"{by[:80]!r} is nothing to count by: expected caller, address, route or header:NAME", field="rate.by"
            )
        if header:
            check_header(header, field="rate.by")
        elif colon:
            raise Invalid("the header to count by has no name", field="rate.by", remedy="For example header:X-Tenant.")
        return cls(count, period_ms, Bucket(kind), header)

    @property
    def by(self) -> str:
        """What it is counted by, as people write it."""
        return f"header:{self.header}" if self.bucket is Bucket.HEADER else self.bucket.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which pages of other origins may call, what they may send and read (the CORS protocol of the Fetch standard).

    ``headers`` are those that a page may send beside the plain ones; ``*`` allows all, but for ``Authorization``, which
    is to be named. ``expose`` are those of an answer that it may read. The methods are those of the routes.
    """

    origins: tuple[str, ...]
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age_ms: int = 600_000

    def check(self) -> Cors:
        """Return it if it can be kept. Raises :class:`Invalid`."""
        if not self.origins:
            raise Invalid("no origin is allowed", field="cors.origins", remedy="Name some, '*', or no CORS at all.")
        for name in ("origins", "headers", "expose"):
            if len(getattr(self, name)) > MAX_ENTRIES:
                raise Invalid(f"at most {MAX_ENTRIES} {name}", field=f"cors.{name}")
        for origin in self.origins:
            if origin not in (EVERY, "null") and not _ORIGIN.fullmatch(origin):
                raise Invalid(
                    f"{origin[:80]!r} is no origin: expected scheme://host or scheme://host:port in lower case, "
                    "without a path, or '*'",
                    field="cors.origins",
                    remedy="For example https://www.example.com.",
                )
        if EVERY in self.origins and self.credentials:
            raise Invalid(
                "credentials for every origin would let any page act for whoever looks at it",
                field="cors.credentials",
                remedy="Name the origins.",
            )
        if "null" in self.origins and self.credentials:
            raise Invalid(
                "any page can make itself one of the origin null, and would act for whoever looks at it",
                field="cors.credentials",
                remedy="Name the origins.",
            )
        for name in ("headers", "expose"):
            for header in getattr(self, name):
                if header != EVERY:
                    check_header(header, field=f"cors.{name}")
                elif self.credentials:
                    raise Invalid(
                        "browsers take '*' for a header's name where credentials go along",
                        field=f"cors.{name}",
                        remedy="Name the headers.",
                    )
        if not 0 <= self.max_age_ms <= MAX_MAX_AGE_MS:
            raise Invalid("a preflight's answer is kept for a day at most", field="cors.max_age")
        return self

    def allows(self, origin: str) -> bool:
        """Whether pages of ``origin`` may call."""
        return origin in self.origins or EVERY in self.origins


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """See the module. What is None or 0 is not there.

    ``concurrency`` is how many synchronous calls run at a time; as many asynchronous ones do, and the rest waits.
    ``retry`` is for asynchronous calls: who waits for an answer gets that of the first run. What is asked of a
    ``private`` route and what it answers is sealed in the log.
    """

    auth: Auth | None = None
    rate: RateLimit | None = None
    concurrency: int = 0
    cors: Cors | None = None
    retry: RetryPolicy = RetryPolicy()
    limits: RunLimits = RunLimits()
    private: bool = False

    def check(self) -> RouteSettings:
        """Return it if it can be kept. Raises :class:`Invalid` or :class:`Conflict`."""
        if self.auth is not None:
            self.auth.check()
        if self.cors is not None:
            self.cors.check()
        if not 0 <= self.concurrency <= MAX_CONCURRENCY:
            raise Invalid(f"concurrency is 0 to {MAX_CONCURRENCY:,}, found {self.concurrency}", field="concurrency")
        Delivery(self.retry, self.limits).check()
        return self


PLAIN: Final = RouteSettings()
"""Those of a route that nobody set anything for."""
