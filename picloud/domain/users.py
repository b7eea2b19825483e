"""Accounts of an app's own users: who they are, what proves them, their sessions, tokens and codes.

Each account is a stream, and so is each session, token and code. No event holds a password, a token or a code, nor a
hash of one that could be guessed from: what is compared is a *mark*, a keyed digest. What is personal (the name, the
data, the password's hash, what a session is about) is sealed with a key of that user alone, which lies outside of the
log: who destroys the key has erased the person, and the log stays as it is.

An account's *epoch* goes up with whatever ends all of its sessions. A session that begins says for which epoch: if
somebody changed the password in between, it doesn't begin.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from picloud.domain.errors import Invalid

MAX_NAME: Final = 320
"""Characters: the longest address of mail there is."""
MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 1_024
MAX_DATA_BYTES: Final = 16 * 1024
"""Of a user's data as JSON."""
MAX_ROLES: Final = 32
MAX_SESSIONS: Final = 100
"""Of one user; the oldest ends when one more begins."""
MAX_TOKENS: Final = 100
"""Of one user."""
MAX_ABOUT: Final = 500
"""Characters of what is said of a session."""

_ROLE: Final = re.compile(r"[a-z0-9][a-z0-9_:.-]{0,62}")
_LABEL: Final = re.compile(r"[^\x00-\x1f\x7f]{1,63}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_COMMON: Final = frozenset(
    {
        "00000000", "11111111", "11223344", "12341234", "12345678", "123456789", "1234567890", "1q2w3e4r", "1q2w3e4r5t",
        "1qaz2wsx", "87654321", "88888888", "a1b2c3d4", "abc12345", "abcd1234", "abcdefgh", "admin123", "administrator",
        "asdf1234", "asdfghjk", "asdfghjkl", "baseball", "changeme", "changeme123", "computer", "dragon123", "football",
        "iloveyou", "internet", "letmein1", "monkey123", "passw0rd", "password", "password1", "password12",
        "password123", "princess", "qwerty12", "qwerty123", "qwertyui", "qwertyuiop", "secret123", "starwars",
        "sunshine", "superman", "trustno1", "welcome1", "welcome123", "whatever", "zaq12wsx",
    }
)  # fmt: skip
"""What guessers try first. The limit on guesses stops them long before they get through a longer list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered:
    """There is an account. ``mark`` is that of the name; ``sealed`` holds name and data, ``password`` the hash of the
    password, None for one who has none and signs in by codes."""

    originator_id: UUID
    originator_version: int
    mark: str
    sealed: str
    roles: list[str]
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanged:
    """What isn't None is so from now on. Who is ``disabled`` can't sign in, and all sessions end."""

    originator_id: UUID
    originator_version: int
    mark: str | None = None
    sealed: str | None = None
    roles: list[str] | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPasswordSet:
    """The password is another one, and all sessions end; or it is the same, ``rehashed`` by what goes now."""

    originator_id: UUID
    originator_version: int
    password: str
    rehashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSessionsEnded:
    """All of the user's sessions end."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRemoved:
    """The account is gone, with sessions, tokens and codes; its key is destroyed in the same commit."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSessionStarted:
    """Who shows the token with this ``mark`` is the user: until ``expires``, and as long as it is used before
    ``until``, which then is put off by ``idle_ms``. ``sealed`` is what the script says of the session."""

    originator_id: UUID
    originator_version: int
    user: UUID
    epoch: int
    mark: str
    expires: datetime
    until: datetime
    idle_ms: int
    sealed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSessionExtended:
    """The session was used: it now holds until ``until``."""

    originator_id: UUID
    originator_version: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSessionEnded:
    """The session's token opens nothing any more."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTokenIssued:
    """Who shows the token with this ``mark`` acts for the user, until ``expires`` if that is said."""

    originator_id: UUID
    originator_version: int
    user: UUID
    mark: str
    name: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTokenRevoked:
    """The token opens nothing any more."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCodeIssued:
    """Who knows the code with this ``mark`` before ``expires`` is the user, once, for this ``purpose``. The code that
    there was for it before is void."""

    originator_id: UUID
    originator_version: int
    user: UUID
    epoch: int
    purpose: str
    mark: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCodeUsed:
    """The code was right, and is void."""

    originator_id: UUID
    originator_version: int


UserEvent = (
    UserRegistered
    | UserChanged
    | UserPasswordSet
    | UserSessionsEnded
    | UserRemoved
    | UserSessionStarted
    | UserSessionExtended
    | UserSessionEnded
    | UserTokenIssued
    | UserTokenRevoked
    | UserCodeIssued
    | UserCodeUsed
)


def about_subject(subject: UUID) -> str:
    """What the vault binds a user's key to."""
    return f"subject {subject}"


