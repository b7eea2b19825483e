"""Static sites: settings, and deployments that replace all files of a site in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.file import FileDeleted, FileWritten, check_content_type, check_path, check_sha256, file_id
from picloud.domain.media_types import media_type
from picloud.domain.site import (
    MAX_DEPLOYED,
    Site,
    SiteConfigured,
    SiteDeployed,
    SiteSettings,
    removal,
    site_id,
)
from picloud.log.appender import Entry
from picloud.log.blobs import sizes, strange
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.services.file_table import EntryRow, Listing, read_entries, read_listing, read_site

_PAGE: Final = 5_000


class ContentsMissing(Conflict):
    """Contents that a deployment names have not been sent yet; ``missing`` are their hashes."""

    code = "contents_missing"

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"{len(missing):,} contents are not there yet",
            field="files",
            remedy="Send each to /api/v1/apps/{app}/contents/{sha256}, then deploy again.",
        )
        self.missing = list(missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFile:
    """A file of a site as it is to be: its ``path`` under the prefix, its hash, and its content type if its name
    doesn't tell it."""

    path: str
    sha256: str
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment comes to: whole paths of files ``written`` and ``deleted``, how many stay as they are, what is
    there then, and which contents are ``missing``; ``settings`` are those of the site."""

    written: list[str]
    deleted: list[str]
    unchanged: int
    files: int
    bytes: int
    missing: list[str]
    settings: SiteSettings


def site_of(control: Control, app: str) -> Site:
    """The app's site. Raises :class:`NotFound` if there is none."""
    with control.sessions.session() as connection:
        existing_app(connection, app)
        site = read_site(connection, app)
    if site.settings is None:
        raise NotFound(f"{app} has no site", field="app", remedy=f"Make one: picloud site deploy FOLDER --app {app}.")
    return site


def configure_site(control: Control, command: Command, app: str, settings: SiteSettings) -> Site:
    """Serve the app's files by these settings. Raises :class:`NotFound` or :class:`Invalid`."""
    settings.check()

    def use_case() -> Site:
        with control.sessions.session() as connection:
            existing_app(connection, app)
            site = read_site(connection, app)
        if site.settings != settings:
            event = SiteConfigured(originator_id=site_id(app), originator_version=site.version + 1, settings=settings)
            control.append([Entry(event, command.metadata(app))])
        return site_of(control, app)

    return control.decide(use_case)


def remove_site(control: Control, command: Command, app: str) -> None:
    """Serve the app's files no more; they stay. Raises :class:`NotFound`."""

    def use_case() -> None:
        site = site_of(control, app)
        control.append([Entry(removal(app, site), command.metadata(app))])

    control.decide(use_case)


def deploy_site(
    control: Control, command: Command, app: str, files: Sequence[SiteFile], *, prefix: str | None, dry_run: bool
) -> Deployment:
    """Have the site consist of these files: what differs is written, all others under the prefix are deleted, in one
    commit. An app without a site gets one. With ``dry_run`` nothing is done, and ``missing`` tells what is to be sent.

    Raises :class:`NotFound`, :class:`Invalid`, :class:`ContentsMissing`, or ``QuotaExceeded``.
    """
    if not 1 <= len(files) <= MAX_DEPLOYED:
        raise Invalid(f"a site has 1 to {MAX_DEPLOYED:,} files, found {len(files):,}", field="files")

    def use_case() -> Deployment:
        with control.sessions.session() as connection:
            existing_app(connection, app)
            site = read_site(connection, app)
            settings = _settings(site, prefix)
            wanted = _wanted(files, settings)
            held = _held(connection, app, settings.prefix)
            known = read_entries(connection, app, list(wanted))
            hashes = sorted({file.sha256 for path, file in wanted.items() if _differs(known.get(path), path, file)})
            missing = strange(connection, app, hashes)
            size_of = sizes(connection, [each for each in hashes if each not in set(missing)])
        changed = [path for path, file in wanted.items() if _differs(known.get(path), path, file)]
        gone = sorted(held.keys() - wanted.keys())
        kept = sum(known[path].size for path in wanted.keys() - set(changed))
        done = Deployment(
            written=sorted(changed),
            deleted=gone,
            unchanged=len(wanted) - len(changed),
            files=len(wanted),
            bytes=kept + sum(size_of.get(wanted[path].sha256, 0) for path in changed),
            missing=missing,
            settings=settings,
        )
        if dry_run:
            return done
        if missing:
            raise ContentsMissing(missing)
        if site.settings is not None and not done.written and not done.deleted:
            return done
        events = _events(app, site, done, wanted, known | held, size_of)
        entries = [Entry(event, command.metadata(app)) for event in events]
        if site.settings is None:
            control.append(entries)
        else:
            control.appender.append(entries)
        return done

    return control.decide(use_case)


def _settings(site: Site, prefix: str | None) -> SiteSettings:
    settings = site.settings or SiteSettings()
    if prefix is None or prefix == settings.prefix:
        return settings
    if site.settings is not None:
        raise Conflict(
            f"the site is under {settings.prefix!r}, not {prefix!r}",
            field="prefix",
            remedy="Change it first: picloud site set APP --prefix PREFIX.",
        )
    return SiteSettings(prefix=prefix).check()


def _wanted(files: Sequence[SiteFile], settings: SiteSettings) -> dict[str, SiteFile]:
    wanted: dict[str, SiteFile] = {}
    for file in files:
        path = check_path(settings.prefix + file.path, field="files.path")
        check_sha256(file.sha256, field="files.sha256")
        if file.content_type is not None:
            check_content_type(file.content_type, field="files.content_type")
        if path in wanted:
            raise Invalid(f"{file.path!r} is there twice", field="files.path")
        wanted[path] = file
    return wanted


def _held(connection: psycopg.Connection, app: str, prefix: str) -> dict[str, EntryRow]:
    """The files that the site has."""
    found: dict[str, EntryRow] = {}
    after = ""
    while True:
        page = read_listing(connection, Listing(app=app, prefix=prefix, after=after, limit=_PAGE))
        found |= {each.name: each.entry for each in page if each.entry is not None}
        if len(page) < _PAGE:
            return found
        after = page[-1].name


def _differs(known: EntryRow | None, path: str, file: SiteFile) -> bool:
    return known is None or known.sha256 != file.sha256 or known.content_type != _type_of(path, file)


def _type_of(path: str, file: SiteFile) -> str:
    return file.content_type or media_type(path)


def _events(
    app: str,
    site: Site,
    done: Deployment,
    wanted: Mapping[str, SiteFile],
    known: Mapping[str, EntryRow],
    size_of: Mapping[str, int],
) -> list[Any]:
    stream = site_id(app)
    version = site.version
    events: list[Any] = []
    if site.settings is None:
        version += 1
        events.append(SiteConfigured(originator_id=stream, originator_version=version, settings=done.settings))
    for path in done.written:
        file = wanted[path]
        events.append(
            FileWritten(
                originator_id=file_id(app, path),
                originator_version=known[path].version + 1 if path in known else 1,
                path=path,
                sha256=file.sha256,
                size=size_of[file.sha256],
                content_type=_type_of(path, file),
            )
        )
    for path in done.deleted:
        version_of_file = known[path].version + 1
        events.append(FileDeleted(originator_id=file_id(app, path), originator_version=version_of_file, path=path))
    # By its version two deployments at a time don't mix.
    events.append(
        SiteDeployed(
            originator_id=stream,
            originator_version=version + 1,
            files=done.files,
            bytes=done.bytes,
            written=len(done.written),
            deleted=len(done.deleted),
        )
    )
    return events
