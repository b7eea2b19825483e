"""Keys and values, changed by people instead of scripts; what an app may keep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg

from picloud.domain.errors import Invalid, NotFound, VersionMismatch
from picloud.domain.kv import Entry, KeyDeleted, KeyEvent, KeyWritten, evolve, fault_of_key, json_text, key_id
from picloud.domain.quota import QuotaSet, quota_id, set_quota
from picloud.log.appender import Entry as Appended
from picloud.log.reader import RecordedEvent, read_newest_events, read_stream
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control


def set_key(
    control: Control,
    command: Command,
    app: str,
    key: str,
    value: Any,
    *,
    ttl_ms: int | None,
    expected: int | None,
) -> Entry:
    """Put a value under ``key``; return what it has then.

    Raises :class:`Invalid`, :class:`NotFound` for the app, :class:`VersionMismatch` unless the key has the version
    ``expected``, ``QuotaExceeded``.
    """
    try:
        text = json_text(value)
    except ValueError as error:
        raise Invalid(str(error), field="value") from None
    expires = control.now() + timedelta(milliseconds=ttl_ms) if ttl_ms is not None else None

    def event(last: int) -> KeyWritten:
        return KeyWritten(
            originator_id=key_id(app, key), originator_version=last + 1, key=key, value=text, expires=expires
        )

    return _change(control, command, app, key, expected, event)


def delete_key(control: Control, command: Command, app: str, key: str, *, expected: int | None) -> None:
    """Take a key away. Raises :class:`NotFound` if it has no value, :class:`VersionMismatch`."""
    existing_entry(control, app, key)

    def event(last: int) -> KeyDeleted:
        return KeyDeleted(originator_id=key_id(app, key), originator_version=last + 1, key=key)

    _change(control, command, app, key, expected, event)


def existing_entry(control: Control, app: str, key: str, at: datetime | None = None) -> Entry:
    """What a key has now, or had at a time. Raises :class:`NotFound` if it has no value then, :class:`Invalid`."""
    now = control.now() if at is None else at
    _check(key)
    with control.sessions.session() as connection:
        existing_app(connection, app)
        entry = Entry()
        for recorded in read_stream(connection, key_id(app, key)):
            if recorded.at <= now:
                entry = _evolved(entry, recorded)
    entry = entry.at(now)
    if entry.value is None:
        when = f" at {at.isoformat()}" if at is not None else ""
        raise NotFound(f"the key {key!r} has no value{when}", field="key", remedy=f"See picloud kv list {app}.")
    return entry


def history_of(control: Control, app: str, key: str) -> list[tuple[RecordedEvent, Entry]]:
    """The key's events, newest first, each with what the key had then. Raises :class:`NotFound`, :class:`Invalid`."""
    _check(key)
    with control.sessions.session() as connection:
        existing_app(connection, app)
        stream = read_stream(connection, key_id(app, key))
    if not stream:
        raise NotFound(f"the key {key!r} was never written", field="key")
    entry = Entry()
    history = []
    for recorded in stream:
        entry = _evolved(entry, recorded)
        history.append((recorded, entry))
    return history[::-1]


def change_quota(
    control: Control, command: Command, app: str, service: str, *, items: int | None, size: int | None
) -> None:
    """Let an app keep so much in a service; None is what every app may. Raises :class:`Invalid`, :class:`NotFound`."""

    def use_case() -> None:
        with control.sessions.session() as connection:
            existing_app(connection, app)
            newest = read_newest_events(connection, [quota_id(app)], up_to=2**62)
        last = newest[quota_id(app)].version if newest else 0
        event: QuotaSet = set_quota(app, last, service, items=items, size=size)
        control.appender.append([Appended(event, command.metadata(app))])

    control.decide(use_case)


def _change(
    control: Control,
    command: Command,
    app: str,
    key: str,
    expected: int | None,
    event: Callable[[int], KeyEvent],
) -> Entry:
    def use_case() -> Entry:
        _check(key)
        with control.sessions.session() as connection:
            existing_app(connection, app)
            last = _version(connection, app, key)
        if expected is not None and expected != last:
            raise VersionMismatch(f"the key {key!r} has version {last}, not {expected}", field="If-Match")
        change = event(last)
        control.appender.append([Appended(change, command.metadata(app))])
        return evolve(Entry(), change, control.now())

    return control.decide(use_case)


def _version(connection: psycopg.Connection, app: str, key: str) -> int:
    newest = read_newest_events(connection, [key_id(app, key)], up_to=2**62)
    return next((recorded.version for recorded in newest.values()), 0)


def _evolved(entry: Entry, recorded: RecordedEvent) -> Entry:
    event: Any = recorded.event
    return evolve(entry, event, recorded.at)


def _check(key: str) -> None:
    fault = fault_of_key(key)
    if fault:
        raise Invalid(fault, field="key")
