"""``files::``: files of an app, by path.

    files::write(path, data)            a string or a blob; from the run's success on for everyone, at once for the run
    files::write(path, data, options)   #{content_type, metadata}
    files::read(path)                   the blob, or () if there is no file; #{offset, length} reads a part
    files::read_text(path)              the same as a string
    files::metadata(path)               #{path, size, sha256, content_type, metadata, written_at}, or ()
    files::exists(path)
    files::list(prefix)                 #{files, folders, cursor}; #{limit, cursor, delimiter}
    files::copy(from, to)               no bytes are copied: both name the same content
    files::move(from, to)
    files::delete(path)

What a run has read and then writes on top of is checked by version: if another run was there in between, this one is
run again on what that one wrote.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from picloud.domain.file import (
    DELIMITER,
    FileDeleted,
    FileEvent,
    FileWritten,
    check_content_type,
    check_metadata,
    fault_of_path,
    fault_of_prefix,
    file_id,
)
from picloud.domain.media_types import media_type
from picloud.log import blobs
from picloud.log.contents import ContentMissing
from picloud.postgres.sessions import Sessions
from picloud.services.arguments import Options, kind_of, options_of, refused_as
from picloud.services.file_table import EntryRow, Listed, Listing, read_entries, read_listing
from picloud.services.work import OutOfStore, ServiceError, Work

MAX_WRITES: Final = 1_000
MAX_WRITTEN_BYTES: Final = 16 * 1024 * 1024
"""Of all that one run writes."""
MAX_READ_BYTES: Final = 8 * 1024 * 1024
"""Of one read: more has to be read in parts, or answered with ``reply::file``."""
MAX_RUN_READ_BYTES: Final = 64 * 1024 * 1024
MAX_LISTED: Final = 1_000
INLINE_BYTES: Final = 1_024
"""What is read up to so many bytes stands in the record of the run, more by its hash."""

_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class File:
    """A file as a run sees it; ``content`` are its bytes if the run wrote them."""

    sha256: str
    size: int
    content_type: str
    metadata: Mapping[str, str]
    written_at: str | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A path as the run read it: the file, or None, and the version of its stream (0: never written)."""

    file: File | None
    version: int


class FilesDraft:
    """Files that a run has read, and what it does to files. ``offered`` are those that it may answer with, by hash."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.seen: dict[str, Seen] = {}
        self.written: dict[str, File | None] = {}
        self.offered: dict[str, File] = {}
        self.read_bytes = 0
        self.keep: Callable[[bytes], object] = lambda _content: None
        """Stores a content; set by the service."""

    @property
    def written_bytes(self) -> int:
        """How many bytes the run holds to be stored."""
        return sum(len(file.content) for file in self.written.values() if file is not None and file.content is not None)

    def events(self) -> list[FileEvent]:
        """See :class:`picloud.services.work.Draft`. What they name is stored before they are given."""
        events: list[FileEvent] = []
        kept: set[str] = set()
        for path, file in self.written.items():
            seen = self.seen.get(path)
            stream, version = file_id(self.app, path), seen.version + 1 if seen is not None else 0
            if file is None:
                events.append(FileDeleted(originator_id=stream, originator_version=version, path=path))
                continue
            if file.content is not None and file.sha256 not in kept:
                self.keep(file.content)
                kept.add(file.sha256)
            events.append(
                FileWritten(
                    originator_id=stream,
                    originator_version=version,
                    path=path,
                    sha256=file.sha256,
                    size=file.size,
                    content_type=file.content_type,
                    metadata=dict(file.metadata),
                )
            )
        return events

    def answered(self, digest: str) -> File | None:
        """The file that the run answers with, stored; None if it wasn't offered one with that hash."""
        file = self.offered.get(digest)
        if file is not None and file.content is not None:
            self.keep(file.content)
        return file


