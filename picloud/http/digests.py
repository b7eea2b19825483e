"""Digests of contents in headers (RFC 9530): told with what is sent, compared with what comes."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from typing import Final

from picloud.http.problems import Problem

HEADERS: Final = ("Repr-Digest", "Content-Digest")
_MEMBER: Final = re.compile(r"\s*([a-z][a-z0-9_*.-]*)\s*=\s*:([A-Za-z0-9+/=]*):(?:\s*;[^,]*)?\s*(?:,|\Z)")
ALGORITHM: Final = "sha-256"


def digest_of(sha256: str) -> str:
    """A content's digest as a header's value."""
    return f"{ALGORITHM}=:{b64encode(bytes.fromhex(sha256)).decode()}:"


def expected(header: str | None, name: str) -> str | None:
    """The SHA-256 in hex that a digest header tells; None if it tells none, but perhaps others.

    Raises a 400 :class:`Problem` for a header that can't be read.
    """
    found = None
    at, text = 0, header or ""
    while at < len(text):
        match = _MEMBER.match(text, at)
        if match is None:
            raise _unreadable(text, name)
        if match[1] == ALGORITHM:
            try:
                found = b64decode(match[2], validate=True)
            except NoBase64:
                raise _unreadable(text, name) from None
            if len(found) != 32:
                raise _unreadable(text, name)
        at = match.end()
    return None if found is None else found.hex()


def _unreadable(text: str, name: str) -> Problem:
    return Problem(
        400,
        "bad-digest",
        f"{name} is {text[:100]!r}, which is no digest",
        field=name,
        remedy=f"Write it as {ALGORITHM}=:…: with the hash in base64 between the colons, or leave it out.",
    )
