"""What goes in and out of the control plane about routes."""

from __future__ import annotations

from typing import Final

from marshmallow import Schema, fields, validate

from picloud.domain.flow import MAX_CONCURRENCY
from picloud.domain.route_auth import MAX_KEY_TEXT, Algorithm, Scheme
from picloud.domain.route_settings import MAX_ENTRIES
from picloud.http.api.schemas import MAX_INTEGER, RetryIn, RetryOut

_TEXT: Final = validate.Length(max=500)
MAX_CREDENTIALS_AT_ONCE: Final = 10
"""A password takes 50 ms of the process that hashes it."""
_DURATION: Final = validate.Length(max=40)
_DURABILITY: Final = validate.OneOf(["outbox", "outcome"])


class CredentialIn(Schema):
    """One who may call, or a secret that signs. Without a `secret` one is made, and told in the answer, this once."""

    name = fields.Str(required=True, validate=validate.Length(1, 63), metadata={"example": "ada"})
    secret = fields.Str(load_default=None, allow_none=True, validate=validate.Length(1, 512))


class AuthIn(Schema):
    """How callers show who they are. `header` and `query` say where a key is, `header` where a signature is; `key` is a
    PEM public key or a JWK Set; `window` is how old a signed request may be. Credentials that are there stay, if the
    scheme stays; those given are added."""

    scheme = fields.Str(required=True, validate=validate.OneOf([scheme.value for scheme in Scheme]))
    header = fields.Str(load_default=None, allow_none=True, validate=_TEXT)
    query = fields.Str(load_default=None, allow_none=True, validate=_TEXT)
    algorithm = fields.Str(
        load_default=None, allow_none=True, validate=validate.OneOf([algorithm.value for algorithm in Algorithm])
    )
    key = fields.Str(load_default=None, allow_none=True, validate=validate.Length(max=MAX_KEY_TEXT))
    issuer = fields.Str(load_default=None, allow_none=True, validate=_TEXT)
    audience = fields.Str(load_default=None, allow_none=True, validate=_TEXT)
    leeway = fields.Str(load_default=None, allow_none=True, validate=_DURATION)
    prefix = fields.Str(load_default=None, allow_none=True, validate=_TEXT)
    encoding = fields.Str(load_default=None, allow_none=True, validate=validate.OneOf(["hex", "base64"]))
    timestamp_header = fields.Str(load_default=None, allow_none=True, validate=_TEXT)
    window = fields.Str(load_default=None, allow_none=True, validate=_DURATION)
    credentials = fields.List(
        fields.Nested(CredentialIn), load_default=list, validate=validate.Length(max=MAX_CREDENTIALS_AT_ONCE)
    )


class AuthOut(Schema):
    """How callers show who they are; null for what is no matter of the scheme. `credentials` are the names."""

    scheme = fields.Str(required=True)
    header = fields.Str(required=True, allow_none=True)
    query = fields.Str(required=True, allow_none=True)
    algorithm = fields.Str(required=True, allow_none=True)
    key = fields.Str(required=True, allow_none=True)
    issuer = fields.Str(required=True, allow_none=True)
    audience = fields.Str(required=True, allow_none=True)
    leeway = fields.Str(required=True, allow_none=True)
    prefix = fields.Str(required=True, allow_none=True)
    encoding = fields.Str(required=True, allow_none=True)
    timestamp_header = fields.Str(required=True, allow_none=True)
    window = fields.Str(required=True, allow_none=True)
    credentials = fields.List(fields.Str(), required=True)


class Rate(Schema):
    """How often a route may be called: `60/1m`, each `caller` (without authentication each `address`), `address`, value
    of a `header:NAME`, or the whole `route`."""

    limit = fields.Str(required=True, validate=_DURATION, metadata={"example": "60/1m"})
    by = fields.Str(load_default="caller", validate=validate.Length(max=100))


class CorsIn(Schema):
    """Which pages of other origins may call, what they may send (`headers`) and read (`expose`)."""

    origins = fields.List(fields.Str(validate=_TEXT), required=True, validate=validate.Length(1, MAX_ENTRIES))
    headers = fields.List(fields.Str(validate=_TEXT), load_default=list, validate=validate.Length(max=MAX_ENTRIES))
    expose = fields.List(fields.Str(validate=_TEXT), load_default=list, validate=validate.Length(max=MAX_ENTRIES))
    credentials = fields.Bool(load_default=False, truthy={True}, falsy={False})
    max_age = fields.Str(load_default="10m", validate=_DURATION)


class CorsOut(Schema):
    """Which pages of other origins may call."""

    origins = fields.List(fields.Str(), required=True)
    headers = fields.List(fields.Str(), required=True)
    expose = fields.List(fields.Str(), required=True)
    credentials = fields.Bool(required=True)
    max_age = fields.Str(required=True)


class RouteSettingsIn(Schema):
    """What is to become of a route. What is left out stays as it is; null takes it away. With a `script` the route is
    made if it isn't there. `retry` is for asynchronous calls, `concurrency` for synchronous ones."""

    script = fields.Str(metadata={"example": "hello"})
    durability = fields.Str(validate=_DURABILITY)
    auth = fields.Nested(AuthIn, allow_none=True)
    rate = fields.Nested(Rate, allow_none=True)
    concurrency = fields.Int(allow_none=True, strict=True, validate=validate.Range(0, MAX_CONCURRENCY))
    cors = fields.Nested(CorsIn, allow_none=True)
    retry = fields.Nested(RetryIn, allow_none=True)
    timeout = fields.Str(allow_none=True, validate=_DURATION, metadata={"description": "Of one run, such as `5s`."})
    operations = fields.Int(allow_none=True, strict=True, validate=validate.Range(1, MAX_INTEGER))
    private = fields.Bool(
        truthy={True},
        falsy={False},
        metadata={"description": "Seal what is asked and answered; only the vault's key opens it in the log."},
    )


class RouteOut(Schema):
    """A route."""

    route = fields.Str(required=True, metadata={"example": "GET /hello/{name}"})
    method = fields.Str(required=True)
    path = fields.Str(required=True)
    script = fields.Str(required=True)
    durability = fields.Str(required=True)
    url = fields.Str(required=True)
    auth = fields.Nested(AuthOut, required=True, allow_none=True)
    rate = fields.Nested(Rate, required=True, allow_none=True)
    concurrency = fields.Int(required=True, allow_none=True)
    cors = fields.Nested(CorsOut, required=True, allow_none=True)
    retry = fields.Nested(RetryOut, required=True)
    timeout = fields.Str(required=True, allow_none=True)
    operations = fields.Int(required=True, allow_none=True)
    private = fields.Bool(required=True)


class RouteList(Schema):
    """Routes."""

    items = fields.List(fields.Nested(RouteOut), required=True)


class IssuedCredential(Schema):
    """A credential; `secret` is null unless it was made here, and is told this once."""

    name = fields.Str(required=True)
    secret = fields.Str(required=True, allow_none=True)


class RouteSet(Schema):
    """The route as it is now, and the credentials that were made."""

    route = fields.Nested(RouteOut, required=True)
    issued = fields.List(fields.Nested(IssuedCredential), required=True)


class CredentialQuery(Schema):
    """Which credential of which route."""

    route = fields.Str(required=True, validate=validate.Length(1, 600), metadata={"example": "GET /hello/{name}"})
    name = fields.Str(required=True, validate=validate.Length(1, 63), metadata={"example": "ada"})
