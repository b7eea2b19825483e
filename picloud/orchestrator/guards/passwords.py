"""Passwords: kept as scrypt hashes, which are slow by design, and remembered once they were right.

A wrong password costs as much as a right one that nobody sent before. So that those who guess can't take the process
for themselves, one password at a time is looked at, with a pause behind it, and only a few wait for their turn.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gevent import sleep
from gevent.lock import BoundedSemaphore

from picloud.domain.invocation import Authenticated
from picloud.domain.route_auth import Auth
from picloud.orchestrator.guards.caller import Busy, Caller, Presented, Refused, quoted

COST_LOG2: Final = 14
BLOCK: Final = 8
LANES: Final = 1
"""16 MiB and some 50 ms a password: https://www.rfc-editor.org/rfc/rfc7914 and OWASP's lowest choice for one lane."""
REMEMBERED: Final = 1_024
WAITING: Final = 8
REST: Final = 3.0
"""So many times as long as a password took, nobody else's is looked at: a quarter of a process at the most."""


def kept_of_password(password: str) -> str:
    """What is kept of a password: parameters, salt and hash, as text."""
    salt = secrets.token_bytes(16)
    derived = _derive(password, salt, COST_LOG2, BLOCK, LANES)
    return f"scrypt${COST_LOG2}${BLOCK}${LANES}${b64encode(salt).decode()}${b64encode(derived).decode()}"


def _derive(password: str, salt: bytes, cost_log2: int, block: int, lanes: int) -> bytes:
    # The default limit of OpenSSL is exactly what 2**14 blocks of 8 need, and not a byte more.
    cost = 2**cost_log2
    given = password.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(given, salt=salt, n=cost, r=block, p=lanes, maxmem=2 * 128 * cost * block, dklen=32)


class Passwords:
    """What a process remembers of passwords that were right, under a key of its own: of no use elsewhere."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._turn = BoundedSemaphore(1)
        self._waiting = 0
        self._nobody = f"scrypt${COST_LOG2}${BLOCK}${LANES}${b64encode(secrets.token_bytes(16)).decode()}$"

    def match(self, password: str, kept: str | None) -> bool:
        """Whether ``kept`` was made from ``password``; None, for a user that isn't there, takes as long.

        Raises :class:`Busy`.
        """
        mark = hmac.digest(self._key, f"{kept}\x00{password}".encode("utf-8", "surrogateescape"), "sha256")
        if mark in self._right:
            self._right.move_to_end(mark)
            return True
        _, cost_log2, block, lanes, salt, expected = (kept or self._nobody).split("$")
        with self._one_at_a_time():
            derived = _derive(password, b64decode(salt), int(cost_log2), int(block), int(lanes))
        right = hmac.compare_digest(derived, b64decode(expected))
        if right:
            self._right[mark] = None
            if len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        return right

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if self._waiting >= WAITING:
            raise Busy("too many passwords are being checked")
        self._waiting += 1
        try:
            with self._turn:
                began = time.monotonic()
                yield
                sleep(REST * (time.monotonic() - began))
        finally:
            self._waiting -= 1


class BasicVerifier:
    """HTTP Basic (RFC 7617)."""

    hidden_headers = frozenset({"authorization"})
    hidden_query = ""

    def __init__(self, auth: Auth, realm: str, passwords: Passwords) -> None:
        self._kept = {credential.name: credential.kept for credential in auth.credentials}
        self._passwords = passwords
        self._challenge = f'Basic realm={quoted(realm)}, charset="UTF-8"'

    def verify(self, presented: Presented) -> Caller:
        """See :meth:`Verifier.verify`."""
        scheme, _, given = (presented.header("Authorization") or "").partition(" ")
        if scheme.lower() != "basic":
            raise Refused("no user and password were sent", self._challenge)
        try:
            user, colon, password = b64decode(given.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            user = colon = password = ""
        if not colon:
            raise Refused("what was sent is no user and password in base64", self._challenge)
        if not self._passwords.match(password, self._kept.get(user)):
            raise Refused("user or password is not right", self._challenge)
        return Caller(Authenticated("basic", user), f"basic {user}")