def offer_again(work: Work, sessions: Sessions, digest: str) -> None:
    """Let a run answer with a file that an earlier run of its invocation was offered.

    Raises :class:`ServiceError` if its content isn't kept any more.
    """
    with sessions.session() as connection:
        size = blobs.sizes(connection, [digest]).get(digest)
    if size is None:
        raise ServiceError("reply::file: the content that the run was offered before a step isn't kept any more")
    work.draft(FilesDraft).offered[digest] = File(digest, size, "", {})


class Files:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.functions: dict[str, Callable[..., Any]] = {
            "copy": self.copy,
            "delete": self.delete,
            "exists": self.exists,
            "list": self.list,
            "metadata": self.metadata,
            "move": self.move,
            "read": self.read,
            "read_text": self.read_text,
            "reply": self.reply,
            "write": self.write,
        }

    def write(self, work: Work, path: Any, data: Any, options: Any = None) -> None:
        """Have the file at ``path`` hold ``data``."""
        _check_path(path, "write")
        if not isinstance(data, str | bytes):
            raise ServiceError(f"files::write takes a string or a blob, not {kind_of(data)}: json::stringify makes one")
        given = options_of("files::write", options, _OF_WRITE)
        known = media_type(path)
        content_type = given.get("content_type", _TEXT if isinstance(data, str) and known == _BYTES else known)
        with refused_as("files::write"):
            check_content_type(content_type)
            metadata = check_metadata(given.get("metadata", {}))
        content = data.encode("utf-8", "replace") if isinstance(data, str) else data
        draft = self._draft(work)
        held = draft.written.get(path)
        before = len(held.content) if held is not None and held.content is not None else 0
        if draft.written_bytes - before + len(content) > MAX_WRITTEN_BYTES:
            raise ServiceError(f"files::write: the files that one run writes have {MAX_WRITTEN_BYTES:,} bytes at most")
        file = File(sha256(content).hexdigest(), len(content), content_type, metadata, content=content)
        self._put(draft, path, file, "write")

    def read(self, work: Work, path: Any, options: Any = None) -> bytes | OutOfStore | None:
        """The bytes of the file at ``path``, or of a part of it; None if there is none."""
        return self._read(work, path, options, "read")

    def read_text(self, work: Work, path: Any) -> str | OutOfStore | None:
        """The text of the file at ``path``; None if there is none."""
        content = self._read(work, path, None, "read_text")
        try:
            if isinstance(content, OutOfStore):
                return replace(content, value=content.value.decode())
            return None if content is None else content.decode()
        except UnicodeDecodeError as error:
            raise ServiceError(
                f"files::read_text: {path!r} is no UTF-8: its byte {error.start} can't be read; read it as a blob"
            ) from None

    def exists(self, work: Work, path: Any) -> bool:
        """Whether there is a file at ``path``."""
        _check_path(path, "exists")
        return self._file(work, path) is not None

    def metadata(self, work: Work, path: Any) -> dict[str, Any] | None:
        """What is known of the file at ``path``; None if there is none."""
        _check_path(path, "metadata")
        file = self._file(work, path)
        return None if file is None else _told(path, file)

    def list(self, work: Work, prefix: Any, options: Any = None) -> dict[str, Any]:
        """The files whose paths begin with ``prefix``, in the order of their characters, page by page."""
        fault = fault_of_prefix(prefix)
        if fault:
            raise ServiceError(f"files::list: {fault}, not {_shown(prefix)}")
        given = options_of("files::list", options, _OF_LIST)
        limit = given.get("limit", MAX_LISTED)
        if not 1 <= limit <= MAX_LISTED:
            raise ServiceError(f"files::list: limit is an integer from 1 to {MAX_LISTED:,}, not {limit}")
        if given.get("delimiter", DELIMITER) != DELIMITER:
            raise ServiceError(f"files::list: the delimiter is {DELIMITER!r}, or none")
        after = _name_of(given.get("cursor"))
        items = self._items(work, prefix, after, limit + 1, folders="delimiter" in given)
        shown = items[:limit]
        return {
            "files": [_told(name, file) for name, file in shown if file is not None],
            "folders": [name for name, file in shown if file is None],
            "cursor": cursor_of(shown[-1][0]) if len(items) > limit else None,
        }

    def copy(self, work: Work, source: Any, target: Any) -> None:
        """Have ``target`` hold what ``source`` holds."""
        self._put(self._draft(work), _check_path(target, "copy"), self._source(work, source, "copy"), "copy")

    def move(self, work: Work, source: Any, target: Any) -> None:
        """The same, and take ``source`` away."""
        file = self._source(work, source, "move")
        draft = self._draft(work)
        self._put(draft, _check_path(target, "move"), file, "move")
        if source != target:
            self._put(draft, source, None, "move")

    def delete(self, work: Work, path: Any) -> None:
        """Take the file at ``path`` away, if there is one."""
        _check_path(path, "delete")
        draft = self._draft(work)
        if path in draft.seen and draft.seen[path].file is None and draft.written.get(path) is None:
            draft.written.pop(path, None)
            return
        self._put(draft, path, None, "delete")

    def reply(self, work: Work, path: Any) -> dict[str, Any]:
        """What ``reply::file`` is to know of the file at ``path``, which the run may answer with from now on."""
        fault = fault_of_path(path)
        if fault:
            raise ServiceError(f"reply::file: {fault}, not {_shown(path)}")
        file = self._file(work, path)
        if file is None:
            raise ServiceError(f"reply::file: there is no file {_shown(path)} in {work.app}")
        self._draft(work).offered[file.sha256] = file
        return {"sha256": file.sha256, "content_type": file.content_type}

    def _draft(self, work: Work) -> FilesDraft:
        draft = work.draft(FilesDraft)
        draft.keep = lambda content: blobs.keep(content, work.app, self._sessions)
        return draft

    def _put(self, draft: FilesDraft, path: str, file: File | None, function: str) -> None:
        if path not in draft.written and len(draft.written) >= MAX_WRITES:
            raise ServiceError(f"files::{function}: one run changes {MAX_WRITES:,} files at most")
        draft.written[path] = file

    def _file(self, work: Work, path: str) -> File | None:
        draft = self._draft(work)
        if path in draft.written:
            return draft.written[path]
        seen = draft.seen.get(path)
        if seen is None:
            with self._sessions.session() as connection:
                row = read_entries(connection, work.app, [path]).get(path)
            seen = draft.seen[path] = Seen(None, 0) if row is None else Seen(_of(row), row.version)
        return seen.file

    def _source(self, work: Work, path: Any, function: str) -> File:
        file = self._file(work, _check_path(path, function))
        if file is None:
            raise ServiceError(f"files::{function}: there is no file {_shown(path)} in {work.app}")
        return replace(file, written_at=None)

    def _read(self, work: Work, path: Any, options: Any, function: str) -> bytes | OutOfStore | None:
        _check_path(path, function)
        given = options_of(f"files::{function}", options, _OF_READ)
        for name, value in given.items():
            if value < 0:
                raise ServiceError(f"files::{function}: {name} is {_OF_READ[name][1]}, not {value}")
        file = self._file(work, path)
        if file is None:
            return None
        start = min(given.get("offset", 0), file.size)
        stop = min(start + given.get("length", file.size), file.size)
        if stop - start > MAX_READ_BYTES:
            raise ServiceError(
                f"files::{function}: {path!r} has {file.size:,} bytes, and at most {MAX_READ_BYTES:,} are read at a "
                "time. Read parts with #{offset, length}, or answer with reply::file"
            )
        draft = self._draft(work)
        draft.read_bytes += stop - start
        if draft.read_bytes > MAX_RUN_READ_BYTES:
            raise ServiceError(f"files::{function}: one run reads {MAX_RUN_READ_BYTES:,} bytes at most")
        if file.content is not None:
            return file.content[start:stop]
        try:
            content = blobs.read(self._sessions, file.sha256, start, stop)
            return content if len(content) <= INLINE_BYTES else OutOfStore(content, file.sha256)
        except ContentMissing:
            raise ServiceError(f"files::{function}: the content of {path!r} was taken away meanwhile") from None

    def _items(
        self, work: Work, prefix: str, after: str, limit: int, *, folders: bool
    ) -> Sequence[tuple[str, File | None]]:
        """Names with their files, None for a folder: what is stored, with the run's own writes in place of it."""
        draft = self._draft(work)
        wanted = Listing(
            app=work.app, prefix=prefix, after=after, limit=limit, folders=folders, without=list(draft.written)
        )
        with self._sessions.session() as connection:
            stored = read_listing(connection, wanted)
        items = {each.name: _of_listed(each) for each in stored}
        for path, file in draft.written.items():
            if file is None or not path.startswith(prefix):
                continue
            cut = path.find(DELIMITER, len(prefix)) if folders else -1
            name = path if cut < 0 else path[: cut + 1]
            if name > after:
                items[name] = file if cut < 0 else None
        return sorted(items.items())[:limit]


