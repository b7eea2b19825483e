"""Files of an app from outside: written, deleted, looked at, listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from picloud.domain.errors import Invalid, NotFound
from picloud.domain.file import FileDeleted, FileWritten, check_content_type, check_metadata, check_path, file_id
from picloud.domain.media_types import media_type
from picloud.log.appender import Entry, QuotaExceeded
from picloud.log.blobs import Stored, Upload, stream
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.postgres.sessions import Sessions
from picloud.projections.keys import quotas_of
from picloud.services.file_table import EntryRow, Listed, Listing, read_entries, read_listing, read_usage
from picloud.services.files import cursor_of, name_of_cursor

__all__ = ["EntryRow", "Listed", "Stored", "Upload", "stream"]

Check = Callable[[str | None], None]
"""Looks at the hash of what a path holds now (None: nothing), and raises if that isn't what the caller expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToWrite:
    """A content that is stored, and what it is to be: at which path of which app. ``content_type`` is None for the one
    that the path tells."""

    app: str
    path: str
    stored: Stored
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def check_app(control: Control, app: str) -> None:
    """Raises :class:`NotFound` if there is no such app."""
    with control.sessions.session() as connection:
        existing_app(connection, app)


def check_room(control: Control, app: str, size: int, *, path: str | None = None) -> None:
    """Raises ``QuotaExceeded`` if the app may not keep ``size`` bytes more, in the place of what is at ``path``: it is
    told so before they come.

    What counts is the commit, which looks exactly.
    """
    with control.sessions.session() as connection:
        known = next(row for row in quotas_of(connection, app) if row["service"] == "files")
        was = read_entries(connection, app, [path]).get(path) if path is not None else None
    items, held = known["items"], known["bytes"] + size - (was.size if was is not None else 0)
    if items > known["item_limit"] or held > known["byte_limit"]:
        raise QuotaExceeded(
            app=app,
            service="files",
            items=items,
            item_limit=known["item_limit"],
            bytes=held,
            byte_limit=known["byte_limit"],
        )


def find_file(control: Control, app: str, path: str) -> EntryRow:
    """The file at ``path``. Raises :class:`NotFound`, or :class:`Invalid` for what can't be a path."""
    check_path(path)
    with control.sessions.session() as connection:
        row = read_entries(connection, app, [path]).get(path)
    if row is None or row.sha256 is None:
        raise NotFound(f"there is no file {path!r} in {app}", field="path", remedy=f"See picloud files ls {app}.")
    return row


def write_file(control: Control, command: Command, wanted: FileToWrite, check: Check) -> tuple[EntryRow, bool]:
    """Have a path hold what is stored; return the file, and whether it is new.

    Raises what ``check`` raises, :class:`Invalid`, :class:`NotFound`, ``EffectRefused`` or ``QuotaExceeded``.
    """
    path = check_path(wanted.path)
    content_type = check_content_type(wanted.content_type or media_type(path))
    metadata = check_metadata(wanted.metadata)

    def use_case() -> tuple[EntryRow, bool]:
        with control.sessions.session() as connection:
            existing_app(connection, wanted.app)
            was = read_entries(connection, wanted.app, [path]).get(path)
        check(was.sha256 if was is not None else None)
        written = FileWritten(
            originator_id=file_id(wanted.app, path),
            originator_version=was.version + 1 if was is not None else 1,
            path=path,
            sha256=wanted.stored.sha256,
            size=wanted.stored.size,
            content_type=content_type,
            metadata=metadata,
        )
        control.appender.append([Entry(written, command.metadata(wanted.app))])
        return find_file(control, wanted.app, path), was is None or was.sha256 is None

    return control.decide(use_case)


def delete_file(control: Control, command: Command, app: str, path: str, check: Check) -> None:
    """Take a file away. Raises what ``check`` raises, :class:`Invalid` or :class:`NotFound`."""

    def use_case() -> None:
        was = find_file(control, app, path)
        check(was.sha256)
        deleted = FileDeleted(originator_id=file_id(app, path), originator_version=was.version + 1, path=path)
        control.appender.append([Entry(deleted, command.metadata(app))])

    control.decide(use_case)


def files_at(sessions: Sessions, app: str, paths: Sequence[str]) -> dict[str, EntryRow]:
    """Those of the paths that there are files at, by path."""
    if not paths:
        return {}
    with sessions.session() as connection:
        found = read_entries(connection, app, paths)
    return {path: row for path, row in found.items() if row.sha256 is not None}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list: ``cursor`` is that of the next one, None at the end."""

    items: list[Listed]
    cursor: str | None


def list_files(control: Control, app: str, *, prefix: str, cursor: str | None, limit: int, folders: bool) -> Page:
    """The files of an app whose paths begin with ``prefix``. Raises :class:`NotFound`, or :class:`Invalid`."""
    try:
        after = "" if cursor is None else name_of_cursor(cursor)
    except ValueError:
        raise Invalid(f"the cursor {cursor!r:.60} is none that a list gave", field="cursor") from None
    wanted = Listing(app=app, prefix=prefix, after=after, limit=limit + 1, folders=folders)
    with control.sessions.session() as connection:
        existing_app(connection, app)
        items = read_listing(connection, wanted)
    more = len(items) > limit
    return Page(items[:limit], cursor_of(items[limit - 1].name) if more else None)


def usage(control: Control, app: str) -> tuple[int, int]:
    """How many files the app has, and their bytes."""
    with control.sessions.session() as connection:
        return read_usage(connection, app)
