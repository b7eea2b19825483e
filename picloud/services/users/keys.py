"""Keys: one for each user, which goes with the account, and one for all marks.

They lie in a table outside of the log (``subjects.keys``), each sealed by the vault, so that neither the log nor a copy
of the database tells what is sealed. A user's key is made before the account is committed; the commit marks it as kept,
and the commit that removes the account destroys it. Keys that no commit has kept are cleared away a day later.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from picloud.domain.names import stream_id
from picloud.domain.users import about_subject
from picloud.domain.vault import VaultError
from picloud.postgres.sessions import Sessions
from picloud.services.work import ServiceError

KEY_BYTES: Final = 32
HIDDEN: Final = "hidden:"
"""What stands in records in the place of a secret begins so."""
SEALED: Final = "sealed:"
"""So begins what stands in records for a secret that was told."""
_NONCE_BYTES: Final = 12
_MARKS: Final = stream_id("users marks")
_HIDDEN: Final = re.compile(rf"{HIDDEN}(?:[0-9a-f]{{32}}|unknown)")

_GET: Final = "SELECT sealed FROM subjects.keys WHERE id = %s"
_ADD: Final = "INSERT INTO subjects.keys (id, app, sealed, kept) VALUES (%s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"
_CLEAR: Final = """
    DELETE FROM subjects.keys d
    WHERE d.ctid = ANY (ARRAY(
        SELECT k.ctid FROM subjects.keys k WHERE NOT k.kept AND k.made < now() - interval '1 day' LIMIT 100
        FOR UPDATE SKIP LOCKED
    ))
"""


class Vault(Protocol):
    """Seals with a key outside of the database. Both raise :class:`VaultError`."""

    def seal(self, secret: bytes, *, about: str) -> str: ...
    def open(self, sealed: str, *, about: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class UserKey:
    """Seals what is known of one user: each text bound to the user and to what it is."""

    user: UUID
    secret: bytes

    def seal(self, value: Any, about: str) -> str:
        """The cipher text of a plain value."""
        # The library weighs some ten megabytes, and not every app has users.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return b64encode(nonce + AESGCM(self.secret).encrypt(nonce, text, self._about(about))).decode()

    def open(self, sealed: str, about: str) -> Any:
        """The plain value that was sealed. Raises :class:`ServiceError`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        content = b64decode(sealed)
        try:
            text = AESGCM(self.secret).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], self._about(about))
        except InvalidTag:
            raise ServiceError(
                f"users:: what is kept of the user {self.user} was changed since it was sealed"
            ) from None
        return json.loads(text.decode("utf-8", "surrogatepass"))

    def _about(self, about: str) -> bytes:
        return f"{self.user} {about}".encode()


class Keys:
    """See the module."""

    def __init__(self, sessions: Sessions, vault: Vault) -> None:
        self._sessions = sessions
        self._vault = vault
        self._of_marks: bytes | None = None

    def new(self, app: str, user: UUID) -> UserKey:
        """The key of an account that is about to be made."""
        secret = secrets.token_bytes(KEY_BYTES)
        sealed = self._seal(secret, user)
        with self._sessions.session() as connection:
            connection.execute(_CLEAR)
            connection.execute(_ADD, (user, app, sealed, False))
        return UserKey(user, secret)

    def opened(self, user: UUID, sealed: str) -> UserKey:
        """The key of a user, as the table has it."""
        return UserKey(user, self._open(sealed, user))

    def mark(self, app: str, what: str, text: str) -> str:
        """Equal for what is equal, in one app and about the same; of no use to who lacks the key."""
        told = "\x00".join((app, what, text)).encode("utf-8", "surrogatepass")
        return hmac.digest(self._marks(), told, "sha256").hex()

    def hidden(self, app: str, text: str) -> str:
        """What records keep in the place of a secret: equal for equal ones, and itself for what is hidden already."""
        if _HIDDEN.fullmatch(text):
            return text
        return f"{HIDDEN}{self.mark(app, 'hidden', text)[:32]}"

    def sealed(self, app: str, text: str) -> str:
        """What records keep of a secret that a script was told: a run that is repeated is to be told the same."""
        try:
            return SEALED + self._vault.seal(text.encode(), about=f"told in {app}")
        except VaultError as error:
            raise ServiceError(f"users:: needs the vault: {error}") from error

    def unsealed(self, app: str, text: str) -> str:
        """The secret that was sealed; ``text`` itself if it is none, or can't be opened any more."""
        if not text.startswith(SEALED):
            return text
        try:
            return self._vault.open(text.removeprefix(SEALED), about=f"told in {app}").decode()
        except VaultError:
            return text

    def _marks(self) -> bytes:
        if self._of_marks is None:
            self._of_marks = self._common()
        return self._of_marks

    def _common(self) -> bytes:
        with self._sessions.session() as connection:
            row = connection.execute(_GET, (_MARKS,)).fetchone()
            if row is None:
                connection.execute(_ADD, (_MARKS, "", self._seal(secrets.token_bytes(KEY_BYTES), _MARKS), True))
                row = connection.execute(_GET, (_MARKS,)).fetchone()
        assert row is not None, "somebody made one"
        return self._open(row[0], _MARKS)

    def _seal(self, secret: bytes, whose: UUID) -> str:
        try:
            return self._vault.seal(secret, about=about_subject(whose))
        except VaultError as error:
            raise ServiceError(f"users:: needs the vault: {error}") from error

    def _open(self, sealed: str, whose: UUID) -> bytes:
        try:
            return self._vault.open(sealed, about=about_subject(whose))
        except VaultError as error:
            raise ServiceError(f"users:: needs the vault: {error}") from error