def read_again(sessions: Sessions, function: str, args: Sequence[Any], digest: str) -> bytes | str:
    """The answer to a ``read`` or ``read_text`` that was answered out of the content with that hash.

    Raises ``ContentMissing``.
    """
    given = args[1] if len(args) > 1 and args[1] is not None else {}
    start = given.get("offset", 0)
    stop = start + given["length"] if "length" in given else None
    content = blobs.read(sessions, digest, start, stop)
    return content.decode() if function == "read_text" else content


def cursor_of(name: str) -> str:
    """The cursor of a page that ends with the item of that name."""
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")


def name_of_cursor(cursor: str) -> str:
    """The name that :func:`cursor_of` made a cursor of. Raises ValueError."""
    try:
        name = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except NoBase64 as error:
        raise ValueError(str(error)) from None
    if not name or fault_of_prefix(name):
        raise ValueError("no name of a file")
    return name


def _name_of(cursor: str | None) -> str:
    try:
        return "" if cursor is None else name_of_cursor(cursor)
    except ValueError:
        raise ServiceError(f"files::list: the cursor {cursor!r:.60} is none that files::list gave") from None


def _of(row: EntryRow) -> File | None:
    if row.sha256 is None:
        return None
    written_at = row.written_at.isoformat().replace("+00:00", "Z") if row.written_at is not None else None
    return File(row.sha256, row.size, row.content_type, row.metadata, written_at)


