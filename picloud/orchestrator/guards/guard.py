"""A route's guard, made from its settings, and what all guards of a process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from picloud.domain.route_auth import Auth, Scheme
from picloud.domain.route_settings import PLAIN, RouteSettings
from picloud.orchestrator.guards.api_keys import KeyVerifier
from picloud.orchestrator.guards.caller import Verifier
from picloud.orchestrator.guards.passwords import BasicVerifier, Passwords
from picloud.orchestrator.guards.places import Places
from picloud.orchestrator.guards.rates import Rates
from picloud.orchestrator.guards.signatures import SignatureVerifier
from picloud.orchestrator.vault import Vault
from picloud.postgres.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Guard:
    """What stands before one route. ``verifier`` is None for one that is open to all."""

    settings: RouteSettings
    verifier: Verifier | None


class Guards:
    """Makes guards; ``rates`` and ``places`` are what they count with."""

    def __init__(self, vault: Vault, sessions: Sessions, dsn: str) -> None:
        self.vault = vault
        self.rates = Rates(sessions)
        self.places = Places(dsn)
        self._passwords = Passwords()

    def guard(self, route: UUID, title: str, settings: RouteSettings) -> Guard | None:
        """The guard of a route; None if there is nothing to guard."""
        if settings == PLAIN:
            return None
        auth = settings.auth
        return Guard(settings, None if auth is None else self._verifier(route, title, auth))

    def _verifier(self, route: UUID, title: str, auth: Auth) -> Verifier:
        if auth.scheme is Scheme.KEY:
            return KeyVerifier(auth, title)
        if auth.scheme is Scheme.BASIC:
            return BasicVerifier(auth, title, self._passwords)
        secrets = self._opening(route, auth)
        if auth.scheme is Scheme.JWT:
            # What reads tokens weighs some ten megabytes: it is loaded where there is a route that takes them.
            from picloud.orchestrator.guards.tokens import TokenVerifier

            return TokenVerifier(auth, title, secrets)
        return SignatureVerifier(auth, title, secrets)

    def _opening(self, route: UUID, auth: Auth) -> Callable[[], list[tuple[str, bytes]]]:
        """Opens the secrets when they are needed first: where the key is missing, only these routes are closed."""
        opened: list[tuple[str, bytes]] = []

        def secrets() -> list[tuple[str, bytes]]:
            if not opened:
                about = about_route(route)
                opened[:] = [(each.name, self.vault.open(each.kept, about=about)) for each in auth.credentials]
            return opened

        return secrets


def about_route(route: UUID) -> str:
    """What the secrets of a route are bound to."""
    return f"route {route}"
