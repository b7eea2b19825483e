"""The vault: seals secrets that must be had in clear again, with a key that lies outside the database.

The key file holds one key a line, 32 bytes in base64. The first one seals; the others still open what they sealed
before. A key's id follows from the key, and is part of each cipher text, so that a wrong key is known as such. What is
sealed is bound to what it is about: a cipher text that was moved elsewhere doesn't open there. How the key is changed
is told in ``orchestrator/resealing.py``.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import psycopg

from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.vault import VAULT, VaultError, VaultKeyAdded
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.reader import read_stream
from picloud.orchestrator.private_file import write_private
from picloud.postgres.sessions import connect
from picloud.projections.sealed import sealed_by_key

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = "v1"
_FINGERPRINT_DIGITS: Final = 12

__all__ = ["Vault", "VaultError", "VaultKey", "ensure_vault_key", "key_of", "read_keys"]


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A key, and the id that cipher texts name it by."""

    secret: bytes

    @property
    def id(self) -> str:
        """Says nothing of the key, and is another one for another key."""
        return sha256(b"picloud vault key\x00" + self.secret).hexdigest()[:12]


class Vault:
    """See the module.

    The file is read on first use, and again to seal, which is seldom done, and if a key isn't known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, VaultKey] = {}

    def seal(self, secret: bytes, *, about: str) -> str:
        """The cipher text, as text. Raises :class:`VaultError`."""
        key = self.current()
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

    def fingerprint(self, secret: bytes, *, about: str) -> str:
        """Equal for equal secrets about the same under the same key; without the key nothing can be told from it.

        Raises :class:`VaultError`.
        """
        own = hmac.digest(self.current().secret, b"picloud fingerprint", "sha256")
        told = hmac.digest(own, about.encode() + b"\x00" + secret, "sha256")
        return told.hex()[:_FINGERPRINT_DIGITS]

    def current(self) -> VaultKey:
        """The key that seals. Raises :class:`VaultError`."""
        self._read()
        return next(iter(self._keys.values()))

    def check_newest(self, known: Sequence[str]) -> None:
        """Raise :class:`VaultError` unless what is sealed here can be opened by all who keep up.

        ``known`` are the ids of the keys that were ever in use, oldest first.
        """
        key = self.current()
        if known and key.id != known[-1]:
            raise VaultError(
                f"this node would seal with the key {key.id}, but the vault's key is {known[-1]} since it was changed: "
                f"give {self._path} the keys that the other nodes have"
            )

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


def key_of(sealed: str) -> str:
    """The id of the key that opens a cipher text."""
    return sealed.split(".", 2)[1]


def known_keys(connection: psycopg.Connection) -> list[str]:
    """The ids of the keys that were ever in use, oldest first."""
    events = [recorded.event for recorded in read_stream(connection, VAULT)]
    return [event.key for event in events if isinstance(event, VaultKeyAdded)]


def keys_in_use(connection: psycopg.Connection) -> set[str]:
    """The ids of the keys without which a secret that is in use now can't be opened."""
    return set(sealed_by_key(connection))


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
    return announce(key, len(known) + 1, dsn)


def announce(key: VaultKey, version: int, dsn: str) -> str | None:
    """Tell the log of a key that seals from now on, as its ``version``-th; return what is wrong, None if nothing is."""
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
