"""Who asks: bearer tokens, what their roles allow, and answers that take the same time for every refusal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import falcon
from gevent import sleep

from picloud.domain.access import Role
from picloud.http.problems import Problem
from picloud.log.listener import CATALOG_CHANNEL, Listener
from picloud.postgres.sessions import Sessions

REFUSAL_SECONDS: Final = 0.02
"""A refusal is given so long after the request came in, whatever its reason."""

_TOKENS: Final = "SELECT sha256, name, role, apps FROM catalog.tokens WHERE revoked_at IS NULL"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a token. ``apps`` is empty for all apps."""

    name: str
    role: Role
    apps: frozenset[str]

    @property
    def actor(self) -> str:
        """How the log names the caller."""
        return f"token:{self.name}"

    def may(self, role: Role, app: str | None) -> bool:
        """Whether the caller has at least ``role`` for ``app`` (None: for what belongs to no app)."""
        if self.role < role:
            return False
        return not self.apps or (app is not None and app in self.apps)


class Tokens:
    """The tokens that open something, read once and again when the catalog changes."""

    def __init__(self, sessions: Sessions, listener: Listener) -> None:
        self._sessions = sessions
        self._callers: dict[bytes, Caller] | None = None
        listener.subscribe(CATALOG_CHANNEL, self._changed)

    def caller(self, req: falcon.Request) -> Caller:
        """Who sent the request. Raises a 401 :class:`Problem`."""
        began = time.monotonic()
        scheme, _, secret = (req.get_header("Authorization") or "").partition(" ")
        known = self._known()
        digest = sha256(secret.strip().encode("utf-8", "surrogateescape")).hexdigest().encode()
        found = known.get(digest) if scheme.lower() == "bearer" else None
        if found is None:
            refuse_slowly(began)
            what = "no bearer token was sent" if scheme.lower() != "bearer" else "the token is not valid"
            raise Problem(
                401,
                "not-authenticated",
                what,
                headers={"WWW-Authenticate": 'Bearer realm="picloud"'},
                remedy="Send 'Authorization: Bearer …'; the first start wrote one to the data folder (owner.token).",
            )
        return found

    def _known(self) -> dict[bytes, Caller]:
        known = self._callers
        if known is None:
            with self._sessions.session() as connection:
                rows = connection.execute(_TOKENS).fetchall()
            known = self._callers = {
                row[0].encode(): Caller(row[1], Role.named(row[2]), frozenset(row[3])) for row in rows
            }
        return known

    def _changed(self, payload: str | None) -> None:
        if payload is None or payload.partition(" ")[2] in ("", "*"):
            self._callers = None


def require(caller: Caller, role: Role, app: str | None, began: float) -> None:
    """Raise a 403 :class:`Problem` unless the caller may. It says nothing of whether the app exists."""
    if caller.may(role, app):
        return
    refuse_slowly(began)
    where = f" for the app {app!r}" if app else " for the platform as a whole"
    raise Problem(
        403,
        "not-allowed",
        f"the token {caller.name!r} is {caller.role.label}{_of(caller)}; this needs {role.label}{where}",
        remedy="Ask an owner for a token with that role: picloud tokens issue.",
    )


def require_role(caller: Caller, role: Role, began: float) -> None:
    """Raise a 403 :class:`Problem` unless the caller has the role for any app at all."""
    if caller.role < role:
        refuse_slowly(began)
        raise Problem(403, "not-allowed", f"the token {caller.name!r} is {caller.role.label}; this needs {role.label}")


def refuse_slowly(began: float) -> None:
    """Wait until a refusal takes as long as every other."""
    sleep(max(0.0, began + REFUSAL_SECONDS - time.monotonic()))


def _of(caller: Caller) -> str:
    return f" of {', '.join(sorted(caller.apps))}" if caller.apps else ""
