"""``docs::`` as it would have answered at a position of the log, for a run that is repeated on its record.

One document by its id the log can tell, and what the run itself wrote. What a filter would have found it can't, so that
is answered by the record alone, for the same question.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from picloud.domain.document import (
    DocumentDeleted,
    DocumentEvent,
    DocumentInserted,
    DocumentPatched,
    DocumentReplaced,
    stream_of,
    text_of,
)
from picloud.log.reader import read_newest_events
from picloud.postgres.sessions import Sessions
from picloud.services.docs import Docs
from picloud.services.docs_draft import DocsDraft, Held, Name
from picloud.services.documents import Documents, Standing, Stored
from picloud.services.schemas import Schemas
from picloud.services.work import ServiceError, Work

LOOKING = frozenset({"find", "page", "count"})


class PastDocuments(Documents):
    """Documents at a position of the log; what is known from a record goes first."""

    def __init__(self, sessions: Sessions, position: int) -> None:
        super().__init__(sessions)
        self._position = position
        self.known: dict[Name, Standing] = {}

    def one(self, app: str, collection: str, document: str) -> Standing:
        """See :class:`picloud.services.documents.Documents`."""
        known = self.known.get((collection, document))
        if known is not None:
            return known
        stream = stream_of(app, collection, document)
        with self._sessions.session() as connection:
            recorded = read_newest_events(connection, [stream], up_to=self._position).get(stream)
        if recorded is None:
            return Standing(None, 0)
        event: Any = recorded.event
        if isinstance(event, DocumentDeleted):
            return Standing(None, recorded.version)
        created = recorded.at if isinstance(event, DocumentInserted) else None
        return Standing(Stored(document, recorded.version, created, recorded.at, event.data), recorded.version)

    def schema(self, app: str, collection: str) -> str | None:
        """None: what a schema refused then, the record refuses."""
        return None


class PastDocs(Docs):
    """See the module."""

    def __init__(self, sessions: Sessions, position: int) -> None:
        self._past = PastDocuments(sessions, position)
        super().__init__(self._past, Schemas())
        self._made: list[str] = []
        self._answers: dict[str, list[Any]] = defaultdict(list)
        for function in LOOKING:
            self.functions[function] = self._looking(function)

    def learn(self, function: str, args: list[Any], answer: Any, work: Work) -> None:
        """Take in what the record tells: the answer to a call of a run that had done ``work`` by then."""
        if function in LOOKING:
            self._answers[_question(function, args)].append(answer)
        elif function == "insert" and not _names_id(args):
            self._made.append(answer)
        found = {"get": lambda: [answer] if answer else [], "find": lambda: answer, "page": lambda: answer["documents"]}
        for document in found.get(function, list)():
            self._learn(work, (args[0], document["id"]), document)
        if function == "get" and answer is None:
            self._learn(work, (args[0], args[1]), None)

    def record(self, work: Work, function: str, args: list[Any], answer: Any) -> None:
        """Do to the run's own writes what a call did to them that the record answers, whatever the log says."""
        draft = work.draft(DocsDraft)
        collection = args[0]
        document = answer if function == "insert" else args[1]
        if function == "insert":
            draft.made += not _names_id(args)
        elif function == "delete" and not answer:
            return
        name = (collection, document)
        held = draft.held.get(name) or Held(stream_of(work.app, *name), 0, function != "insert", None)
        data = {"insert": lambda: args[1], "replace": lambda: args[2], "patch": lambda: answer["data"]}
        held.data = text_of(data[function]()) if function in data else None
        held.patch = json.dumps(args[2]) if function == "patch" and name not in draft.held else None
        draft.held[name] = held

    def effects(self, work: Work) -> list[tuple[str, list[Any]]]:
        """What the work comes to: function and arguments, one call for each document."""
        return [effect_of(event) for event in work.draft(DocsDraft).events()]

    def _looking(self, function: str) -> Any:
        def answer(work: Work, *args: Any) -> Any:
            known = self._answers.get(_question(function, list(args)))
            if not known:
                raise ServiceError(f"docs::{function}: what it would have found then was not recorded")
            return known.pop(0) if len(known) > 1 else known[0]

        return answer

    def _made_id(self, work: Work, draft: DocsDraft) -> str:
        made = super()._made_id(work, draft)
        return self._made[draft.made - 1] if draft.made <= len(self._made) else made

    def _learn(self, work: Work, name: Name, document: dict[str, Any] | None) -> None:
        if name in work.draft(DocsDraft).held or name in self._past.known:
            return
        if document is None:
            self._past.known[name] = Standing(None, 0)
            return
        created, updated = _time(document["created"]), _time(document["updated"])
        stored = Stored(document["id"], document["version"], created, updated, text_of(document["data"]))
        self._past.known[name] = Standing(stored, stored.version)


def effect_of(event: DocumentEvent) -> tuple[str, list[Any]]:
    """The function of ``docs::``, and its arguments, that an event comes from."""
    match event:
        case DocumentInserted(collection=collection, document=document, data=data):
            return "insert", [collection, json.loads(data), {"id": document}]
        case DocumentReplaced(collection=collection, document=document, data=data):
            return "replace", [collection, document, json.loads(data)]
        case DocumentPatched(collection=collection, document=document, patch=patch):
            return "patch", [collection, document, json.loads(patch)]
        case DocumentDeleted(collection=collection, document=document):
            return "delete", [collection, document]


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _names_id(args: list[Any]) -> bool:
    return len(args) > 2 and isinstance(args[2], dict) and "id" in args[2]


def _question(function: str, args: list[Any]) -> str:
    return json.dumps([function, args], sort_keys=True, default=str)
