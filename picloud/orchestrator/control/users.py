"""Accounts of an app's users, looked into and changed by people: by the functions that scripts call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar
from uuid import UUID

from picloud.domain.errors import Conflict, Disabled, Invalid, NotFound
from picloud.log.appender import EffectRefused, Entry, QuotaExceeded, StreamConflict
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import RETRIES, Command, Control
from picloud.services.users import Users
from picloud.services.users.options import MAX_PAGE
from picloud.services.work import Caller, ServiceError, Work

_PATIENCE_MS: Final = 30_000

Result = TypeVar("Result")


class UsersControl:
    """The use cases of accounts in one app; ``command`` says who asks."""

    def __init__(self, control: Control, command: Command, users: Users, app: str) -> None:
        self._control = control
        self._command = command
        self._people = users.people
        self._sessions = users.sessions
        self._app = app

    def page(self, *, name: str | None, role: str | None, cursor: str | None, limit: int) -> dict[str, Any]:
        """Users, and the cursor of the next page. Raises :class:`NotFound` for the app, :class:`Invalid`."""
        if name is not None:
            found = self._act(lambda work: self._people.find(work, name))
            return {"users": [found] if found is not None else [], "cursor": None}
        given = {"limit": min(limit, MAX_PAGE), "role": role, "cursor": cursor}
        options = {key: value for key, value in given.items() if value is not None}
        return self._act(lambda work: self._people.list(work, options))

    def create(self, name: str, password: str | None, given: dict[str, Any]) -> dict[str, Any]:
        """Make an account. Raises :class:`Conflict` if the name is taken, :class:`Invalid`."""
        made = self._act(lambda work: self._people.register(work, name, password, given))
        if made is None:
            raise Conflict(f"somebody in {self._app} has that name already", field="name")
        return made

    def get(self, user: UUID) -> dict[str, Any]:
        """The user. Raises :class:`NotFound`."""
        return self._of(user, lambda work: self._people.existing(work, "users::get", str(user)).shown())

    def update(self, user: UUID, changes: dict[str, Any]) -> dict[str, Any]:
        """Change what is given. Raises :class:`NotFound`, :class:`Invalid`."""
        return self._of(user, lambda work: self._people.update(work, str(user), changes))

    def delete(self, user: UUID) -> None:
        """Take the account away, and what can be read of the person. Raises :class:`NotFound`."""
        self._of(user, lambda work: self._people.delete(work, str(user)))

    def set_password(self, user: UUID, password: str) -> None:
        """Give the user another password; all sessions end. Raises :class:`NotFound`, :class:`Invalid`."""
        self._of(user, lambda work: self._people.set_password(work, str(user), password))

    def sessions(self, user: UUID) -> list[dict[str, Any]]:
        """The user's sessions. Raises :class:`NotFound`."""
        return self._of(user, lambda work: self._sessions.sessions(work, str(user)))

    def end_sessions(self, user: UUID) -> int:
        """End all sessions; how many there were. Raises :class:`NotFound`."""
        return self._of(user, lambda work: self._sessions.end_sessions(work, str(user)))

    def end_session(self, user: UUID, session: UUID) -> None:
        """End one session. Raises :class:`NotFound`."""
        if not self._of(user, lambda work: self._sessions.end_session(work, str(user), str(session))):
            raise NotFound(f"the user has no session {session}", field="session")

    def tokens(self, user: UUID) -> list[dict[str, Any]]:
        """The user's tokens. Raises :class:`NotFound`."""
        return self._of(user, lambda work: self._sessions.tokens(work, str(user)))

    def issue_token(self, user: UUID, given: dict[str, Any]) -> dict[str, Any]:
        """A token by which a program acts for the user. Raises :class:`NotFound`, :class:`Invalid`."""
        shown: dict[str, Any] = self._of(user, lambda work: self._sessions.create_token(work, str(user), given)).value
        return shown

    def revoke_token(self, user: UUID, token: UUID) -> None:
        """Revoke a token. Raises :class:`NotFound`."""
        if not self._of(user, lambda work: self._sessions.revoke_token(work, str(user), str(token))):
            raise NotFound(f"the user has no token {token}", field="token")

    def _of(self, user: UUID, act: Callable[[Work], Result]) -> Result:
        def existing(work: Work) -> Result:
            if self._people.get(work, str(user)) is None:
                raise NotFound(
                    f"there is no user {user} in {self._app}",
                    field="user",
                    remedy=f"See picloud users list {self._app}.",
                )
            return act(work)

        return self._act(existing)

    def _act(self, act: Callable[[Work], Result]) -> Result:
        """Do it, again if somebody got in between."""
        with self._control.sessions.session() as connection:
            existing_app(connection, self._app)
        for last in (*(False,) * RETRIES, True):
            work = self._work()
            try:
                done = act(work)
                events = work.effects()
                if events:
                    metadata = self._command.metadata(self._app)
                    self._control.appender.append([Entry(event, metadata) for event in events])
            except (StreamConflict, EffectRefused):
                if last:
                    raise
            except QuotaExceeded as exceeded:
                raise Invalid(str(exceeded), field="name") from exceeded
            except ServiceError as refused:
                raise _told(refused) from refused
            else:
                return done
        raise AssertionError("the last try returns or raises")

    def _work(self) -> Work:
        now_ms = time.time_ns() // 1_000_000
        command = self._command
        return Work(
            self._app,
            Caller(
                invocation=command.request_id,
                attempt=1,
                title=command.actor,
                callers=(),
                correlation_id=command.correlation_id,
                clock_ms=now_ms,
                deadline_ms=now_ms + _PATIENCE_MS,
            ),
        )


def _told(refused: ServiceError) -> Invalid | Disabled:
    """What was refused, in words for people instead of scripts."""
    function, colon, said = str(refused).partition(": ")
    text = said if colon and function.startswith("users::") else str(refused)
    return Invalid(text) if refused.thrown is None else Disabled(f"{text}; try again in a moment")
