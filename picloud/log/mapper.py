"""Events to bytes and back.

The content of an event is a JSON object without the fields that have columns of their own and without those that hold
their default. Reading puts the columns back in front of the object, so that one typed decode makes the event.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.domain import AggregateEvent, DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, MapperDeserialisationError, StoredEvent
from eventsourcing.utils import get_topic

from picloud.domain.catalogue import AGGREGATES, EVENT_TYPES

_COLUMNS: Final = frozenset({"originator_id", "originator_version", "timestamp", "originator_topic"})
_NO_DEFAULT: Final = object()

Event = DomainEventProtocol[UUID]


class _Codec:
    """How one event type is written and read."""

    __slots__ = ("class_version", "cls", "decode", "fields", "is_aggregate_event", "name", "topic_part")

    def __init__(self, name: str, cls: type) -> None:
        self.name = name
        self.cls = cls
        self.class_version: int = getattr(cls, "class_version", 1)
        self.is_aggregate_event = issubclass(cls, AggregateEvent)
        self.topic_part = ""
        if cls in AGGREGATES:
            self.topic_part = f',"originator_topic":{json.dumps(get_topic(AGGREGATES[cls]))}'
        self.fields = [(f.name, _default(f)) for f in fields(cls) if f.name not in _COLUMNS]
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(cls).decode


def _default(field: Any) -> object:
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    return _NO_DEFAULT


class EventMapper(Mapper[UUID]):
    """Maps the events of ``event_types`` (name in the log to class)."""

    def __init__(self, event_types: dict[str, type] = EVENT_TYPES) -> None:
        super().__init__(JSONTranscoder())
        self._by_name = {name: _Codec(name, cls) for name, cls in event_types.items()}
        self._by_class = {codec.cls: codec for codec in self._by_name.values()}
        self._encode = msgspec.json.Encoder().encode

    def encode(self, event: Event) -> tuple[str, bytes]:
        """The event's type name and content."""
        codec = self._by_class[type(event)]
        content = {}
        for name, default in codec.fields:
            value = getattr(event, name)
            if value is not default and value != default:
                content[name] = value
        if codec.class_version > 1:
            content["class_version"] = codec.class_version
        return codec.name, self._encode(content)

    def decode(self, topic: str, stream_id: UUID, version: int, at: datetime, state: bytes) -> Event:
        """The event that was recorded. Raises :class:`MapperDeserialisationError` for a type or content unknown."""
        try:
            codec = self._by_name[topic]
            if codec.class_version > 1:
                state = self._upcast(codec, state)
            head = f'{{"originator_id":"{stream_id}","originator_version":{version}'
            if codec.is_aggregate_event:
                head += f',"timestamp":"{at.isoformat()}"{codec.topic_part}'
            event: Event = codec.decode(head.encode() + (b"," + state[1:] if len(state) > 2 else b"}"))
        except (KeyError, msgspec.MsgspecError) as error:
            raise MapperDeserialisationError(
                f"can't read event {version} of stream {stream_id}, type {topic!r}: {error}"
            ) from error
        return event

    def to_stored_event(self, domain_event: Event) -> StoredEvent:
        """The library's shape of :meth:`encode`."""
        topic, state = self.encode(domain_event)
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, topic, state)

    def _upcast(self, codec: _Codec, state: bytes) -> bytes:
        content = msgspec.json.decode(state)
        version = content.pop("class_version", 1)
        while version < codec.class_version:
            getattr(codec.cls, f"upcast_v{version}_v{version + 1}")(content)
            version += 1
        return self._encode(content)


MAPPER: Final = EventMapper()
