"""``docs::``: JSON documents in collections, per app.

    docs::insert(collection, data)                   the id of the new document; options #{id}
    docs::get(collection, id)                        the document, or () if there is none
    docs::replace(collection, id, data)              options #{version}, also below
    docs::patch(collection, id, patch)               the document as the patch (RFC 7396) leaves it
    docs::delete(collection, id)                     whether there was one
    docs::find(collection, filter, options)          documents; options #{sort, limit}
    docs::page(collection, filter, options)          #{documents, cursor}; options #{sort, limit, cursor}
    docs::count(collection, filter)

Writes commit with the run's outcome; the run itself finds what it wrote. A document that a run has read or found, and
writes, is the one that it has seen, or the run is repeated: two runs can't overwrite each other unknowingly. What a
run didn't find, because another one wrote it meanwhile, doesn't make it run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final

import gevent

from picloud.domain.document import (
    check_collection,
    check_id,
    check_value,
    made_id,
    stream_of,
    text_of,
)
from picloud.domain.document_filter import parse_filter
from picloud.domain.document_order import Order, Sortable, pages
from picloud.domain.errors import Invalid
from picloud.domain.merge_patch import merge
from picloud.services.arguments import Options, kind_of, options_of, refused_as
from picloud.services.docs_draft import DocsDraft, Held, Name, Sight, size_of
from picloud.services.documents import QUERY_SECONDS, Documents, Found, Query, Stored, TooSlow
from picloud.services.schemas import Schemas
from picloud.services.work import ServiceError, Work

MAX_WRITES: Final = 1_000
"""Documents that one run may write."""
MAX_WRITTEN_BYTES: Final = 8 * 1024 * 1024
"""Of these, as JSON."""
MAX_LIMIT: Final = 1_000
PAGE: Final = 100
"""Documents of a page that says nothing else."""
MAX_FOUND_BYTES: Final = 4 * 1024 * 1024
"""Of the documents of one answer."""

_OF_WRITE: Final[Options] = {"version": (int, "the version that the document is to have, an integer")}
_OF_INSERT: Final[Options] = {"id": (str, "a string")}
_OF_FIND: Final[Options] = {
    "sort": (list, 'a field such as "-total", or an array of them'),
    "limit": (int, f"an integer from 1 to {MAX_LIMIT:,}"),
}
_OF_PAGE: Final[Options] = {**_OF_FIND, "cursor": (str, "what the page before gave, a string")}

_TIME: Final = b"docs: when the run first made an id"


class Docs:
    """See the module."""

    def __init__(self, documents: Documents, schemas: Schemas) -> None:
        self._documents = documents
        self._schemas = schemas
        self.functions: dict[str, Callable[..., Any]] = {
            "insert": self.insert,
            "get": self.get,
            "replace": self.replace,
            "patch": self.patch,
            "delete": self.delete,
            "find": self.find,
            "page": self.page,
            "count": self.count,
        }

    def insert(self, work: Work, collection: Any, data: Any, options: Any = None) -> str:
        """Put a new document into ``collection``; return its id."""
        function = "docs::insert"
        name = _collection(function, collection)
        given = options_of(function, options, _OF_INSERT)
        draft = work.draft(DocsDraft)
        with refused_as(function):
            text = text_of(data)
            if "id" not in given:
                document = self._made_id(work, draft)
                held = Held(stream_of(work.app, name, document), 0, False, None)
            else:
                document = check_id(given["id"])
                held = self._held(work, draft, name, document)
                if held.data is not None:
                    raise Invalid(
                        f'{name} has a document "{document}" already',
                        remedy="Replace or patch it, or leave the id out to get a new one.",
                    )
            self._write(work, draft, (name, document), held, text, data)
        return document

    def get(self, work: Work, collection: Any, document: Any) -> dict[str, Any] | None:
        """The document under that id; None if there is none."""
        function = "docs::get"
        name, key = _collection(function, collection), _id(function, document)
        draft = work.draft(DocsDraft)
        held = draft.held.get((name, key))
        if held is not None:
            return None if held.data is None else _uncommitted(key, held, held.data).told()
        document = self._seen(work, draft, (name, key)).document
        return None if document is None else document.told()

    def replace(self, work: Work, collection: Any, document: Any, data: Any, options: Any = None) -> None:
        """Have the document hold ``data``."""
        function = "docs::replace"
        name, key = _collection(function, collection), _id(function, document)
        draft = work.draft(DocsDraft)
        held = self._existing(work, draft, function, (name, key), options)
        with refused_as(function):
            self._write(work, draft, (name, key), held, text_of(data), data)

    def patch(self, work: Work, collection: Any, document: Any, patch: Any, options: Any = None) -> dict[str, Any]:
        """Lay a merge patch over the document; return what it is then."""
        function = "docs::patch"
        name, key = _collection(function, collection), _id(function, document)
        if not isinstance(patch, Mapping):
            raise ServiceError(
                f'{function} takes the patch as a map, such as #{{status: "paid"}}, not {kind_of(patch)}'
            )
        draft = work.draft(DocsDraft)
        held = self._existing(work, draft, function, (name, key), options)
        assert held.data is not None
        with refused_as(function):
            check_value(patch, "patch")
            data = merge(json.loads(held.data), patch)
            text = text_of(data)
            alone = (name, key) not in draft.held
            self._write(work, draft, (name, key), held, text, data, patch=json.dumps(patch) if alone else None)
        return _uncommitted(key, held, text).told()

    def delete(self, work: Work, collection: Any, document: Any, options: Any = None) -> bool:
        """Take the document away; return whether there was one."""
        function = "docs::delete"
        name, key = _collection(function, collection), _id(function, document)
        wanted = options_of(function, options, _OF_WRITE)
        draft = work.draft(DocsDraft)
        held = self._held(work, draft, name, key)
        if held.data is None:
            return False
        _check_version(function, (name, key), held, draft, wanted.get("version"))
        with refused_as(function):
            self._write(work, draft, (name, key), held, None, None)
        return True

    def find(self, work: Work, collection: Any, given: Any = None, options: Any = None) -> list[dict[str, Any]]:
        """The documents that a filter finds, in order."""
        function = "docs::find"
        query = _query(function, work.app, collection, given, options, _OF_FIND, limit=MAX_LIMIT)
        found = self._find(work, function, query)
        if found.more and len(found.documents) < query.limit:
            raise ServiceError(
                f"{function}: what was found has more than {MAX_FOUND_BYTES:,} bytes; take it page by page with "
                "docs::page, or set a limit"
            )
        return [document.told() for document in found.documents]

    def page(self, work: Work, collection: Any, given: Any = None, options: Any = None) -> dict[str, Any]:
        """A page of the documents that a filter finds, and the cursor of the next one; no cursor at the end."""
        function = "docs::page"
        query = _query(function, work.app, collection, given, options, _OF_PAGE, limit=PAGE)
        found = self._find(work, function, query)
        documents = [document.told() for document in found.documents]
        cursor = None
        if found.more:
            last = documents[-1]
            cursor = query.order.cursor(query.order.place_of(last["id"], last["data"]))
        return {"documents": documents, "cursor": cursor}

    def count(self, work: Work, collection: Any, given: Any = None) -> int:
        """How many documents a filter finds."""
        function = "docs::count"
        query = _query(function, work.app, collection, given, None, _OF_FIND, limit=1)
        own = self._own(work, query.collection)
        with _in_time(function):
            stored = self._documents.count(replace(query, without=tuple(own)))
        return stored + len(_fitting(query, own))

    def _find(self, work: Work, function: str, query: Query) -> Found:
        own = self._own(work, query.collection)
        with _in_time(function):
            found = self._documents.find(replace(query, without=tuple(own)))
        draft = work.draft(DocsDraft)
        for document in found.documents:
            draft.see((query.collection, document.id), document.version, document)
        return merged(query, found, _fitting(query, own))

    def _own(self, work: Work, collection: str) -> dict[str, Held]:
        """What the run has written in a collection, by the ids."""
        held = work.draft(DocsDraft).held
        return {key: each for (name, key), each in held.items() if name == collection}

    def _made_id(self, work: Work, draft: DocsDraft) -> str:
        """An id for a new document, the same if the run is repeated: its time is that of the first try."""
        draft.made += 1
        try:
            at_ms = work.outside.take(_TIME)
        except LookupError:
            at_ms = work.caller.clock_ms
            work.outside.keep(_TIME, at_ms)
        # By the number of the call: the draft of a run that goes on behind a step begins to count anew.
        number = max(draft.made, work.calls.get("docs", 0))
        return made_id(work.caller.invocation, number, attempt=work.caller.attempt, at_ms=at_ms)

    def _held(self, work: Work, draft: DocsDraft, collection: str, document: str) -> Held:
        """What stands under the id for this run; it becomes the run's own only by ``_write``."""
        held = draft.held.get((collection, document))
        if held is not None:
            return held
        sight = self._seen(work, draft, (collection, document))
        data = sight.document.data if sight.document is not None else "{}" if sight.there else None
        return Held(stream_of(work.app, collection, document), sight.version, sight.there, data)

    def _seen(self, work: Work, draft: DocsDraft, name: Name) -> Sight:
        """What stands under the id as the run first saw it, whatever became of it since.

        A document that was too much to be kept is read again; if it is another one by now, or gone, what the run does
        to it can't be committed: the version that it first saw is the one that is checked.
        """
        sight = draft.seen.get(name)
        if sight is not None and (sight.document is not None or not sight.there):
            return sight
        standing = self._documents.one(work.app, *name)
        if sight is None:
            sight = draft.see(name, standing.version, standing.document)
        return Sight(sight.version, sight.there, standing.document)

    def _existing(self, work: Work, draft: DocsDraft, function: str, name: Name, options: Any) -> Held:
        wanted = options_of(function, options, _OF_WRITE)
        held = self._held(work, draft, *name)
        if held.data is None:
            raise ServiceError(
                f'{function}: {name[0]} has no document "{name[1]}"; docs::insert(…, #{{id: "{name[1]}"}}) makes one'
            )
        _check_version(function, name, held, draft, wanted.get("version"))
        return held

    def _write(
        self,
        work: Work,
        draft: DocsDraft,
        name: Name,
        held: Held,
        text: str | None,
        data: Any,
        patch: str | None = None,
    ) -> None:
        """Have the document be ``text``, whose value is ``data``. Raises :class:`Invalid`; nothing is written then."""
        collection = name[0]
        before, after = size_of(held.data), size_of(text)
        written = draft.written_bytes + after - (before if name in draft.held else 0)
        if name not in draft.held and len(draft.held) >= MAX_WRITES:
            raise Invalid(f"a run may write {MAX_WRITES:,} documents at most")
        if written > MAX_WRITTEN_BYTES:
            raise Invalid(f"the documents that a run writes have {MAX_WRITTEN_BYTES:,} bytes together at most")
        if text is not None:
            self._check_schema(work, draft, collection, data)
        draft.written_bytes = written
        held.data, held.patch = text, patch
        draft.held[name] = held

    def _check_schema(self, work: Work, draft: DocsDraft, collection: str, data: Any) -> None:
        if collection not in draft.schemas:
            draft.schemas[collection] = self._documents.schema(work.app, collection)
        schema = draft.schemas[collection]
        if schema is not None:
            self._schemas.check(schema, data, collection)


