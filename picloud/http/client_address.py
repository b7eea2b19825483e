"""Where a request comes from: the peer, or what proxies that are believed say of it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

_SUBNET_BITS: Final = 64
"""Of an IPv6 address: whoever has one has the whole subnet."""


class ClientAddresses:
    """Knows the proxies, given as addresses and networks with commas between them."""

    def __init__(self, proxies: str) -> None:
        self._proxies = [ip_network(part) for part in proxies.split(",") if part]

    def of(self, environ: Mapping[str, Any]) -> str:
        """The client's address; of IPv6 its subnet. It is the last one of X-Forwarded-For that no proxy has."""
        given = [str(environ.get("REMOTE_ADDR") or ""), *reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(","))]
        client = ""
        for text in given:
            try:
                address = ip_address(text.strip())
            except ValueError:
                break
            if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
                address = address.ipv4_mapped
            if isinstance(address, IPv6Address):
                client = str(ip_network((address, _SUBNET_BITS), strict=False))
            else:
                client = str(address)
            if not any(address in network for network in self._proxies):
                break
        return client
