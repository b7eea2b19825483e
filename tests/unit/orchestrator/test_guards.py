"""Each way to know who calls, without a platform around it: what opens, and what doesn't."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import gevent
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from picloud.domain.errors import Invalid
from picloud.domain.route_auth import (
    GITHUB,
    STRIPE,
    Algorithm,
    Auth,
    Credential,
    KeyPlace,
    Scheme,
    SignatureRule,
    TokenRule,
)
from picloud.orchestrator.guards.api_keys import KeyVerifier, kept_of_key, new_key
from picloud.orchestrator.guards.caller import Busy, Caller, Presented, Refused
from picloud.orchestrator.guards.issuing import Asked, issue
from picloud.orchestrator.guards.passwords import WAITING, BasicVerifier, Passwords, kept_of_password
from picloud.orchestrator.guards.signatures import SignatureVerifier
from picloud.orchestrator.guards.tokens import TokenVerifier, public_keys, public_part
from picloud.orchestrator.vault import KEY_BYTES, Vault, VaultError

NOW = 1_900_000_000.0
OLD, NEW = b"the old secret, and long enough", b"the new secret, and long enough"
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())


def presented(body: bytes = b"", query: dict[str, str] | None = None, **headers: str) -> Presented:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Presented(header=lambda name: sent.get(name.lower()), query=query or {}, body=lambda: body, now=NOW)


def pem(private: Any) -> str:
    public = private.public_key()
    return str(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    )


def jwk(private: Any, **more: str) -> dict[str, Any]:
    algorithm: Any = (
        jwt.algorithms.RSAAlgorithm if isinstance(private, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    )
    return {**json.loads(algorithm.to_jwk(private.public_key())), **more}


class TestKeys:
    def verifier(self, key: str, **place: str) -> KeyVerifier:
        auth = Auth(scheme=Scheme.KEY, place=KeyPlace(**place), credentials=(Credential("ada", kept_of_key(key)),))
        return KeyVerifier(auth, 'GET /"x"')

    def test_a_key_is_looked_for_where_the_route_says(self) -> None:
        key = new_key()
        assert self.verifier(key).verify(presented(x_api_key=key)).auth.name == "ada"
        assert self.verifier(key, header="", query="k").verify(presented(query={"k": key})).identity == "key ada"
        with pytest.raises(Refused, match="header X-Api-Key"):
            self.verifier(key).verify(presented(query={"k": key}))
        with pytest.raises(Refused, match="not valid") as refused:
            self.verifier(key).verify(presented(x_api_key=key[:-1]))
        assert refused.value.challenge == 'ApiKey realm="GET /\\"x\\""'

    def test_what_carries_the_key_is_hidden(self) -> None:
        verifier = self.verifier("k", header="X-Key", query="key")
        assert (verifier.hidden_headers, verifier.hidden_query) == ({"x-key"}, "key")


class TestBasic:
    def send(self, verifier: BasicVerifier, text: str) -> Caller:
        return verifier.verify(presented(authorization="Basic " + base64.b64encode(text.encode()).decode()))

    def test_a_password_that_was_right_is_not_hashed_again(self) -> None:
        passwords = Passwords()
        kept = kept_of_password("correct horse: ünïcödé")
        verifier = BasicVerifier(Auth(scheme=Scheme.BASIC, credentials=(Credential("ada", kept),)), "r", passwords)
        assert self.send(verifier, "ada:correct horse: ünïcödé").auth.name == "ada"
        began = time.process_time()
        for _ in range(20):
            self.send(verifier, "ada:correct horse: ünïcödé")
        assert time.process_time() - began < 0.02, "a hash alone would take more"
        for text in ("ada:wrong", "eve:correct horse: ünïcödé", "ada", ":", "ada:"):
            with pytest.raises(Refused):
                self.send(verifier, text)

    def test_another_hash_of_the_same_user_knows_nothing_of_what_was_right(self) -> None:
        passwords = Passwords()
        assert passwords.match("first password", kept_of_password("first password"))
        assert not passwords.match("first password", kept_of_password("other password"))

    def test_those_who_guess_wait_for_their_turn_and_are_not_many(self) -> None:
        passwords, kept = Passwords(), kept_of_password("right password")

        def guess(number: int) -> bool | Busy:
            try:
                return passwords.match(f"guess {number}", kept)
            except Busy as busy:
                return busy

        answers = [job.get() for job in [gevent.spawn(guess, number) for number in range(WAITING + 5)]]
        assert sum(isinstance(answer, Busy) for answer in answers) == 5
        assert not any(answer is True for answer in answers)


class TestTokens:
    good: ClassVar[dict[str, Any]] = {"sub": "ada", "iss": "i", "aud": "a", "exp": time.time() + 86_400}

    def verifier(self, rule: TokenRule, *secrets: bytes) -> TokenVerifier:
        credentials = tuple(Credential(str(number), "") for number in range(len(secrets)))
        auth = Auth(scheme=Scheme.JWT, token=rule, credentials=credentials)
        return TokenVerifier(auth, "r", lambda: [("s", secret) for secret in secrets])

    def send(self, verifier: TokenVerifier, token: str) -> Caller:
        return verifier.verify(presented(authorization=f"Bearer {token}"))

    @pytest.mark.parametrize(("algorithm", "private"), [(Algorithm.RS256, RSA), (Algorithm.ES256, P256)])
    def test_a_set_of_keys_is_asked_for_the_one_that_the_token_names(self, algorithm: Algorithm, private: Any) -> None:
        make: Callable[[], Any] = (
            (lambda: rsa.generate_private_key(65537, 2048))
            if algorithm is Algorithm.RS256
            else (lambda: ec.generate_private_key(ec.SECP256R1()))
        )
        other = make()
        keys = {"keys": [jwk(RSA, kid="r"), jwk(P256, kid="e"), jwk(other, kid="other"), jwk(other, use="enc")]}
        verifier = self.verifier(TokenRule(algorithm, key=json.dumps(keys)))
        kid = "r" if algorithm is Algorithm.RS256 else "e"
        for headers in ({"kid": kid}, {}):
            token = jwt.encode(self.good, private, algorithm, headers)
            assert self.send(verifier, token).auth.claims["sub"] == "ada"
        for headers in ({"kid": "other"}, {"kid": "never heard of"}):
            with pytest.raises(Refused, match="not valid"):
                self.send(verifier, jwt.encode(self.good, private, algorithm, headers))

    def test_only_the_routes_algorithm_is_taken(self) -> None:
        verifier = self.verifier(TokenRule(Algorithm.RS256, key=pem(RSA)))
        # A public key taken for the secret of an HMAC: jwt itself refuses to sign so, whence by hand.
        head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(self.good).encode()).rstrip(b"=")
        mac = hmac.digest(pem(RSA).encode(), head + b"." + body, "sha256")
        forged = b".".join((head, body, base64.urlsafe_b64encode(mac).rstrip(b"="))).decode()
        tokens = [forged, jwt.encode(self.good, None, "none"), jwt.encode(self.good, P256, "ES256")]
        tokens.append(jwt.encode(self.good, RSA, "PS256"))
        for token in tokens:
            with pytest.raises(Refused, match="another algorithm"):
                self.send(verifier, token)
        for token in ("", "x", "a.b.c", forged.replace(".", "..", 1)):
            with pytest.raises(Refused):
                self.send(verifier, token)

    def test_time_issuer_and_audience_count(self) -> None:
        verifier = self.verifier(TokenRule(Algorithm.HS256, issuer="i", audience="a", leeway_ms=5_000), OLD * 2)
        now = time.time()
        for claims, said in (
            ({"exp": now - 6}, "expired"),
            ({"nbf": now + 60}, "not valid yet"),
            ({"iss": "j"}, "issuer"),
            ({"aud": ["b", "c"]}, "audience"),
            ({"aud": None}, "lacks a claim"),
        ):
            with pytest.raises(Refused, match=said):
                self.send(verifier, jwt.encode({**self.good, **claims}, OLD * 2))
        for claims in ({"exp": now - 3}, {"aud": ["b", "a"]}, {"nbf": now + 3}):
            self.send(verifier, jwt.encode({**self.good, **claims}, OLD * 2))

    def test_two_secrets_sign(self) -> None:
        verifier = self.verifier(TokenRule(Algorithm.HS256), OLD * 2, NEW * 2)
        for secret in (OLD, NEW):
            assert self.send(verifier, jwt.encode(self.good, secret * 2)).auth.kind == "jwt"
        with pytest.raises(Refused):
            self.send(verifier, jwt.encode(self.good, b"a third secret, and as long as it has to be"))

    def test_callers_without_a_name_share_nothing(self) -> None:
        verifier = self.verifier(TokenRule(Algorithm.HS256), OLD * 2)
        tokens = [jwt.encode({"exp": self.good["exp"], "n": number}, OLD * 2) for number in range(2)]
        assert self.send(verifier, tokens[0]).identity != self.send(verifier, tokens[1]).identity
        named = [jwt.encode({**self.good, "n": number}, OLD * 2) for number in range(2)]
        assert self.send(verifier, named[0]).identity == self.send(verifier, named[1]).identity

    def test_claims_are_what_every_layer_can_hold(self) -> None:
        verifier = self.verifier(TokenRule(Algorithm.HS256), OLD * 2)
        odd = {**self.good, "big": 2**70, "nan": float("nan"), "deep": [{"half": "\ud800"}]}
        claims = self.send(verifier, jwt.encode(odd, OLD * 2)).auth.claims
        assert claims["big"] == float(2**70)
        assert claims["nan"] is None
        assert claims["deep"] == [{"half": "?"}]

    @pytest.mark.parametrize(
        ("algorithm", "key", "said"),
        [
            (Algorithm.RS256, pem(P256), "none for RS256"),
            (Algorithm.ES256, pem(RSA), "none for ES256"),
            (Algorithm.ES256, pem(ec.generate_private_key(ec.SECP384R1())), "none for ES256"),
            (Algorithm.RS256, pem(rsa.generate_private_key(65537, 1024)), "2048 bits"),
            (Algorithm.RS256, "-----BEGIN RSA PRIVATE KEY-----", "private"),
            (Algorithm.RS256, json.dumps({"keys": [{**jwk(RSA), "d": "x"}]}), "private"),
            (Algorithm.RS256, '{"keys": [{"kty": "oct", "k": "AAAA"}]}', "private"),
            (Algorithm.RS256, json.dumps({"keys": [jwk(P256)]}), "no key for RS256"),
            (Algorithm.RS256, '{"keys": [{"kty": "RSA", "n": 1}]}', "can't be read"),
            (Algorithm.RS256, '{"keys": 1}', "no JWK Set"),
            (Algorithm.RS256, "rubbish", "can't be read"),
        ],
    )
    def test_what_is_no_key_for_it_is_refused_when_it_is_set(self, algorithm: Algorithm, key: str, said: str) -> None:
        with pytest.raises(Invalid, match=said):
            public_keys(TokenRule(algorithm, key=key))

    def test_of_a_set_only_what_fits_is_kept(self) -> None:
        keys = {"keys": [jwk(RSA, kid="r", x5c="private remarks"), jwk(P256)]}
        kept = json.loads(public_part(TokenRule(Algorithm.RS256, key=json.dumps(keys))))
        assert [sorted(key) for key in kept["keys"]] == [["e", "kid", "kty", "n"]]


class TestSignatures:
    def verifier(self, rule: SignatureRule, *secrets: bytes) -> SignatureVerifier:
        named = [(f"s{number}", secret) for number, secret in enumerate(secrets or (OLD,))]
        return SignatureVerifier(Auth(scheme=Scheme.HMAC, signature=rule), "r", lambda: named)

    def stripe(self, at: float, body: bytes, secret: bytes = OLD, version: str = "v1") -> str:
        stamp = str(int(at))
        mac = hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        return f"t={stamp}, v1={'0' * 64}, {version}={mac}"

    def test_github_as_its_documentation_has_it(self) -> None:
        verifier = self.verifier(GITHUB, b"It's a Secret to Everybody")
        known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        assert verifier.verify(presented(b"Hello, World!", x_hub_signature_256=known)).auth.name == "s0"
        for body, given in (
            (b"Hello, World", known),
            (b"Hello, World!", known[7:]),
            (b"Hello, World!", known.replace("sha256", "sha1")),
            (b"Hello, World!", known[:-1] + "6"),
            (b"Hello, World!", "sha256="),
            (b"Hello, World!", "sha256=é"),
        ):
            with pytest.raises(Refused):
                verifier.verify(presented(body, x_hub_signature_256=given))

    @pytest.mark.parametrize("off", [-300, 0, 300])
    def test_a_signature_of_lately_is_taken(self, off: int) -> None:
        assert self.verifier(STRIPE).verify(presented(b"{}", stripe_signature=self.stripe(NOW + off, b"{}")))

    @pytest.mark.parametrize("off", [-301, 301, -NOW])
    def test_one_of_another_time_is_not(self, off: float) -> None:
        with pytest.raises(Refused, match="5m"):
            self.verifier(STRIPE).verify(presented(b"{}", stripe_signature=self.stripe(NOW + off, b"{}")))

    def test_the_time_is_signed_too(self) -> None:
        moved = self.stripe(NOW - 900, b"{}").replace(str(int(NOW - 900)), str(int(NOW)))
        for header in (moved, self.stripe(NOW, b"{}", version="v0"), "t=,v1=00", "v1=00", "t=x,v1=00", "nonsense"):
            with pytest.raises(Refused):
                self.verifier(STRIPE).verify(presented(b"{}", stripe_signature=header))

    def test_each_of_two_secrets_is_good(self) -> None:
        verifier = self.verifier(STRIPE, OLD, NEW)
        for secret, name in ((OLD, "s0"), (NEW, "s1")):
            caller = verifier.verify(presented(b"{}", stripe_signature=self.stripe(NOW, b"{}", secret)))
            assert (caller.auth.name, caller.identity) == (name, "hmac"), "a rotation makes no other caller of a sender"

    def test_a_plain_header_may_sign_a_time_in_another_one(self) -> None:
        rule = SignatureRule(
            header="X-Sign", timestamp_header="X-Time", encoding="base64", prefix="v0=", window_ms=1_000
        )
        stamp = str(int(NOW))
        mac = "v0=" + base64.b64encode(hmac.digest(OLD, stamp.encode() + b".hi", "sha256")).decode()
        assert self.verifier(rule).verify(presented(b"hi", x_sign=mac, x_time=stamp))
        for headers in ({"x_time": stamp}, {"x_sign": mac}, {"x_sign": mac, "x_time": str(int(NOW) + 1)}):
            with pytest.raises(Refused):
                self.verifier(rule).verify(presented(b"hi", **headers))


class TestVault:
    def key(self) -> str:
        return base64.b64encode(uuid4().bytes * 2).decode()

    def test_what_is_sealed_opens_where_it_belongs(self, tmp_path: Path) -> None:
        file = tmp_path / "vault.key"
        file.write_text(self.key())
        vault = Vault(file)
        sealed = vault.seal(b"secret", about="route 1")
        assert vault.open(sealed, about="route 1") == b"secret"
        assert vault.seal(b"secret", about="route 1") != sealed, "no two cipher texts are the same"
        with pytest.raises(VaultError, match="belongs elsewhere"):
            vault.open(sealed, about="route 2")
        with pytest.raises(VaultError, match="changed"):
            vault.open(sealed[:-8] + "AAAAAAA=", about="route 1")

    def test_a_new_key_seals_and_the_old_one_still_opens(self, tmp_path: Path) -> None:
        file, old, new = tmp_path / "vault.key", self.key(), self.key()
        file.write_text(old)
        sealed = Vault(file).seal(b"secret", about="x")
        file.write_text(f"{new}\n{old}\n")
        vault = Vault(file)
        assert vault.open(sealed, about="x") == b"secret"
        assert vault.seal(b"secret", about="x").split(".")[1] != sealed.split(".")[1]
        file.write_text(new)
        with pytest.raises(VaultError, match=sealed.split(".")[1]):
            Vault(file).open(sealed, about="x")

    def test_a_key_that_is_put_there_later_is_found(self, tmp_path: Path) -> None:
        file, old = tmp_path / "vault.key", self.key()
        file.write_text(old)
        sealed = Vault(file).seal(b"secret", about="x")
        file.unlink()
        vault = Vault(file)
        with pytest.raises(VaultError, match="missing"):
            vault.open(sealed, about="x")
        file.write_text(old)
        assert vault.open(sealed, about="x") == b"secret"

    @pytest.mark.parametrize("content", ["", "short", base64.b64encode(b"x" * (KEY_BYTES - 1)).decode(), "é"])
    def test_what_is_no_key_is_named(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "vault.key"
        file.write_text(content)
        with pytest.raises(VaultError, match=r"vault\.key"):
            Vault(file).seal(b"x", about="x")


class TestIssuing:
    def test_a_poor_secret_is_refused_and_a_made_one_is_told_once(self, tmp_path: Path) -> None:
        vault = Vault(tmp_path / "vault.key")
        (tmp_path / "vault.key").write_text(base64.b64encode(b"k" * KEY_BYTES).decode())
        auths = {
            "short": Auth(scheme=Scheme.BASIC),
            "fifteen letters": Auth(scheme=Scheme.GITHUB, signature=GITHUB),
            "a secret of thirty-one letters.": Auth(scheme=Scheme.JWT, token=TokenRule(Algorithm.HS256)),
            "one of one's own": Auth(scheme=Scheme.KEY, place=KeyPlace()),
            "a line\nand another one": Auth(scheme=Scheme.GITHUB, signature=GITHUB),
        }
        for secret, auth in auths.items():
            with pytest.raises(Invalid):
                issue(Asked("x", secret), auth, uuid4(), vault)
            credential, issued = issue(Asked("x"), auth, uuid4(), vault)
            assert issued is not None
            assert issued.secret not in credential.kept
