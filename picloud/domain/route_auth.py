"""How the callers of a route show who they are: the rule of its scheme, and what is kept of each one's secret.

What is kept is never the secret itself: of an API key its SHA-256, of a password a slow hash, of what must be had in
clear to check a signature the cipher text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.names import check_label

MAX_CREDENTIALS: Final = 1_000
MAX_LIVE_SECRETS: Final = 2
"""So many secrets sign at a time: the one in use, and the one that follows or precedes it."""
MAX_KEY_TEXT: Final = 32 * 1024
MAX_WINDOW_MS: Final = 86_400_000
MAX_LEEWAY_MS: Final = 3_600_000

_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_QUERY: Final = re.compile(r"[A-Za-z0-9_.~-]{1,64}")
_PREFIX: Final = re.compile(r"[\x21-\x7e]{0,64}")


class Scheme(StrEnum):
    """How a caller is known."""

    KEY = "key"
    BASIC = "basic"
    JWT = "jwt"
    GITHUB = "github"
    STRIPE = "stripe"
    HMAC = "hmac"


class Algorithm(StrEnum):
    """How a token is signed; a route takes exactly one."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"


@dataclass(frozen=True, slots=True)
class Credential:
    """One who may call, or one secret that signs. ``kept`` is what is kept of it."""

    name: str
    kept: str


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where an API key is looked for: in a header, in a parameter of the query, or in both; empty for not there."""

    header: str = "X-Api-Key"
    query: str = ""

    def check(self) -> KeyPlace:
        """Return it if it can be kept. Raises :class:`Invalid`."""
        if not self.header and not self.query:
            raise Invalid("an API key is looked for nowhere", field="auth.header", remedy="Name a header or a query.")
        if self.header:
            check_header(self.header, field="auth.header")
        if self.query and not _QUERY.fullmatch(self.query):
            raise Invalid(f"{self.query[:80]!r} is no name of a query parameter", field="auth.query")
        return self


@dataclass(frozen=True, slots=True)
class TokenRule:
    """Which JSON Web Tokens are taken. ``key`` is a public key in PEM, or a JWK Set as JSON; HS256 has secrets instead.

    ``issuer`` and ``audience`` are compared if they are set; ``leeway_ms`` is how far clocks may be apart.
    """

    algorithm: Algorithm
    key: str = ""
    issuer: str = ""
    audience: str = ""
    leeway_ms: int = 0

    def check(self) -> TokenRule:
        """Return it if it can be kept; whether the key is one is not looked at. Raises :class:`Invalid`."""
        if len(self.key) > MAX_KEY_TEXT:
            raise Invalid(f"a key has at most {MAX_KEY_TEXT} characters, found {len(self.key)}", field="auth.key")
        if self.algorithm is Algorithm.HS256 and self.key:
            raise Invalid(
                "HS256 has secrets, no key that others may see", field="auth.key", remedy="Give it as a credential."
            )
        if self.algorithm is not Algorithm.HS256 and not self.key:
            raise Invalid(
                f"{self.algorithm} needs the issuer's key",
                field="auth.key",
                remedy="Give a PEM public key or a JWK Set.",
            )
        for name in ("issuer", "audience"):
            value = getattr(self, name)
            if len(value) > 500 or not value.isprintable():
                raise Invalid(
                    f"the {name} {value[:80]!r} has more than 500 characters or odd ones", field=f"auth.{name}"
                )
        if not 0 <= self.leeway_ms <= MAX_LEEWAY_MS:
            raise Invalid("the leeway is an hour at most", field="auth.leeway")
        return self


class Style(StrEnum):
    """What a header with a signature looks like."""

    PLAIN = "plain"
    """``<prefix><signature>``, of the body, or of ``<timestamp>.<body>`` if there is a timestamp."""
    STRIPE = "stripe"
    """``t=<timestamp>,v1=<signature>,…``, of ``<timestamp>.<body>``."""


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """Where the HMAC-SHA256 of a request is, and over what. ``window_ms`` is how old, or early, a timestamp may be.

    ``encoding`` is ``hex`` or ``base64``. Without a ``timestamp_header`` whoever has seen a request can send it again.
    """

    header: str = "X-Signature"
    style: Style = Style.PLAIN
    prefix: str = ""
    encoding: str = "hex"
    timestamp_header: str = ""
    window_ms: int = 300_000

    @property
    def has_time(self) -> bool:
        """Whether a request says when it was signed."""
        return self.style is Style.STRIPE or bool(self.timestamp_header)

    def check(self) -> SignatureRule:
        """Return it if it can be kept. Raises :class:`Invalid`."""
        check_header(self.header, field="auth.header")
        if self.timestamp_header:
            check_header(self.timestamp_header, field="auth.timestamp_header")
        if self.encoding not in ("hex", "base64"):
            raise Invalid(f"{self.encoding!r} is no encoding: expected hex or base64", field="auth.encoding")
        if not _PREFIX.fullmatch(self.prefix):
            raise Invalid("a prefix is at most 64 visible characters of ASCII", field="auth.prefix")
        if not 1_000 <= self.window_ms <= MAX_WINDOW_MS:
            raise Invalid("the window is 1s to 1d", field="auth.window")
        return self


GITHUB: Final = SignatureRule(header="X-Hub-Signature-256", prefix="sha256=")
"""https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries"""

STRIPE: Final = SignatureRule(header="Stripe-Signature", style=Style.STRIPE)
"""https://docs.stripe.com/webhooks#verify-manually"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """A route's scheme with its rule: ``place`` for keys, ``token`` for JWT, ``signature`` for the HMAC schemes."""

    scheme: Scheme
    credentials: tuple[Credential, ...] = ()
    place: KeyPlace | None = None
    token: TokenRule | None = None
    signature: SignatureRule | None = None

    @property
    def signs(self) -> bool:
        """Whether its secrets sign, and so must be had in clear."""
        return self.signature is not None or (self.token is not None and self.token.algorithm is Algorithm.HS256)

    @property
    def takes_credentials(self) -> bool:
        """Whether there is somebody or something to name; a JWT with a public key has nothing."""
        return self.token is None or self.signs

    def check(self) -> Auth:
        """Return it if it can be kept. Raises :class:`Invalid`."""
        expected = {
            Scheme.KEY: self.place,
            Scheme.BASIC: self,
            Scheme.JWT: self.token,
        }.get(self.scheme, self.signature)
        rules = [rule for rule in (self.place, self.token, self.signature) if rule is not None]
        if expected is None or len(rules) != (self.scheme is not Scheme.BASIC):
            raise Invalid(f"the rule is not one of the scheme {self.scheme}", field="auth.scheme")
        for rule in rules:
            rule.check()
        if self.credentials and not self.takes_credentials:
            raise Invalid(
                "a JWT that is checked by a public key has no credentials",
                field="auth.credentials",
                remedy="Whoever has the private key issues tokens.",
            )
        most = MAX_LIVE_SECRETS if self.signs else MAX_CREDENTIALS
        if len(self.credentials) > most:
            raise Conflict(
                f"{most:,} of them are live at a time, and this would be one more",
                field="auth.credentials",
                remedy="Revoke one first: picloud routes revoke.",
            )
        return self

    def with_credentials(self, added: tuple[Credential, ...]) -> Auth:
        """The same, with more of them; one of the same name is replaced. Raises :class:`Conflict` for too many."""
        names = {credential.name for credential in added}
        kept = [credential for credential in self.credentials if credential.name not in names]
        return replace(self, credentials=(*kept, *added)).check()

    def without_credential(self, name: str) -> Auth:
        """The same without the one called ``name``. Raises :class:`NotFound`."""
        kept = tuple(credential for credential in self.credentials if credential.name != name)
        if len(kept) == len(self.credentials):
            there = ", ".join(repr(credential.name) for credential in self.credentials) or "none"
            raise NotFound(f"the route has no credential {name[:80]!r}; it has {there}", field="name")
        return replace(self, credentials=kept)

    def keeping(self, before: Auth | None) -> Auth:
        """The same, with the credentials of ``before`` if they are of the same kind."""
        same = before is not None and (before.scheme, before.signs) == (self.scheme, self.signs)
        return replace(self, credentials=before.credentials) if before is not None and same else self


def check_credential_name(name: str, scheme: Scheme, *, field: str) -> str:
    """Return ``name`` if it can name a credential. Raises :class:`Invalid`."""
    check_label(name, field=field)
    if scheme is Scheme.BASIC and ":" in name:
        raise Invalid(f"{name!r} can't name a user: RFC 7617 allows no ':' in it", field=field)
    return name


def check_header(name: str, *, field: str) -> str:
    """Return ``name`` if it can name a header here. Raises :class:`Invalid`."""
    if not _HEADER.fullmatch(name):
        raise Invalid(
            f"{name[:80]!r} is no name of a header: expected letters, digits and '-', beginning with a letter, "
            "at most 64",
            field=field,
        )
    return name
