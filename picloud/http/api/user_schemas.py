"""What goes in and out of accounts of an app's users."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from picloud.domain.users import MAX_NAME, MAX_PASSWORD, MAX_ROLES
from picloud.http.api.schemas import Page

_NAME = validate.Length(1, 4 * MAX_NAME)
_PASSWORD = validate.Length(1, 4 * MAX_PASSWORD)
_ROLES = validate.Length(max=MAX_ROLES)


class UsersQuery(Page):
    """Which users: the one with a name, those with a role, or all, as they registered; 200 a page at most."""

    limit = fields.Int(load_default=50, validate=validate.Range(1, 1000))
    name = fields.Str(validate=_NAME)
    role = fields.Str(validate=validate.Length(1, 63))


class UserIn(Schema):
    """A user to be registered. Without a password they sign in by codes."""

    name = fields.Str(required=True, validate=_NAME, metadata={"example": "ada@example.org"})
    password = fields.Str(load_default=None, allow_none=True, validate=_PASSWORD)
    roles = fields.List(fields.Str(), load_default=list, validate=_ROLES)
    data = fields.Dict(keys=fields.Str(), load_default=dict)


class UserPatch(Schema):
    """What is to be changed. `data` is merged into that which is there (RFC 7396); `disabled` ends all sessions."""

    name = fields.Str(validate=_NAME)
    roles = fields.List(fields.Str(), validate=_ROLES)
    data = fields.Dict(keys=fields.Str())
    disabled = fields.Bool()


class UserOut(Schema):
    """A user of an app."""

    id = fields.UUID(required=True)
    name = fields.Str(required=True)
    roles = fields.List(fields.Str(), required=True)
    data = fields.Dict(required=True)
    disabled = fields.Bool(required=True)
    registered = fields.DateTime(required=True)


class UserList(Schema):
    """Users, as they registered; `next` is the cursor of the page behind, or null."""

    items = fields.List(fields.Nested(UserOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class PasswordIn(Schema):
    """Another password. All sessions of the user end."""

    password = fields.Str(required=True, validate=_PASSWORD)


class UserSessionOut(Schema):
    """A session: `about` is what the script says of it; it ends at `expires`, or unused at `idle_until`."""

    id = fields.UUID(required=True)
    about = fields.Str(required=True)
    started = fields.DateTime(required=True)
    expires = fields.DateTime(required=True)
    idle_until = fields.DateTime(required=True)


class UserSessionList(Schema):
    """Sessions, oldest first."""

    items = fields.List(fields.Nested(UserSessionOut), required=True)


class EndedOut(Schema):
    """How many sessions were ended."""

    ended = fields.Int(required=True)


class UserTokenIn(Schema):
    """A token to be issued; without `lifetime` it holds until it is revoked."""

    name = fields.Str(load_default="token", validate=validate.Length(1, 63))
    lifetime = fields.Str(metadata={"example": "90d"})


class UserTokenOut(Schema):
    """A token, without what opens anything."""

    id = fields.UUID(required=True)
    name = fields.Str(required=True)
    issued = fields.DateTime(required=True)
    expires = fields.DateTime(required=True, allow_none=True)


class IssuedUserToken(UserTokenOut):
    """A token, shown this once."""

    token = fields.Str(required=True)


class UserTokenList(Schema):
    """Tokens, oldest first."""

    items = fields.List(fields.Nested(UserTokenOut), required=True)