def merged(query: Query, found: Found, own: list[tuple[Stored, Any]]) -> Found:
    """What a query finds when the documents ``own``, each with its content, fit too and are there beside the stored
    ones.
    """
    if not own:
        return found
    order = query.order

    def place(document: Stored, data: Any) -> Sortable:
        return order.sortable(order.place_of(document.id, data))

    placed = [(place(each, json.loads(each.data)), each) for each in found.documents]
    behind = order.sortable(query.behind) if query.behind is not None else None
    # Where the stored ones were cut, the next page begins.
    last = placed[-1][0] if found.more and placed else None
    for each, data in own:
        at = place(each, data)
        if (behind is None or behind < at) and (last is None or at < last):
            placed.append((at, each))
    documents = [each for _, each in sorted(placed, key=itemgetter(0))]
    return Found(documents[: query.limit], found.more or len(documents) > query.limit)


def _fitting(query: Query, own: dict[str, Held]) -> list[tuple[Stored, Any]]:
    """Those of the run's own documents that a query means, wherever they stand, each with its content."""
    fitting = []
    for key, held in own.items():
        if held.data is not None:
            data = json.loads(held.data)
            if query.condition.holds(data):
                fitting.append((_uncommitted(key, held, held.data), data))
            # Others have their turn: a run may have written much.
            gevent.sleep(0)
    return fitting


