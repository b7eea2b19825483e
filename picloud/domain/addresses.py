"""Which addresses of the internet are everybody's, and which belong to a machine, a network or nobody.

From IANA's registries of special addresses (RFC 6890 and its successors), and what clouds serve credentials at. An IPv6
address that carries an IPv4 address is judged by that one where traffic to it is common (mapped, and NAT64's well-known
prefix); all other ways to wrap one up are closed, since nobody needs them and each is a way around a check.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Reach(Enum):
    """Who may connect to an address: anybody; who is allowed; who is allowed that very address; nobody."""

    PUBLIC = "public"
    PRIVATE = "private"
    METADATA = "metadata"
    NEVER = "never"


_PUBLIC: Final = (Reach.PUBLIC, "public")
_RANGES: Final = (
    ("0.0.0.0/8", Reach.NEVER, "no address of a host"),
    ("10.0.0.0/8", Reach.PRIVATE, "a private address"),
    ("100.100.100.200/32", Reach.METADATA, "where a cloud serves its machines' credentials"),
    ("100.64.0.0/10", Reach.PRIVATE, "an address inside a carrier's network"),
    ("127.0.0.0/8", Reach.PRIVATE, "a loopback address"),
    ("168.63.129.16/32", Reach.METADATA, "where a cloud serves its machines' settings"),
    ("169.254.0.0/16", Reach.METADATA, "a link-local address, where clouds serve their machines' credentials"),
    ("172.16.0.0/12", Reach.PRIVATE, "a private address"),
    ("192.0.0.192/32", Reach.METADATA, "where a cloud serves its machines' credentials"),
    ("192.0.0.0/24", Reach.PRIVATE, "a reserved address"),
    ("192.0.2.0/24", Reach.PRIVATE, "an address for documentation"),
    ("192.31.196.0/24", Reach.PRIVATE, "a reserved address"),
    ("192.52.193.0/24", Reach.PRIVATE, "a reserved address"),
    ("192.88.99.0/24", Reach.PRIVATE, "a relay's address"),
    ("192.168.0.0/16", Reach.PRIVATE, "a private address"),
    ("192.175.48.0/24", Reach.PRIVATE, "a reserved address"),
    ("198.18.0.0/15", Reach.PRIVATE, "an address for benchmarks"),
    ("198.51.100.0/24", Reach.PRIVATE, "an address for documentation"),
    ("203.0.113.0/24", Reach.PRIVATE, "an address for documentation"),
    ("224.0.0.0/4", Reach.NEVER, "a multicast address"),
    ("255.255.255.255/32", Reach.NEVER, "the broadcast address"),
    ("240.0.0.0/4", Reach.PRIVATE, "a reserved address"),
    ("::/128", Reach.NEVER, "no address of a host"),
    ("::1/128", Reach.PRIVATE, "a loopback address"),
    ("::/96", Reach.NEVER, "an IPv4 address wrapped up (compatible)"),
    ("::ffff:0:0:0/96", Reach.NEVER, "an IPv4 address wrapped up (translated)"),
    ("64:ff9b:1::/48", Reach.NEVER, "an IPv4 address wrapped up (NAT64)"),
    ("100::/64", Reach.PRIVATE, "an address where everything is discarded"),
    ("2001::/32", Reach.NEVER, "an IPv4 address wrapped up (Teredo)"),
    ("2001:db8::/32", Reach.PRIVATE, "an address for documentation"),
    ("2001::/23", Reach.PRIVATE, "a reserved address"),
    ("2002::/16", Reach.NEVER, "an IPv4 address wrapped up (6to4)"),
    ("2620:4f:8000::/48", Reach.PRIVATE, "a reserved address"),
    ("3ffe::/16", Reach.PRIVATE, "a reserved address"),
    ("3fff::/20", Reach.PRIVATE, "an address for documentation"),
    ("fd00:42::42/128", Reach.METADATA, "where a cloud serves its machines' credentials"),
    ("fd00:ec2::/32", Reach.METADATA, "where a cloud serves its machines' credentials"),
    ("fd20:ce::254/128", Reach.METADATA, "where a cloud serves its machines' credentials"),
    ("fc00::/7", Reach.PRIVATE, "a private address"),
    ("fe80::/10", Reach.METADATA, "a link-local address"),
    ("fec0::/10", Reach.PRIVATE, "a private address"),
    ("ff00::/8", Reach.NEVER, "a multicast address"),
)
"""The first that holds an address says what it is."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL: Final = IPv6Network("2000::/3")
_ISATAP: Final = 0x0000_5EFE
_UNIVERSAL: Final = 0x0200_0000
"""The bit of an interface's id by which the two forms of ISATAP differ."""


def reach_of(address: Address) -> tuple[Reach, str]:
    """Who may connect to ``address``, and what it is."""
    if isinstance(address, IPv4Address):
        return _registered(address)
    inner = carried(address)
    if inner is not None:
        reach, what = _registered(inner)
        return reach, f"{what}, {inner}, wrapped up"
    if (int(address) >> 32) & ~_UNIVERSAL & 0xFFFF_FFFF == _ISATAP:
        return Reach.NEVER, "an IPv4 address wrapped up (ISATAP)"
    found = _registered(address)
    if found is _PUBLIC and address not in _GLOBAL:
        return Reach.PRIVATE, "an address that the internet doesn't have"
    return found


def carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, if it is one of those that are judged by it."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None


def _registered(address: Address) -> tuple[Reach, str]:
    for network, reach, what in _networks():
        if address.version == network.version and address in network:
            return reach, what
    # The standard library's own list may know more than ours.
    return _PUBLIC if address.is_global else (Reach.PRIVATE, "a reserved address")


@cache
def _networks() -> tuple[tuple[Network, Reach, str], ...]:
    return tuple((ip_network(text), reach, what) for text, reach, what in _RANGES)
