"""Accounts, sessions, tokens and codes as runs see them, and the draft: what a run does to them until it commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from picloud.domain.users import (
    UserChanged,
    UserCodeIssued,
    UserCodeUsed,
    UserEvent,
    UserPasswordSet,
    UserRegistered,
    UserRemoved,
    UserSessionEnded,
    UserSessionExtended,
    UserSessionsEnded,
    UserSessionStarted,
    UserTokenIssued,
    UserTokenRevoked,
)
from picloud.services.users.keys import UserKey
from picloud.services.work import ServiceError

MAX_CHANGES: Final = 1_000
"""Of one run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user. ``password`` is the hash, None for one who has no password; ``version`` is that of the stream."""

    key: UserKey
    name: str
    mark: str
    roles: tuple[str, ...]
    data: dict[str, Any]
    disabled: bool
    password: str | None
    registered: datetime
    version: int
    epoch: int

    @property
    def id(self) -> UUID:
        """The user's id, which is that of the stream."""
        return self.key.user

    def shown(self) -> dict[str, Any]:
        """As scripts see it."""
        return {
            "id": str(self.id),
            "name": self.name,
            "roles": [*self.roles],
            "data": self.data,
            "disabled": self.disabled,
            "registered": told(self.registered),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of a user; see :class:`picloud.domain.users.UserSessionStarted`."""

    id: UUID
    user: UUID
    mark: str
    started: datetime
    expires: datetime
    until: datetime
    idle_ms: int
    about: str
    version: int

    @property
    def ends(self) -> datetime:
        """When it ends if it isn't used any more."""
        return min(self.expires, self.until)

    def shown(self) -> dict[str, Any]:
        """As scripts see it."""
        return {
            "id": str(self.id),
            "about": self.about,
            "started": told(self.started),
            "expires": told(self.expires),
            "idle_until": told(self.ends),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token by which a program acts for a user."""

    id: UUID
    user: UUID
    mark: str
    name: str
    issued: datetime
    expires: datetime | None

    def shown(self) -> dict[str, Any]:
        """As scripts see it."""
        return {
            "id": str(self.id),
            "name": self.name,
            "issued": told(self.issued),
            "expires": told(self.expires) if self.expires is not None else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A one-time code; ``version`` of its stream is always 1, for the next event is the last."""

    id: UUID
    user: UUID
    purpose: str
    mark: str
    expires: datetime


def told(time: datetime) -> str:
    """A time as scripts see it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class UsersDraft:
    """What a run has seen, and done: the accounts by id and so on, None for what it took away."""

    app: str
    done: list[UserEvent] = field(default_factory=list)
    accounts: dict[UUID, Account | None] = field(default_factory=dict)
    sessions: dict[UUID, Session | None] = field(default_factory=dict)
    tokens: dict[UUID, Token | None] = field(default_factory=dict)
    codes: dict[tuple[UUID, str], Code | None] = field(default_factory=dict)
    changed: set[UUID] = field(default_factory=set)
    """The accounts that the run changed."""
    ended: set[UUID] = field(default_factory=set)
    """The users all of whose sessions the run ended, with codes: what the database has of those counts no more."""

    def events(self) -> list[UserEvent]:
        """See :class:`picloud.services.work.Draft`."""
        return self.done

    def register(self, account: Account, sealed: str, password: str | None) -> None:
        """Make an account."""
        head: dict[str, Any] = {"originator_id": account.id, "originator_version": 1}
        self._do(UserRegistered(**head, mark=account.mark, sealed=sealed, password=password, roles=[*account.roles]))
        self._put(account)

    def change(
        self, account: Account, *, mark: str | None, sealed: str | None, roles: list[str] | None, disabled: bool | None
    ) -> None:
        """``account`` is what it becomes; what isn't None has changed."""
        head = self._next(account)
        self._do(UserChanged(**head, mark=mark, sealed=sealed, roles=roles, disabled=disabled))
        self._put(replace(account, version=account.version + 1))
        if disabled:
            self._end_all(account)

    def set_password(self, account: Account, kept: str, sealed: str, *, rehashed: bool = False) -> None:
        """Give the account another hash."""
        self._do(UserPasswordSet(**self._next(account), password=sealed, rehashed=rehashed))
        self._put(replace(account, password=kept, version=account.version + 1))
        if not rehashed:
            self._end_all(account)

    def end_sessions(self, account: Account) -> None:
        """End all sessions of an account."""
        self._do(UserSessionsEnded(**self._next(account)))
        self._put(replace(account, version=account.version + 1))
        self._end_all(account)

    def remove(self, account: Account) -> None:
        """Take the account away."""
        self._do(UserRemoved(**self._next(account)))
        self._end_all(account)
        for token in [each for each in self.tokens.values() if each is not None and each.user == account.id]:
            self.tokens[token.id] = None
        self.accounts[account.id] = None
        self.changed.add(account.id)

    def start(self, session: Session, account: Account, sealed: str | None) -> None:
        """Begin a session."""
        self._do(
            UserSessionStarted(
                originator_id=session.id,
                originator_version=1,
                user=account.id,
                epoch=account.epoch,
                mark=session.mark,
                expires=session.expires,
                until=session.until,
                idle_ms=session.idle_ms,
                sealed=sealed,
            )
        )
        self.sessions[session.id] = session

    def extend(self, session: Session, until: datetime) -> None:
        """Put off the end of a session."""
        self._do(UserSessionExtended(originator_id=session.id, originator_version=0, until=until))
        self.sessions[session.id] = replace(session, until=until, version=session.version + 1)

    def end(self, session: Session) -> None:
        """End a session."""
        self._do(UserSessionEnded(originator_id=session.id, originator_version=session.version + 1))
        self.sessions[session.id] = None

    def issue(self, token: Token) -> None:
        """Issue a token."""
        head: dict[str, Any] = {"originator_id": token.id, "originator_version": 1}
        self._do(UserTokenIssued(**head, user=token.user, mark=token.mark, name=token.name, expires=token.expires))
        self.tokens[token.id] = token

    def revoke(self, token: Token) -> None:
        """Revoke a token."""
        self._do(UserTokenRevoked(originator_id=token.id, originator_version=2))
        self.tokens[token.id] = None

    def give_code(self, code: Code, account: Account) -> None:
        """Make a code."""
        self._do(
            UserCodeIssued(
                originator_id=code.id,
                originator_version=1,
                user=code.user,
                epoch=account.epoch,
                purpose=code.purpose,
                mark=code.mark,
                expires=code.expires,
            )
        )
        self.codes[code.user, code.purpose] = code

    def use_code(self, code: Code) -> None:
        """A code was right."""
        self._do(UserCodeUsed(originator_id=code.id, originator_version=2))
        self.codes[code.user, code.purpose] = None

    def of_user(self, user: UUID, stored: Iterable[Session]) -> list[Session]:
        """The user's sessions, as the run has left them, of those that are ``stored``."""
        found = {} if user in self.ended else {session.id: session for session in stored}
        own = {each.id: each for each in self.sessions.values() if each is not None and each.user == user}
        merged = found | own
        kept = [each for each in merged.values() if self.sessions.get(each.id, each) is not None]
        return sorted(kept, key=lambda each: (each.started, each.id))

    def _next(self, account: Account) -> dict[str, Any]:
        """The head of the next event: it goes behind what the run has seen of the account."""
        seen = self.accounts.get(account.id)
        assert seen is not None, "what is changed was read"
        return {"originator_id": account.id, "originator_version": seen.version + 1}

    def _end_all(self, account: Account) -> None:
        self.ended.add(account.id)
        current = self.accounts[account.id]
        assert current is not None
        self.accounts[account.id] = replace(current, epoch=current.epoch + 1)
        for session in [each for each in self.sessions.values() if each is not None and each.user == account.id]:
            self.sessions[session.id] = None
        for code in [each for each in self.codes.values() if each is not None and each.user == account.id]:
            self.codes[code.user, code.purpose] = None

    def _put(self, account: Account) -> None:
        self.accounts[account.id] = account
        self.changed.add(account.id)

    def _do(self, event: UserEvent) -> None:
        if len(self.done) >= MAX_CHANGES:
            raise ServiceError(f"users:: a run may change {MAX_CHANGES:,} things at most")
        self.done.append(event)
