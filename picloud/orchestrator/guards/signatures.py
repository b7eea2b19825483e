"""Signatures: HMAC-SHA256 over the body, as those who send webhooks make them."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from picloud.domain.duration import format_duration
from picloud.domain.invocation import Authenticated
from picloud.domain.route_auth import Auth, SignatureRule, Style
from picloud.orchestrator.guards.caller import Caller, Presented, Refused, quoted

LEAST_SECRET: Final = 16
MAX_SIGNATURES: Final = 10

_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class SignatureVerifier:
    """See the module. ``secrets`` opens them, at most two: while one takes the other's place, both sign."""

    hidden_query = ""

    def __init__(self, auth: Auth, realm: str, secrets: Callable[[], list[tuple[str, bytes]]]) -> None:
        assert auth.signature is not None
        self._rule: SignatureRule = auth.signature
        self._scheme = auth.scheme.value
        self._secrets = secrets
        self._challenge = f"Signature realm={quoted(realm)}, header={quoted(self._rule.header)}"
        self.hidden_headers = frozenset({self._rule.header.lower()})

    def verify(self, presented: Presented) -> Caller:
        """See :meth:`Verifier.verify`."""
        timestamp, signatures = self._read(presented)
        body = presented.body()
        signed = timestamp.encode() + b"." + body if timestamp else body
        signer = None
        for name, secret in self._secrets():
            expected = self._encoded(hmac.digest(secret, signed, sha256))
            # All are compared, whatever was found before: the time tells nothing of where they differ.
            if sum(hmac.compare_digest(expected, given) for given in signatures):
                signer = name
        if signer is None:
            raise self._refused("the signature doesn't fit the body")
        if timestamp and abs(presented.now - int(timestamp)) * 1_000 > self._rule.window_ms:
            window = format_duration(self._rule.window_ms)
            raise self._refused(f"the request was signed more than {window} from now: it may be sent a second time")
        return Caller(Authenticated(self._scheme, signer), self._scheme)

    def _read(self, presented: Presented) -> tuple[str, list[bytes]]:
        """The timestamp, empty if there is none, and the signatures."""
        rule = self._rule
        given = presented.header(rule.header)
        if not given:
            raise self._refused(f"the header {rule.header} is missing: the request is not signed")
        if rule.style is Style.STRIPE:
            parts = [part.strip().partition("=") for part in given.split(",")]
            timestamp = next((value for name, _, value in parts if name == "t"), "")
            signatures = [value for name, _, value in parts if name == "v1"][:MAX_SIGNATURES]
        else:
            timestamp = (presented.header(rule.timestamp_header) or "").strip() if rule.timestamp_header else ""
            signatures = [given[len(rule.prefix) :]] if given.startswith(rule.prefix) else []
        if not signatures:
            raise self._refused(f"the header {rule.header} holds no signature as it is to be")
        if rule.has_time and not _SECONDS.fullmatch(timestamp):
            raise self._refused("the request doesn't say when it was signed, in seconds since 1970")
        return timestamp, [self._normal(signature) for signature in signatures]

    def _encoded(self, digest: bytes) -> bytes:
        return b64encode(digest) if self._rule.encoding == "base64" else digest.hex().encode()

    def _normal(self, signature: str) -> bytes:
        text = signature.strip() if self._rule.encoding == "base64" else signature.strip().lower()
        return text.encode("utf-8", "surrogateescape")

    def _refused(self, detail: str) -> Refused:
        return Refused(detail, self._challenge)
