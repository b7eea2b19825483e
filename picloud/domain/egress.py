"""Egress: where an app's scripts may connect to.

Without any setting that is every public address, on the ports that the web uses. An owner *allows* more: a host by
its name (``api.example.com``, ``*.example.com``), an address or a network (``10.0.0.7``, ``10.0.0.0/8``,
``[fd00::]/8``), each with a port or without. A port opens that one, whichever it is. What isn't public is opened only
by what is marked as ``private``: a name that is merely listed must not lead into the owner's network when its DNS says
so. An app that is ``restricted`` connects to nothing but what is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_network
from typing import Final

from picloud.domain.addresses import Address, Network, Reach, reach_of
from picloud.domain.errors import Invalid, NotFound

MAX_ALLOWED: Final = 200
MAX_HOST: Final = 253
MAX_URL: Final = 8_192

WEB_PORTS: Final = (80, 443)
FIRST_USER_PORT: Final = 1024
# fmt: off
OTHER_PROTOCOLS: Final = frozenset((
    1433, 1521, 1719, 1720, 1723, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060,
    5061, 5432, 5433, 5672, 5900, 6000, 6379, 6380, 6432, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 8883,
    9042, 9092, 10080, 10250, 11211, 26379, 27017, 27018, 27019,
))
# fmt: on
"""What the Fetch standard blocks from 1024 on; databases, caches and queues that may take a request for commands."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_ENTRY: Final = re.compile(
    r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?P<bits6>/[0-9]{1,3})?(?::(?P<port6>[0-9]{1,5}))?"
    r"|(?P<bare6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:/[0-9]{1,3})?)"
    r"|(?P<host>[^:/\[\]]+(?:/[0-9]{1,2})?)(?::(?P<port>[0-9]{1,5}))?"
)
_NUMERIC: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")


def ends_in_number(host: str) -> bool:
    """Whether a host in lower case is an address to somebody: its last part is a number, however it is written."""
    return _NUMERIC.fullmatch(host.rpartition(".")[2]) is not None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What is allowed: a name or a network in its canonical form; ``port`` 0 stands for those that are open anyway."""

    host: str
    port: int = 0
    private: bool = False

    @classmethod
    def parse(cls, text: str, *, private: bool = False) -> Allowed:
        """Read ``*.example.com:8443``. Raises :class:`Invalid` with what is wrong."""
        match = _ENTRY.fullmatch(text.strip())
        if match is None:
            raise Invalid(f"{text[:80]!r} is no host, address or network", field="host", remedy=_FORMS)
        port = _port(match["port6"] or match["port"])
        if match["host"] is None:
            written = match["bare6"] or match["v6"] + (match["bits6"] or "")
            return cls(_network(written), port, private)._checked()
        host = match["host"].lower().removesuffix(".")
        if "/" in host or ends_in_number(host):
            return cls(_network(host), port, private)._checked()
        if len(host) > MAX_HOST or not _NAME.fullmatch(host):
            raise Invalid(f"{text[:80]!r} is no host, address or network", field="host", remedy=_FORMS)
        return cls(host, port, private)

    @property
    def network(self) -> Network | None:
        """The addresses that are allowed; None for a name."""
        return _addresses(self.host)

    @property
    def is_exact(self) -> bool:
        """Whether it is one address."""
        network = self.network
        return network is not None and network.num_addresses == 1

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Whether it speaks of a connection to ``address``, which ``host`` led to."""
        if self.port not in (0, port):
            return False
        network = self.network
        if network is not None:
            return address.version == network.version and address in network
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host

    def __str__(self) -> str:
        if not self.port:
            return self.host
        if ":" not in self.host:
            return f"{self.host}:{self.port}"
        address, slash, bits = self.host.partition("/")
        return f"[{address}]{slash}{bits}:{self.port}"

    def _checked(self) -> Allowed:
        network = self.network
        assert network is not None
        if network.num_addresses > 1:
            return self
        reach, what = reach_of(network.network_address)
        if reach is Reach.NEVER:
            raise Invalid(f"{self.host} is {what}: no script can call it", field="host")
        if reach is not Reach.PUBLIC and not self.private:
            raise Invalid(
                f"{self.host} is {what}",
                field="private",
                remedy='Say that it may be private: --private, in the API "private": true.',
            )
        return self


