"""Mails: called off while they are queued, or sent again. The leader sends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

import psycopg

from picloud.domain import mail as mails
from picloud.domain.errors import NotFound
from picloud.domain.mail import Mail, MailEvent
from picloud.domain.metadata import Metadata
from picloud.log.appender import Entry
from picloud.log.reader import RecordedEvent, read_stream
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control, NotCaughtUp
from picloud.projections.waiting import wait_for_position

CATCH_UP_SECONDS: Final = 10.0


def cancel(control: Control, command: Command, app: str, mail: UUID, reason: str) -> None:
    """Don't send it. Raises :class:`NotFound`, or :class:`Conflict` unless it is queued."""
    _change(control, command, app, mail, lambda state: mails.cancel(state, reason))


def requeue(control: Control, command: Command, app: str, mail: UUID) -> None:
    """Send it to those who didn't get it. Raises :class:`NotFound`, or :class:`Conflict` if there are none."""
    _change(control, command, app, mail, mails.requeue)


def existing_mail(connection: psycopg.Connection, app: str, mail: UUID) -> list[RecordedEvent]:
    """The stream of a mail of the app. Raises :class:`NotFound`."""
    existing_app(connection, app)
    stream = read_stream(connection, mail)
    if not stream or stream[0].app != app or not isinstance(stream[0].event, mails.MailQueued):
        raise no_such_mail(app, mail)
    return stream


def no_such_mail(app: str, mail: UUID | str) -> NotFound:
    """What is told of an id that no mail of the app has."""
    return NotFound(f"there is no mail {mail} of {app}", field="mail", remedy=f"See picloud mails {app}.")


def _change(control: Control, command: Command, app: str, mail: UUID, decide: Callable[[Mail], MailEvent]) -> None:
    def use_case() -> int:
        with control.sessions.session() as connection:
            stream = existing_mail(connection, app, mail)
        state: Mail | None = None
        for recorded in stream:
            event: MailEvent = recorded.event  # type: ignore[assignment]
            state = mails.evolve(state, event, recorded.at)
        assert state is not None
        metadata = Metadata(app, command.actor, stream[0].correlation_id, command.request_id)
        return control.appender.append([Entry(decide(state), metadata)])

    position = control.decide(use_case)
    if not wait_for_position(control.sessions, "mails", position, timeout=CATCH_UP_SECONDS):
        raise NotCaughtUp(position, "list of mails")
