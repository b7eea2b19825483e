"""JSON Web Tokens (RFC 7519, compact form of RFC 7515): made, taken apart, and their claims checked.

What signs and verifies is handed in: HMAC is computed here, and public keys are the parent's, for ``cryptography``
would cost each child 15 MB. Which algorithms a key is for follows from the key alone, never from the token: a public
key is no secret of HMAC, whatever a token says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from picloud.executor.plain import parse_json

HMAC: Final[dict[str, Any]] = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
"""Algorithms with a secret."""
PUBLIC: Final[dict[str, str]] = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""Algorithms with a public key, and the type that its JWK has."""
MOST_CHARACTERS: Final = 64 * 1024
MOST_KEYS: Final = 50


class TokenError(Exception):
    """A token isn't to be trusted, or a key is no key; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart; nothing of it is verified. ``signed`` is what the signature is of."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """What the token says it is signed by."""
        return str(self.header["alg"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What claims are checked against; times are in milliseconds."""

    now: int
    leeway: int = 0
    audience: str | None = None
    issuer: str | None = None
    require: Sequence[str] = ()


def encoded(octets: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def signature_of(algorithm: str, secret: bytes, signed: bytes) -> bytes:
    """The HMAC of what is signed."""
    return hmac.new(secret, signed, HMAC[algorithm]).digest()


def read(text: str) -> Token:
    """Take a token apart. Raises :class:`TokenError` for what is none."""
    if len(text) > MOST_CHARACTERS:
        raise TokenError(f"a token has {MOST_CHARACTERS:,} characters at most, this one has {len(text):,}")
    parts = text.split(".")
    if len(parts) != 3:
        raise TokenError(f"a token has three parts with dots between them, this one has {len(parts)}")
    try:
        header, claims, signature = (_octets(part) for part in parts)
    except (ValueError, binascii.Error):
        raise TokenError("a part of the token isn't base64url") from None
    token = Token(_object(header, "header"), _object(claims, "claims"), text.rpartition(".")[0].encode(), signature)
    if type(token.header.get("alg")) is not str:
        raise TokenError("the token's header doesn't name its algorithm (alg)")
    return token


def _octets(part: str) -> bytes:
    if "=" in part:
        raise ValueError("padded")
    return base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _object(octets: bytes, what: str) -> dict[str, Any]:
    try:
        value = parse_json(octets)
    except ValueError as error:
        raise TokenError(f"the token's {what} isn't JSON: {error}") from None
    if type(value) is not dict:
        raise TokenError(f"the token's {what} is no JSON object")
    return value


def check_algorithm(token: Token, allowed: Sequence[str]) -> None:
    """Raises :class:`TokenError` unless the token is signed as it may be."""
    if token.algorithm not in allowed:
        raise TokenError(f"the token is signed by {token.algorithm[:20]!r}, not by {' or '.join(allowed)}")
    if "crit" in token.header:
        raise TokenError("the token asks for extensions that aren't known (crit)")


def check_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    """Raises :class:`TokenError` unless the claims hold now, for whom they are to."""
    missing = next((name for name in expected.require if claims.get(name) is None), None)
    if missing is not None:
        raise TokenError(f"the token has no {missing[:40]!r}")
    expires, begins = _time(claims, "exp"), _time(claims, "nbf")
    if expires is not None and expected.now >= expires * 1000 + expected.leeway:
        raise TokenError("the token has expired")
    if begins is not None and expected.now < begins * 1000 - expected.leeway:
        raise TokenError("the token isn't valid yet")
    if expected.issuer is not None and claims.get("iss") != expected.issuer:
        raise TokenError("the token was issued by somebody else")
    audience = claims.get("aud")
    if expected.audience is not None:
        given = audience if type(audience) is list else [audience]
        if expected.audience not in given:
            raise TokenError("the token is for somebody else")
    elif audience is not None:
        raise TokenError("the token is for an audience: say which you are, by the option audience")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not isfinite(value):
        raise TokenError(f"the token's {name} is no time in seconds")
    return float(value)


def is_pem(key: str) -> bool:
    """Whether a key is written as PEM, and so not a secret of HMAC."""
    return "-----BEGIN " in key


def public_keys(key: str | dict[str, Any], token: Token) -> list[str | dict[str, Any]]:
    """The keys, as PEM or JWK, that may have signed a token. Raises :class:`TokenError` for what isn't public."""
    if isinstance(key, str):
        if "PRIVATE KEY" in key:
            raise TokenError("this is a private key, which only the issuer should have: give the public one")
        return [key]
    given = key.get("keys", [key])
    if type(given) is not list or not all(type(each) is dict for each in given) or len(given) > MOST_KEYS:
        raise TokenError(f"the map is no JWK, and no JWK Set with an array of at most {MOST_KEYS} keys")
    if any("d" in each or each.get("kty") == "oct" for each in given):
        raise TokenError("there is a private or secret key in it: give the public ones")
    kid = token.header.get("kid")
    fitting: list[str | dict[str, Any]] = [
        each
        for each in given
        if each.get("kty") == PUBLIC[token.algorithm]
        and (kid is None or each.get("kid") in (None, kid))
        and each.get("alg", token.algorithm) == token.algorithm
        and each.get("use", "sig") == "sig"
    ]
    if not fitting:
        said = f" and kid {kid[:40]!r}" if isinstance(kid, str) else ""
        raise TokenError(f"there is no key for {token.algorithm}{said}")
    return fitting
