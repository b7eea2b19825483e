"""Files and sites of apps, written inline by the append: who reads after a commit finds what it wrote.

What events do to the rows is one function of the database, ``log.change_files``, for the append and for rebuilds. A
deleted file keeps its row, with no content, because its version goes on counting; so does a site that was removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from picloud.domain.file import FileDeleted, FileWritten
from picloud.domain.metadata import Metadata
from picloud.domain.quota import DEFAULTS
from picloud.domain.site import SiteConfigured, SiteDeployed, SiteRemoved


@dataclass(frozen=True, slots=True)
class _Put:
    """A row as events leave it, by so many ``events``."""

    sha256: str | None
    size: int
    content_type: str
    metadata: str
    at: datetime | None
    events: int = 1


@dataclass(frozen=True, slots=True)
class _SitePut:
    """A site as events leave it: ``settings`` are JSON, ``null`` for a site that is gone, None where they stay."""

    settings: str | None = None
    deployed: bool = False
    items: int = 0
    bytes: int = 0
    at: datetime | None = None
    events: int = 1

    def then(self, later: _SitePut) -> _SitePut:
        """Both, one behind the other."""
        return _SitePut(
            self.settings if later.settings is None else later.settings,
            self.deployed or later.deployed,
            later.items if later.deployed else self.items,
            later.bytes if later.deployed else self.bytes,
            later.at if later.deployed else self.at,
            self.events + later.events,
        )


@dataclass(slots=True)
class FilesChange:
    """What a run of events, in order, does to files and sites."""

    put: dict[tuple[str, str], _Put] = field(default_factory=dict)
    sites: dict[str, _SitePut] = field(default_factory=dict)

    types: ClassVar[tuple[type, ...]] = (FileWritten, FileDeleted, SiteConfigured, SiteDeployed, SiteRemoved)
    call: ClassVar[str] = (
        "log.change_files(%b::text, %b::boolean, %b::bigint, %b::bigint, %b::text[], %b::text[], %b::text[],"
        " %b::bigint[], %b::text[], %b::text[], %b::bigint[], %b::timestamptz[], %b::text[], %b::text[],"
        " %b::boolean[], %b::bigint[], %b::bigint[], %b::bigint[], %b::timestamptz[])"
    )

    def add(self, event: Any, metadata: Metadata, at: datetime | None = None) -> None:
        """Fold one more event."""
        match event:
            case FileWritten(path=path, sha256=sha256, size=size, content_type=content_type, metadata=said):
                self._put((metadata.app, path), _Put(sha256, size, content_type, _json(said), at))
            case FileDeleted(path=path):
                self._put((metadata.app, path), _Put(None, 0, "", "{}", at))
            case SiteConfigured(settings=settings):
                self._put_site(metadata.app, _SitePut(_json(settings)))
            case SiteDeployed(files=files, bytes=size):
                self._put_site(metadata.app, _SitePut(None, True, files, size, at))
            case SiteRemoved():
                self._put_site(metadata.app, _SitePut("null"))

    def _put(self, key: tuple[str, str], row: _Put) -> None:
        was = self.put.get(key)
        self.put[key] = row if was is None else replace(row, events=was.events + row.events)

    def _put_site(self, app: str, site: _SitePut) -> None:
        was = self.sites.get(app)
        self.sites[app] = site if was is None else was.then(site)

    @staticmethod
    def arguments(changes: Sequence[FilesChange], store: str | None = None) -> tuple[Any, ...]:
        """See :class:`picloud.projections.inlining.InlineChange`."""
        joined = changes[0]
        if len(changes) > 1:
            joined = FilesChange()
            for change in changes:
                for key, row in change.put.items():
                    joined._put(key, row)
                for app, site in change.sites.items():
                    joined._put_site(app, site)
        quota = DEFAULTS["files"]
        rows, sites = joined.put.values(), joined.sites.values()
        return (
            store or "files",
            store is None,
            quota.items,
            quota.bytes,
            [app for app, _ in joined.put],
            [path for _, path in joined.put],
            [row.sha256 for row in rows],
            [row.size for row in rows],
            [row.content_type for row in rows],
            [row.metadata for row in rows],
            [row.events for row in rows],
            [row.at for row in rows],
            list(joined.sites),
            [site.settings for site in sites],
            [site.deployed for site in sites],
            [site.items for site in sites],
            [site.bytes for site in sites],
            [site.events for site in sites],
            [site.at for site in sites],
        )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
