"""What topics and queues share: the message that a script hands over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from picloud.domain.message import BYTES, JSON, Message, Posted, order_of
from picloud.domain.names import stream_id
from picloud.services.arguments import OF_ORDER, json_of, options_of, refused_as
from picloud.services.work import ServiceError, Work

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of all messages of one run together."""


def message_of(work: Work, function: str, data: Any, options: Any) -> Message:
    """The next message of a run. Its id follows from the attempt and its number.

    Not from the invocation alone: what one attempt sent is kept although the invocation failed, if others that were in
    the same batch succeeded.
    """
    now = datetime.now(UTC)
    number = work.messages + 1
    content_type, content = (BYTES, data) if isinstance(data, bytes) else (JSON, json_of(function, data))
    given = options_of(function, options, OF_ORDER)
    with refused_as(function):
        return Message(
            id=stream_id("message", str(work.caller.invocation), str(work.caller.attempt), str(number)),
            data=content,
            sent=now,
            content_type=content_type,
            order=order_of(now=now, **given),
        )


def post(work: Work, function: str, message: Message, posted: Posted) -> str:
    """Have the message sent when the run succeeds; return its id."""
    size = work.message_bytes + len(message.data)
    if size > MAX_BYTES:
        raise ServiceError(f"{function}: the messages of one run have {MAX_BYTES:,} bytes together at most")
    try:
        work.ask(posted.events, posted.contents)
    except ServiceError as error:
        raise ServiceError(f"{function}: {error}") from None
    work.messages, work.message_bytes = work.messages + 1, size
    return str(message.id)
