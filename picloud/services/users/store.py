"""What was committed of accounts, read from the database and opened; the run's own changes go first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from picloud.postgres.sessions import Sessions
from picloud.services.users.accounts import Account, Code, Session, Token, UsersDraft
from picloud.services.users.keys import Keys
from picloud.services.work import Work

NAME: Final = "name"
SESSION: Final = "session"
TOKEN: Final = "token"
CODE: Final = "code"
PERSON: Final = "person"
PASSWORD: Final = "password"
ABOUT: Final = "about"

_ACCOUNT: Final = """
    a.id, k.sealed, a.mark, a.version, a.epoch, a.sealed, a.password, a.roles, a.disabled, a.registered
    FROM users.accounts a
    JOIN subjects.keys k ON k.id = a.id
"""
_BY_ID: Final = f"SELECT {_ACCOUNT} WHERE a.app = %s AND a.id = %s"
_BY_NAME: Final = f"SELECT {_ACCOUNT} WHERE a.app = %s AND a.mark = %s"
_PAGE: Final = f"SELECT {_ACCOUNT} WHERE a.app = %s AND a.id > %s ORDER BY a.id LIMIT %s"
_PAGE_WITH: Final = f"SELECT {_ACCOUNT} WHERE a.app = %s AND a.id > %s AND %s = ANY (a.roles) ORDER BY a.id LIMIT %s"
_SESSION: Final = """
    SELECT s.id, s.user_id, s.mark, s.started, s.expires, s.until, s.idle_ms, s.sealed, s.version
    FROM users.sessions s
"""
_SESSION_BY_MARK: Final = f"{_SESSION} WHERE s.app = %s AND s.mark = %s"
_SESSIONS: Final = f"{_SESSION} WHERE s.app = %s AND s.user_id = %s ORDER BY s.started, s.id"
_TOKEN: Final = "SELECT t.id, t.user_id, t.mark, t.name, t.issued, t.expires FROM users.tokens t"
_TOKEN_BY_MARK: Final = f"{_TOKEN} WHERE t.app = %s AND t.mark = %s"
_TOKENS: Final = f"{_TOKEN} WHERE t.app = %s AND t.user_id = %s ORDER BY t.issued, t.id"
_CODE: Final = """
    SELECT c.id, c.mark, c.expires
    FROM users.codes c
    WHERE c.app = %s AND c.user_id = %s AND c.purpose = %s
