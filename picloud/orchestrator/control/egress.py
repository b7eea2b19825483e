"""Where an app's scripts may connect to: changed as a whole, by what is allowed and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from picloud.domain.egress import Egress
from picloud.domain.errors import Invalid
from picloud.log.repository import collect
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.services.http.failure import HttpFailure
from picloud.services.http.guard import Guard
from picloud.services.http.urls import BadUrl, parse


def egress_of(control: Control, app: str) -> Egress:
    """Where the app's scripts may connect to. Raises :class:`NotFound`."""
    with control.sessions.session() as connection:
        return existing_app(connection, app).egress


def change_egress(control: Control, command: Command, app: str, change: Callable[[Egress], Egress]) -> Egress:
    """Make it what ``change`` makes of it, and return that. Raises :class:`NotFound`, and what ``change`` raises."""

    def use_case() -> Egress:
        with control.sessions.session() as connection:
            there = existing_app(connection, app)
        there.let_out(change(there.egress), at=control.now())
        control.append(collect([there], command.metadata(app)))
        return there.egress

    return control.decide(use_case)


@dataclass(frozen=True, slots=True)
class Looked:
    """Where a URL leads, or why scripts may not call it."""

    addresses: tuple[str, ...] = ()
    why_not: str | None = None


def looked_at(control: Control, guard: Guard, app: str, text: str) -> Looked:
    """What becomes of a call to a URL, without the call. Raises :class:`NotFound`, or :class:`Invalid` for no URL."""
    egress_of(control, app)
    try:
        url = parse(text)
    except BadUrl as error:
        raise Invalid(str(error), field="url") from None
    try:
        return Looked(tuple(str(address) for address in guard.addresses(app, url)))
    except HttpFailure as failure:
        return Looked(why_not=failure.what)
