"""``crypto::``: digests, message authentication codes, constant-time comparison, base64 and hex.

Each function takes strings (as UTF-8) or blobs. Digests and codes come as lower-case hex, with ``_bytes`` as a blob.

    crypto::sha256(data)              crypto::sha256_bytes(data)             also sha1, sha512, md5
    crypto::hmac_sha256(key, data)    crypto::hmac_sha256_bytes(key, data)   also hmac_sha1, hmac_sha512
    crypto::equal(a, b)               in a time that doesn't tell where they differ
    crypto::to_hex(data)              crypto::from_hex(text)         a blob
    crypto::to_base64(data)           crypto::from_base64(text)      a blob
    crypto::to_base64url(data)        crypto::from_base64url(text)   a blob; without padding
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from itertools import product
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("crypto")

_DIGESTS: Final[dict[str, Any]] = {
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "sha1": hashlib.sha1,
    "md5": hashlib.md5,
}
_DATA: Final = ("string", "blob")
_TWO: Final = tuple(product(_DATA, _DATA))


def _octets(run: Run, data: str | bytearray) -> bytes:
    charge(run, len(data))
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)


def _declare_digest(name: str) -> None:
    make = _DIGESTS[name]
    for kind in _DATA:
        PACKAGE.reader(name, kind, run=True)(lambda run, data: make(_octets(run, data)).hexdigest())
        PACKAGE.reader(f"{name}_bytes", kind, run=True)(lambda run, data: bytearray(make(_octets(run, data)).digest()))


def _declare_mac(name: str) -> None:
    make = _DIGESTS[name]

    def code(run: Run, key: str | bytearray, data: str | bytearray) -> hmac.HMAC:
        return hmac.new(_octets(run, key), _octets(run, data), make)

    for kinds in _TWO:
        PACKAGE.function(f"hmac_{name}", *kinds, run=True)(lambda *given: code(*given).hexdigest())
        PACKAGE.function(f"hmac_{name}_bytes", *kinds, run=True)(lambda *given: bytearray(code(*given).digest()))


for _name in _DIGESTS:
    _declare_digest(_name)
for _name in ("sha256", "sha512", "sha1"):
    _declare_mac(_name)


def equal(run: Run, one: str | bytearray, other: str | bytearray) -> bool:
    """Return whether both are the same, compared in constant time."""
    return hmac.compare_digest(_octets(run, one), _octets(run, other))


for _kinds in _TWO:
    PACKAGE.function("equal", *_kinds, run=True)(equal)


def to_hex(run: Run, data: str | bytearray) -> str:
    """Return the data in lower-case hex."""
    return _octets(run, data).hex()


def to_base64(run: Run, data: str | bytearray) -> str:
    """Return the data in base64 (RFC 4648 section 4)."""
    return base64.b64encode(_octets(run, data)).decode("ascii")


def to_base64url(run: Run, data: str | bytearray) -> str:
    """Return the data in the URL-safe alphabet, without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(_octets(run, data)).rstrip(b"=").decode("ascii")


_writers: Final[tuple[Callable[..., str], ...]] = (to_hex, to_base64, to_base64url)
for _write, _kind in product(_writers, _DATA):
    PACKAGE.function(_write.__name__, _kind, run=True)(_write)


@PACKAGE.function("from_hex", "string", run=True)
def from_hex(run: Run, text: str) -> bytearray:
    """Return the bytes that a text writes in hex."""
    charge(run, len(text))
    try:
        return bytearray(binascii.unhexlify(text))
    except ValueError:
        raise refusal("crypto::from_hex", "the text isn't hex, two digits of 0-9 and a-f for each byte") from None


@PACKAGE.function("from_base64", "string", run=True)
def from_base64(run: Run, text: str) -> bytearray:
    """Return the bytes that a text writes in base64, padded or not."""
    return _from_base64(run, text, "from_base64", None)


@PACKAGE.function("from_base64url", "string", run=True)
def from_base64url(run: Run, text: str) -> bytearray:
    """Return the bytes that a text writes in the URL-safe alphabet, padded or not."""
    return _from_base64(run, text, "from_base64url", b"-_")


def _from_base64(run: Run, text: str, name: str, alphabet: bytes | None) -> bytearray:
    charge(run, len(text))
    digits = text.rstrip("=")
    try:
        padded = (digits + "=" * (-len(digits) % 4)).encode("ascii")
        return bytearray(base64.b64decode(padded, altchars=alphabet, validate=True))
    except ValueError:
        raise refusal(f"crypto::{name}", f"the text isn't {name.removeprefix('from_')}") from None
