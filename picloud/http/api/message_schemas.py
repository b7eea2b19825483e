"""What goes in and out of topics and queues."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from picloud.domain.flow import MAX_KEY, MOST_PRIORITY


class MessageOptions(Schema):
    """When a message is due (after a `delay` such as `5m`, or at `due`), what it comes behind, how urgent it is."""

    delay = fields.Str(metadata={"example": "5m"})
    due = fields.AwareDateTime()
    ordering_key = fields.Str(validate=validate.Length(max=MAX_KEY))
    priority = fields.Int(validate=validate.Range(0, MOST_PRIORITY))


class MessageIn(MessageOptions):
    """A message to a queue. `data` is any JSON, which the script finds as `ctx.event.data`."""

    data = fields.Raw(load_default=None, allow_none=True)


class PublishedOut(Schema):
    """A message that was published: the invocations by which triggers get it, and why others that match don't."""

    message = fields.UUID(required=True)
    topic = fields.Str(required=True)
    invocations = fields.Dict(keys=fields.Str(), values=fields.UUID(), required=True)
    left_out = fields.Dict(keys=fields.Str(), values=fields.Str(), required=True)


class SentOut(Schema):
    """Messages that were sent: their ids, which are those of their invocations."""

    queue = fields.Str(required=True)
    messages = fields.List(fields.UUID(), required=True)


class SubscriptionQuery(Schema):
    """Only those that get what is published to `topic`."""

    topic = fields.Str(metadata={"example": "orders.created"})


class SubscriptionOut(Schema):
    """A subscription: the pattern, the trigger that has it, the script that it leads to, the note of its pause."""

    pattern = fields.Str(required=True)
    trigger = fields.Str(required=True)
    script = fields.Str(required=True)
    paused = fields.Str(required=True, allow_none=True)


class SubscriptionList(Schema):
    """Subscriptions, by pattern."""

    items = fields.List(fields.Nested(SubscriptionOut), required=True)
