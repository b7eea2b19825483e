"""Routes that ask who calls: each scheme on a real platform, set as a user sets it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.acceptance.platform import Platform, Response

WHO = "#{auth: ctx.request.auth, headers: ctx.request.headers.keys(), query: ctx.request.query, body: ctx.request.body}"
SECRET = "whsec_a-secret-of-thirty-two-characters"


def opened(platform: Platform, app: str, *options: str, method: str = "POST") -> str:
    """Deploy a script that says who called, guard its route as ``options`` say, and return what the CLI printed."""
    platform.deploy(app, "who", WHO, f"{method} /who")
    return platform.run("routes", "set", app, f"{method} /who", *options).stdout


def call(platform: Platform, app: str, body: str = "", *, query: str = "", **headers: str) -> Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return platform.call("POST", f"/apps/{app}/who{query}", body.encode(), sent)


def signed(secret: str, content: str) -> str:
    return hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest()


def refused(answer: Response, scheme: str) -> str:
    """What a refusal says, which is a problem document with a challenge and no secret."""
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json"), answer.text
    assert answer.headers["www-authenticate"].startswith(scheme), answer.headers
    assert "picloud-invocation" not in answer.headers
    return str(answer.json["detail"])


def inputs(platform: Platform, answer: Response) -> str:
    """All that the log keeps of an answered call, as text."""
    whole = platform.api("GET", f"/invocations/{answer.headers['picloud-invocation']}")
    assert whole.status == 200
    return whole.text


def test_api_keys_open_a_route_by_header_or_query_and_are_kept_nowhere(platform: Platform) -> None:
    opened(platform, "keys", "--auth", "key", "--credential", "first", "--header", "X-Token", "--query", "token")
    key = platform.run("routes", "issue", "keys", "POST /who", "ada").stdout.strip()
    assert key.startswith("pik_")
    by_header = call(platform, "keys", x_token=key)
    by_query = call(platform, "keys", query=f"?token={key}&a=1")
    assert by_header.json["auth"] == {"kind": "key", "name": "ada", "claims": {}}
    assert by_query.json["query"] == {"a": "1"}
    assert "x-token" not in by_header.json["headers"]
    for answer in (by_header, by_query):
        assert key not in inputs(platform, answer)
    assert "no API key" in refused(call(platform, "keys"), "ApiKey")
    assert "not valid" in refused(call(platform, "keys", x_token=key + "x"), "ApiKey")
    platform.run("routes", "revoke", "keys", "POST /who", "ada")
    assert "not valid" in refused(call(platform, "keys", x_token=key), "ApiKey")


def test_basic_takes_users_and_their_passwords(platform: Platform, tmp_path: Any) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    opened(platform, "basic", "--auth", "basic", "--credential", "ada", "--secret-file", str(tmp_path / "password"))

    def send(user: str, password: str) -> Response:
        return call(
            platform, "basic", authorization="Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        )

    for _ in range(3):
        answer = send("ada", "correct horse")
        assert answer.json["auth"]["name"] == "ada"
        assert "authorization" not in answer.json["headers"]
    assert "correct horse" not in inputs(platform, answer)
    for user, password in (("ada", "wrong horse"), ("eve", "correct horse"), ("", "")):
        assert refused(send(user, password), "Basic") == "user or password is not right"
    assert refused(call(platform, "basic", authorization="Basic ???"), "Basic")
    assert refused(call(platform, "basic"), "Basic")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_tokens_of_an_issuer_are_checked_by_its_public_keys(platform: Platform, tmp_path: Any, algorithm: str) -> None:
    app = algorithm.lower()
    make = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    }
    private, other = make[algorithm](), make[algorithm]()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "key.pem").write_bytes(public)
    opened(platform, app, "--auth", "jwt", "--algorithm", algorithm, "--key-file", str(tmp_path / "key.pem"),
           "--issuer", "https://id.example", "--audience", "demo")  # fmt: skip
    good = {"sub": "ada", "iss": "https://id.example", "aud": "demo", "exp": time.time() + 60, "roles": ["admin"]}

    def send(claims: dict[str, Any], key: Any = private, signed_by: str = algorithm) -> Response:
        return call(platform, app, authorization="Bearer " + jwt.encode(claims, key, signed_by))

    answer = send(good)
    assert answer.status == 200, answer.text
    assert (answer.json["auth"]["name"], answer.json["auth"]["claims"]["roles"]) == ("ada", ["admin"])
    assert jwt.encode(good, private, algorithm).split(".")[0] not in inputs(platform, answer)
    assert "expired" in refused(send(good | {"exp": time.time() - 60}), "Bearer")
    assert "audience" in refused(send(good | {"aud": "other"}), "Bearer")
    assert "issuer" in refused(send(good | {"iss": "https://evil.example"}), "Bearer")
    assert "claim" in refused(send({name: value for name, value in good.items() if name != "exp"}), "Bearer")
    assert refused(send(good, other), "Bearer") == "the token is not valid"
    # The public key is no secret: a token that takes it for one, or says that none is needed, is refused.
    forged_key = hashlib.sha256(public).hexdigest()
    assert "algorithm" in refused(send(good, forged_key, "HS256"), "Bearer")
    assert "algorithm" in refused(send(good, None, "none"), "Bearer")


def test_a_secret_signs_tokens_too(platform: Platform) -> None:
    secret = opened(platform, "hs", "--auth", "jwt", "--algorithm", "HS256").strip().splitlines()[-1]
    token = jwt.encode({"sub": "ada", "exp": time.time() + 60}, secret, "HS256")
    assert call(platform, "hs", authorization=f"Bearer {token}").json["auth"]["name"] == "ada"
    assert refused(call(platform, "hs", authorization=f"Bearer {token[:-4]}AAAA"), "Bearer")


def test_github_signs_what_it_sends(platform: Platform, tmp_path: Any) -> None:
    (tmp_path / "secret").write_text("It's a Secret to Everybody")
    opened(platform, "github", "--auth", "github", "--secret-file", str(tmp_path / "secret"))
    # The example of GitHub's documentation.
    known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    answer = call(platform, "github", "Hello, World!", x_hub_signature_256=known)
    assert answer.json["auth"] == {"kind": "github", "name": "default", "claims": {}}
    assert "fit" in refused(call(platform, "github", "Hello, World?", x_hub_signature_256=known), "Signature")
    assert "missing" in refused(call(platform, "github", "Hello, World!"), "Signature")


def test_stripe_signs_time_and_body_and_two_secrets_are_live(platform: Platform, tmp_path: Any) -> None:
    (tmp_path / "secret").write_text(SECRET)
    opened(platform, "stripe", "--auth", "stripe", "--secret-file", str(tmp_path / "secret"), "--credential", "old")
    body = '{"type": "charge.succeeded"}'

    def send(secret: str, at: float, content: str = body) -> Response:
        stamp = str(int(at))
        header = (
            f"t={stamp},v1={signed('another secret', f'{stamp}.{body}')},v1={signed(secret, f'{stamp}.{body}')},v0=x"
        )
        return call(platform, "stripe", content, stripe_signature=header)

    assert send(SECRET, time.time()).json["auth"]["name"] == "old"
    new = platform.run("routes", "issue", "stripe", "POST /who", "new").stdout.strip()
    assert [send(secret, time.time()).json["auth"]["name"] for secret in (SECRET, new)] == ["old", "new"]
    third = platform.run("routes", "issue", "stripe", "POST /who", "third", expect=1)
    assert "live at a time" in third.stderr
    platform.run("routes", "revoke", "stripe", "POST /who", "old")
    assert send(new, time.time()).status == 200
    refused(send(SECRET, time.time()), "Signature")
    assert "5m" in refused(send(new, time.time() - 301), "Signature")
    assert "5m" in refused(send(new, time.time() + 301), "Signature")
    assert "fit" in refused(send(new, time.time(), body + " "), "Signature")


def test_any_sender_that_signs_is_described(platform: Platform, tmp_path: Any) -> None:
    (tmp_path / "secret").write_text(SECRET)
    opened(platform, "generic", "--auth", "hmac", "--secret-file", str(tmp_path / "secret"), "--prefix", "v0=",
           "--header", "X-Acme-Sign", "--timestamp-header", "X-Acme-Time", "--window", "30s",
           "--encoding", "base64")  # fmt: skip
    stamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), f"{stamp}.hi".encode(), hashlib.sha256).digest()
    signature = "v0=" + base64.b64encode(digest).decode()
    assert call(platform, "generic", "hi", x_acme_sign=signature, x_acme_time=stamp).status == 200
    refused(call(platform, "generic", "hi", x_acme_sign=signature, x_acme_time=str(int(stamp) - 1)), "Signature")
    refused(call(platform, "generic", "hi", x_acme_sign=signature), "Signature")
    refused(call(platform, "generic", "hi", x_acme_sign=signature[3:], x_acme_time=stamp), "Signature")


def test_what_one_caller_asked_once_is_no_other_ones(platform: Platform) -> None:
    opened(platform, "mine", "--auth", "key", "--credential", "ada")
    ada, bob = (platform.run("routes", "issue", "mine", "POST /who", name).stdout.strip() for name in ("ada", "bob"))
    first = call(platform, "mine", "1", x_api_key=ada, idempotency_key="k")
    again = call(platform, "mine", "1", x_api_key=ada, idempotency_key="k")
    other = call(platform, "mine", "1", x_api_key=bob, idempotency_key="k")
    assert [answer.json["auth"]["name"] for answer in (first, again, other)] == ["ada", "ada", "bob"]
    assert again.headers["picloud-invocation"] == first.headers["picloud-invocation"]
    assert other.headers["picloud-invocation"] != first.headers["picloud-invocation"]
    refused(call(platform, "mine", "1", idempotency_key="k"), "ApiKey")


def test_a_deploy_leaves_settings_alone_and_a_removal_ends_them(platform: Platform) -> None:
    opened(platform, "again", "--auth", "key", "--rate", "60/1m")
    platform.deploy("again", "who", WHO + " ", "POST /who", durability="outcome")
    route = platform.api("GET", "/apps/again/routes").json["items"][0]
    assert (route["durability"], route["auth"]["credentials"], route["rate"]["limit"]) == (
        "outcome",
        ["default"],
        "60/1m",
    )
    refused(call(platform, "again"), "ApiKey")
    platform.run("routes", "again", "--remove", "POST /who")
    platform.deploy("again", "who", WHO, "POST /who")
    assert call(platform, "again").json["auth"] is None


def test_no_secret_is_told_again(platform: Platform, tmp_path: Any) -> None:
    (tmp_path / "secret").write_text(SECRET)
    platform.deploy("told", "watch", "print(ctx.event.data)")
    platform.run("triggers", "set", "told/watch", "log", "watch", "events=RouteConfigured")
    opened(platform, "told", "--auth", "stripe", "--secret-file", str(tmp_path / "secret"))
    end = time.monotonic() + 20
    while "stripe" not in (log := platform.api("GET", "/apps/told/logs").text):
        assert time.monotonic() < end, "the trigger ran"
    shown = platform.run("routes", "show", "told", "POST /who", "--json").stdout
    audit = platform.api("GET", "/events?app=told").text
    assert "default" in shown
    assert "RouteConfigured" in audit
    for text in (shown, audit, log):
        assert SECRET not in text
        assert "kept" not in text


def test_a_node_without_the_key_says_so_and_keeps_the_route_closed(own_platform: Platform, tmp_path: Any) -> None:
    (tmp_path / "secret").write_text(SECRET)
    opened(own_platform, "locked", "--auth", "github", "--secret-file", str(tmp_path / "secret"))
    own_platform.deploy("locked", "open", '"hi"', "GET /open")
    file = own_platform.data / "vault.key"
    assert file.stat().st_mode & 0o777 == 0o600
    own_platform.stop()
    key = file.read_text()
    for content in (None, base64.b64encode(b"x" * 32).decode()):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        with own_platform:
            closed = call(own_platform, "locked", "hi", x_hub_signature_256="sha256=" + signed(SECRET, "hi"))
            assert (closed.status, closed.json["type"]) == (503, "/problems/route-locked")
            assert own_platform.call("GET", "/apps/locked/open").status == 200
            findings = json.loads(own_platform.run("doctor", "--json", expect=1).stdout)
            vault = next(finding for finding in findings if finding["subject"] == "vault")
            assert vault["severity"] == "wrong"
    file.write_text(key)
    with own_platform:
        answer = call(own_platform, "locked", "hi", x_hub_signature_256="sha256=" + signed(SECRET, "hi"))
        assert answer.status == 200
