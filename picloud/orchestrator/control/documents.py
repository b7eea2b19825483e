"""Documents and collections, from outside of scripts: written, looked into, configured.

The rules are those of ``docs::``; who asks is in the log, as everywhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import gevent
import psycopg

from picloud.domain.collection import Collection, CollectionConfigured, Index
from picloud.domain.document import (
    DocumentDeleted,
    DocumentEvent,
    DocumentInserted,
    DocumentPatched,
    DocumentReplaced,
    check_collection,
    check_id,
    check_value,
    stream_of,
    text_of,
)
from picloud.domain.document_filter import parse_filter
from picloud.domain.document_order import Order
from picloud.domain.errors import Conflict, Invalid, NotFound, VersionMismatch
from picloud.domain.merge_patch import merge
from picloud.log.appender import Entry, QuotaExceeded, Wake
from picloud.log.ids import new_id
from picloud.log.reader import RecordedEvent, read_stream, read_stream_back
from picloud.orchestrator.control.apps import existing_app
from picloud.orchestrator.control.control import Command, Control
from picloud.projections.collections import CollectionRow, collections_of
from picloud.projections.document_indexes import DOCUMENTS_CHANNEL
from picloud.services.documents import QUERY_SECONDS, Documents, Found, Query, Standing, Stored, TooSlow
from picloud.services.schemas import Schemas, check_schema

__all__ = ["CollectionControl", "DocumentControl", "Place", "Query", "Stored", "query_of"]

CHECKED: Final = 10_000
"""So many documents are looked at when a schema is set."""
CHECK_SECONDS: Final = 5.0
"""For no longer than this."""
MAX_MISFITS: Final = 5
PAGE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is, or is to be."""

    app: str
    collection: str
    id: str

    @classmethod
    def checked(cls, app: str, collection: str, document: str) -> Place:
        """The place of that name. Raises :class:`Invalid`."""
        return cls(app, check_collection(collection), check_id(document))


@dataclass(frozen=True, slots=True)
class Misfit:
    """A document that doesn't fit its collection's schema: where, and why."""

    id: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fit:
    """How documents fit a schema: of so many that were looked at, so many don't; the first few of these."""

    checked: int
    unfit: int
    misfits: tuple[Misfit, ...]


