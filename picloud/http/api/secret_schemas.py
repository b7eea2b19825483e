"""What goes in and out of the control plane about secrets. Values go in; none comes out."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from picloud.domain.secret import MAX_SECRET_BYTES


class SecretIn(Schema):
    """The next version of a secret: its `value`, or with `generate` a random one that nobody is told. The value before
    stays readable for `grace`, a duration such as `24h`; without one it ends at once."""

    value = fields.Str(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, MAX_SECRET_BYTES),
        metadata={"example": "a value that is never shown", "format": "password", "writeOnly": True},
    )
    generate = fields.Bool(load_default=False, truthy={True}, falsy={False})
    grace = fields.Str(load_default=None, allow_none=True, validate=validate.Length(1, 40))


class SecretVersionOut(Schema):
    """A version that scripts may read. `readable_until` is null for the present one. `fingerprint` is equal for equal
    values of this secret, until the vault's key is changed; `vault_key` is the id of the key that it is sealed with."""

    version = fields.Int(required=True)
    set_at = fields.DateTime(required=True)
    set_by = fields.Str(required=True)
    fingerprint = fields.Str(required=True)
    vault_key = fields.Str(required=True)
    readable_until = fields.DateTime(required=True, allow_none=True)


class SecretOut(Schema):
    """A secret without its value. `older` are versions in their grace; `reads` counts those of all scripts."""

    name = fields.Str(required=True)
    version = fields.Int(required=True)
    set_at = fields.DateTime(required=True)
    set_by = fields.Str(required=True)
    fingerprint = fields.Str(required=True)
    vault_key = fields.Str(required=True)
    older = fields.List(fields.Nested(SecretVersionOut), required=True)
    reads = fields.Int(required=True)
    last_read_at = fields.DateTime(required=True, allow_none=True)


class SecretReaderOut(Schema):
    """A script that read a secret: how often, in how many runs, and when last, in which version and invocation."""

    script = fields.Str(required=True)
    reads = fields.Int(required=True)
    runs = fields.Int(required=True)
    last_at = fields.DateTime(required=True)
    last_version = fields.Int(required=True)
    last_invocation = fields.UUID(required=True)


class SecretWithReadersOut(SecretOut):
    """A secret without its value, with the scripts that read it, the last first."""

    readers = fields.List(fields.Nested(SecretReaderOut), required=True)


class SecretList(Schema):
    """Secrets, by name."""

    items = fields.List(fields.Nested(SecretOut), required=True)


class Expired(Schema):
    """Whether there was a version in its grace."""

    expired = fields.Bool(required=True)
