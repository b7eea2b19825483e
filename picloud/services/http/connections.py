"""Connections to addresses that were checked, kept for a while to be used again.

A connection belongs to one app and goes to one address; the name that it was checked for is what it sends as ``Host``,
what it asks for by SNI, and what the certificate must be for. Names are not resolved here, nor is any variable of the
environment read: there is no proxy.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gevent
from urllib3.connection import HTTPConnection, HTTPSConnection

from picloud.domain.addresses import Address
from picloud.services.http.failure import HttpFailure
from picloud.services.http.urls import Url

MAX_IDLE: Final = 32
IDLE_SECONDS: Final = 15.0
NEXT_ADDRESS_SECONDS: Final = 3.0
"""So long the first addresses of a host are given to answer, while there are others."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a connection is for: one app, one host by that name, at one of these addresses."""

    app: str
    url: Url
    addresses: tuple[Address, ...]

    def fits(self, kept: Kept) -> bool:
        """Whether a connection that was kept is one of those that would be made."""
        return kept.app == self.app and kept.origin == self.url.origin and kept.address in self.addresses


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection that nobody uses, since when."""

    app: str
    origin: tuple[str, str, int]
    address: Address
    connection: HTTPConnection
    since: float


class _Plain(HTTPConnection):
    addresses: tuple[Address, ...] = ()
    reached: Address

    def _new_conn(self) -> socket.socket:
        self.reached, connected = _connected(self.host, self.addresses, self.port)
        return connected


class _Secure(HTTPSConnection):
    addresses: tuple[Address, ...] = ()
    reached: Address

    def _new_conn(self) -> socket.socket:
        self.reached, connected = _connected(self.host, self.addresses, self.port)
        return connected


class Connections:
    """See the module. ``authorities`` is a PEM file of certificates that are trusted beside the system's."""

    def __init__(self, authorities: Path | None = None) -> None:
        self._authorities = authorities
        self._tls: ssl.SSLContext | None = None
        self._idle: list[Kept] = []
        self._sweeper: gevent.Greenlet | None = None

    def take(self, place: Place, *, fresh: bool = False) -> tuple[HTTPConnection, bool]:
        """A connection, and whether it was used before; one that wasn't connects when it is asked for something."""
        for kept in reversed(() if fresh else self._idle.copy()):
            if place.fits(kept):
                self._idle.remove(kept)
                if kept.connection.is_connected:
                    return kept.connection, True
                kept.connection.close()
        connection: _Plain | _Secure
        # Patience is the caller's: nothing here has a timeout of its own, or waits for ever.
        if place.url.scheme == "https":
            connection = _Secure(
                place.url.host, place.url.port, timeout=None, ssl_context=self._context(place.url.host)
            )
        else:
            connection = _Plain(place.url.host, place.url.port, timeout=None)
        connection.addresses = place.addresses
        return connection, False

    def give_back(self, place: Place, connection: HTTPConnection) -> None:
        """Keep a connection whose answer was read to its end."""
        if connection.is_closed:
            return
        address = connection.reached  # type: ignore[attr-defined]
        self._idle.append(Kept(place.app, place.url.origin, address, connection, time.monotonic()))
        if len(self._idle) > MAX_IDLE:
            self._idle.pop(0).connection.close()
        if self._sweeper is None:
            self._sweeper = gevent.spawn_later(IDLE_SECONDS, self._sweep)

    def close(self) -> None:
        """Keep nothing any more."""
        if self._sweeper is not None:
            self._sweeper.kill(block=False)
            self._sweeper = None
        while self._idle:
            self._idle.pop().connection.close()

    def _sweep(self) -> None:
        now = time.monotonic()
        while self._idle and now - self._idle[0].since >= IDLE_SECONDS:
            self._idle.pop(0).connection.close()
        self._sweeper = None
        if self._idle:
            self._sweeper = gevent.spawn_later(IDLE_SECONDS - (now - self._idle[0].since), self._sweep)

    def _context(self, host: str) -> ssl.SSLContext:
        if self._tls is None:
            context = ssl.create_default_context()
            if self._authorities is not None:
                try:
                    context.load_verify_locations(cafile=self._authorities)
                except OSError:
                    why = "the certificate authorities of PICLOUD_EGRESS_CA can't be read; see picloud doctor"
                    raise HttpFailure("tls", host, f"{host} can't be called: {why}") from None
            self._tls = context
        return self._tls


def _connected(host: str, addresses: tuple[Address, ...], port: int) -> tuple[Address, socket.socket]:
    """A connection to the first of the addresses that answers."""
    failure: Exception | None = None
    for number, address in enumerate(addresses):
        last = number == len(addresses) - 1
        try:
            return address, _connect(address, port, None if last else NEXT_ADDRESS_SECONDS)
        except OSError as error:
            failure = error
    reason = getattr(failure, "strerror", None) or str(failure)
    raise HttpFailure("connect", host, f"{host} can't be reached on port {port}: {reason}") from None


def _connect(address: Address, port: int, seconds: float | None) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.settimeout(seconds)
        where: tuple[Any, ...] = (str(address), port)
        connected.connect(where)
        connected.settimeout(None)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connected.close()
        raise
    return connected
