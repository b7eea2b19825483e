"""The gate before a route: its guard's findings as answers, before anything of the request is looked up or kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import falcon
import gevent
import psycopg
import structlog

from picloud.domain.route_settings import Bucket, RateLimit
from picloud.http.auth import refuse_slowly
from picloud.http.client_address import ClientAddresses
from picloud.http.problems import Problem
from picloud.orchestrator.guards import Caller, Guard, Presented, Refused
from picloud.orchestrator.guards.caller import Busy
from picloud.orchestrator.guards.rates import Quota
from picloud.orchestrator.invoker import NoAnswerYet
from picloud.orchestrator.node import Node
from picloud.orchestrator.outcome import Outcome
from picloud.orchestrator.vault import VaultError

RETRY_SECONDS: Final = 1
LOOK_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class Gate:
    """See the module."""

    def __init__(self, node: Node) -> None:
        self._guards = node.guards
        self._invoker = node.invoker
        self._addresses = ClientAddresses(node.config.proxies)

    def caller(
        self, guard: Guard, req: falcon.Request, query: dict[str, str], body: Callable[[], bytes]
    ) -> Caller | None:
        """Who called; None on a route that is open. Raises a 401 or 503 :class:`Problem`."""
        verifier = guard.verifier
        if verifier is None:
            return None
        began = time.monotonic()
        presented = Presented(header=req.get_header, query=query, body=body, now=time.time())
        try:
            return verifier.verify(presented)
        except Refused as refused:
            refuse_slowly(began)
            headers = {"WWW-Authenticate": refused.challenge}
            raise Problem(401, "not-authenticated", refused.detail, headers=headers) from None
        except Busy as busy:
            raise Problem.unavailable(str(busy)) from None
        except VaultError as error:
            _log.error("route.locked", path=req.path, reason=str(error))
            raise Problem(
                503, "route-locked", "this node can't open the secrets of the route; picloud doctor says why"
            ) from None

    def count(
        self, guard: Guard, route: UUID, caller: Caller | None, req: falcon.Request, resp: falcon.Response
    ) -> None:
        """Count the request, and say in the answer how many are left. Raises a 429 :class:`Problem`."""
        limit = guard.settings.rate
        if limit is None:
            return
        try:
            quota = self._guards.rates.take(limit, route, self._who(limit, caller, req))
        except psycopg.Error as error:
            raise Problem.unavailable("the database can't be reached; nothing was accepted") from error
        _tell(resp, limit, quota)
        if quota.granted:
            return
        raise Problem(
            429,
            "too-many-requests",
            f"the route takes {limit.count} requests in {limit.period_ms / 1_000:g} s, counted by {limit.by}; "
            f"try again in {quota.wait_s} s",
            headers={"Retry-After": str(quota.wait_s)},
            **{"violated-policies": [limit.by]},
        )

    def run(self, guard: Guard, route: UUID, call: Callable[[], Outcome]) -> Outcome:
        """Make a synchronous call if there is a place for it.

        Raises a 429 :class:`Problem`, or what ``call`` raises.
        """
        most = guard.settings.concurrency
        if not most:
            return call()
        place = self._guards.places.occupy(route, most)
        if place is None:
            raise Problem(
                429,
                "too-many-at-a-time",
                f"the route runs {most} calls at a time, and all of them are under way",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        try:
            return call()
        except NoAnswerYet as error:
            # The caller is sent away, but the run goes on, and the place is the run's.
            going_on, place = place, None
            gevent.spawn(
                self._until_end, error.invocation, lambda: self._guards.places.leave(going_on)
            ).name = f"place of {error.invocation}"
            raise
        finally:
            if place is not None:
                self._guards.places.leave(place)

    def _until_end(self, invocation: UUID, leave: Callable[[], None]) -> None:
        try:
            while True:
                try:
                    self._invoker.wait(invocation, timeout=LOOK_SECONDS, until_suspended=True)
                    return
                except NoAnswerYet:
                    continue
        except psycopg.Error as error:
            _log.warning("place.given_up", invocation=str(invocation), error=str(error).strip())
        finally:
            leave()

    def _who(self, limit: RateLimit, caller: Caller | None, req: falcon.Request) -> str:
        match limit.bucket:
            case Bucket.ROUTE:
                return ""
            case Bucket.HEADER:
                return req.get_header(limit.header) or ""
            case Bucket.CALLER if caller is not None:
                return caller.identity
            case _:
                return self._addresses.of(req.env)


def _tell(resp: falcon.Response, limit: RateLimit, quota: Quota) -> None:
    """The fields of draft-ietf-httpapi-ratelimit-headers-10, which are structured fields (RFC 9651)."""
    name = limit.by.replace(":", "-").lower()
    seconds = quota.refill_s if quota.granted else quota.wait_s
    resp.set_header("RateLimit-Policy", f'"{name}";q={limit.count};w={-(-limit.period_ms // 1_000)}')
    resp.set_header("RateLimit", f'"{name}";r={quota.remaining};t={seconds}')