class DocumentControl:
    """The use cases of documents."""

    def __init__(self, control: Control, documents: Documents, schemas: Schemas) -> None:
        self._control = control
        self._documents = documents
        self._schemas = schemas

    def get(self, place: Place) -> Stored:
        """The document. Raises :class:`NotFound`."""
        self._existing_app(place.app)
        return _existing(place, self._documents.one(place.app, place.collection, place.id))

    def find(self, query: Query) -> Found:
        """The documents that a query finds. Raises :class:`Invalid` if that takes too long."""
        self._existing_app(query.app)
        try:
            return self._documents.find(query)
        except TooSlow:
            raise _too_slow() from None

    def count(self, query: Query) -> int:
        """How many documents a query finds. Raises :class:`Invalid` if that takes too long."""
        self._existing_app(query.app)
        try:
            return self._documents.count(query)
        except TooSlow:
            raise _too_slow() from None

    def insert(self, command: Command, app: str, collection: str, data: Any) -> Stored:
        """Put a new document into a collection."""
        self._existing_app(app)
        return self.put(command, Place.checked(app, collection, str(new_id())), data, expected=0)

    def put(self, command: Command, place: Place, data: Any, *, expected: int | None) -> Stored:
        """Have the document hold ``data``, whether it is there or not.

        ``expected`` is the version that it is to have, 0 for none. Raises :class:`VersionMismatch`, :class:`Conflict`
        and :class:`Invalid`.
        """
        text = text_of(data)

        def decided(standing: Standing) -> DocumentEvent:
            _check_expected(place, standing, expected)
            self._check_schema(place, data)
            if standing.document is None:
                return DocumentInserted(**_about(place, standing), data=text)
            return DocumentReplaced(**_about(place, standing), data=text)

        return self._write(command, place, decided)

    def patch(self, command: Command, place: Place, patch: dict[str, Any], *, expected: int | None) -> Stored:
        """Lay a merge patch (RFC 7396) over the document. Raises as :meth:`put` does, and :class:`NotFound`."""
        check_value(patch, "patch")

        def decided(standing: Standing) -> DocumentEvent:
            document = _existing(place, standing)
            _check_expected(place, standing, expected)
            data = merge(json.loads(document.data), patch)
            text = text_of(data)
            self._check_schema(place, data)
            return DocumentPatched(**_about(place, standing), patch=json.dumps(patch), data=text)

        return self._write(command, place, decided)

    def delete(self, command: Command, place: Place, *, expected: int | None) -> None:
        """Take the document away. Raises :class:`NotFound` and :class:`VersionMismatch`."""

        def decided(standing: Standing) -> DocumentEvent:
            _existing(place, standing)
            _check_expected(place, standing, expected)
            return DocumentDeleted(**_about(place, standing))

        self._append(command, place, decided)

    def history(self, place: Place, *, before: int | None, limit: int) -> list[RecordedEvent]:
        """What happened to the document, the newest first. Raises :class:`NotFound` if nothing ever did."""
        self._existing_app(place.app)
        stream = stream_of(place.app, place.collection, place.id)
        with self._control.sessions.session() as connection:
            found = read_stream_back(connection, stream, before=before, limit=limit)
        if not found and before is None:
            raise _absent(place)
        return found

    def _write(self, command: Command, place: Place, decided: Callable[[Standing], DocumentEvent]) -> Stored:
        version = self._append(command, place, decided)
        standing = self._documents.one(place.app, place.collection, place.id)
        # Somebody else may have written it meanwhile: it is told as it is now.
        if standing.document is None or standing.version < version:
            raise _absent(place)
        return standing.document

    def _append(self, command: Command, place: Place, decided: Callable[[Standing], DocumentEvent]) -> int:
        def use_case() -> int:
            self._existing_app(place.app)
            event = decided(self._documents.one(place.app, place.collection, place.id))
            entry = Entry(event, command.metadata(place.app))
            with _within_quota():
                self._control.appender.append([entry])
            return event.originator_version

        return self._control.decide(use_case)

    def _check_schema(self, place: Place, data: Any) -> None:
        schema = self._documents.schema(place.app, place.collection)
        if schema is not None:
            self._schemas.check(schema, data, place.collection)

    def _existing_app(self, app: str) -> None:
        with self._control.sessions.session() as connection:
            existing_app(connection, app)


