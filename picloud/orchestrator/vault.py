"""The vault: seals secrets that must be had in clear again, with a key that lies outside the database.

The key file holds one key a line, 32 bytes in base64. The first one seals; the others still open what they sealed
before. A key's id follows from the key, and is part of each cipher text, so that a wrong key is known as such. What is
sealed is bound to what it is about: a cipher text that was moved elsewhere doesn't open there.
"""

from __future__ import annotations

import binascii
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import psycopg

from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.vault import VAULT, VaultKeyAdded
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.reader import read_stream
from picloud.orchestrator.private_file import write_private
from picloud.postgres.sessions import connect

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = "v1"

_IN_USE: Final = """
    SELECT DISTINCT found[1]
    FROM catalog.routes, regexp_matches(settings::text, '"v1[.]([0-9a-f]{12})[.]', 'g') AS found
    WHERE settings IS NOT NULL
"""


class VaultError(Exception):
    """A secret can't be sealed or opened here; the message says why, and nothing of the secret."""


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A key, and the id that cipher texts name it by."""

    secret: bytes

    @property
    def id(self) -> str:
        """Says nothing of the key, and is another one for another key."""
        return sha256(b"picloud vault key\x00" + self.secret).hexdigest()[:12]


class Vault:
    """See the module. The file is read on first use, and again if a secret needs a key that wasn't there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, VaultKey] = {}

    def seal(self, secret: bytes, *, about: str) -> str:
        """The cipher text, as text. Raises :class:`VaultError`."""
        key = self._current()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        # The library weighs some ten megabytes, and most nodes have nothing sealed.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        sealed = nonce + AESGCM(key.secret).encrypt(nonce, secret, about.encode())
        return f"{_VERSION}.{key.id}.{b64encode(sealed).decode()}"

    def open(self, sealed: str, *, about: str) -> bytes:
        """What was sealed. Raises :class:`VaultError`."""
        version, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        if version != _VERSION:
            raise VaultError("the secret was sealed by a later version of PiCloud")
        if key_id not in self._keys:
            self._read()
        key = self._keys.get(key_id)
        if key is None:
            raise VaultError(f"the secret was sealed with the key {key_id}, which is not in {self._path}")
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            content = b64decode(text, validate=True)
            return AESGCM(key.secret).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], about.encode())
        except (InvalidTag, binascii.Error, ValueError):
            raise VaultError("the secret was changed since it was sealed, or belongs elsewhere") from None

    def _current(self) -> VaultKey:
        if not self._keys:
            self._read()
        return next(iter(self._keys.values()))

    def _read(self) -> None:
        self._keys = {key.id: key for key in read_keys(self._path)}


def read_keys(path: Path) -> list[VaultKey]:
    """The keys of a file, at least one. Raises :class:`VaultError`."""
    try:
        lines = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        raise VaultError(f"the key file {path} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"the key file {path} can't be read: {error}") from None
    keys = []
    for number, line in enumerate(lines, 1):
        try:
            secret = b64decode(line, validate=True)
        except binascii.Error:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise VaultError(f"line {number} of {path} is no key: expected {KEY_BYTES} bytes in base64")
        keys.append(VaultKey(secret))
    if not keys:
        raise VaultError(f"the key file {path} is empty")
    return keys


def known_keys(connection: psycopg.Connection) -> list[str]:
    """The ids of the keys that were ever in use, oldest first."""
    events = [recorded.event for recorded in read_stream(connection, VAULT)]
    return [event.key for event in events if isinstance(event, VaultKeyAdded)]


def keys_in_use(connection: psycopg.Connection) -> set[str]:
    """The ids of the keys without which a secret that is in use now can't be opened."""
    return {key for (key,) in connection.execute(_IN_USE)}


def ensure_vault_key(path: Path, dsn: str) -> str | None:
    """Make sure that there is a key file which the log knows of; return what is wrong, None if nothing is.

    Called by the supervisor's migrate step. The first node makes the key. Another one on the same database has to be
    given it: it makes none of its own, for what that sealed the others couldn't open.
    """
    with connect(dsn, purpose="vault") as connection:
        known = known_keys(connection)
    if not path.exists():
        if known:
            return f"{path} is missing; secrets were sealed with the key {known[-1]} (see picloud doctor)"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written first: a key that the log knows of and nobody has would keep every node from making another one.
        write_private(path, b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
    try:
        key = read_keys(path)[0]
    except VaultError as error:
        return str(error)
    if key.id in known:
        return None
    return _announce(key, len(known) + 1, dsn)


def _announce(key: VaultKey, version: int, dsn: str) -> str | None:
    appender = Appender(dsn)
    appender.start()
    try:
        event = VaultKeyAdded(originator_id=VAULT, originator_version=version, key=key.id)
        appender.append([Entry(event, Metadata("", SYSTEM, VAULT, VAULT))], timeout=20.0)
    except StreamConflict:
        return f"another node made a key at the same moment; copy its file to this one (key {key.id} is of no use)"
    finally:
        appender.stop()
    return None
