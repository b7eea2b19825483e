"""Settings: given values of their types, removed, and what they were before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from picloud.domain.errors import Conflict
from picloud.domain.secret import check_key_name
from picloud.domain.setting import Kind, Setting, SettingRemoved, SettingSet, no_setting
from picloud.log.reader import read_stream
from picloud.log.repository import collect, load
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.projections.settings import sizes_of_settings

MAX_SETTINGS: Final = 500
"""Of one app."""
MAX_BYTES: Final = 1024 * 1024
"""Of the values of one app's settings, as JSON: each node keeps them in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewValue:
    """What a setting is to be: a plain ``value``, of the type ``kind`` (None: that which it has, or the value's own).

    ``expected`` is the version that the caller takes for current: 0 for none, None for any.
    """

    app: str
    name: str
    value: Any
    kind: str | None = None
    expected: int | None = None


def set_setting(control: Control, command: Command, wanted: NewValue) -> bool:
    """Give a setting a value; return whether anything changed.

    Raises :class:`NotFound` for the app, :class:`Invalid`, :class:`Conflict` or :class:`VersionMismatch`.
    """
    check_key_name(wanted.name, "setting")
    kind = Kind.named(wanted.kind) if wanted.kind is not None else None

    def use_case() -> bool:
        with control.sessions.session() as connection:
            existing_app(connection, wanted.app)
            setting = load(connection, Setting, Setting.id_of(wanted.app, wanted.name))
            if setting is None:
                setting = Setting.create(wanted.app, wanted.name, at=control.now())
            setting.expect(wanted.expected)
            if not setting.set(wanted.value, kind, at=control.now()):
                return False
            _check_room(connection, setting)
        control.append(collect([setting], command.metadata(wanted.app)))
        return True

    return control.decide(use_case)


def remove_setting(control: Control, command: Command, app: str, name: str, expected: int | None) -> None:
    """Take a setting away. Raises :class:`NotFound` or :class:`VersionMismatch`."""

    def use_case() -> None:
        with control.sessions.session() as connection:
            existing_app(connection, app)
            setting = load(connection, Setting, Setting.id_of(app, name))
        if setting is None:
            raise no_setting(app, name)
        setting.expect(expected)
        setting.remove(at=control.now())
        control.append(collect([setting], command.metadata(app)))

    control.decide(use_case)


def history_of_setting(control: Control, app: str, name: str) -> list[dict[str, Any]]:
    """What a setting was, newest first, each with who made it so and when. Raises :class:`NotFound`."""
    with control.sessions.session() as connection:
        existing_app(connection, app)
        stream = read_stream(connection, Setting.id_of(app, name))
    if not stream:
        raise no_setting(app, name)
    told: list[dict[str, Any]] = []
    for recorded in stream:
        said = {"changed_at": recorded.at, "changed_by": recorded.actor, "position": recorded.position}
        match recorded.event:
            case SettingSet(number=number, kind=kind, value=value):
                told.append({"version": number, "removed": False, "type": kind, "value": json.loads(value)} | said)
            case SettingRemoved():
                told.append({"version": told[-1]["version"], "removed": True, "type": None, "value": None} | said)
    return told[::-1]


def _check_room(connection: psycopg.Connection, setting: Setting) -> None:
    sizes = sizes_of_settings(connection, setting.app)
    if setting.name not in sizes and len(sizes) >= MAX_SETTINGS:
        raise Conflict(f"{setting.app} has {len(sizes)} settings, and {MAX_SETTINGS} at most", field="name")
    sizes[setting.name] = len(setting.value or "")
    if sum(sizes.values()) > MAX_BYTES:
        raise Conflict(
            f"the settings of {setting.app} would have more than {MAX_BYTES:,} bytes together", field="value"
        )
