"""The first start's owner token: made once, kept in the data folder, readable by its user alone."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from picloud.domain.access import AccessToken, Role
from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.names import stream_id
from picloud.log.appender import Appender
from picloud.log.reader import read_stream
from picloud.log.repository import collect
from picloud.orchestrator.private_file import write_private
from picloud.postgres.sessions import connect

TOKEN_FILE: Final = "owner.token"
TOKEN_PREFIX: Final = "pic_"


def new_secret() -> str:
    """A new token's secret: 256 random bits, URL-safe, led by ``pic_`` so that scanners for leaked secrets find it."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """What is kept of a secret: its SHA-256 in hex. The secret has too many bits for a slower hash to add anything."""
    return sha256(secret.encode()).hexdigest()


def ensure_owner_token(data: Path, dsn: str) -> Path:
    """Make sure that the data folder holds an owner token which the log knows; return the file's path.

    Called by the supervisor's migrate step, after the migrations and before any node starts. A second data folder on
    the same database gets an owner token of its own.
    """
    path = data / TOKEN_FILE
    with connect(dsn, purpose="bootstrap") as connection:
        if path.exists() and read_stream(connection, _token_id(path.read_text().strip())):
            return path
    secret = new_secret()
    write_private(path, secret + "\n")
    _issue(dsn, secret)
    return path


def _token_id(secret: str) -> UUID:
    """The owner token's stream, found again from the secret alone."""
    return stream_id("owner-token", secret_hash(secret))


def _issue(dsn: str, secret: str) -> None:
    token_id = _token_id(secret)
    token = AccessToken.issue(
        token_id, "owner", role=Role.OWNER.label, apps=[], sha256=secret_hash(secret), at=datetime.now(UTC)
    )
    appender = Appender(dsn)
    appender.start()
    try:
        appender.append(collect([token], Metadata("", SYSTEM, token_id, token_id)), timeout=20.0)
    finally:
        appender.stop()
