"""What goes in and out of an app's egress."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from picloud.domain.egress import MAX_ALLOWED, MAX_URL

_HOST = validate.Length(1, 300)
_EXAMPLE = {"example": "*.example.com:8443"}


class AllowedIn(Schema):
    """What scripts may call: a name, an address or a network, with a port or without. Only what is `private` opens what
    isn't public."""

    host = fields.Str(required=True, validate=_HOST, metadata=_EXAMPLE)
    private = fields.Bool(load_default=False)


class EgressIn(Schema):
    """What is to change: what is allowed from now on, what isn't any more, whether anything else is refused."""

    allow = fields.List(fields.Nested(AllowedIn), validate=validate.Length(max=MAX_ALLOWED), load_default=list)
    forget = fields.List(fields.Str(validate=_HOST), validate=validate.Length(max=MAX_ALLOWED), load_default=list)
    restricted = fields.Bool()


class AllowedOut(Schema):
    """What scripts may call."""

    host = fields.Str(required=True, metadata=_EXAMPLE)
    private = fields.Bool(required=True)


class EgressOut(Schema):
    """Where an app's scripts may connect to: what is public and what is allowed, or only the latter if `restricted`."""

    restricted = fields.Bool(required=True)
    allowed = fields.List(fields.Nested(AllowedOut), required=True)


class CheckQuery(Schema):
    """The URL that a script would call."""

    url = fields.Str(
        required=True, validate=validate.Length(1, MAX_URL), metadata={"example": "https://api.example.com/v1"}
    )


class CheckOut(Schema):
    """Whether scripts may call a URL: where it leads to, or why not."""

    allowed = fields.Bool(required=True)
    addresses = fields.List(fields.Str(), required=True)
    why_not = fields.Str(required=True, allow_none=True)