def plain_name(name: str) -> str:
    """The name as it is kept: NFKC, without spaces around it. Raises :class:`Invalid`."""
    plain = unicodedata.normalize("NFKC", name).strip()
    if not 1 <= len(plain) <= MAX_NAME or _CONTROL.search(plain) or not _is_text(plain):
        raise Invalid(
            f"a name has 1 to {MAX_NAME} characters and no control characters, this one has {len(plain)}", field="name"
        )
    return plain


def compared_name(name: str) -> str:
    """What is equal for names that are the same one to people: ``Ada@Example.org`` and ``ada@example.org``."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())


def plain_password(password: str) -> bytes:
    """The bytes that are hashed: NFKC, so that all keyboards give the same (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def check_password(password: str, name: str) -> bytes:
    """The bytes that are hashed of a new password. Raises :class:`Invalid`; never says what it is."""
    plain = plain_password(password)
    length = len(plain.decode("utf-8", "surrogatepass"))
    if not MIN_PASSWORD <= length <= MAX_PASSWORD:
        raise Invalid(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters, this one has {length}", field="password"
        )
    folded = plain.decode("utf-8", "surrogatepass").casefold()
    if folded in _COMMON or len(set(folded)) == 1 or folded == compared_name(name):
        raise Invalid(
            "the password is one of those that are tried first", field="password", remedy="Choose a longer one."
        )
    return plain


def check_roles(roles: Any) -> list[str]:
    """The roles, each once, in order. Raises :class:`Invalid`."""
    if not isinstance(roles, list) or len(roles) > MAX_ROLES:
        raise Invalid(f"roles are an array of {MAX_ROLES} strings at most", field="roles")
    for role in roles:
        check_role(role)
    return sorted(set(roles))


def check_role(role: Any) -> str:
    """The role. Raises :class:`Invalid`."""
    if not isinstance(role, str) or not _ROLE.fullmatch(role):
        raise Invalid(
            f"{str(role)[:60]!r} can't be a role: expected 1 to 63 lower-case letters, digits, '_', ':', '.' or '-'",
            field="roles",
        )
    return role


def check_data(data: Any) -> dict[str, Any]:
    """The user's data. Raises :class:`Invalid`."""
    if not isinstance(data, dict):
        raise Invalid("the data of a user is a map", field="data")
    try:
        size = len(json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")))
    except (TypeError, ValueError) as error:
        raise Invalid(f"the data can't be stored as JSON: {error}", field="data") from None
    if size > MAX_DATA_BYTES:
        raise Invalid(
            f"the data of a user has {MAX_DATA_BYTES:,} bytes at most as JSON, this has {size:,}", field="data"
        )
    return data


def check_label(label: Any, *, field: str) -> str:
    """The name of a token, or the purpose of a code. Raises :class:`Invalid`."""
    if not isinstance(label, str) or not _LABEL.fullmatch(label) or not _is_text(label):
        raise Invalid(f"a {field} is 1 to 63 printable characters", field=field)
    return label


def check_about(about: str) -> str:
    """What is said of a session. Raises :class:`Invalid`."""
    if len(about) > MAX_ABOUT or not _is_text(about):
        raise Invalid(f"what is said of a session has {MAX_ABOUT} characters at most", field="about")
    return about


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
