"""Messages from outside: published to topics, sent to queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.invocation import EventInput, Requested
from picloud.domain.message import Message, MessagePublished, Posted, delivery_id
from picloud.log.appender import Entry, StreamConflict
from picloud.log.contents import store, unpack
from picloud.log.reader import read_first_events
from picloud.orchestrator.control.control import Command, Control
from picloud.orchestrator.messaging import Messaging, metadata_of


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a message: the ``invocations`` by trigger, and why other triggers that match were ``left_out``.

    ``again`` tells that it was published before, under the same key.
    """

    invocations: dict[str, UUID]
    left_out: dict[str, str]
    again: bool = False


def publish(
    control: Control, messaging: Messaging, command: Command, app: str, topic: str, message: Message
) -> Published:
    """Publish a message, and return what became of it once that is committed.

    A message whose id is taken is not published again. Raises :class:`NotFound`, or :class:`Invalid`, also if what was
    published under that id was another message.
    """
    posted = messaging.publish(app, topic, message)
    published = posted.events[0]
    again = not _post(control, command, app, posted)
    if again:
        published = _first(control, [message.id]).get(message.id)
        if not isinstance(published, MessagePublished) or not _same(
            control, published, published.ordering_key, message
        ):
            raise _key_reused(message.id)
    invocations = {name: delivery_id(message.id, name) for name in published.subscribers}
    return Published(invocations, published.left_out, again)


def send(
    control: Control, messaging: Messaging, command: Command, app: str, queue: str, messages: Sequence[Message]
) -> bool:
    """Send messages in one commit; return whether they were, and not before, under the same ids.

    Raises :class:`NotFound`, :class:`Disabled`, or :class:`Invalid`, also if other messages were sent under those ids.
    """
    if _post(control, command, app, messaging.send(app, queue, messages)):
        return True
    known = _first(control, [message.id for message in messages])
    for message in messages:
        found = known.get(message.id)
        was = found.event if isinstance(found, Requested) else None
        if was is None or not _same(control, was, was.attributes.get("ordering_key", ""), message):
            raise _key_reused(message.id)
    return False


def _post(control: Control, command: Command, app: str, posted: Posted) -> bool:
    """Append; False if the first stream is there already."""
    store(posted.contents, control.sessions)
    metadata = command.metadata(app)
    try:
        control.appender.append([Entry(event, metadata_of(event, metadata)) for event in posted.events])
    except StreamConflict:
        return False
    return True


def _first(control: Control, streams: list[UUID]) -> dict[UUID, object]:
    with control.sessions.session() as connection:
        return {stream: recorded.event for stream, recorded in read_first_events(connection, streams).items()}


def _same(control: Control, was: MessagePublished | EventInput, ordering_key: str, message: Message) -> bool:
    return (
        ordering_key == message.order.ordering_key
        and was.content_type == message.content_type
        and unpack(was.data, control.sessions) == message.data
    )


def _key_reused(message: UUID) -> Invalid:
    return Invalid(
        f"the key belongs to the message {message}, which was another one",
        field="Idempotency-Key",
        remedy="Use a new key for each message that is to be sent; send the same bytes to ask for it again.",
    )
