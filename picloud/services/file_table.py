"""What the tables of files hold: the files of an app by path, in lists, and its site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from picloud.domain.file import LAST
from picloud.domain.site import Site, SiteSettings

_COLUMNS: Final = "path, sha256, size, content_type, metadata, version, written_at"
_ENTRIES: Final = f"SELECT {_COLUMNS} FROM files.entries WHERE app = %s AND path = ANY (%s)"
_PAGE: Final = f"""
    SELECT {_COLUMNS}
    FROM files.entries
    WHERE app = %(app)s AND path > %(after)s AND starts_with(path, %(prefix)s) AND path < %(end)s
      AND sha256 IS NOT NULL AND path <> ALL (%(without)s)
    ORDER BY path
    LIMIT %(limit)s
"""
# One step for each item: the first path behind the last item, or behind all that begin with it if it is a folder.
# '0' comes right behind '/'.
_FOLDERS: Final = f"""
    WITH RECURSIVE steps AS (
        SELECT 0 AS nth, ''::text COLLATE "C" AS item, %(after)s::text COLLATE "C" AS bound
        UNION ALL
        SELECT s.nth + 1, n.item, n.bound
        FROM steps s
        CROSS JOIN LATERAL (
            SELECT CASE WHEN e.cut = 0 THEN e.path ELSE left(e.path, %(skip)s + e.cut) END AS item,
                   CASE WHEN e.cut = 0 THEN e.path || E'\\x01' ELSE left(e.path, %(skip)s + e.cut - 1) || '0' END
                       AS bound
            FROM (
                SELECT f.path, strpos(substr(f.path, %(skip)s + 1), '/') AS cut
                FROM files.entries f
                WHERE f.app = %(app)s AND f.path >= s.bound AND starts_with(f.path, %(prefix)s) AND f.path < %(end)s
                  AND f.sha256 IS NOT NULL AND f.path <> ALL (%(without)s)
                ORDER BY f.path
                LIMIT 1
            ) e
        ) n
        WHERE s.nth < %(limit)s
    )
    SELECT s.item, {", ".join(f"e.{name}" for name in _COLUMNS.split(", ")[1:])}
    FROM steps s
    LEFT JOIN files.entries e ON e.app = %(app)s AND e.path = s.item AND e.sha256 IS NOT NULL
    WHERE s.nth > 0
    ORDER BY s.nth
"""
_USAGE: Final = "SELECT items, bytes FROM files.usage WHERE app = %s"
_SITE: Final = "SELECT version, settings, deployed_at, items, bytes FROM files.sites WHERE app = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """A file, or what is left of one: then ``sha256`` is None. ``version`` is that of its stream."""

    path: str
    sha256: str | None
    size: int
    content_type: str
    metadata: Mapping[str, str]
    version: int
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listed:
    """An item of a list: a file with its ``entry``, or a folder, whose ``name`` ends with a slash."""

    name: str
    entry: EntryRow | None


def read_entries(connection: psycopg.Connection, app: str, paths: Sequence[str]) -> dict[str, EntryRow]:
    """The rows of these paths that there are, by path, those of deleted files too."""
    rows = connection.execute(_ENTRIES, (app, list(paths)), prepare=True).fetchall()
    return {row[0]: _entry(row) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is to be listed: up to ``limit`` items of ``app`` with a ``prefix``, behind the item ``after``, without
    those of some paths; with ``folders``, what has a slash behind the prefix is one item for each folder."""

    app: str
    prefix: str = ""
    after: str = ""
    limit: int = 1_000
    folders: bool = False
    without: Sequence[str] = ()


def read_listing(connection: psycopg.Connection, wanted: Listing) -> list[Listed]:
    """The items in the order of their bytes."""
    given = {
        "app": wanted.app,
        "prefix": wanted.prefix,
        "after": wanted.after,
        "end": wanted.prefix + LAST,
        "skip": len(wanted.prefix),
        "without": list(wanted.without),
        "limit": wanted.limit,
    }
    if not wanted.folders:
        return [Listed(row[0], _entry(row)) for row in connection.execute(_PAGE, given).fetchall()]
    bound = wanted.after[:-1] + "0" if wanted.after.endswith("/") else wanted.after + "\x01"
    given["after"] = max(bound, wanted.prefix)
    return [
        Listed(row[0], None if row[1] is None else _entry(row))
        for row in connection.execute(_FOLDERS, given).fetchall()
    ]


def read_usage(connection: psycopg.Connection, app: str) -> tuple[int, int]:
    """How many files an app has, and how many bytes."""
    row = connection.execute(_USAGE, (app,)).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def read_site(connection: psycopg.Connection, app: str) -> Site:
    """The app's site; one without settings if there is none."""
    row = connection.execute(_SITE, (app,)).fetchone()
    if row is None:
        return Site()
    settings = None if row[1] is None else msgspec.convert(row[1], SiteSettings)
    return Site(row[0], settings, row[2], row[3], row[4])


def _entry(row: tuple[Any, ...]) -> EntryRow:
    path, sha256, size, content_type, metadata, version, written_at = row
    return EntryRow(
        path=path,
        sha256=sha256,
        size=size,
        content_type=content_type,
        metadata=metadata,
        version=version,
        written_at=written_at,
    )
