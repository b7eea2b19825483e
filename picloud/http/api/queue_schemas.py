"""What goes in and out of queues."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class QueueOut(Schema):
    """A queue. `ready` messages are due, `delayed` ones not yet; those `behind` wait for others with their key.

    `oldest_seconds` is how long the one that is due for the longest waits; `paused` is the note of a pause, or null.
    """

    name = fields.Str(required=True)
    script = fields.Str(required=True)
    paused = fields.Str(required=True, allow_none=True)
    ready = fields.Int(required=True)
    delayed = fields.Int(required=True)
    behind = fields.Int(required=True)
    running = fields.Int(required=True)
    oldest_seconds = fields.Float(required=True)
    dead_letters = fields.Int(required=True)


class QueueList(Schema):
    """Queues, by name."""

    items = fields.List(fields.Nested(QueueOut), required=True)


class PurgeIn(Schema):
    """Why what waits is called off."""

    reason = fields.Str(load_default="the queue was purged", validate=validate.Length(1, 500))


class PurgeOut(Schema):
    """How many messages were called off, 10,000 at most, and how many wait now."""

    purged = fields.Int(required=True)
    left = fields.Int(required=True)