"""
_FIRST: Final = UUID(int=0)


class Store:
    """See the module."""

    def __init__(self, sessions: Sessions, keys: Keys) -> None:
        self._sessions = sessions
        self._keys = keys

    def by_id(self, work: Work, user: UUID) -> Account | None:
        """The account with that id."""
        draft = work.draft(UsersDraft)
        if user not in draft.accounts:
            rows = self._rows(_BY_ID, work.app, user)
            draft.accounts[user] = self._account(rows[0]) if rows else None
        return draft.accounts[user]

    def by_mark(self, work: Work, mark: str) -> Account | None:
        """The account whose name has that mark."""
        draft = work.draft(UsersDraft)
        for account in draft.accounts.values():
            if account is not None and account.mark == mark:
                return account
        rows = self._rows(_BY_NAME, work.app, mark)
        if not rows or rows[0][0] in draft.changed:
            # It has another name by now, or is gone.
            return None
        return draft.accounts.setdefault(rows[0][0], self._account(rows[0]))

    def page(self, work: Work, *, after: UUID | None, role: str | None, limit: int) -> list[Account]:
        """Accounts behind the one with the id ``after``, in the order in which they were made."""
        draft = work.draft(UsersDraft)
        start, most = after or _FIRST, limit + len(draft.changed)
        if role is None:
            rows = self._rows(_PAGE, work.app, start, most)
        else:
            rows = self._rows(_PAGE_WITH, work.app, start, role, most)
        found = {row[0]: self._account(row) for row in rows if row[0] not in draft.changed}
        for user in draft.changed:
            account = draft.accounts[user]
            if account is not None and user > start and (role is None or role in account.roles):
                found[user] = account
        return [found[user] for user in sorted(found)][:limit]

    def session(self, work: Work, mark: str) -> Session | None:
        """The session whose token has that mark, over or not; its user may be gone."""
        draft = work.draft(UsersDraft)
        for session in draft.sessions.values():
            if session is not None and session.mark == mark:
                return session
        rows = self._rows(_SESSION_BY_MARK, work.app, mark)
        if not rows or rows[0][1] in draft.ended or draft.sessions.get(rows[0][0], rows) is None:
            return None
        account = self.by_id(work, rows[0][1])
        return _session(rows[0], account) if account is not None else None

    def sessions(self, work: Work, account: Account) -> list[Session]:
        """The user's sessions, over or not, oldest first."""
        draft = work.draft(UsersDraft)
        return draft.of_user(
            account.id, [_session(row, account) for row in self._rows(_SESSIONS, work.app, account.id)]
        )

    def token(self, work: Work, mark: str) -> Token | None:
        """The token with that mark."""
        draft = work.draft(UsersDraft)
        for token in draft.tokens.values():
            if token is not None and token.mark == mark:
                return token
        rows = self._rows(_TOKEN_BY_MARK, work.app, mark)
        if not rows or draft.tokens.get(rows[0][0], rows) is None:
            return None
        return _token(rows[0])

    def tokens(self, work: Work, account: Account) -> list[Token]:
        """The user's tokens, oldest first."""
        draft = work.draft(UsersDraft)
        found = [_token(row) for row in self._rows(_TOKENS, work.app, account.id)]
        merged = {each.id: each for each in found}
        merged |= {each.id: each for each in draft.tokens.values() if each is not None and each.user == account.id}
        return [each for each in merged.values() if draft.tokens.get(each.id, each) is not None]

    def code(self, work: Work, user: UUID, purpose: str) -> Code | None:
        """The user's code for that purpose, over or not."""
        draft = work.draft(UsersDraft)
        if (user, purpose) in draft.codes:
            return draft.codes[user, purpose]
        if user in draft.ended:
            return None
        rows = self._rows(_CODE, work.app, user, purpose)
        return Code(id=rows[0][0], user=user, purpose=purpose, mark=rows[0][1], expires=rows[0][2]) if rows else None

    def _rows(self, query: str, *arguments: Any) -> Sequence[Any]:
        with self._sessions.session() as connection:
            return connection.execute(query.encode(), arguments, prepare=True).fetchall()

    def _account(self, row: Sequence[Any]) -> Account:
        user, sealed_key, mark, version, epoch, sealed, password, roles, disabled, registered = row
        key = self._keys.opened(user, sealed_key)
        person = key.open(sealed, PERSON)
        return Account(
            key=key,
            name=person["name"],
            mark=mark,
            roles=tuple(roles),
            data=person["data"],
            disabled=disabled,
            password=key.open(password, PASSWORD) if password is not None else None,
            registered=registered,
            version=version,
            epoch=epoch,
        )


def _session(row: Sequence[Any], account: Account) -> Session:
    id_, user, mark, started, expires, until, idle_ms, sealed, version = row
    about = account.key.open(sealed, ABOUT) if sealed is not None else ""
    return Session(
        id=id_,
        user=user,
        mark=mark,
        started=started,
        expires=expires,
        until=until,
        idle_ms=idle_ms,
        about=about,
        version=version,
    )


def _token(row: Sequence[Any]) -> Token:
    id_, user, mark, name, issued, expires = row
    return Token(id=id_, user=user, mark=mark, name=name, issued=issued, expires=expires)


def live(ends: datetime | None, now: datetime) -> bool:
    """Whether what ends then still holds."""
    return ends is None or ends > now
