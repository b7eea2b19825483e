"""What goes in and out of collections."""

from __future__ import annotations

from typing import Final

from marshmallow import INCLUDE, Schema, fields, validate

from picloud.http.api.schemas import Page

_FIELDS: Final = validate.Length(1, 3)


class IndexOut(Schema):
    """An index: `waiting` and `building` before it is `ready`, or `failed` with the reason."""

    fields_ = fields.List(fields.Str(), required=True, data_key="fields", attribute="fields")
    state = fields.Str(required=True, validate=validate.OneOf(["waiting", "building", "ready", "failed"]))
    reason = fields.Str(required=True)


class CollectionOut(Schema):
    """A collection: how much it holds, its indexes, and its schema or null."""

    name = fields.Str(required=True)
    documents = fields.Int(required=True)
    bytes = fields.Int(required=True)
    indexes = fields.List(fields.Nested(IndexOut), required=True)
    schema = fields.Dict(required=True, allow_none=True)


class CollectionList(Schema):
    """Collections, by name."""

    items = fields.List(fields.Nested(CollectionOut), required=True)


class DocumentIn(Schema):
    """A document, a merge patch of one (RFC 7396), or a JSON Schema: any map."""

    class Meta:
        """What is in the map is nobody's business here."""

        unknown = INCLUDE


class DocumentOut(Schema):
    """A document."""

    id = fields.Str(required=True)
    version = fields.Int(required=True)
    created = fields.DateTime(required=True)
    updated = fields.DateTime(required=True)
    data = fields.Dict(required=True)


class DocumentList(Schema):
    """A page of documents."""

    items = fields.List(fields.Nested(DocumentOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class FilterQuery(Schema):
    """Which documents."""

    filter = fields.Str(
        validate=validate.Length(max=8_000),
        metadata={"description": "A filter as JSON.", "example": '{"status": "open", "total": {"gt": 100}}'},
    )


class FindQuery(FilterQuery, Page):
    """Which documents, in which order."""

    sort = fields.Str(
        validate=validate.Length(max=1_000),
        metadata={"description": "Fields between commas, `-` before one that descends.", "example": "status,-created"},
    )


class CountOut(Schema):
    """How many documents a filter finds."""

    count = fields.Int(required=True)


class HistoryQuery(Schema):
    """Query of a history."""

    limit = fields.Int(load_default=20, validate=validate.Range(1, 100), metadata={"description": "Events at most."})
    cursor = fields.Int(validate=validate.Range(1, 2**62), metadata={"description": "The `next` of the page before."})


class DocumentChangeOut(Schema):
    """What happened to a document: `data` is what it was then, null if it was deleted; `patch` what was patched."""

    version = fields.Int(required=True)
    type = fields.Str(required=True)
    at = fields.DateTime(required=True)
    actor = fields.Str(required=True)
    causation_id = fields.UUID(required=True)
    patch = fields.Dict(required=True, allow_none=True)
    data = fields.Dict(required=True, allow_none=True)


class HistoryOut(Schema):
    """A page of a document's history, the newest first."""

    items = fields.List(fields.Nested(DocumentChangeOut), required=True)
    next = fields.Int(required=True, allow_none=True)


class IndexIn(Schema):
    """An index to be made."""

    fields_ = fields.List(
        fields.Str(validate=validate.Length(1, 256)),
        required=True,
        validate=_FIELDS,
        data_key="fields",
        attribute="fields",
        metadata={"description": "Paths in a document.", "example": ["status", "created"]},
    )


class IndexQuery(Schema):
    """Which index."""

    fields_ = fields.Str(
        required=True,
        data_key="fields",
        attribute="fields",
        validate=validate.Length(1, 800),
        metadata={"description": "Its fields between commas.", "example": "status,created"},
    )


class MisfitOut(Schema):
    """A document that doesn't fit."""

    id = fields.Str(required=True)
    place = fields.Str(required=True)
    reason = fields.Str(required=True)


class FitOut(Schema):
    """How the documents that are there fit a new schema: of those `checked` (10,000 at most), so many don't."""

    checked = fields.Int(required=True)
    unfit = fields.Int(required=True)
    misfits = fields.List(fields.Nested(MisfitOut), required=True)
