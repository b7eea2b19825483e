"""What a run has seen of documents and does to them, until its outcome decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from picloud.domain.document import (
    DocumentDeleted,
    DocumentEvent,
    DocumentInserted,
    DocumentPatched,
    DocumentReplaced,
)
from picloud.services.documents import Stored

MAX_KEPT_BYTES: Final = 4 * 1024 * 1024
"""So much of what a run has read is kept, so that it reads the same again."""

Name = tuple[str, str]
"""A collection and an id in it."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What stood under an id when the run first saw it: the version of its stream, and whether there was a document.

    ``document`` is None if there was none, or if it was not kept.
    """

    version: int
    there: bool
    document: Stored | None


@dataclass(slots=True)
class Held:
    """A document as the run leaves it: ``data`` is JSON text, None if it is deleted.

    ``version`` is that of its stream underneath; ``existed`` tells whether there was a document, ``patch`` is the one
    patch that made it, if that is all that was done.
    """

    stream: UUID
    version: int
    existed: bool
    data: str | None
    patch: str | None = None


@dataclass(slots=True)
class DocsDraft:
    """What a run has seen and written."""

    app: str
    seen: dict[Name, Sight] = field(default_factory=dict)
    held: dict[Name, Held] = field(default_factory=dict)
    schemas: dict[str, str | None] = field(default_factory=dict)
    made: int = 0
    written_bytes: int = 0
    kept_bytes: int = 0

    def see(self, name: Name, version: int, document: Stored | None) -> Sight:
        """Take in what stands under an id; return how it was when the run first saw it."""
        sight = self.seen.get(name)
        if sight is None:
            size = size_of(document.data) if document is not None else 0
            keeps = self.kept_bytes + size <= MAX_KEPT_BYTES
            self.kept_bytes += size if keeps else 0
            sight = self.seen[name] = Sight(version, document is not None, document if keeps else None)
        return sight

    def events(self) -> list[DocumentEvent]:
        """One event for each document that is another than it was, at the version behind the one that was seen."""
        events: list[DocumentEvent] = []
        for (collection, document), held in self.held.items():
            about: dict[str, Any] = {
                "originator_id": held.stream,
                "originator_version": held.version + 1,
                "collection": collection,
                "document": document,
            }
            if held.data is None:
                if held.existed:
                    events.append(DocumentDeleted(**about))
            elif not held.existed:
                events.append(DocumentInserted(**about, data=held.data))
            elif held.patch is not None:
                events.append(DocumentPatched(**about, patch=held.patch, data=held.data))
            else:
                events.append(DocumentReplaced(**about, data=held.data))
        return events


def size_of(text: str | None) -> int:
    """The bytes of a text; 0 for none."""
    if text is None:
        return 0
    return len(text) if text.isascii() else len(text.encode())
