"""Documents and collections, written inline by the append: a run that starts after a commit finds what it wrote.

What events do to the rows is one function of the database, ``log.change_docs``, for the append and for rebuilds. A
document's row keeps its text as it was written, and beside it the value that filters look into. A deleted document has
no row; the version of its stream is in the log. A collection has a row as long as it is configured or holds documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from picloud.domain.collection import CollectionConfigured
from picloud.domain.document import (
    DocumentDeleted,
    DocumentEvent,
    DocumentInserted,
    DocumentPatched,
    DocumentReplaced,
)
from picloud.domain.metadata import Metadata
from picloud.domain.quota import DEFAULTS

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """What becomes of a document: ``data`` is None if it is deleted, a time that is None is that of the append.

    A ``fresh`` one was inserted; the row of another one keeps the time of its creation.
    """

    version: int
    data: str | None
    updated: datetime | None
    fresh: bool = False
    created: datetime | None = None


class DocsChange:
    """What a run of events, in order, does to documents and collections."""

    __slots__ = ("collections", "documents")

    types: ClassVar[tuple[type, ...]] = (
        DocumentInserted,
        DocumentReplaced,
        DocumentPatched,
        DocumentDeleted,
        CollectionConfigured,
    )
    call: ClassVar[str] = (
        "log.change_docs(%b::text, %b::boolean, %b::bigint, %b::bigint, %b::text[], %b::text[], %b::text[],"
        " %b::bigint[], %b::boolean[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[], %b::text[],"
        " %b::bigint[], %b::text[], %b::text[])"
    )

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str, str], DocumentRow] = {}
        self.collections: dict[tuple[str, str], CollectionConfigured] = {}

    def add(self, event: DocumentEvent | CollectionConfigured, metadata: Metadata, at: datetime | None = None) -> None:
        """Fold one more event."""
        if isinstance(event, CollectionConfigured):
            self.collections[metadata.app, event.collection] = event
            return
        key = (metadata.app, event.collection, event.document)
        version = event.originator_version
        match event:
            case DocumentInserted(data=data):
                self.documents[key] = DocumentRow(version, data, at, fresh=True, created=at)
            case DocumentReplaced(data=data) | DocumentPatched(data=data):
                before = self.documents.get(key)
                if before is None:
                    self.documents[key] = DocumentRow(version, data, at)
                else:
                    self.documents[key] = replace(before, version=version, data=data, updated=at)
            case DocumentDeleted():
                self.documents[key] = DocumentRow(version, None, at)

    @staticmethod
    def arguments(changes: Sequence[DocsChange], store: str | None = None) -> tuple[Any, ...]:
        """See :class:`picloud.projections.inlining.InlineChange`. No document may be in two of the changes."""
        documents = [(key, row) for change in changes for key, row in change.documents.items()]
        collections = [(key, event) for change in changes for key, event in change.collections.items()]
        quota = DEFAULTS["docs"]
        return (
            store or "docs",
            store is None,
            quota.items,
            quota.bytes,
            [app for (app, _, _), _ in documents],
            [name for (_, name, _), _ in documents],
            [document for (_, _, document), _ in documents],
            [row.version for _, row in documents],
            [row.fresh for _, row in documents],
            [row.created for _, row in documents],
            [row.updated for _, row in documents],
            [row.data for _, row in documents],
            [app for (app, _), _ in collections],
            [name for (_, name), _ in collections],
            [event.originator_version for _, event in collections],
            [_encode([list(index.fields) for index in event.indexes]).decode() for _, event in collections],
            [event.schema for _, event in collections],
        )
