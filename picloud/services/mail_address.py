"""Addresses of mails as scripts give them: ``"ada@example.org"``, ``"Ada <ada@example.org>"``, ``#{name, address}``.

One string is one address: lists are arrays, so that a comma in somebody's input never makes a second recipient. A
domain beyond ASCII becomes its punycode (IDNA 2008, UTS 46); what stands before the ``@`` can't, and needs a server
that knows SMTPUTF8 (RFC 6531).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from picloud.domain.errors import Invalid
from picloud.services.arguments import kind_of

MOST_LOCAL: Final = 64
"""Bytes before the ``@`` (RFC 5321, section 4.5.3.1.1)."""
MOST_DOMAIN: Final = 253
MOST_NAME: Final = 200

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What no header may hold: line ends of any kind, and what else steers a terminal or a parser."""

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL: Final = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.(?!\d+$){_LABEL}|localhost")
_NAMED: Final = re.compile(r'(?P<name>"(?:\\.|[^"\\])*"|[^<>]*?)\s*<(?P<spec>[^<>]*)>')
_LONGEST: Final = 600
"""Characters of an address with its name; the pattern takes quadratic time."""
_SPACES: Final = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Address:
    """An address, its ``domain`` in ASCII; ``name`` is what is shown beside it, or empty."""

    local: str
    domain: str
    name: str = ""

    @property
    def spec(self) -> str:
        """The address alone."""
        return f"{self.local}@{self.domain}"

    @property
    def international(self) -> bool:
        """Whether the address can't be written in ASCII."""
        return not self.local.isascii()


def address_of(value: Any, field: str) -> Address:
    """The address that a script means. Raises :class:`Invalid` that names the ``field``."""
    if isinstance(value, Mapping):
        for key in value:
            if key not in ("name", "address"):
                raise _wrong(field, f"has no member {str(key)[:40]!r}")
        name, spec = value.get("name"), value.get("address")
        if not isinstance(spec, str) or not isinstance(name, str | None):
            raise _wrong(field, "has a name and an address, both strings")
        return _address(name or "", spec, field)
    if not isinstance(value, str):
        raise _wrong(field, f"is {kind_of(value)}")
    if len(value) > _LONGEST:
        raise Invalid(f"{field} has {len(value):,} characters: there may be {_LONGEST}", field=field)
    _check_line(value, field)
    match = _NAMED.fullmatch(value.strip(" "))
    if match is None:
        return _address("", value.strip(" "), field)
    name = match["name"]
    if len(name) > 1 and name.startswith('"') and name.endswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return _address(name, match["spec"], field)


def addresses_of(value: Any, field: str) -> tuple[Address, ...]:
    """The addresses that a script means by one, or by an array; none by ``()``. Raises :class:`Invalid`."""
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(address_of(each, f"{field}[{number}]") for number, each in enumerate(value))
    return (address_of(value, field),)


def _address(name: str, spec: str, field: str) -> Address:
    _check_line(name + spec, field)
    if len(name) > MOST_NAME:
        raise Invalid(f"{field} has a name of {len(name):,} characters: there may be {MOST_NAME}", field=field)
    local, at, domain = spec.rpartition("@")
    if not at or "," in spec or ";" in spec:
        raise _wrong(field, f"is {spec[:80]!r}", "Several addresses are an array." if at else "")
    if not _LOCAL.fullmatch(local) or _SPACES.search(local) or len(local.encode()) > MOST_LOCAL:
        raise _wrong(field, f"is {spec[:80]!r}, which can't be an address for what is before the @")
    return Address(local, _ascii(domain, spec, field), name.strip())


def _check_line(text: str, field: str) -> None:
    if CONTROL.search(text):
        raise Invalid(f"{field} holds a line end or another control character", field=field)


def _ascii(domain: str, spec: str, field: str) -> str:
    try:
        found = domain if domain.isascii() else _punycode(domain)
    except ValueError as error:
        raise _wrong(field, f"is {spec[:80]!r}, whose domain can't be: {error}") from None
    found = found.lower()
    if len(found) > MOST_DOMAIN or not _DOMAIN.fullmatch(found):
        raise _wrong(field, f"is {spec[:80]!r}, whose domain is none")
    return found


def _punycode(domain: str) -> str:
    # The tables of Unicode take memory that nobody needs whose domains are all ASCII.
    import idna

    return idna.encode(domain, uts46=True).decode()


def _wrong(field: str, found: str, remedy: str = "") -> Invalid:
    expected = 'expected "ada@example.org", "Ada <ada@example.org>" or #{name: "Ada", address: "ada@example.org"}'
    return Invalid(f"{field} {found}; {expected}", field=field, remedy=remedy)
