"""``crypto::``: digests, message authentication codes, constant-time comparison, base64 and hex, random bytes, tokens.

Each function takes strings (as UTF-8) or blobs. Digests and codes come as lower-case hex, with ``_bytes`` as a blob.

    crypto::sha256(data)              crypto::sha256_bytes(data)             also sha1, sha384, sha512, md5
    crypto::hmac_sha256(key, data)    crypto::hmac_sha256_bytes(key, data)   also hmac_sha1, hmac_sha384, hmac_sha512
    crypto::equal(a, b)               in a time that doesn't tell where they differ
    crypto::to_hex(data)              crypto::from_hex(text)         a blob
    crypto::to_base64(data)           crypto::from_base64(text)      a blob
    crypto::to_base64url(data)        crypto::from_base64url(text)   a blob; without padding
    crypto::random_bytes(count)       crypto::token()  crypto::token(bytes)   secrets, from the machine's own source
    crypto::jwt_sign(claims, secret)  crypto::jwt_sign(claims, secret, #{algorithm, expires_in, header})
    crypto::jwt_verify(token, key)    crypto::jwt_verify(token, key, #{algorithms, audience, issuer, leeway, require})
    crypto::jwt_decode(token)         #{header, claims}, not verified

Random bytes and signatures of public keys are asked for at the door, and so they are in the run's journal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from itertools import product
from typing import Any, Final

from picloud.executor import tokens
from picloud.executor.dates.durations import duration_of
from picloud.executor.dates.moments import DateError
from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.json_text import JsonText, TooLong
from picloud.executor.modules.options import Known, options_of, strings_of
from picloud.executor.plain import NotPlain
from picloud.executor.scheduler import CallRefused
from picloud.executor.tokens import HMAC, PUBLIC, Expected, TokenError
from picloud.rhai.errors import thrown
from picloud.rhai.packages.budget import charge, check_array
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("crypto")

_DIGESTS: Final[dict[str, Any]] = {
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
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
for _name in ("sha256", "sha384", "sha512", "sha1"):
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


MOST_RANDOM: Final = 4096
_TOKEN_BYTES: Final = 32
_SIGNING: Final[Known] = {"algorithm": (str,), "expires_in": (str,), "header": (dict,)}
_VERIFYING: Final[Known] = {
    "algorithms": (list,),
    "audience": (str,),
    "issuer": (str,),
    "leeway": (str,),
    "require": (list,),
}


def _asked(run: Run, function: str, arguments: list[Any]) -> Any:
    try:
        return active_run(run).call("crypto", function, arguments)
    except CallRefused as error:
        raise thrown(str(error)) from None


@PACKAGE.function("random_bytes", "i64", run=True, volatile=True)
def random_bytes(run: Run, count: int) -> bytearray:
    """Return so many bytes that nobody can guess."""
    return _random(run, "random_bytes", count)


def _random(run: Run, function: str, count: int) -> bytearray:
    if not 1 <= count <= MOST_RANDOM:
        raise refusal(f"crypto::{function}", f"1 to {MOST_RANDOM:,} bytes are given at a time, not {count}")
    check_array(run, count)
    return bytearray(_asked(run, "random_bytes", [count]))


@PACKAGE.function("token", run=True, volatile=True)
def token(run: Run) -> str:
    """Return a text of 43 letters, digits, - and _ that nobody can guess."""
    return to_base64url(run, _random(run, "token", _TOKEN_BYTES))


@PACKAGE.function("token", "i64", run=True, volatile=True)
def token_of(run: Run, count: int) -> str:
    """Return a text made of so many bytes that nobody can guess."""
    return to_base64url(run, _random(run, "token", count))


def _duration(function: str, name: str, options: dict[str, Any]) -> int:
    try:
        found = duration_of(options.get(name, "0s"))
    except DateError as error:
        raise refusal(f"crypto::{function}", f"the option {name}: {error}") from None
    if found < 0:
        raise refusal(f"crypto::{function}", f"the option {name} can't be negative")
    return found


def _json(run: Run, function: str, what: str, value: dict[str, Any]) -> bytes:
    try:
        text = JsonText(tokens.MOST_CHARACTERS // 2, active_run(run).pause).of(value)
    except NotPlain as error:
        raise refusal(function, f"the {what} can't be written as JSON: {error}") from None
    except TooLong:
        raise refusal(function, f"the {what} have more than {tokens.MOST_CHARACTERS // 2:,} bytes as JSON") from None
    charge(run, len(text) * 8)
    return text.encode("utf-8", "replace")


@PACKAGE.function("jwt_sign", "map", "string", run=True, volatile=True)
@PACKAGE.function("jwt_sign", "map", "string", "map", run=True, volatile=True)
@PACKAGE.function("jwt_sign", "map", "blob", run=True, volatile=True)
@PACKAGE.function("jwt_sign", "map", "blob", "map", run=True, volatile=True)
def jwt_sign(run: Run, claims: dict[str, Any], secret: str | bytearray, options: dict[str, Any] | None = None) -> str:
    """Return a token with claims, signed by a secret."""
    function = "crypto::jwt_sign"
    chosen = options_of(function, options or {}, _SIGNING)
    algorithm = chosen.get("algorithm", "HS256")
    if algorithm not in HMAC:
        raise refusal(function, f"tokens are signed by {', '.join(HMAC)}, not by {algorithm[:20]!r}")
    if isinstance(secret, str) and tokens.is_pem(secret):
        raise refusal(function, "the secret is a key in PEM: tokens are signed by a secret, not by a key pair")
    key = _octets(run, secret)
    least = HMAC[algorithm]().digest_size
    if len(key) < least:
        # RFC 7518, section 3.2. Tokens of others are verified by whatever they chose.
        raise refusal(function, f"a secret for {algorithm} has {least} bytes at least, this one has {len(key)}")
    if "expires_in" in chosen:
        now = active_run(run).message.now_ms
        lasts = _duration("jwt_sign", "expires_in", chosen)
        claims = {**claims, "iat": now // 1000, "exp": (now + lasts) // 1000}
    header = {**chosen.get("header", {}), "alg": algorithm, "typ": chosen.get("header", {}).get("typ", "JWT")}
    parts = (_json(run, function, "header", header), _json(run, function, "claims", claims))
    signed = ".".join(map(tokens.encoded, parts))
    return f"{signed}.{tokens.encoded(tokens.signature_of(algorithm, key, signed.encode()))}"


def _jwt_verify(
    run: Run, text: str, key: str | bytearray | dict[str, Any], options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the claims of a token that was signed by a key, is valid now, and is for us."""
    function = "crypto::jwt_verify"
    chosen = options_of(function, options or {}, _VERIFYING)
    expected = Expected(
        now=active_run(run).message.now_ms,
        leeway=_duration("jwt_verify", "leeway", chosen),
        audience=chosen.get("audience"),
        issuer=chosen.get("issuer"),
        require=strings_of(function, "claims to require", chosen.get("require", [])),
    )
    by_secret = not isinstance(key, dict) and not (isinstance(key, str) and tokens.is_pem(key))
    possible = [*(HMAC if by_secret else PUBLIC)]
    allowed = strings_of(function, "algorithms", chosen.get("algorithms", possible[:1] if by_secret else possible))
    strange = next((name for name in allowed if name not in possible), None)
    if strange is not None or not allowed:
        kind = "a secret" if by_secret else "a public key"
        raise refusal(function, f"{kind} is for {', '.join(possible)}, not for {(strange or 'none')[:20]!r}")
    charge(run, len(text) * 8)
    try:
        read = tokens.read(text)
        tokens.check_algorithm(read, allowed)
        if not isinstance(key, dict) and by_secret:
            secret = _octets(run, key)
            if not secret:
                raise TokenError("the secret is empty")
            good = hmac.compare_digest(tokens.signature_of(read.algorithm, secret, read.signed), read.signature)
        else:
            assert not isinstance(key, bytearray)
            good = any(
                _asked(run, "verify", [read.algorithm, each, read.signed, read.signature])
                for each in tokens.public_keys(key, read)
            )
        if not good:
            raise TokenError("the signature isn't that of the key")
        tokens.check_claims(read.claims, expected)
    except TokenError as error:
        raise refusal(function, str(error)) from None
    return read.claims


for _kind in ("string", "blob", "map"):
    PACKAGE.function("jwt_verify", "string", _kind, run=True, volatile=True)(_jwt_verify)
    PACKAGE.function("jwt_verify", "string", _kind, "map", run=True, volatile=True)(_jwt_verify)


@PACKAGE.function("jwt_decode", "string", run=True)
def jwt_decode(run: Run, text: str) -> dict[str, Any]:
    """Return what a token says, without any look at its signature."""
    charge(run, len(text) * 8)
    try:
        read = tokens.read(text)
    except TokenError as error:
        raise refusal("crypto::jwt_decode", str(error)) from None
    return {"header": read.header, "claims": read.claims}
