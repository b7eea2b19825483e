"""``uuid::``: identifiers that nobody else makes (RFC 9562), as lower-case text.

    uuid::v4()                  random
    uuid::v5(namespace, name)   the same for the same name; the namespace is a UUID, or "dns", "url", "oid", "x500"
    uuid::v7()                  begins with the run's time, so that later ones sort behind; those of one run, too
    uuid::parse(text)           the usual form of a UUID in any: upper case, {…}, urn:uuid:…, without hyphens
    uuid::is_valid(text)        whether a text is a UUID in one of these forms
    uuid::version(text)         the number of its version
    uuid::time(text)            the moment in a version 7, in milliseconds
    uuid::zero()                the one of zeros

Random ones come from the run's recorded seed, so that a replay makes the same; they are no secrets.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from picloud.executor.faults import refusal
from picloud.executor.host import active_run, script_host
from picloud.executor.modules.random import source_of
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("uuid")

_NAMESPACES: Final = {
    "dns": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "url": "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
    "oid": "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
    "x500": "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
}
_DIGITS: Final = "[0-9a-f]"
_HYPHENED: Final = rf"{_DIGITS}{{8}}-{_DIGITS}{{4}}-{_DIGITS}{{4}}-{_DIGITS}{{4}}-{_DIGITS}{{12}}"
_FORM: Final = re.compile(
    rf"(?:urn:uuid:)?({_HYPHENED})|\{{({_HYPHENED})\}}|({_DIGITS}{{32}})", re.IGNORECASE | re.ASCII
)
_LONGEST: Final = 45
_OWN_BITS: Final = 12


def text_of(bits: int, version: int) -> str:
    """The UUID of 128 bits, of which those of version and variant are set."""
    bits = bits & ~(0xF000 << 64) & ~(0xC000 << 48) | (version << 76) | (2 << 62)
    return _hyphened(f"{bits:032x}")


def _hyphened(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _digits(text: str) -> str | None:
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    return None if found is None else next(filter(None, found.groups())).replace("-", "").lower()


def _known(function: str, text: str) -> str:
    digits = _digits(text)
    if digits is None:
        shown = text if len(text) <= 50 else text[:49] + "…"
        raise refusal(f"uuid::{function}", f"{shown!r} is no UUID: one is like {_NAMESPACES['dns']}")
    return digits


@PACKAGE.function("v4", run=True, volatile=True)
def v4(run: Run) -> str:
    """Return a random UUID."""
    return text_of(source_of(run).getrandbits(128), 4)


@PACKAGE.function("v5", "string", "string", run=True)
def v5(run: Run, namespace: str, name: str) -> str:
    """Return the UUID of a name in a namespace."""
    charge(run, len(name))
    digits = _digits(_NAMESPACES.get(namespace.lower(), namespace))
    if digits is None:
        known = ", ".join(_NAMESPACES)
        raise refusal("uuid::v5", f"the namespace is a UUID or one of {known}, not {namespace[:50]!r}")
    digest = hashlib.sha1(bytes.fromhex(digits) + name.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return text_of(int.from_bytes(digest.digest()[:16], "big"), 5)


@PACKAGE.function("v7", run=True, volatile=True)
def v7(run: Run) -> str:
    """Return a UUID that sorts by time, and behind those that the run made before."""
    host = script_host(run)
    random = source_of(run)
    # The counter begins in the lower half of its room, and what is over goes into the time (RFC 9562, section 6.2).
    first = max(0, active_run(run).message.now_ms) << _OWN_BITS | random.getrandbits(_OWN_BITS - 1)
    host.last_uuid = max(first, host.last_uuid + 1)
    time, own = host.last_uuid >> _OWN_BITS, host.last_uuid & 0xFFF
    return text_of((time & 0xFFFF_FFFF_FFFF) << 80 | own << 64 | random.getrandbits(62), 7)


@PACKAGE.function("parse", "string")
def parse(text: str) -> str:
    """Return a UUID in its usual form."""
    return _hyphened(_known("parse", text))


@PACKAGE.function("is_valid", "string")
def is_valid(text: str) -> bool:
    """Return whether a text is a UUID."""
    return _digits(text) is not None


@PACKAGE.function("version", "string")
def version(text: str) -> int:
    """Return the version of a UUID."""
    return int(_known("version", text)[12], 16)


@PACKAGE.function("time", "string")
def time(text: str) -> int:
    """Return the Unix time in milliseconds that a UUID of version 7 begins with."""
    digits = _known("time", text)
    if digits[12] != "7":
        raise refusal("uuid::time", f"a UUID of version 7 tells a time, this one is of version {int(digits[12], 16)}")
    return int(digits[:12], 16)


@PACKAGE.function("zero")
def zero() -> str:
    """Return the UUID of zeros."""
    return _hyphened("0" * 32)
