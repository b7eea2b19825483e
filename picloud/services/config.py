"""``config::``: an app's settings, which people change without a deploy.

    config::get(name)            the value; an error if there is none
    config::get(name, default)   the value, or ``default`` if there is none
    config::all()                all of them, as a map

A run sees the settings as they were at its first look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from picloud.services.arguments import name_of
from picloud.services.work import ServiceError, Work

_NO_DEFAULT: Final = object()

Values = Mapping[str, Any]
"""An app's settings by name, as plain values."""


@dataclass(slots=True)
class Looking:
    """The settings as a run sees them."""

    app: str
    seen: Values | None = None

    def events(self) -> list[Any]:
        """None: who looks changes nothing."""
        return []


class Config:
    """See the module."""

    def __init__(self, of_app: Callable[[str], Values]) -> None:
        self._of_app = of_app
        self.functions: dict[str, Callable[..., Any]] = {"get": self.get, "all": self.all}

    def get(self, work: Work, name: Any, default: Any = _NO_DEFAULT) -> Any:
        """The value of the setting called ``name``."""
        name_of(name, "config::get", "name of a setting")
        values = self._seen(work)
        if name in values:
            return values[name]
        if default is not _NO_DEFAULT:
            return default
        near = get_close_matches(name[:80], values, n=1)
        meant = f'; did you mean "{near[0]}"?' if near else ": give a default, or set it with picloud config set"
        raise ServiceError(f'config::get: the app {work.app} has no setting "{name[:80]}"{meant}')

    def all(self, work: Work) -> dict[str, Any]:
        """All settings, in the order of their names."""
        return dict(self._seen(work))

    def _seen(self, work: Work) -> Values:
        looking = work.draft(Looking)
        if looking.seen is None:
            looking.seen = self._of_app(work.app)
        return looking.seen
