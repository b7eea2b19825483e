"""What stands between a script and the network: no connection is made but to an address that was checked here.

A URL is resolved once. Every address that its host has is checked, and if one of them is refused the call is: a name
that leads to several networks at a time is no mistake that a retry mends. The connection then goes to these addresses,
never to the name, so that it doesn't matter what the name leads to a moment later.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from picloud.domain.addresses import Address
from picloud.domain.egress import Egress, Refusal
from picloud.services.http.failure import HttpFailure
from picloud.services.http.resolver import Resolve
from picloud.services.http.urls import Url

_ANY_PORT: Final = 9
_NONLOCAL: Final = "/proc/sys/net/ipv{}/ip_nonlocal_bind"


class Guard:
    """See the module. ``egress`` is what the owner of an app lets its scripts call."""

    def __init__(self, egress: Callable[[str], Egress], resolve: Resolve) -> None:
        self._egress = egress
        self._resolve = resolve

    def addresses(self, app: str, url: Url) -> Sequence[Address]:
        """Where to connect to for ``url``, best first. Raises :class:`HttpFailure` if that is refused."""
        egress = self._egress(app)
        addresses = [url.address] if url.address is not None else self._resolve(url.host)
        for address in addresses:
            refusal = egress.why_not(url.host, url.port, address, own=is_own(address))
            if refusal is not None:
                raise HttpFailure("refused", url.host, _said(refusal, app))
        return addresses


def is_own(address: Address) -> bool:
    """Whether the address is one of this machine's, on any interface: then it can be bound to. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return not _binds_to_anything(address.version) or _is_routed_to_itself(address, family)


def _binds_to_anything(version: int) -> bool:
    """Whether addresses that aren't there can be bound to, as some set-ups for two machines with one address want."""
    try:
        return Path(_NONLOCAL.format(version)).read_text(encoding="ascii").strip() != "0"
    except OSError:
        return False


def _is_routed_to_itself(address: Address, family: int) -> bool:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), _ANY_PORT))
            return str(probe.getsockname()[0]) == str(address)
        except OSError:
            return False


def _said(refusal: Refusal, app: str) -> str:
    opens = refusal.remedy
    if opens is None:
        return f"{refusal.why}: no script can call it"
    mark = " --private" if opens.private else ""
    return f"{refusal.why}. An owner can allow it: picloud egress allow {app} {opens}{mark}"
