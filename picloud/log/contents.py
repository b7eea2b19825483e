"""Large or binary content, stored once under its SHA-256; events hold the hash."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import psycopg

from picloud.domain.invocation import Content
from picloud.postgres.sessions import Sessions

INLINE_LIMIT: Final = 64 * 1024
"""Content of up to so many bytes is kept in the event itself."""

_PUT: Final = "INSERT INTO log.contents (sha256, content) VALUES (%s, %s) ON CONFLICT (sha256) DO NOTHING"
_GET: Final = "SELECT content FROM log.contents WHERE sha256 = %s"


class ContentMissing(Exception):
    """An event names a content that is not there."""


def put_content(connection: psycopg.Connection, content: bytes) -> str:
    """Store ``content`` unless it is there; return its SHA-256 in hex."""
    digest = sha256(content)
    connection.execute(_PUT, (digest.digest(), content))
    return digest.hexdigest()


def get_content(connection: psycopg.Connection, sha256_hex: str) -> bytes:
    """The content with that hash. Raises :class:`ContentMissing`."""
    row = connection.execute(_GET, (bytes.fromhex(sha256_hex),), binary=True).fetchone()
    if row is None:
        raise ContentMissing(f"no content has the SHA-256 {sha256_hex}")
    return bytes(row[0])


def content_of(content: bytes, *, inline: int = INLINE_LIMIT) -> Content:
    """``content`` as an event holds it: inline up to so many bytes, else by its hash; then it has to be stored."""
    if len(content) > inline:
        return Content(sha256=sha256(content).hexdigest())
    if not content:
        return Content()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Content(base64=b64encode(content).decode())
    return Content(text=text)


def store(contents: Sequence[bytes], sessions: Sessions) -> None:
    """Store what events are about to name by hash."""
    if not contents:
        return
    with sessions.session() as connection:
        for content in contents:
            put_content(connection, content)


def pack(content: bytes, sessions: Sessions) -> Content:
    """``content`` as an event holds it: inline if it is small, else stored, with its hash."""
    packed = content_of(content)
    if packed.sha256 is not None:
        store([content], sessions)
    return packed


def unpack(content: Content, sessions: Sessions) -> bytes:
    """The bytes that ``content`` stands for. Raises :class:`ContentMissing`."""
    if content.text is not None:
        return content.text.encode()
    if content.base64 is not None:
        return b64decode(content.base64)
    if content.sha256 is not None:
        with sessions.session() as connection:
            return get_content(connection, content.sha256)
    return b""
