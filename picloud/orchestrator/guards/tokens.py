"""JSON Web Tokens (RFC 7519) as bearer tokens: signed by the one algorithm the route takes, for it, and in time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from picloud.domain.errors import Invalid
from picloud.domain.invocation import Authenticated
from picloud.domain.route_auth import Algorithm, Auth, TokenRule
from picloud.orchestrator.guards.caller import Caller, Presented, Refused, quoted
from picloud.orchestrator.vault import VaultError

LEAST_RSA_BITS: Final = 2048
MAX_KEYS: Final = 50

_KEY_TYPES: Final = {Algorithm.RS256: "RSA", Algorithm.ES256: "EC"}
_PUBLIC_PARTS: Final = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y")
_INT64: Final = range(-(2**63), 2**63)
_SAID: Final[tuple[tuple[type[Exception], str], ...]] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidAudienceError, "the token is meant for another audience"),
    (jwt.InvalidIssuerError, "the token comes from another issuer"),
    (jwt.MissingRequiredClaimError, "the token lacks a claim: exp, and iss and aud if the route asks for them"),
    (jwt.InvalidAlgorithmError, "the token is signed by another algorithm than the route takes"),
)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key, and the ``kid`` that tokens name it by, if it has one."""

    kid: str | None
    key: Any


class TokenVerifier:
    """See the module. ``secrets`` opens those of HS256."""

    hidden_headers = frozenset({"authorization"})
    hidden_query = ""

    def __init__(self, auth: Auth, realm: str, secrets: Callable[[], list[tuple[str, bytes]]]) -> None:
        assert auth.token is not None
        self._rule = auth.token
        self._secrets = secrets
        self._public: list[VerifyingKey] | None = None
        self._challenge = f"Bearer realm={quoted(realm)}"

    def verify(self, presented: Presented) -> Caller:
        """See :meth:`Verifier.verify`."""
        scheme, _, token = (presented.header("Authorization") or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Refused("no bearer token was sent", self._challenge)
        try:
            claims = _plain(self._claims(token))
        except (jwt.InvalidTokenError, ValueError) as error:
            said = next((said for kind, said in _SAID if isinstance(error, kind)), "the token is not valid")
            raise Refused(said, f'{self._challenge}, error="invalid_token"') from None
        subject = str(claims.get("sub", ""))
        # Who has no name shares nothing with anybody: each token is a caller of its own.
        identity = f"{claims.get('iss', '')} {subject}" if subject else sha256(token.encode()).hexdigest()
        return Caller(Authenticated("jwt", subject, claims), f"jwt {identity}")

    def _claims(self, token: str) -> dict[str, Any]:
        rule = self._rule
        kid = jwt.get_unverified_header(token).get("kid")
        error: jwt.InvalidTokenError = jwt.InvalidSignatureError("no key fits")
        for each in self._keys():
            if None not in (kid, each.kid) and kid != each.kid:
                continue
            try:
                return jwt.decode(
                    token,
                    each.key,
                    algorithms=[rule.algorithm.value],
                    issuer=rule.issuer or None,
                    audience=rule.audience or None,
                    leeway=rule.leeway_ms / 1_000,
                    options={"require": ["exp"], "verify_aud": bool(rule.audience), "verify_iss": bool(rule.issuer)},
                )
            except jwt.InvalidSignatureError as failed:
                error = failed
        raise error

    def _keys(self) -> list[VerifyingKey]:
        if self._rule.algorithm is Algorithm.HS256:
            return [VerifyingKey(None, secret) for _, secret in self._secrets()]
        if self._public is None:
            try:
                self._public = public_keys(self._rule)
            except Invalid as error:
                # It was read when it was set: an update of what reads it must close this route, and no other one.
                raise VaultError(f"the key of the route can't be read any more: {error}") from error
        return self._public


def public_keys(rule: TokenRule) -> list[VerifyingKey]:
    """The keys that ``rule`` names. Raises :class:`Invalid` for what is none, or isn't for everybody to see."""
    text = rule.key.strip()
    if "PRIVATE KEY" in text:
        raise _private()
    if text.startswith("{"):
        return [VerifyingKey(each.get("kid"), _of_jwk(each, rule)) for each in _jwks(text, rule)]
    try:
        if "BEGIN CERTIFICATE" in text:
            key: Any = x509.load_pem_x509_certificate(text.encode()).public_key()
        else:
            key = load_pem_public_key(text.encode())
    except Exception as error:
        raise Invalid(
            "the key can't be read: expected a PEM public key or a JWK Set",
            field="auth.key",
            remedy="A PEM begins with -----BEGIN PUBLIC KEY-----, a JWK Set with {.",
        ) from error
    return [VerifyingKey(None, _fitting(key, rule))]


def public_part(rule: TokenRule) -> str:
    """The key of ``rule`` as it is to be kept: of a JWK Set what fits the algorithm. Raises :class:`Invalid`."""
    public_keys(rule)
    text = rule.key.strip()
    if not text.startswith("{"):
        return text
    kept = [{name: each[name] for name in _PUBLIC_PARTS if name in each} for each in _jwks(text, rule)]
    return json.dumps({"keys": kept}, sort_keys=True)


def _jwks(text: str, rule: TokenRule) -> list[dict[str, Any]]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if isinstance(given, dict) and "kty" in given:
        given = {"keys": [given]}
    found = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found) or len(found) > MAX_KEYS:
        raise Invalid(
            f'this is no JWK Set: expected {{"keys": [...]}} with at most {MAX_KEYS} keys (RFC 7517)', field="auth.key"
        )
    if any("d" in each or each.get("kty") == "oct" for each in found):
        raise _private()
    fit = [
        each
        for each in found
        if each.get("kty") == _KEY_TYPES[rule.algorithm]
        and each.get("use", "sig") == "sig"
        and each.get("alg", rule.algorithm.value) == rule.algorithm.value
        and isinstance(each.get("kid"), str | None)
    ]
    if not fit:
        raise Invalid(f"the JWK Set has no key for {rule.algorithm}", field="auth.key")
    return fit


def _of_jwk(given: dict[str, Any], rule: TokenRule) -> Any:
    try:
        key = jwt.PyJWK(given, algorithm=rule.algorithm.value).key
    except Exception as error:
        raise Invalid(f"a key of the JWK Set can't be read: {given.get('kid')!r}", field="auth.key") from error
    return _fitting(key, rule)


def _fitting(key: Any, rule: TokenRule) -> Any:
    if rule.algorithm is Algorithm.RS256 and isinstance(key, RSAPublicKey):
        if key.key_size < LEAST_RSA_BITS:
            raise Invalid(f"an RSA key has at least {LEAST_RSA_BITS} bits, found {key.key_size}", field="auth.key")
        return key
    if (
        rule.algorithm is Algorithm.ES256
        and isinstance(key, EllipticCurvePublicKey)
        and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise Invalid(f"the key is none for {rule.algorithm}", field="auth.key", remedy="RS256 is RSA, ES256 is P-256.")


def _private() -> Invalid:
    return Invalid(
        "this is a private or secret key, which only the issuer should have",
        field="auth.key",
        remedy="Give the public one; for HS256 the secret is a credential.",
    )


def _plain(value: Any) -> Any:
    """A claim as every layer can hold it: whole numbers of 64 bits, finite floats, text that is UTF-8."""
    if isinstance(value, dict):
        return {_plain(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and value not in _INT64:
        value = float(value)
    return value if not isinstance(value, float) or math.isfinite(value) else None
