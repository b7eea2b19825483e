"""What topics and queues share: the message that a script hands over, its options, and how a refusal is said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from picloud.domain.errors import DomainError
from picloud.domain.firing import PLAIN, Order
from picloud.domain.message import BYTES, JSON, Message, Posted, order_of
from picloud.domain.names import stream_id
from picloud.services.work import ServiceError, Work

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of all messages of one run together."""

_OPTIONS: Final[dict[str, tuple[type, str]]] = {
    "delay": (str, 'a string such as "5m"'),
    "due": (str, 'a string such as "2030-01-31T08:00:00Z"'),
    "ordering_key": (str, "a string"),
    "priority": (int, "an integer from 0 to 9"),
}


def message_of(work: Work, function: str, data: Any, options: Any) -> Message:
    """The next message of a run. Its id follows from the attempt and its number.

    Not from the invocation alone: what one attempt sent is kept although the invocation failed, if others that were in
    the same batch succeeded.
    """
    now = datetime.now(UTC)
    number = work.messages + 1
    content_type, content = (BYTES, data) if isinstance(data, bytes) else (JSON, _as_json(function, data))
    with refused_as(function):
        return Message(
            id=stream_id("message", str(work.caller.invocation), str(work.caller.attempt), str(number)),
            data=content,
            sent=now,
            content_type=content_type,
            order=_order(function, options, now),
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


@contextmanager
def refused_as(function: str) -> Iterator[None]:
    """Tell the script what the domain refuses, and how to mend it."""
    try:
        yield
    except DomainError as error:
        raise ServiceError(f"{function}: {error.message}" + (f". {error.remedy}" if error.remedy else "")) from None


def name_of(value: Any, function: str, what: str) -> str:
    """``value`` if it is a string, as the name of ``what`` is."""
    if not isinstance(value, str):
        raise ServiceError(f"{function} takes the {what} as a string, not {kind_of(value)}")
    return value


def kind_of(value: Any) -> str:
    """The type of a value as scripts know it."""
    names = {type(None): "()", bool: "bool", int: "i64", float: "f64", bytes: "blob", list: "array", dict: "map"}
    return names.get(type(value), "string")


def _order(function: str, options: Any, now: datetime) -> Order:
    if options is None:
        return PLAIN
    if not isinstance(options, Mapping):
        raise ServiceError(f'{function} takes its options as a map, such as #{{delay: "5m"}}, not {kind_of(options)}')
    for name, value in options.items():
        known = _OPTIONS.get(name)
        if known is None:
            near = get_close_matches(name, _OPTIONS, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(_OPTIONS)}"
            raise ServiceError(f"{function} has no option {name[:40]!r}: {meant}")
        wanted, said = known
        if type(value) is not wanted:
            raise ServiceError(f"{function}: {name} is {said}, not {kind_of(value)}")
    return order_of(now=now, **options)


def _as_json(function: str, value: Any) -> bytes:
    if value is None:
        return b""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise ServiceError(f"{function}: the data can't be sent as JSON: {error}") from None
