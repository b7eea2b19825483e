"""What goes in and out of mails that scripts sent."""

from __future__ import annotations

from typing import Final

from marshmallow import Schema, fields, validate

from picloud.domain.mail import MailState
from picloud.http.api.schemas import Page

_STATES: Final = [state.value for state in MailState]


class MailRecipient(Schema):
    """Who is to get a mail. `answer` is why the server refused it."""

    address = fields.Str(required=True)
    state = fields.Str(required=True, validate=validate.OneOf(["waiting", "delivered", "refused"]))
    answer = fields.Str(required=True)


class MailOut(Schema):
    """A mail. `answer` is the server's last one, or why it was cancelled; `due` is when it is tried next; `sha256` is
    that of the whole mail, `size` its bytes."""

    id = fields.UUID(required=True)
    app = fields.Str(required=True)
    script = fields.Str(required=True)
    invocation = fields.UUID(required=True)
    state = fields.Str(required=True, validate=validate.OneOf(_STATES))
    sender = fields.Str(required=True)
    recipients = fields.List(fields.Nested(MailRecipient), required=True)
    subject = fields.Str(required=True)
    size = fields.Int(required=True)
    sha256 = fields.Str(required=True)
    attempts = fields.Int(required=True)
    answer = fields.Str(required=True)
    due = fields.DateTime(required=True, allow_none=True)
    queued_at = fields.DateTime(required=True)
    ended_at = fields.DateTime(required=True, allow_none=True)
    position = fields.Int(required=True)


class MailList(Schema):
    """Mails, newest first; `next` is the cursor of the page behind, or null."""

    items = fields.List(fields.Nested(MailOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class MailAttachment(Schema):
    """A file that goes with a mail; it is in the whole mail."""

    name = fields.Str(required=True)
    content_type = fields.Str(required=True)
    size = fields.Int(required=True)
    sha256 = fields.Str(required=True)


class MailEventOut(Schema):
    """What happened to a mail: an event of its stream, with its content."""

    type = fields.Str(required=True)
    at = fields.DateTime(required=True)
    actor = fields.Str(required=True)
    content = fields.Dict(required=True)


class MailWhole(MailOut):
    """A mail as a reader sees it, and all that happened to it. `headers` are pairs of name and value, in order; without
    a text or an html there is null."""

    headers = fields.List(fields.List(fields.Str()), required=True)
    text = fields.Str(required=True, allow_none=True)
    html = fields.Str(required=True, allow_none=True)
    attachments = fields.List(fields.Nested(MailAttachment), required=True)
    events = fields.List(fields.Nested(MailEventOut), required=True)


class MailsQuery(Page):
    """Which mails."""

    state = fields.Str(validate=validate.OneOf(_STATES))
    recipient = fields.Str(validate=validate.Length(1, 320))
    invocation = fields.UUID()


class CancelMail(Schema):
    """Why it isn't to be sent."""

    reason = fields.Str(
        load_default="cancelled by hand",
        validate=validate.And(validate.Length(1, 500), validate.ContainsNoneOf("\x00")),
    )
