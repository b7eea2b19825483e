"""Invocations: replayed, and called off."""

from __future__ import annotations

from uuid import UUID

import psycopg

from picloud.domain import lifecycle
from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.invocation import Invocation, Requested
from picloud.domain.metadata import Metadata
from picloud.domain.replay_job import AS_IT_WAS, CURRENT, ORIGINAL, Edit
from picloud.domain.script import Script
from picloud.log.appender import Entry
from picloud.log.ids import new_id
from picloud.log.repository import load, load_invocation_with_metadata
from picloud.orchestrator.cancellation import cancel_wake
from picloud.orchestrator.control.control import Command, Control
from picloud.orchestrator.control.payload import edited


def existing_invocation(connection: psycopg.Connection, invocation: UUID) -> tuple[Invocation, Metadata]:
    """The invocation and its request's metadata. Raises :class:`NotFound`."""
    try:
        found = load_invocation_with_metadata(connection, invocation)
    except AssertionError:
        found = None
    if found is None:
        raise NotFound(
            f"there is no invocation {invocation}", field="invocation", remedy="See picloud invocations APP."
        )
    return found


def replay(control: Control, command: Command, invocation: UUID, version: str, *, edit: Edit = AS_IT_WAS) -> UUID:
    """Make a new invocation from an ended one's input, and return its id once it is committed; it runs on its own.

    ``version`` is ``current``, ``original`` or a number; ``edit`` says what becomes of the payload.
    Raises :class:`NotFound`, :class:`Invalid` or :class:`Conflict`.
    """
    again = new_id()

    def use_case() -> None:
        with control.sessions.session() as connection:
            state, asked = existing_invocation(connection, invocation)
            number, sha256 = version_of(connection, state.requested, version)
        body = edited(edit, state.requested, control.sessions)
        replayed, requested = lifecycle.replay(state, again, number=number, sha256=sha256, body=body)
        metadata = Metadata(asked.app, command.actor, asked.correlation_id, invocation)
        control.appender.append([Entry(replayed, metadata), Entry(requested, metadata)])

    control.decide(use_case)
    return again


def cancel(control: Control, command: Command, invocation: UUID, reason: str) -> None:
    """Call an invocation off, also while it runs. Raises :class:`NotFound` or :class:`Conflict`."""

    def use_case() -> None:
        with control.sessions.session() as connection:
            state, asked = existing_invocation(connection, invocation)
        metadata = Metadata(asked.app, command.actor, asked.correlation_id, command.request_id)
        event = lifecycle.cancel(state, reason)
        control.appender.append([Entry(event, metadata)], wakes=[cancel_wake(invocation)])

    control.decide(use_case)


def discard(control: Control, command: Command, invocation: UUID, reason: str) -> None:
    """Give a dead invocation up. Raises :class:`NotFound` or :class:`Conflict`."""

    def use_case() -> int:
        with control.sessions.session() as connection:
            state, asked = existing_invocation(connection, invocation)
        metadata = Metadata(asked.app, command.actor, asked.correlation_id, command.request_id)
        return control.appender.append([Entry(lifecycle.discard(state, reason), metadata)])

    control.decide(use_case)


def version_of(connection: psycopg.Connection, asked: Requested, version: str) -> tuple[int, str]:
    """Number and SHA-256 of the version that a replay of what was asked is to run: ``current``, ``original`` or a
    number. Raises :class:`NotFound`, :class:`Conflict` or :class:`Invalid`.
    """
    if version == ORIGINAL:
        return asked.number, asked.sha256
    script = load(connection, Script, Script.id_of(asked.app, asked.script))
    if script is None or script.current is None:
        raise Conflict(
            f"{asked.app}/{asked.script} is not deployed any more", field="version", remedy="Replay it on 'original'."
        )
    if version == CURRENT:
        found = script.versions[script.current]
    elif version.isdigit():
        found = script.version_numbered(int(version))
    else:
        raise Invalid(f"{version!r} is no version: expected current, original or a number", field="version")
    return found.number, found.sha256
