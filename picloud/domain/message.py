"""Messages: what is published to a topic, or sent to a queue, and what may be said of one.

A message that is published has a stream of its own, which begins and ends with :class:`MessagePublished`; whoever
subscribes gets an invocation in the same commit. A message that is sent to a queue is its one invocation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from picloud.domain.duration import parse_duration
from picloud.domain.errors import Invalid
from picloud.domain.firing import PLAIN, Order
from picloud.domain.flow import check_key, check_priority
from picloud.domain.invocation import Content
from picloud.domain.names import stream_id

MAX_MESSAGE: Final = 256 * 1024
"""Bytes of a message's data."""
MAX_MESSAGES: Final = 1_000
"""So many messages are sent at once, or asked for by one run."""
MAX_CONTENT_TYPE: Final = 255
LONGEST_DELAY: Final = timedelta(days=3_660)
"""Ten years."""

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePublished:
    """Something was published to ``topic``. ``subscribers`` are the triggers that it went to; ``left_out`` are those
    that match, but got nothing, with the reason.
    """

    originator_id: UUID
    originator_version: int
    topic: str
    data: Content = Content()
    content_type: str = JSON
    ordering_key: str = ""
    subscribers: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message on its way: its ``id``, its ``data`` as bytes of ``content_type``, when it was ``sent``."""

    id: UUID
    data: bytes
    sent: datetime
    content_type: str = JSON
    order: Order = PLAIN

    def __post_init__(self) -> None:
        if len(self.data) > MAX_MESSAGE:
            raise Invalid(
                f"a message has {MAX_MESSAGE:,} bytes at most, this one has {len(self.data):,}",
                field="data",
                remedy="Keep what is large elsewhere, and send where it is.",
            )
        if len(self.content_type) > MAX_CONTENT_TYPE:
            raise Invalid(f"a content type has {MAX_CONTENT_TYPE} characters at most", field="content_type")


@dataclass(frozen=True, slots=True)
class Posted:
    """What messages come to: ``events`` that are to be appended together, and the ``contents`` that these name by
    their hashes, which are to be stored before.
    """

    events: Sequence[Any]
    contents: Sequence[bytes] = ()


def order_of(
    *,
    now: datetime,
    delay: str | None = None,
    due: datetime | str | None = None,
    ordering_key: str | None = None,
    priority: int | None = None,
) -> Order:
    """When a message is due, what it comes behind, how urgent it is. Raises :class:`Invalid` that names the option.

    ``delay`` is a duration from now, ``due`` a time (RFC 3339 as a text); one that is past means at once.
    """
    if delay is not None and due is not None:
        raise Invalid("a delay and a due time contradict each other", field="due", remedy="Give one of the two.")
    if delay is not None:
        due = now + timedelta(milliseconds=_milliseconds(delay))
    elif due is not None:
        due = _time(due) if isinstance(due, str) else due
        if due > now + LONGEST_DELAY:
            raise Invalid(f"{due.isoformat()} is more than {LONGEST_DELAY.days:,} days ahead", field="due")
    return Order(
        due=due if due is not None and due > now else None,
        ordering_key=check_key(ordering_key or "", field="ordering_key"),
        priority=None if priority is None else check_priority(priority),
    )


def delivery_id(message: UUID, trigger: str) -> UUID:
    """The invocation by which a subscribed trigger gets the message."""
    return stream_id("delivery", str(message), trigger)


def sent_text(sent: datetime) -> str:
    """When a message was sent, as scripts see it: UTC, milliseconds, RFC 3339."""
    return sent.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(delay: str) -> int:
    return parse_duration(delay, field="delay", most_ms=LONGEST_DELAY // timedelta(milliseconds=1))


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Invalid(
        f"{text[:60]!r} is no time with a zone (RFC 3339)", field="due", remedy="For example: '2030-01-31T08:00:00Z'."
    )
