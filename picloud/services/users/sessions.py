"""Sessions, and tokens for programs: both are random, and kept as marks.

A session ends at its ``expires``, or when it wasn't used for its ``idle`` time. To put that off is an event, which goes
with the run; so it is done only once a tenth of the idle time is over, and not for each request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from picloud.domain.users import MAX_SESSIONS, MAX_TOKENS, check_about, check_label
from picloud.log.ids import new_id
from picloud.services.arguments import options_of, refused_as
from picloud.services.kv import now_of
from picloud.services.users import options
from picloud.services.users.accounts import Account, Session, Token, UsersDraft, told
from picloud.services.users.keys import Keys
from picloud.services.users.people import People
from picloud.services.users.store import ABOUT, SESSION, TOKEN, Store, live
from picloud.services.work import Disguised, ServiceError, Work

TOKEN_BYTES: Final = 32
LIFETIME_MS: Final = 30 * 86_400_000
IDLE_MS: Final = 7 * 86_400_000
RENEWED_AFTER: Final = 10
"""The idle time begins anew at the first use after a tenth of it."""
_SESSION_PREFIX: Final = "us_"
_TOKEN_PREFIX: Final = "ut_"


class UserSessions:
    """See the module."""

    def __init__(self, store: Store, keys: Keys, people: People) -> None:
        self._store = store
        self._keys = keys
        self._people = people
        self.functions: dict[str, Callable[..., Any]] = {
            "sign_in": self.sign_in,
            "start_session": self.start_session,
            "session": self.session,
            "sign_out": self.sign_out,
            "sessions": self.sessions,
            "end_session": self.end_session,
            "end_sessions": self.end_sessions,
            "create_token": self.create_token,
            "token": self.token,
            "tokens": self.tokens,
            "revoke_token": self.revoke_token,
        }

    def sign_in(self, work: Work, name: Any, password: Any, given: Any = None) -> Disguised | None:
        """A new session, if the password is right; see :meth:`People.verify`."""
        function = "users::sign_in"
        given = options_of(function, given, options.OF_SIGN_IN)
        spans = _spans(function, given)
        account = self._people.proven(work, function, (name, password), options.address_of(function, given))
        return self._started(work, account, spans, given.get("about", "")) if account is not None else None

    def start_session(self, work: Work, user: Any, given: Any = None) -> Disguised:
        """A new session of a user who has proven who they are in another way."""
        function = "users::start_session"
        given = options_of(function, given, options.OF_SESSION)
        spans = _spans(function, given)
        account = self._people.existing(work, function, user)
        if account.disabled:
            raise ServiceError(f"{function}: the account is disabled")
        return self._started(work, account, spans, given.get("about", ""))

    def session(self, work: Work, token: Any) -> dict[str, Any] | None:
        """The user whose session the token is, with the session's id; None if it is none, or over."""
        text = options.token_of("users::session", token)
        session = self._store.session(work, self._mark(work, SESSION, text)) if text is not None else None
        now = now_of(work)
        if session is None or not live(session.ends, now):
            return None
        account = self._store.by_id(work, session.user)
        if account is None or account.disabled:
            return None
        until = min(now + timedelta(milliseconds=session.idle_ms), session.expires)
        if until - session.until >= timedelta(milliseconds=max(1_000, session.idle_ms // RENEWED_AFTER)):
            work.draft(UsersDraft).extend(session, until)
        return account.shown() | {"session": str(session.id)}

    def sign_out(self, work: Work, token: Any) -> bool:
        """End the session whose token it is; whether there was one."""
        text = options.token_of("users::sign_out", token)
        session = self._store.session(work, self._mark(work, SESSION, text)) if text is not None else None
        if session is None:
            return False
        work.draft(UsersDraft).end(session)
        return live(session.ends, now_of(work))

    def sessions(self, work: Work, user: Any) -> list[dict[str, Any]]:
        """The user's sessions that are not over, oldest first."""
        account = self._people.existing(work, "users::sessions", user)
        now = now_of(work)
        return [each.shown() for each in self._store.sessions(work, account) if live(each.ends, now)]

    def end_session(self, work: Work, user: Any, session: Any) -> bool:
        """End one of the user's sessions, by its id; whether there was one."""
        function = "users::end_session"
        account = self._people.existing(work, function, user)
        wanted = options.id_of(function, session, "session")
        for each in self._store.sessions(work, account):
            if each.id == wanted:
                work.draft(UsersDraft).end(each)
                return live(each.ends, now_of(work))
        return False

    def end_sessions(self, work: Work, user: Any) -> int:
        """End all of the user's sessions; how many there were."""
        account = self._people.existing(work, "users::end_sessions", user)
        now = now_of(work)
        there = [each for each in self._store.sessions(work, account) if live(each.ends, now)]
        work.draft(UsersDraft).end_sessions(account)
        return len(there)

    def create_token(self, work: Work, user: Any, given: Any = None) -> Disguised:
        """A token by which a program acts for the user."""
        function = "users::create_token"
        given = options_of(function, given, options.OF_TOKEN)
        account = self._people.existing(work, function, user)
        with refused_as(function):
            name = check_label(given.get("name", "token"), field="name")
        span = options.span_of(function, given, "lifetime", 0)
        there = self._store.tokens(work, account)
        if len(there) >= MAX_TOKENS:
            raise ServiceError(f"{function}: a user has {MAX_TOKENS} tokens at most; revoke one")
        text = _TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        token = Token(
            id=new_id(),
            user=account.id,
            mark=self._mark(work, TOKEN, text),
            name=name,
            issued=now_of(work),
            expires=options.after(work, span) if span else None,
        )
        work.draft(UsersDraft).issue(token)
        shown = token.shown()
        return Disguised(shown | {"token": text}, shown | {"token": self._keys.sealed(work.app, text)})

    def token(self, work: Work, token: Any) -> dict[str, Any] | None:
        """The user whom a program with that token acts for, with the token's name; None if it opens nothing."""
        text = options.token_of("users::token", token)
        found = self._store.token(work, self._mark(work, TOKEN, text)) if text is not None else None
        if found is None or not live(found.expires, now_of(work)):
            return None
        account = self._store.by_id(work, found.user)
        return account.shown() | {"token": found.name} if account is not None and not account.disabled else None

    def tokens(self, work: Work, user: Any) -> list[dict[str, Any]]:
        """The user's tokens, without what opens anything, oldest first."""
        account = self._people.existing(work, "users::tokens", user)
        return [each.shown() for each in self._store.tokens(work, account)]

    def revoke_token(self, work: Work, user: Any, token: Any) -> bool:
        """Revoke one of the user's tokens, by its id; whether there was one."""
        function = "users::revoke_token"
        account = self._people.existing(work, function, user)
        wanted = options.id_of(function, token, "token")
        for each in self._store.tokens(work, account):
            if each.id == wanted:
                work.draft(UsersDraft).revoke(each)
                return True
        return False

    def _started(self, work: Work, account: Account, spans: tuple[int, int], about: str) -> Disguised:
        lifetime_ms, idle_ms = spans
        text = _SESSION_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        expires = options.after(work, lifetime_ms)
        session = Session(
            id=new_id(),
            user=account.id,
            mark=self._mark(work, SESSION, text),
            started=now_of(work),
            expires=expires,
            until=min(expires, options.after(work, idle_ms)),
            idle_ms=idle_ms,
            about=about,
            version=1,
        )
        draft = work.draft(UsersDraft)
        if sum(each is not None and each.user == account.id for each in draft.sessions.values()) >= MAX_SESSIONS:
            raise ServiceError(f"users:: a user has {MAX_SESSIONS} sessions at most")
        draft.start(session, account, account.key.seal(about, ABOUT) if about else None)
        shown = {"user": account.shown(), "session": str(session.id), "expires": told(expires)}
        return Disguised(shown | {"token": text}, shown | {"token": self._keys.sealed(work.app, text)})

    def _mark(self, work: Work, kind: str, text: str) -> str:
        return self._keys.mark(work.app, kind, text)


def _spans(function: str, given: dict[str, Any]) -> tuple[int, int]:
    """How long a session lasts at most, and without being used."""
    with refused_as(function):
        check_about(given.get("about", ""))
    lifetime_ms = options.span_of(function, given, "lifetime", LIFETIME_MS)
    return lifetime_ms, options.span_of(function, given, "idle", min(IDLE_MS, lifetime_ms))
