"""API keys: made here, shown once, known by their SHA-256."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

from picloud.domain.invocation import Authenticated
from picloud.domain.route_auth import Auth, KeyPlace
from picloud.orchestrator.guards.caller import Caller, Presented, Refused, quoted

PREFIX: Final = "pik_"


def new_key() -> str:
    """256 random bits, URL-safe, led by ``pik_`` so that scanners for leaked secrets find it."""
    return PREFIX + secrets.token_urlsafe(32)


def kept_of_key(key: str) -> str:
    """What is kept of a key: it has too many bits for a slower hash to add anything."""
    return sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class KeyVerifier:
    """See the module. A look-up of hashes takes a time that tells nothing of the keys."""

    def __init__(self, auth: Auth, realm: str) -> None:
        assert auth.place is not None
        self._place: KeyPlace = auth.place
        self._names = {credential.kept: credential.name for credential in auth.credentials}
        self._challenge = f"ApiKey realm={quoted(realm)}"
        self.hidden_headers = frozenset({self._place.header.lower()} if self._place.header else ())
        self.hidden_query = self._place.query

    def verify(self, presented: Presented) -> Caller:
        """See :meth:`Verifier.verify`."""
        place = self._place
        key = presented.header(place.header) if place.header else None
        if key is None and place.query:
            key = presented.query.get(place.query)
        if not key:
            where = [f"in the header {place.header}"] if place.header else []
            where += [f"as ?{place.query}="] if place.query else []
            raise Refused(f"no API key was sent {' or '.join(where)}", self._challenge)
        name = self._names.get(kept_of_key(key))
        if name is None:
            raise Refused("the API key is not valid", self._challenge)
        return Caller(Authenticated("key", name), f"key {name}")
