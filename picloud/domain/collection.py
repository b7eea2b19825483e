"""A collection's settings: its indexes and its schema. A collection is there as soon as it holds a document.

The stream holds one kind of event, which says all settings anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from picloud.domain.document import check_collection, shortened
from picloud.domain.document_path import parse_path
from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.names import stream_id

MAX_INDEXES: Final = 8
"""Of one collection: each makes every write of it dearer."""
MAX_INDEX_FIELDS: Final = 3
MAX_INDEX_BYTES: Final = 512
"""Of an index's fields together."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index on ``fields``, paths in a document, the first the most significant."""

    fields: tuple[str, ...]

    @classmethod
    def parse(cls, fields: Sequence[str]) -> Index:
        """An index on these paths. Raises :class:`Invalid`."""
        if not 1 <= len(fields) <= MAX_INDEX_FIELDS:
            raise Invalid(f"an index has 1 to {MAX_INDEX_FIELDS} fields, found {len(fields)}", field="fields")
        for path in fields:
            parse_path(path, field="fields")
            if "," in path:
                raise Invalid(f"{shortened(path)} can't be indexed: its name has a comma", field="fields")
        if len(set(fields)) < len(fields):
            raise Invalid(f"the index {','.join(fields)} names a field twice", field="fields", remedy="Name it once.")
        if sum(len(path.encode()) for path in fields) > MAX_INDEX_BYTES:
            raise Invalid(f"the fields of an index have {MAX_INDEX_BYTES} bytes together at most", field="fields")
        return cls(tuple(fields))

    @property
    def title(self) -> str:
        """The index as people name it."""
        return ",".join(self.fields)

    def name(self, app: str, collection: str) -> str:
        """The name of the index in the database, which follows from what it is an index of."""
        parts = json.dumps([app, collection, *self.fields])
        return f"{INDEX_PREFIX}{hashlib.sha256(parts.encode()).hexdigest()[:24]}"


INDEX_PREFIX: Final = "by_"
"""What the names of all indexes begin with that a collection asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionConfigured:
    """The collection has these settings from now on. ``schema`` is JSON text, or None for no schema."""

    originator_id: UUID
    originator_version: int
    collection: str
    indexes: list[Index] = field(default_factory=list)
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """The settings of a collection, at a version of its stream; 0 for one that was never configured."""

    app: str
    name: str
    version: int = 0
    indexes: tuple[Index, ...] = ()
    schema: str | None = None

    @staticmethod
    def stream_of(app: str, name: str) -> UUID:
        """The stream id of the settings of the collection ``name``."""
        return stream_id("collection", app, check_collection(name))

    def configured(self, event: CollectionConfigured) -> Collection:
        """The settings after ``event``."""
        return Collection(self.app, self.name, event.originator_version, tuple(event.indexes), event.schema)

    def with_index(self, index: Index) -> CollectionConfigured:
        """Have an index too. Raises :class:`Conflict` if it is there, :class:`Invalid` if there are too many."""
        if index in self.indexes:
            raise Conflict(f"{self.name} has the index {index.title} already", field="fields")
        if len(self.indexes) >= MAX_INDEXES:
            raise Invalid(
                f"a collection has {MAX_INDEXES} indexes at most",
                field="fields",
                remedy="Remove one that no query needs.",
            )
        return self._event((*self.indexes, index), self.schema)

    def without_index(self, index: Index) -> CollectionConfigured:
        """Have an index no more. Raises :class:`NotFound`."""
        if index not in self.indexes:
            has = "; ".join(shortened(each.title) for each in self.indexes) or "none"
            raise NotFound(f"{self.name} has no index {index.title}: it has {has}", field="fields")
        return self._event(tuple(each for each in self.indexes if each != index), self.schema)

    def with_schema(self, schema: str | None) -> CollectionConfigured:
        """Have another schema, or none."""
        return self._event(self.indexes, schema)

    def _event(self, indexes: tuple[Index, ...], schema: str | None) -> CollectionConfigured:
        return CollectionConfigured(
            originator_id=self.stream_of(self.app, self.name),
            originator_version=self.version + 1,
            collection=self.name,
            indexes=list(indexes),
            schema=schema,
        )
