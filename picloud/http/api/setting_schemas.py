"""What goes in and out of the control plane about settings of apps."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from picloud.domain.setting import Kind

_KINDS = [kind.value for kind in Kind]


class SettingIn(Schema):
    """A setting's new value. Without a `type` it must be of the type that the setting has; a new setting takes that of
    its value."""

    value = fields.Raw(required=True, allow_none=True, metadata={"example": 20})
    type = fields.Str(load_default=None, allow_none=True, validate=validate.OneOf(_KINDS))


class SettingOut(Schema):
    """A setting."""

    name = fields.Str(required=True)
    version = fields.Int(required=True)
    type = fields.Str(required=True, validate=validate.OneOf(_KINDS))
    value = fields.Raw(required=True)
    changed_at = fields.DateTime(required=True)
    changed_by = fields.Str(required=True)


class SettingList(Schema):
    """Settings, by name."""

    items = fields.List(fields.Nested(SettingOut), required=True)


class PastSetting(Schema):
    """What a setting was; of a removal `type` and `value` are null. `position` is that of the event."""

    version = fields.Int(required=True)
    removed = fields.Bool(required=True)
    type = fields.Str(required=True, allow_none=True)
    value = fields.Raw(required=True, allow_none=True)
    changed_at = fields.DateTime(required=True)
    changed_by = fields.Str(required=True)
    position = fields.Int(required=True)


class SettingHistory(Schema):
    """What a setting was, newest first."""

    items = fields.List(fields.Nested(PastSetting), required=True)
