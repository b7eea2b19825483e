"""``users::``: accounts of an app's own users.

    users::register(name, password)             the user, or () if somebody has the name; a password of () is none
    users::register(name, password, #{roles, data})
    users::get(id), users::find(name)           the user, or ()
    users::list(), users::list(#{role, limit, cursor})      #{users, cursor}
    users::update(id, #{name, data, roles, disabled})       the user as it is then
    users::delete(id)                           whether there was one; nobody can read again what was kept of the person
    users::has_role(user, role)

    users::set_password(id, password)           ends all sessions
    users::verify(name, password)               the user, or ()
    users::sign_in(name, password)              #{token, session, user, expires}, or ()
    users::start_session(id)                    the same for who was proven otherwise
    users::session(token)                       the user, or ()
    users::sign_out(token)
    users::sessions(id), users::end_session(id, session), users::end_sessions(id)

    users::create_token(id, #{name, lifetime})  #{id, token, name, …} for programs
    users::token(token)                         the user, or ()
    users::tokens(id), users::revoke_token(id, token_id)

    users::code(name, #{purpose, lifetime, link})           #{code, user, expires}, or ()
    users::send_code(name, #{subject, text, html, …})       the same by mail, with {code} in its place
    users::verify_code(name, code, #{purpose})              the user, or (); right once

Passwords, tokens and codes are in no event, no record and no row. Tries are counted at once, for all nodes: who guesses
too often gets an error that is answered with 429.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from picloud.postgres.sessions import OUTAGE, Sessions
from picloud.services.users.codes import Codes, Mailing
from picloud.services.users.guesses import Guesses
from picloud.services.users.hashing import Hashing
from picloud.services.users.keys import HIDDEN, Keys, Vault
from picloud.services.users.options import token_of
from picloud.services.users.people import People
from picloud.services.users.sessions import UserSessions
from picloud.services.users.store import Store
from picloud.services.work import ServiceError

SECRET_ARGUMENTS: Final[Mapping[str, int]] = {
    "register": 1,
    "session": 0,
    "set_password": 1,
    "sign_in": 1,
    "sign_out": 0,
    "token": 0,
    "verify": 1,
    "verify_code": 1,
}
"""The argument of each function, counted from 0, that no record may keep; equal ones have equal stand-ins."""
SECRET_MEMBERS: Final[Mapping[str, str]] = {
    "code": "code",
    "create_token": "token",
    "sign_in": "token",
    "start_session": "token",
}
"""The member of each function's answer that records keep sealed."""


class Users:
    """See the module."""

    def __init__(self, sessions: Sessions, vault: Vault, hashing: Hashing, mailing: Mailing) -> None:
        self._keys = Keys(sessions, vault)
        store, guesses = Store(sessions, self._keys), Guesses(sessions)
        self.people = People(store, self._keys, guesses, hashing)
        self.sessions = UserSessions(store, self._keys, self.people)
        self.codes = Codes(store, self._keys, guesses, self.people, mailing)
        self.functions: dict[str, Callable[..., Any]] = {
            **self.people.functions,
            **self.sessions.functions,
            **self.codes.functions,
        }

    def as_kept(self, app: str, function: str, args: list[Any]) -> list[Any]:
        """The arguments of a call as records keep them: a secret as what stands for it, equal for equal ones."""
        place = SECRET_ARGUMENTS.get(function)
        if place is None or place >= len(args) or args[place] is None:
            return args
        return [*args[:place], self._hidden(app, function, args[place]), *args[place + 1 :]]

    def as_told(self, app: str, function: str, answer: Any) -> Any:
        """The answer of a call as the script got it, from that which a record keeps."""
        member = SECRET_MEMBERS.get(function)
        if member is None or not isinstance(answer, dict) or not isinstance(answer.get(member), str):
            return answer
        return answer | {member: self._keys.unsealed(app, answer[member])}

    def _hidden(self, app: str, function: str, secret: Any) -> str:
        if not isinstance(secret, str):
            return f"{HIDDEN}unknown"
        if SECRET_ARGUMENTS[function] == 0:
            secret = token_of(f"users::{function}", secret) or ""
        try:
            return self._keys.hidden(app, secret)
        except (ServiceError, *OUTAGE):
            return f"{HIDDEN}unknown"
