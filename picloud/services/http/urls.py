"""URLs as ``http::`` takes them: read once, strictly, and never read again by anything else.

What two readers might understand differently is refused rather than guessed: user names, backslashes, control
characters, addresses in any other form than four decimal numbers, percent signs in a host. What is taken has one
meaning: a scheme, a host in ASCII or an address, a port, and what is sent as the request's target.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, urljoin

from picloud.domain.addresses import Address
from picloud.domain.egress import MAX_URL, ends_in_number

PORTS: Final = {"http": 80, "https": 443}

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_AUTHORITY: Final = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>[^:]*))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DIGITS: Final = re.compile(r"[0-9]{1,5}")
_KEPT: Final = "!#$%&'()*+,/:;=?@[]~"
"""Characters that stand as they are in a target, the percent sign among them: what is encoded stays so."""


class BadUrl(Exception):
    """The text is no URL that can be called; the message says why."""


@dataclass(frozen=True, slots=True)
class Url:
    """What is called. ``host`` is ASCII in lower case, or an address without brackets; ``target`` begins with ``/``."""

    scheme: str
    host: str
    port: int
    target: str
    address: Address | None = None

    @property
    def authority(self) -> str:
        """Host and port as they are written, the port only if it isn't the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What cookies and credentials belong to."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse(text: str, query: str = "") -> Url:
    """Read a URL, and put ``query``, which is encoded, behind its own. Raises :class:`BadUrl`."""
    if len(text) > MAX_URL or len(query) > MAX_URL:
        raise BadUrl(f"the URL has more than {MAX_URL:,} characters")
    control = _CONTROL.search(text)
    if control is not None:
        raise BadUrl(f"the URL holds a control character, {control[0]!r}")
    if "\\" in text:
        raise BadUrl("the URL holds a backslash; write %5C if you mean it")
    match = _URL.fullmatch(text)
    if match is None:
        raise BadUrl(f"{_shown(text)} is no URL: expected one such as https://api.example.com/v1?limit=10")
    scheme, authority, path, given, _ = match.groups("")
    scheme = scheme.lower()
    if scheme not in PORTS:
        raise BadUrl(f"the scheme {scheme!r} can't be called: expected https or http")
    host, port, address = _authority(authority, scheme)
    search = "&".join(part for part in (given[1:], query) if part)
    target = quote(path or "/", safe=_KEPT) + ("?" + quote(search, safe=_KEPT) if search else "")
    return Url(scheme, host, port, target, address)


def join(base: Url, location: str) -> Url:
    """Where a redirect of ``base`` leads. Raises :class:`BadUrl`."""
    if not location.isascii():
        # The header's bytes were read as Latin-1; a server that sends more than ASCII mostly means UTF-8.
        with contextlib.suppress(UnicodeError):
            location = location.encode("latin-1").decode()
    if _CONTROL.search(location) or "\\" in location or len(location) > MAX_URL:
        raise BadUrl("the place that it redirects to is no URL")
    try:
        return parse(urljoin(str(base), location))
    except ValueError:
        raise BadUrl("the place that it redirects to is no URL") from None


def _authority(text: str, scheme: str) -> tuple[str, int, Address | None]:
    if "@" in text:
        raise BadUrl("the URL holds a user name ('@'): send the Authorization header instead")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise BadUrl(f"{_shown(text)} is no host: an IPv6 address stands in brackets, and a port behind one colon")
    port = _port(match["port"], scheme)
    if match["v6"] is not None:
        address: Address = _ipv6(match["v6"])
    else:
        host = _name(match["host"])
        if not ends_in_number(host):
            return host, port, None
        address = _ipv4(host)
    return str(address), port, address


def _port(digits: str | None, scheme: str) -> int:
    if digits is None or digits == "":
        return PORTS[scheme]
    if not _DIGITS.fullmatch(digits) or not 1 <= int(digits) <= 65535:
        raise BadUrl(f"{_shown(digits)} is no port: expected a number from 1 to 65535")
    return int(digits)


def _ipv6(text: str) -> Address:
    if "%" in text:
        raise BadUrl("an IPv6 address with a zone ('%') can't be called")
    try:
        address = IPv6Address(text)
    except ValueError:
        raise BadUrl(f"[{text[:60]}] is no IPv6 address") from None
    return address.ipv4_mapped or address


def _ipv4(host: str) -> Address:
    try:
        return IPv4Address(host)
    except ValueError:
        raise BadUrl(
            f"{_shown(host)} ends in a number, but is no IPv4 address: expected four decimal numbers, such as 192.0.2.7"
        ) from None


def _name(text: str) -> str:
    """A host's name in ASCII and lower case, without the dot at its end."""
    if not text:
        raise BadUrl("the URL names no host")
    if "%" in text:
        raise BadUrl(f"{_shown(text)} is no host: there is a percent sign in it")
    host = text.lower() if text.isascii() else _ascii(text)
    host = host.removesuffix(".")
    for label in host.split("."):
        if not _LABEL.fullmatch(label):
            raise BadUrl(f"{_shown(text)} is no host: {_shown(label)} can't be a part of a name")
    if len(host) > 253:
        raise BadUrl("the host's name has more than 253 characters")
    return host


def _ascii(text: str) -> str:
    import idna

    try:
        return idna.encode(text, uts46=True).decode()
    except idna.IDNAError as error:
        raise BadUrl(f"{_shown(text)} is no host: {error}") from None


def plain_address(text: str) -> Address:
    """The address in an answer of DNS; one that is mapped into IPv6 as what it is. Raises ValueError."""
    address = ip_address(text)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
