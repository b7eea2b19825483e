"""An app's static site: files with a prefix, served behind the app's routes; which file answers, and how long it keeps.

For a path that no route takes the files are looked at in this order: the path itself; as a folder, its index; for a
navigation (a GET that takes HTML) the page ``not_found``, if the site has one, and else the ``fallback`` of a
single-page application.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.file import MAX_PATH_BYTES, fault_of_path
from picloud.domain.names import stream_id

DEFAULT_PREFIX: Final = "site/"
MAX_RULES: Final = 50
MAX_DEPLOYED: Final = 10_000
"""Files of one deployment."""

IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "public, no-cache"

_HASHED: Final = re.compile(
    r"[.-](?:(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}"
    r"|(?=\w*[0-9])(?=\w*[a-z])(?=\w+[A-Z])[A-Za-z0-9_]{8})\.[A-Za-z0-9.]+\Z",
    re.ASCII,
)
_CACHE_CONTROL: Final = re.compile(r"[A-Za-z0-9=, \"*_-]{1,200}")


def site_id(app: str) -> UUID:
    """The stream id of the site of ``app``."""
    return stream_id("site", app)


@dataclass(frozen=True, slots=True)
class CacheRule:
    """Files whose path under the prefix fits the ``pattern`` (``*``, ``?``, ``[…]``) are sent with this
    ``Cache-Control``."""

    pattern: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """See the module. ``index``, ``fallback`` and ``not_found`` are names under the prefix; empty ones are not used.

    The first of the rules in ``cache`` that fits is taken; where none does, names with a hash in them are kept for
    ever, and all else is asked for again each time.
    """

    prefix: str = DEFAULT_PREFIX
    index: str = "index.html"
    fallback: str = "index.html"
    not_found: str = "404.html"
    cache: tuple[CacheRule, ...] = ()

    def check(self) -> SiteSettings:
        """Return it if it can be kept. Raises :class:`Invalid`."""
        check_site_prefix(self.prefix)
        for name in ("index", "fallback", "not_found"):
            value = getattr(self, name)
            fault = fault_of_path(value) if value else ""
            if not fault and name == "index" and "/" in value:
                fault = "an index is a name without folders"
            if fault:
                raise Invalid(f"{value[:80]!r} can't be used here: {fault}", field=name)
        if len(self.cache) > MAX_RULES:
            raise Invalid(f"at most {MAX_RULES} rules, found {len(self.cache)}", field="cache")
        for rule in self.cache:
            if not 1 <= len(rule.pattern) <= MAX_PATH_BYTES or not rule.pattern.isprintable():
                raise Invalid(f"{rule.pattern[:80]!r} is no pattern", field="cache", remedy="For example 'assets/*'.")
            if not _CACHE_CONTROL.fullmatch(rule.value):
                raise Invalid(
                    f"{rule.value[:80]!r} is no Cache-Control", field="cache", remedy=f"For example {REVALIDATE!r}."
                )
        return self

    def cache_control(self, name: str) -> str:
        """The ``Cache-Control`` of the file called ``name`` under the prefix."""
        for rule in self.cache:
            if fnmatchcase(name, rule.pattern):
                return rule.value
        return IMMUTABLE if has_hash(name) else REVALIDATE


def has_hash(name: str) -> bool:
    """Whether a file's name holds a hash of its content, as bundlers put it there: ``index-Dk3xF9_a.js``,
    ``main.8e2f1c3d.css``. Rather not seen than seen where there is none."""
    return _HASHED.search(name.rpartition("/")[2]) is not None


def check_site_prefix(prefix: str, *, field: str = "prefix") -> str:
    """Return ``prefix`` if a site can have it: folders, each with its slash; none is all files of the app.

    Raises :class:`Invalid`.
    """
    fault = ""
    if prefix:
        fault = fault_of_path(prefix[:-1]) if prefix.endswith("/") else "it ends with '/'"
    if fault:
        raise Invalid(f"{prefix[:80]!r} is no prefix of a site: {fault}", field=field, remedy="For example 'site/'.")
    return prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfigured:
    """The app's files are served as a site from now on, by these settings."""

    originator_id: UUID
    originator_version: int
    settings: SiteSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDeployed:
    """The files of the site were replaced as a whole, by the events around this one: ``files`` are there now, of
    ``bytes`` together, of which so many were ``written``, and so many others ``deleted``."""

    originator_id: UUID
    originator_version: int
    files: int
    bytes: int
    written: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRemoved:
    """The files are served as a site no more; they stay."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True)
class Site:
    """An app's site as it is: the version of its stream, its settings (None if there is none), the last deployment."""

    version: int = 0
    settings: SiteSettings | None = None
    deployed_at: datetime | None = None
    files: int = 0
    bytes: int = 0


def removal(app: str, site: Site) -> SiteRemoved:
    """What ends the site of ``app``."""
    return SiteRemoved(originator_id=site_id(app), originator_version=site.version + 1)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The files that may answer a request, by their whole paths.

    ``folder`` is the index if the path is meant as a folder that lacks its slash; ``fallbacks`` are for navigations.
    """

    path: str | None
    folder: str | None
    not_found: str | None
    fallback: str | None

    @property
    def paths(self) -> list[str]:
        """All of them."""
        return [path for path in (self.path, self.folder, self.not_found, self.fallback) if path is not None]


def candidates(settings: SiteSettings, parts: Sequence[str], *, navigation: bool) -> Candidates:
    """What may answer a request for a path of these (decoded) parts; the last is empty behind a slash.

    A path that no file can have, by dot segments, encoded slashes or the like, is none of a file.
    """
    path = folder = None
    asked = "/".join(parts)
    sound = not any("/" in part for part in parts)
    if sound and (not parts or not parts[-1]):
        path = _whole(settings, asked + settings.index) if settings.index else None
    elif sound:
        path = _whole(settings, asked)
        folder = _whole(settings, f"{asked}/{settings.index}") if settings.index else None
    return Candidates(
        path,
        folder,
        _whole(settings, settings.not_found) if navigation and settings.not_found else None,
        _whole(settings, settings.fallback) if navigation and settings.fallback else None,
    )


def _whole(settings: SiteSettings, name: str) -> str | None:
    path = settings.prefix + name
    return None if fault_of_path(path) else path
