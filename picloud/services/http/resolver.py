"""From a host's name to its addresses: c-ares, so that no thread waits for the system's resolver.

It reads ``/etc/resolv.conf`` and ``/etc/hosts`` as the system's does, and is made anew when the former changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from socket import SOCK_STREAM, gaierror
from typing import TYPE_CHECKING, Any, Final

from picloud.domain.addresses import Address
from picloud.services.http.failure import HttpFailure
from picloud.services.http.urls import plain_address

if TYPE_CHECKING:
    from gevent.resolver.ares import Resolver as Ares

Resolve = Callable[[str], Sequence[Address]]
"""The addresses of a name, best first. Raises :class:`HttpFailure`."""

SETTINGS: Final = Path("/etc/resolv.conf")
TRY_SECONDS: Final = 2.0
TRIES: Final = 2


class Resolver:
    """See the module. ``servers`` is who to ask, as ``host:port`` with one port for all; none for the system's."""

    def __init__(self, servers: str = "") -> None:
        self._servers = servers
        self._ares: Ares | None = None
        self._made_from = 0

    def __call__(self, host: str) -> list[Address]:
        """The addresses of ``host``, each once, best first. Raises :class:`HttpFailure`."""
        try:
            found = self._current().getaddrinfo(host, 0, 0, SOCK_STREAM)
        except (gaierror, OSError, UnicodeError) as error:
            raise HttpFailure("dns", host, f"{host} has no address: {_reason(error)}") from None
        addresses: dict[Address, None] = {}
        for *_, where in found:
            try:
                addresses[plain_address(where[0])] = None
            except ValueError:
                raise HttpFailure("dns", host, f"{host} has an address that can't be read") from None
        if not addresses:
            raise HttpFailure("dns", host, f"{host} has no address")
        return list(addresses)

    def _current(self) -> Ares:
        changed = _changed_at()
        if self._ares is None or changed != self._made_from:
            from gevent.resolver.ares import Resolver as Ares

            options: dict[str, Any] = {}
            if self._servers:
                hosts, _, port = self._servers.rpartition(":")
                options = {"servers": hosts.split(","), "udp_port": int(port), "tcp_port": int(port)}
            if self._ares is not None:
                self._ares.close()
            self._made_from = changed
            self._ares = Ares(use_environ=False, timeout=TRY_SECONDS, tries=TRIES, **options)
        return self._ares

    def close(self) -> None:
        """Ask nobody any more."""
        if self._ares is not None:
            self._ares.close()
            self._ares = None


def _changed_at() -> int:
    try:
        return SETTINGS.stat().st_mtime_ns
    except OSError:
        return 0


def _reason(error: Exception) -> str:
    text = error.args[-1] if error.args else ""
    return str(text) or type(error).__name__
