"""Tokens that scripts sign and verify, against PyJWT: what is trusted, and what never is."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from picloud.executor.tokens import encoded
from tests.unit.executor.standard import NOW, evaluate, told

SECRET = "a secret that is as long as the longest digest, which has 64 bytes"
SECONDS = NOW // 1000
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
CLAIMS = st.dictionaries(
    TEXTS.filter(lambda name: name not in ("exp", "nbf", "aud")),
    TEXTS | st.integers(-(2**53), 2**53) | st.booleans(),
    max_size=4,
)


def pem(algorithm: str) -> str:
    """The public key."""
    return KEYS[algorithm].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def jwk(algorithm: str, **more: Any) -> dict[str, Any]:
    """The public key as the issuers' JWK Sets have it."""
    kinds = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm}
    made = kinds.get(algorithm, jwt.algorithms.OKPAlgorithm).to_jwk(KEYS[algorithm].public_key())
    return {**json.loads(made), **more}


@given(CLAIMS, st.sampled_from(["HS256", "HS384", "HS512"]))
def test_what_is_signed_is_what_others_verify(claims: dict[str, Any], algorithm: str) -> None:
    token = evaluate("crypto::jwt_sign(claims, secret, #{algorithm: a})", claims=claims, secret=SECRET, a=algorithm)
    unchecked: Any = {f"verify_{name}": False for name in ("iat", "sub", "jti", "iss")}
    assert jwt.decode(token, SECRET, algorithms=[algorithm], options=unchecked) == claims
    if isinstance(claims.get("iss", ""), str):
        token = jwt.encode(claims, SECRET, algorithm)
    source = "crypto::jwt_verify(token, secret, #{algorithms: [a]})"
    assert evaluate(source, token=token, secret=SECRET, a=algorithm) == claims
    assert evaluate("crypto::jwt_decode(token)", token=token)["claims"] == claims


@pytest.mark.parametrize("algorithm", KEYS)
def test_others_tokens_are_verified_by_their_public_keys(algorithm: str) -> None:
    token = jwt.encode({"sub": "anna"}, KEYS[algorithm], algorithm, headers={"kid": "b"})
    others = [jwk(other, kid="b") for other in KEYS if other != algorithm]
    for key in (
        pem(algorithm),
        jwk(algorithm),
        {"keys": [*others, jwk(algorithm, kid="a"), jwk(algorithm, kid="b", alg=algorithm, use="sig")]},
    ):
        assert evaluate("crypto::jwt_verify(token, key)", token=token, key=key) == {"sub": "anna"}
    other = "ES256" if algorithm != "ES256" else "RS256"
    assert f"the key is none for {algorithm}" in told("crypto::jwt_verify(t, k)", t=token, k=pem(other))
    assert f"there is no key for {algorithm} and kid 'b'" in told(
        "crypto::jwt_verify(t, k)", t=token, k={"keys": [jwk(algorithm, kid="a")]}
    )
    forged = token[:-6] + ("AAAAAA" if not token.endswith("AAAAAA") else "BBBBBB")
    assert "the signature isn't that of the key" in told("crypto::jwt_verify(t, k)", t=forged, k=pem(algorithm))


def test_a_public_key_is_no_secret() -> None:
    """The oldest trick: a token that is signed by HMAC, with the public key as its secret."""
    header, claims = (encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, {"sub": "root"}))
    signed = f"{header}.{claims}"
    mac = hmac.new(pem("RS256").encode(), signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{encoded(mac)}"
    for key in (pem("RS256"), jwk("RS256")):
        assert "signed by 'HS256', not by RS256 or ES256 or EdDSA" in told("crypto::jwt_verify(t, k)", t=token, k=key)
        allowed = told('crypto::jwt_verify(t, k, #{algorithms: ["HS256"]})', t=token, k=key)
        assert "a public key is for RS256, ES256, EdDSA, not for 'HS256'" in allowed


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (jwt.encode({}, None, "none"), "signed by 'none', not by HS256"),
        (jwt.encode({}, SECRET, "HS512"), "signed by 'HS512', not by HS256"),
        (jwt.encode({}, SECRET + "x", "HS256"), "the signature isn't that of the key"),
        (jwt.encode({}, SECRET, "HS256", headers={"crit": ["x"], "x": 1}), "extensions that aren't known"),
        (jwt.encode({"exp": SECONDS}, SECRET), "the token has expired"),
        (jwt.encode({"nbf": SECONDS + 1}, SECRET), "the token isn't valid yet"),
        (jwt.encode({"aud": "shop"}, SECRET), "say which you are, by the option audience"),
        (jwt.encode({}, SECRET).replace(".", ".=", 1), "a part of the token isn't base64url"),
    ],
)
def test_what_is_not_to_be_trusted_is_refused(token: str, said: str) -> None:
    assert said in told("crypto::jwt_verify(t, s)", t=token, s=SECRET)


