"""One call over HTTP, from its first connection to the last byte of the answer, redirects included.

The whole call has one deadline, whatever it is busy with: names, handshakes, headers that drip. Every hop is checked by
the guard anew. What comes is never kept beyond the limit, compressed or not.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import gevent
from gevent.lock import BoundedSemaphore

from picloud.services.http.failure import HttpFailure
from picloud.services.http.guard import Guard
from picloud.services.http.urls import BadUrl, Url, join

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import HTTPResponse

    from picloud.services.http.connections import Connections, Place

MAX_CALLS_OF_APP: Final = 16
MAX_CALLS: Final = 64
"""So many calls are under way at a time for one app, and for all, in one process."""
CHUNK: Final = 64 * 1024

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
REPEATABLE: Final = SAFE | {"PUT", "DELETE"}
"""What may be sent again over another connection when one that was kept turns out to be closed (RFC 9110, 9.2.2)."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_OF_BODIES: Final = frozenset({"content-type", "content-encoding", "content-language", "content-location"})
_CODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked. ``headers`` have their names in lower case; ``secrets`` are those of them that one origin gets.

    ``redirects`` is how many are followed; with 0 the first is the answer.
    """

    method: str
    url: Url
    headers: Mapping[str, str]
    body: bytes | None
    secrets: frozenset[str] = CREDENTIALS
    redirects: int
    most_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came, its body decoded as far as ``encoded`` doesn't tell otherwise; ``passed`` redirected to ``url``."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    encoded: bool
    url: Url
    passed: tuple[Url, ...]


class _Deadline(gevent.Timeout):
    """The call's time is over."""


class Client:
    """See the module."""

    def __init__(self, guard: Guard, authorities: Path | None = None) -> None:
        self._guard = guard
        self._authorities = authorities
        self._kept: Connections | None = None
        self._places = BoundedSemaphore(MAX_CALLS)
        self._of_apps: dict[str, BoundedSemaphore] = {}

    def call(self, app: str, call: Call) -> Answer:
        """Make the call for ``app``. Raises :class:`HttpFailure` if there comes no answer."""
        host, waiting = call.url.host, True
        deadline = _Deadline(call.seconds)
        try:
            with deadline, self._place_of(app):
                waiting = False
                return self._follow(app, call)
        except _Deadline as over:
            if over is not deadline:
                raise
            if waiting:
                raise HttpFailure("busy", host, f"{app} has too many calls under way at a time") from None
            raise HttpFailure("timeout", host, f"{host} didn't answer within {call.seconds:.3g} s") from None

    def close(self) -> None:
        """Keep no connection any more."""
        if self._kept is not None:
            self._kept.close()

    def _follow(self, app: str, call: Call) -> Answer:
        passed: tuple[Url, ...] = ()
        while True:
            answer = self._exchange(app, call)
            location = next((value for name, value in answer.headers if name == "location"), None)
            if answer.status not in REDIRECTS or location is None or not call.redirects:
                return replace(answer, passed=passed)
            host = call.url.host
            if len(passed) == call.redirects:
                raise HttpFailure("redirects", host, f"{host} redirects further than {call.redirects} times")
            passed = (*passed, call.url)
            try:
                target = join(call.url, location)
            except BadUrl as error:
                raise HttpFailure("redirects", host, f"{host} redirects astray: {error}") from None
            call = _redirected(call, answer.status, target)

    def _exchange(self, app: str, call: Call) -> Answer:
        from picloud.services.http.connections import Place

        place = Place(app, call.url, tuple(self._guard.addresses(app, call.url)))
        try:
            return self._send(place, call, fresh=False)
        except _Stale:
            return self._send(place, call, fresh=True)

    def _send(self, place: Place, call: Call, *, fresh: bool) -> Answer:
        connection, used = self._connections().take(place, fresh=fresh)
        finished = False
        try:
            with _told(call.url.host, retried=used and call.method in REPEATABLE):
                response = _asked(connection, call)
            with _told(call.url.host):
                answer = _read(response, call)
            finished = True
            return answer
        finally:
            if finished:
                self._connections().give_back(place, connection)
            else:
                connection.close()

    def _connections(self) -> Connections:
        if self._kept is None:
            # Most apps call nobody, and the library is only for those that do.
            from picloud.services.http.connections import Connections

            self._kept = Connections(self._authorities)
        return self._kept

    @contextmanager
    def _place_of(self, app: str) -> Iterator[None]:
        """A place among the calls of the app, and among all."""
        with self._of_apps.setdefault(app, BoundedSemaphore(MAX_CALLS_OF_APP)), self._places:
            yield


class _Stale(Exception):
    """A connection that was kept was closed by the other side before it answered."""


def _asked(connection: HTTPConnection, call: Call) -> HTTPResponse:
    from urllib3.util import SKIP_HEADER

    # Without one of the caller's the library would send its own.
    headers = {"host": call.url.authority, "user-agent": SKIP_HEADER, **call.headers}
    connection.request(call.method, call.url.target, call.body, headers, preload_content=False)
    return connection.getresponse()


def _read(response: HTTPResponse, call: Call) -> Answer:
    headers = [(name.lower(), value) for name, value in response.headers.items()]
    codings = {part.strip().lower() for part in response.headers.get("content-encoding", "").split(",")}
    known = codings <= _CODINGS
    body, host = bytearray(), call.url.host
    while chunk := response.read(CHUNK, decode_content=known):
        body += chunk
        if len(body) > call.most_bytes:
            raise HttpFailure("too_large", host, f"{host} answered with more than {call.most_bytes:,} bytes")
    return Answer(status=response.status, headers=headers, body=bytes(body), encoded=not known, url=call.url, passed=())


def _redirected(call: Call, status: int, url: Url) -> Call:
    """What a redirect asks for (Fetch standard, HTTP-redirect fetch)."""
    method, body, headers = call.method, call.body, dict(call.headers)
    if (status == 303 and method not in ("GET", "HEAD")) or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if name not in _OF_BODIES}
    if url.origin != call.url.origin:
        headers = {name: value for name, value in headers.items() if name not in call.secrets}
    return replace(call, method=method, body=body, headers=headers, url=url)


@contextmanager
def _told(host: str, *, retried: bool = False) -> Iterator[None]:
    """Failures of the library as ours; that a kept connection was closed as :class:`_Stale` if it is ``retried``."""
    from urllib3.exceptions import DecodeError, HTTPError, IncompleteRead, ProtocolError

    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise HttpFailure("tls", host, f"{host} has no certificate to trust: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise HttpFailure("tls", host, f"{host} can't be spoken to by TLS: {error.reason or error}") from None
    except DecodeError:
        raise HttpFailure("protocol", host, f"{host} sent a body that can't be decoded") from None
    except (
        OSError,
        http.client.RemoteDisconnected,
        http.client.IncompleteRead,
        IncompleteRead,
        ProtocolError,
    ) as error:
        if retried:
            raise _Stale from None
        raise HttpFailure("closed", host, f"{host} closed the connection before it had answered") from error
    except (http.client.HTTPException, HTTPError, ValueError) as error:
        raise HttpFailure("protocol", host, f"{host} sent what is no HTTP: {type(error).__name__}") from None
