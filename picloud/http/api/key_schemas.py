"""What goes in and out of keys and values, and of what apps may keep."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from picloud.domain.quota import DEFAULTS
from picloud.http.api.schemas import MAX_INTEGER, Page

_KEY = validate.Length(1, 512)


class KeyQuery(Schema):
    """Which key."""

    key = fields.Str(required=True, validate=_KEY, metadata={"example": "todo/1"})


class ValueQuery(KeyQuery):
    """Which key, and of when: now, unless `at` says another time."""

    at = fields.AwareDateTime(format="iso", metadata={"example": "2026-05-01T12:00:00Z"})


class KeysQuery(Page):
    """Which keys."""

    prefix = fields.Str(load_default="", validate=validate.Length(max=512))


class ValueIn(Schema):
    """A value, any JSON; with `ttl` the key has it for so long."""

    value = fields.Raw(required=True, allow_none=True)
    ttl = fields.Str(load_default=None, allow_none=True, metadata={"example": "1h30m"})


class EntryOut(Schema):
    """A key with its value, the version of its stream, and until when it has the value (null: for ever)."""

    key = fields.Str(required=True)
    value = fields.Raw(required=True, allow_none=True)
    version = fields.Int(required=True)
    expires = fields.DateTime(required=True, allow_none=True)


class EntryList(Schema):
    """Keys, in the order of their characters; `next` is the cursor of the page behind, or null."""

    items = fields.List(fields.Nested(EntryOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class ChangeOut(Schema):
    """A change of a key: the event's type, position and time, who did it and by what cause, what the key had then.

    `deleted` tells that it had no value any more.
    """

    type = fields.Str(required=True)
    position = fields.Int(required=True)
    at = fields.DateTime(required=True)
    actor = fields.Str(required=True)
    causation_id = fields.UUID(required=True)
    version = fields.Int(required=True)
    deleted = fields.Bool(required=True)
    value = fields.Raw(required=True, allow_none=True)
    expires = fields.DateTime(required=True, allow_none=True)


class HistoryOut(Schema):
    """The changes of a key, newest first."""

    items = fields.List(fields.Nested(ChangeOut), required=True)


class QuotaIn(Schema):
    """What an app may keep in a service. What is null or left out is what every app may."""

    items = fields.Int(load_default=None, allow_none=True, validate=validate.Range(0, MAX_INTEGER))
    bytes = fields.Int(load_default=None, allow_none=True, validate=validate.Range(0, MAX_INTEGER))


class QuotaOut(Schema):
    """What an app keeps in a service, and what it may keep; `own` tells that this was set for the app."""

    service = fields.Str(required=True, validate=validate.OneOf(sorted(DEFAULTS)))
    items = fields.Int(required=True)
    bytes = fields.Int(required=True)
    item_limit = fields.Int(required=True)
    byte_limit = fields.Int(required=True)
    own = fields.Bool(required=True)


class QuotaList(Schema):
    """Quotas, by service."""

    items = fields.List(fields.Nested(QuotaOut), required=True)