class CollectionControl:
    """The use cases of collections."""

    def __init__(self, control: Control, documents: Documents, schemas: Schemas) -> None:
        self._control = control
        self._documents = documents
        self._schemas = schemas

    def all_of(self, app: str) -> list[CollectionRow]:
        """The app's collections."""
        with self._control.sessions.session() as connection:
            existing_app(connection, app)
            return collections_of(connection, app)

    def one(self, app: str, name: str) -> CollectionRow:
        """A collection; an empty one for a name that none has."""
        check_collection(name)
        with self._control.sessions.session() as connection:
            existing_app(connection, app)
            found = collections_of(connection, app, name)
        return found[0] if found else CollectionRow(name, 0, 0)

    def add_index(self, command: Command, app: str, name: str, fields: list[str]) -> None:
        """Have an index on these fields. Raises :class:`Invalid` and :class:`Conflict`."""
        index = Index.parse(fields)
        self._configure(command, app, name, lambda collection: collection.with_index(index))

    def remove_index(self, command: Command, app: str, name: str, fields: list[str]) -> None:
        """Have that index no more. Raises :class:`Invalid` and :class:`NotFound`."""
        index = Index.parse(fields)
        self._configure(command, app, name, lambda collection: collection.without_index(index))

    def set_schema(self, command: Command, app: str, name: str, schema: Any) -> Fit:
        """Have what is written from now on fit ``schema``; say how what is there does. Raises :class:`Invalid`."""
        text = check_schema(schema)
        self._configure(command, app, name, lambda collection: collection.with_schema(text))
        return self._fit(app, name, text)

    def remove_schema(self, command: Command, app: str, name: str) -> None:
        """Have the collection take any document. Raises :class:`NotFound` if it has no schema."""

        def without(collection: Collection) -> CollectionConfigured:
            if collection.schema is None:
                raise NotFound(f"{name} has no schema", field="collection")
            return collection.with_schema(None)

        self._configure(command, app, name, without)

    def _fit(self, app: str, name: str, schema: str) -> Fit:
        checked = unfit = 0
        misfits: list[Misfit] = []
        end = time.monotonic() + CHECK_SECONDS
        for document in islice(self._all(app, name), CHECKED):
            if time.monotonic() > end:
                break
            faults = self._schemas.faults(schema, json.loads(document.data))
            checked += 1
            unfit += bool(faults)
            if faults and len(misfits) < MAX_MISFITS:
                misfits.append(Misfit(document.id, *faults[0]))
            # Others have their turn: it may take a while.
            gevent.sleep(0)
        return Fit(checked, unfit, tuple(misfits))

    def _all(self, app: str, name: str) -> Iterator[Stored]:
        query = Query(app=app, collection=name, limit=500, most_bytes=PAGE_BYTES)
        more = True
        while more:
            try:
                found = self._documents.find(query)
            except TooSlow:
                return
            yield from found.documents
            more = found.more
            if more:
                query = replace(query, behind=query.order.place_of(found.documents[-1].id, None))

    def _configure(
        self, command: Command, app: str, name: str, decided: Callable[[Collection], CollectionConfigured]
    ) -> None:
        def use_case() -> None:
            with self._control.sessions.session() as connection:
                existing_app(connection, app)
                collection = load_collection(connection, app, name)
            entry = Entry(decided(collection), command.metadata(app))
            self._control.appender.append([entry], wakes=[Wake(DOCUMENTS_CHANNEL)])

        self._control.decide(use_case)


def query_of(app: str, collection: str, given: Any, *, sort: Any, cursor: str | None, limit: int) -> Query:
    """What is looked for, by a filter and an order as ``docs::find`` takes them. Raises :class:`Invalid`."""
    order = Order.parse(sort)
    return Query(
        app=app,
        collection=check_collection(collection),
        condition=parse_filter(given),
        order=order,
        behind=order.behind(cursor),
        limit=limit,
        most_bytes=PAGE_BYTES,
    )


def load_collection(connection: psycopg.Connection, app: str, name: str) -> Collection:
    """The settings of a collection as the log has them. Raises :class:`Invalid` for what can't name one."""
    collection = Collection(app, name)
    for recorded in read_stream(connection, Collection.stream_of(app, name)):
        event = recorded.event
        assert isinstance(event, CollectionConfigured)
        collection = collection.configured(event)
    return collection


@contextmanager
def _within_quota() -> Iterator[None]:
    """Tell what would be too much as the domain tells a refusal."""
    try:
        yield
    except QuotaExceeded as error:
        raise Conflict(str(error), field="data") from None


def _about(place: Place, standing: Standing) -> dict[str, Any]:
    return {
        "originator_id": stream_of(place.app, place.collection, place.id),
        "originator_version": standing.version + 1,
        "collection": place.collection,
        "document": place.id,
    }


def _existing(place: Place, standing: Standing) -> Stored:
    if standing.document is None:
        raise _absent(place)
    return standing.document


def _absent(place: Place) -> NotFound:
    return NotFound(f"{place.collection} has no document {place.id!r}", field="document")


def _check_expected(place: Place, standing: Standing, expected: int | None) -> None:
    if expected is None:
        return
    found = standing.version if standing.document is not None else 0
    if found != expected:
        told = f"has version {found}" if found else "is not there"
        wanted = f"version {expected}" if expected else "that there is none"
        raise VersionMismatch(
            f"the document {place.id!r} of {place.collection} {told}; {wanted} was expected",
            field="If-Match",
            remedy="Look at what it is now, and try again.",
        )


def _too_slow() -> Invalid:
    return Invalid(
        f"it took more than {QUERY_SECONDS} s to look",
        field="filter",
        remedy="An index on what is filtered and sorted by makes it quick: picloud docs index add APP/COLLECTION FIELD",
    )