def _query(function: str, app: str, collection: Any, given: Any, options: Any, known: Options, *, limit: int) -> Query:
    if isinstance(options, Mapping):
        options = {name: value for name, value in options.items() if name != "cursor" or value is not None}
        if isinstance(options.get("sort"), str):
            options["sort"] = [options["sort"]]
    said = options_of(function, options, known)
    name = _collection(function, collection)
    with refused_as(function):
        order = Order.parse(said.get("sort"))
        return Query(
            app=app,
            collection=name,
            condition=parse_filter(given),
            order=order,
            behind=order.behind(said.get("cursor")),
            limit=pages(said.get("limit"), most=MAX_LIMIT, default=limit),
            most_bytes=MAX_FOUND_BYTES,
        )


def _uncommitted(document: str, held: Held, data: str) -> Stored:
    return Stored(document, held.version + 1, None, None, data)


def _check_version(function: str, name: Name, held: Held, draft: DocsDraft, wanted: int | None) -> None:
    version = held.version + (name in draft.held)
    if wanted is not None and wanted != version:
        raise ServiceError(
            f'{function}: the document "{name[1]}" of {name[0]} has version {version}, not {wanted}: somebody changed '
            "it meanwhile. Read it again"
        )


def _collection(function: str, collection: Any) -> str:
    if not isinstance(collection, str):
        raise ServiceError(f"{function} takes the collection as a string, not {kind_of(collection)}")
    with refused_as(function):
        return check_collection(collection)


def _id(function: str, document: Any) -> str:
    if not isinstance(document, str):
        raise ServiceError(f"{function} takes the id as a string, not {kind_of(document)}")
    with refused_as(function):
        return check_id(document)


@contextmanager
def _in_time(function: str) -> Iterator[None]:
    try:
        yield
    except TooSlow:
        raise ServiceError(
            f"{function}: it took more than {QUERY_SECONDS} s; an index on what is filtered and sorted by makes it "
            "quick: picloud docs index add APP/COLLECTION FIELD"
        ) from None
