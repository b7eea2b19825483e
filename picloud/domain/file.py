"""Files of an app: a path, and the hash of what it holds. Each path is a stream: its history is in the log.

What is written or deleted without having been read is put behind whatever is there: it has the version 0 until it is
appended, and never conflicts. The bytes themselves are stored once by their SHA-256, beside the log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.names import stream_id

MAX_PATH_BYTES: Final = 1_024
MAX_CONTENT_TYPE: Final = 255
MAX_METADATA_BYTES: Final = 4_096
"""Of all names and values together."""
DELIMITER: Final = "/"

LAST: Final = "\U0010ffff"
"""Behind all that a path may begin with; no character of a path."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CONTENT_TYPE: Final = re.compile(
    r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    r"(?:[ \t]*;[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|\"[ !#-\[\]-~]*\"))*"
)
_METADATA_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def file_id(app: str, path: str) -> UUID:
    """The stream id of the file at ``path`` in ``app``."""
    return stream_id("file", app, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWritten:
    """The path holds this content from now on; ``metadata`` is what its writer says of it."""

    originator_id: UUID
    originator_version: int
    path: str
    sha256: str
    size: int
    content_type: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDeleted:
    """There is no file at the path from now on."""

    originator_id: UUID
    originator_version: int
    path: str


FileEvent = FileWritten | FileDeleted


def fault_of_path(path: Any) -> str:
    """What is wrong with a path; empty if nothing is."""
    if not isinstance(path, str):
        return "a path is a string"
    if _SURROGATE.search(path):
        return "the path holds half a character"
    size = len(path.encode())
    if not 1 <= size <= MAX_PATH_BYTES:
        return f"a path has 1 to {MAX_PATH_BYTES:,} bytes, this one has {size:,}"
    if _CONTROL.search(path) or LAST in path:
        return "a path has no control characters"
    if "\\" in path:
        return "a path has no backslashes: its parts are parted by '/'"
    for part in path.split(DELIMITER):
        if not part:
            return "a path neither begins nor ends with '/', and has no empty part"
        if part in (".", ".."):
            return f"a path has no part {part!r}"
    return ""


def check_path(path: Any, *, field: str = "path") -> str:
    """Return ``path`` if a file can have it. Raises :class:`Invalid`."""
    fault = fault_of_path(path)
    if fault:
        raise Invalid(f"{str(path)[:80]!r} is no path of a file: {fault}", field=field, remedy="For example a/b.txt.")
    return str(path)


def fault_of_prefix(prefix: Any) -> str:
    """What is wrong with what paths are to begin with; empty if nothing is."""
    if not isinstance(prefix, str):
        return "a prefix is a string"
    if _SURROGATE.search(prefix):
        return "the prefix holds half a character"
    if len(prefix.encode()) > MAX_PATH_BYTES or _CONTROL.search(prefix) or LAST in prefix:
        return f"a prefix has {MAX_PATH_BYTES:,} bytes at most and no control characters"
    return ""


def check_content_type(content_type: str, *, field: str = "content_type") -> str:
    """Return ``content_type`` if it is one (RFC 9110, section 8.3.1). Raises :class:`Invalid`."""
    if len(content_type) > MAX_CONTENT_TYPE or not _CONTENT_TYPE.fullmatch(content_type):
        raise Invalid(
            f"{content_type[:80]!r} is no content type", field=field, remedy="For example text/plain; charset=utf-8."
        )
    return content_type


def check_metadata(metadata: Mapping[str, Any], *, field: str = "metadata") -> dict[str, str]:
    """Return ``metadata`` if it is names and short texts. Raises :class:`Invalid`."""
    size = 0
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name):
            raise Invalid(f"{name[:80]!r} can't name metadata: letters, digits, '_', '.' and '-'", field=field)
        if not isinstance(value, str) or _CONTROL.search(value) or _SURROGATE.search(value):
            raise Invalid(f"the metadata {name!r} is a text on one line", field=field)
        size += len(name) + len(value.encode())
    if size > MAX_METADATA_BYTES:
        raise Invalid(f"the metadata has {size:,} bytes, more than {MAX_METADATA_BYTES:,}", field=field)
    return dict(metadata)


def check_sha256(text: Any, *, field: str = "sha256") -> str:
    """Return ``text`` if it is a SHA-256 in lower-case hex. Raises :class:`Invalid`."""
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise Invalid(f"{str(text)[:80]!r} is no SHA-256: expected 64 digits of 0-9a-f", field=field)
    return text