_FORMS: Final = "For example: api.example.com, *.example.com, example.com:8443, 10.0.0.7, 10.0.0.0/8:8080, [fd00::]/8."


@lru_cache(1_024)
def _addresses(host: str) -> Network | None:
    return ip_network(host) if ":" in host or ends_in_number(host.partition("/")[0]) else None


def _port(digits: str | None) -> int:
    if digits is None:
        return 0
    if not 1 <= int(digits) <= 65535:
        raise Invalid(f"{digits} is no port: expected 1 to 65535", field="host")
    return int(digits)


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise Invalid(f"{text[:80]!r} is no address and no network: {error}", field="host", remedy=_FORMS) from None
    whole = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if whole else str(network)


@dataclass(frozen=True, slots=True)
class Egress:
    """See the module."""

    restricted: bool = False
    allowed: tuple[Allowed, ...] = ()

    def allowing(self, more: Allowed) -> Egress:
        """This, and ``more``; what is there already gets its mark. Raises :class:`Invalid` if it is too much."""
        kept = tuple(each for each in self.allowed if (each.host, each.port) != (more.host, more.port))
        if len(kept) >= MAX_ALLOWED:
            raise Invalid(
                f"an app allows {MAX_ALLOWED} hosts at most", field="host", remedy="Allow a network, or *.example.com."
            )
        return replace(self, allowed=tuple(sorted((*kept, more), key=lambda each: (each.host, each.port))))

    def without(self, less: Allowed) -> Egress:
        """This without what is allowed as ``less``. Raises :class:`NotFound`."""
        kept = tuple(each for each in self.allowed if (each.host, each.port) != (less.host, less.port))
        if len(kept) == len(self.allowed):
            raise NotFound(f"{less} isn't allowed as such", field="host", remedy="See picloud egress APP.")
        return replace(self, allowed=kept)

    def why_not(self, host: str, port: int, address: Address, *, own: bool = False) -> Refusal | None:
        """Why a script mustn't connect to ``address``, which ``host`` led to; None if it may.

        ``own`` tells that the address is one of the machine's own, whatever it looks like.
        """
        entries = [each for each in self.allowed if each.covers(host, port, address)]
        shown = host if host == str(address) else f"{host} leads to {address}, which"
        reach, what = reach_of(address)
        if own and reach is Reach.PUBLIC:
            reach, what = Reach.PRIVATE, "this machine's own address"
        if reach is Reach.NEVER:
            return Refusal(f"{shown} is {what}")
        if reach is Reach.METADATA and not any(each.private and each.is_exact for each in entries):
            return Refusal(f"{shown} is {what}", Allowed(str(address), _said(port), private=True))
        if reach is Reach.PRIVATE and not any(each.private for each in entries):
            return Refusal(f"{shown} is {what}", Allowed(host, _said(port), private=True))
        if self.restricted and not entries:
            return Refusal(f"{host} isn't among the hosts that the app may call", Allowed(host, _said(port)))
        if not is_open(port) and not any(each.port for each in entries):
            marked = any(each.private for each in entries)
            return Refusal(f"{port} is no port of the web", Allowed(host, port, private=marked))
        return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection is refused, and what an owner could allow to have it; None if nothing helps."""

    why: str
    remedy: Allowed | None = None


def is_open(port: int) -> bool:
    """Whether a port may be called without being allowed: the web's, and users' ports that no other protocol has."""
    return port in WEB_PORTS or (port >= FIRST_USER_PORT and port not in OTHER_PROTOCOLS)


def _said(port: int) -> int:
    """The port as an entry has to name it."""
    return 0 if port in WEB_PORTS else port


PLAIN: Final = Egress()
"""What an app has that nobody set anything for."""
