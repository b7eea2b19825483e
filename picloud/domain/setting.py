"""A setting of an app: a name, and numbered versions of a typed value that scripts read as ``config::``.

The type is that of the first value, and stays until another one is asked for by name. Values are JSON; integers are
Rhai's, of 64 bits.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Any, Final
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain.errors import Invalid, NotFound, VersionMismatch
from picloud.domain.names import check_app_name, stream_id
from picloud.domain.secret import check_key_name

MAX_SETTING_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1


class Kind(StrEnum):
    """What a value may be."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    LIST = "list"
    MAP = "map"

    @classmethod
    def named(cls, name: str) -> Kind:
        """The type called ``name``. Raises :class:`Invalid`."""
        try:
            return cls(name)
        except ValueError:
            raise Invalid(f"{name[:40]!r} is no type: expected {', '.join(cls)}", field="type") from None

    @classmethod
    def of(cls, value: object) -> Kind | None:
        """The type of a plain value; None for null."""
        return _KINDS.get(type(value))


_KINDS: Final = {
    str: Kind.STRING,
    int: Kind.INT,
    float: Kind.FLOAT,
    bool: Kind.BOOL,
    list: Kind.LIST,
    dict: Kind.MAP,
}


def typed(value: Any, kind: Kind | None) -> tuple[Kind, str]:
    """The type of ``value`` and its JSON text, if it can be a setting of ``kind`` (None: of any).

    A whole number is a float too, where one is expected. Raises :class:`Invalid`.
    """
    found = Kind.of(value)
    if found is None:
        raise Invalid("a setting can't be null", field="value", remedy="Remove it instead.")
    if found is Kind.INT and kind is Kind.FLOAT:
        value, found = _as_float(value), Kind.FLOAT
    if kind is not None and found is not kind:
        raise Invalid(
            f"the value is {_named(found)}, expected {_named(kind)}",
            field="value",
            remedy=f"Give {_named(kind)}, or name the type too to change it.",
        )
    _check(value, "", 0)
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    if len(text) > MAX_SETTING_BYTES:
        raise Invalid(
            f"a setting has {MAX_SETTING_BYTES:,} bytes at most as JSON, this one has {len(text):,}", field="value"
        )
    return found, text


def _named(kind: Kind) -> str:
    return f"{'an' if kind is Kind.INT else 'a'} {kind}"


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Invalid("the number is out of range", field="value") from None


def _check(value: Any, place: str, depth: int) -> None:
    at = f" at {place[:80]}" if place else ""
    if depth > MAX_DEPTH:
        raise Invalid(f"the value is nested deeper than {MAX_DEPTH} levels", field="value")
    if isinstance(value, float) and not isfinite(value):
        raise Invalid(f"the number{at} is no finite one", field="value")
    if type(value) is int and not _LEAST <= value <= _MOST:
        raise Invalid(f"the number{at} is out of range: integers have 64 bits", field="value")
    if isinstance(value, str):
        _check_text(value, at)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check(item, f"{place}[{number}]", depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name, at)
            _check(item, f"{place}.{name}" if place else name, depth + 1)


def _check_text(text: str, at: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"the text{at} holds half a character, which UTF-8 can't write", field="value") from None


class SettingCreated(Aggregate.Created):
    """The setting's name is taken in its app; it has no value yet."""

    app: str
    name: str


class SettingSet(Aggregate.Event):
    """The next version has this value, as JSON text, of the type ``kind``."""

    number: int
    kind: str
    value: str

    def apply(self, aggregate: Setting) -> None:
        aggregate.number = self.number
        aggregate.kind = Kind(self.kind)
        aggregate.value = self.value


class SettingRemoved(Aggregate.Event):
    """The setting is no more; a later one of the same name goes on counting."""

    def apply(self, aggregate: Setting) -> None:
        aggregate.kind = None
        aggregate.value = None


class Setting(Aggregate):
    """See the module. ``kind`` and ``value`` are None before the first value and after a removal."""

    def __init__(self, app: str, name: str) -> None:
        self.app = app
        self.name = name
        self.number = 0
        self.kind: Kind | None = None
        self.value: str | None = None

    @staticmethod
    def id_of(app: str, name: str) -> UUID:
        """The stream id of the setting ``name`` of ``app``."""
        return stream_id("setting", app, name)

    @classmethod
    def create(cls, app: str, name: str, *, at: datetime) -> Setting:
        """A new setting without a value. Raises :class:`Invalid`."""
        check_app_name(app)
        check_key_name(name, "setting")
        return cls._create(SettingCreated, id=cls.id_of(app, name), app=app, name=name, timestamp=at)

    def expect(self, number: int | None) -> None:
        """Raise :class:`VersionMismatch` unless ``number`` (0 for none) is current; None expects nothing."""
        now = self.number if self.value is not None else 0
        if number is None or number == now:
            return
        found = f"at version {now}" if now else "not set"
        raise VersionMismatch(
            f"the setting {self.name!r} of {self.app} is {found}, but the change was made on "
            f"{f'version {number}' if number else 'no version'}: someone else changed it in between",
            field="If-Match",
            remedy=f"Look at it (picloud config get {self.app} {self.name}), then set it again.",
        )

    def set(self, value: Any, kind: Kind | None, *, at: datetime) -> bool:
        """Give it a value of ``kind``, or of the type that it has; return whether anything changed.

        Raises :class:`Invalid`.
        """
        found, text = typed(value, kind or self.kind)
        if (found, text) == (self.kind, self.value):
            return False
        self.trigger_event(SettingSet, number=self.number + 1, kind=found.value, value=text, timestamp=at)
        return True

    def remove(self, *, at: datetime) -> None:
        """Take it away. Raises :class:`NotFound` if it is gone."""
        if self.value is None:
            raise no_setting(self.app, self.name)
        self.trigger_event(SettingRemoved, timestamp=at)


def no_setting(app: str, name: str) -> NotFound:
    """That there is none of that name."""
    return NotFound(f"there is no setting {name[:80]!r} in {app}", field="name", remedy=f"See picloud config {app}.")