@pytest.mark.parametrize(
    ("claims", "options", "said"),
    [
        ({"exp": SECONDS - 5}, '#{leeway: "6s"}', ""),
        ({"exp": SECONDS - 6}, '#{leeway: "6s"}', "the token has expired"),
        ({"nbf": SECONDS + 6}, '#{leeway: "6s"}', ""),
        ({"aud": ["shop", "bank"]}, '#{audience: "bank"}', ""),
        ({"aud": "shop"}, '#{audience: "bank"}', "the token is for somebody else"),
        ({}, '#{audience: "bank"}', "the token is for somebody else"),
        ({"iss": "us"}, '#{issuer: "us"}', ""),
        ({"iss": "them"}, '#{issuer: "us"}', "issued by somebody else"),
        ({"sub": "anna"}, '#{require: ["sub", "exp"]}', "the token has no 'exp'"),
        ({"exp": SECONDS + 1}, '#{require: ["exp"], algorithms: ["HS512", "HS256"]}', ""),
    ],
)
def test_claims_are_for_us_and_now(claims: dict[str, Any], options: str, said: str) -> None:
    source, given = f"crypto::jwt_verify(t, s, {options})", {"t": jwt.encode(claims, SECRET), "s": SECRET}
    if said:
        assert said in told(source, **given)
    else:
        assert evaluate(source, **given) == claims


def test_a_claim_of_time_is_a_number() -> None:
    token = evaluate('crypto::jwt_sign(#{exp: "soon"}, s)', s=SECRET)
    assert "the token's exp is no time in seconds" in told("crypto::jwt_verify(t, s)", t=token, s=SECRET)


def test_a_token_lasts_as_long_as_it_is_told() -> None:
    token = evaluate('crypto::jwt_sign(#{sub: "a"}, s, #{expires_in: "15m", header: #{kid: "1"}})', s=SECRET)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "1"}
    read = evaluate("crypto::jwt_verify(t, s)", t=token, s=SECRET)
    assert read == {"sub": "a", "iat": SECONDS, "exp": SECONDS + 900}
    with pytest.raises(Exception, match="expired"):
        evaluate("crypto::jwt_verify(t, s)", t=token, s=SECRET, now_ms=NOW + 900_000)


def test_private_keys_do_not_leave_the_script() -> None:
    """What is sent to the parent is in the run's journal."""
    token = jwt.encode({}, KEYS["RS256"], "RS256")
    private = KEYS["RS256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert "this is a private key" in told("crypto::jwt_verify(t, k)", t=token, k=private)
    assert "private or secret key" in told("crypto::jwt_verify(t, k)", t=token, k=jwk("RS256", d="AQAB"))
    assert "private or secret key" in told("crypto::jwt_verify(t, k)", t=token, k={"kty": "oct", "k": "AA"})


@pytest.mark.parametrize(
    "key",
    [
        {"keys": "x"},
        {"keys": [1]},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "AA", "e": "AQAB"},
        "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----",
        "-----BEGIN " + "x" * 20_000,
    ],
)
def test_a_key_that_is_none_is_told(key: Any) -> None:
    token = jwt.encode({}, KEYS["RS256"], "RS256")
    assert told("crypto::jwt_verify(t, k)", t=token, k=key).startswith("ErrorRuntime: crypto::jwt_verify: the ")


def test_short_rsa_keys_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024).public_key()
    public = weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    token = jwt.encode({}, KEYS["RS256"], "RS256")
    assert "an RSA key has 2048 to 8192 bits, this one has 1024" in told("crypto::jwt_verify(t, k)", t=token, k=public)
