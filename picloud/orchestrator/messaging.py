"""What becomes of a message: of a published one its event and a request for each subscriber, of a sent one its request.

Scripts and API share it. Nothing is appended here: whoever asks appends all of it in one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final
from uuid import UUID

from picloud.domain.errors import NotFound
from picloud.domain.invocation import EventInput, Requested
from picloud.domain.message import Message, MessagePublished, Posted, delivery_id, sent_text
from picloud.domain.metadata import Metadata
from picloud.domain.subject import check_topic
from picloud.domain.trigger_config import Queue, Topic
from picloud.log.contents import INLINE_LIMIT, content_of
from picloud.orchestrator.catalog import AppEntry, TriggerEntry

SHARED_LIMIT: Final = 4 * 1024
"""Data of more bytes that goes to several subscribers is stored once, not in each of their requests."""


class Messaging:
    """See the module. ``apps`` gives an app as the catalog has it, or None."""

    def __init__(self, apps: Callable[[str], AppEntry | None]) -> None:
        self._apps = apps

    def publish(self, app: str, topic: str, message: Message, callers: tuple[str, ...] = ()) -> Posted:
        """The message's event, and a request for each trigger that is subscribed, works and leads to a script.

        Raises :class:`NotFound` for the app, or :class:`Invalid`.
        """
        check_topic(topic)
        there: list[TriggerEntry] = []
        left_out: dict[str, str] = {}
        for trigger in self._app(app).subscriptions.of(topic):
            why = trigger.off
            if why is None:
                there.append(trigger)
            else:
                left_out[trigger.name] = why
        data = content_of(message.data, inline=SHARED_LIMIT if len(there) > 1 else INLINE_LIMIT)
        published = MessagePublished(
            originator_id=message.id,
            originator_version=1,
            topic=topic,
            data=data,
            content_type=message.content_type,
            ordering_key=message.order.ordering_key,
            subscribers=[trigger.name for trigger in there],
            left_out=left_out,
        )
        event = EventInput({**_attributes(message), "topic": topic}, data, message.content_type)
        requests = (
            _request(trigger, delivery_id(message.id, trigger.name), event, message, callers) for trigger in there
        )
        return Posted([published, *requests], [message.data] if data.sha256 is not None else [])

    def send(self, app: str, queue: str, messages: Sequence[Message], callers: tuple[str, ...] = ()) -> Posted:
        """A request for each message, which waits while the queue is paused.

        Raises :class:`NotFound` for the app or the queue, :class:`Disabled` if the queue's script takes no calls, or
        :class:`Invalid`.
        """
        trigger = self._queue(self._app(app), queue)
        events: list[Any] = []
        contents: list[bytes] = []
        for message in messages:
            data = content_of(message.data)
            event = EventInput(_attributes(message), data, message.content_type)
            events.append(_request(trigger, message.id, event, message, callers))
            if data.sha256 is not None:
                contents.append(message.data)
        return Posted(events, contents)

    def _app(self, name: str) -> AppEntry:
        app = self._apps(name)
        if app is None:
            raise NotFound(f"there is no app {name!r} here", field="app")
        return app

    def _queue(self, app: AppEntry, name: str) -> TriggerEntry:
        trigger = app.triggers.get(name)
        if trigger is not None and trigger.kind == Queue.kind:
            return trigger
        if trigger is not None:
            raise NotFound(
                f"the trigger {name!r} of {app.name} is no queue: it is of kind {trigger.kind}", field="queue"
            )
        queues = [each.name for each in app.triggers.values() if each.kind == Queue.kind]
        near = get_close_matches(name, queues, n=1)
        made = f"Make it: picloud triggers set {app.name}/{name[:63]} queue SCRIPT."
        raise NotFound(
            f"there is no queue {name[:63]!r} in {app.name}",
            field="queue",
            remedy=f"Did you mean {near[0]!r}?" if near else made,
        )


def metadata_of(event: object, metadata: Metadata) -> Metadata:
    """The metadata of an event that is appended with others: what a subscriber is to run is caused by the message."""
    if isinstance(event, Requested) and event.event is not None and event.trigger.kind == Topic.kind:
        message = event.event.attributes.get("id")
        if message is not None:
            return replace(metadata, causation_id=UUID(message))
    return metadata


def _attributes(message: Message) -> dict[str, str]:
    attributes = {"id": str(message.id), "sent_at": sent_text(message.sent)}
    if message.order.ordering_key:
        attributes["ordering_key"] = message.order.ordering_key
    return attributes


def _request(
    trigger: TriggerEntry, invocation: UUID, event: EventInput, message: Message, callers: tuple[str, ...]
) -> Requested:
    return trigger.target().request(
        invocation, event, now=message.sent, order=message.order, payload=message.data, callers=callers
    )