def _of_listed(listed: Listed) -> File | None:
    return None if listed.entry is None else _of(listed.entry)


def _told(path: str, file: File) -> dict[str, Any]:
    return {
        "path": path,
        "size": file.size,
        "sha256": file.sha256,
        "content_type": file.content_type,
        "metadata": dict(file.metadata),
        "written_at": file.written_at,
    }


def _check_path(path: Any, function: str) -> str:
    fault = fault_of_path(path)
    if fault:
        raise ServiceError(f"files::{function}: {fault}, not {_shown(path)}")
    return str(path)


def _shown(value: Any) -> str:
    if not isinstance(value, str):
        return kind_of(value)
    text = value if len(value) <= 60 else value[:59] + "…"
    return repr(text)


_BYTES: Final = "application/octet-stream"
_OF_WRITE: Final[Options] = {
    "content_type": (str, 'a string such as "text/css"'),
    "metadata": (dict, 'a map of strings, such as #{author: "ada"}'),
}
_OF_READ: Final[Options] = {
    "offset": (int, "an integer from 0"),
    "length": (int, "an integer from 0"),
}
_OF_LIST: Final[Options] = {
    "limit": (int, f"an integer from 1 to {MAX_LISTED:,}"),
    "cursor": (str, "a string that files::list gave"),
    "delimiter": (str, 'the string "/"'),
}
