"""From a script's value to its answer.

The value decides: ``()`` is 204, a string is text, a blob is bytes, what ``reply::…`` built is itself, and anything
else is JSON, its maps in the order of their keys. ``throw #{status: 422, …}`` is an answer too: the map as JSON, or,
if it has a ``body``, that body with the map's ``headers``; so is a thrown reply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picloud.executor.json_text import JsonText, TooLong
from picloud.executor.plain import NotPlain
from picloud.executor.protocol import Reply
from picloud.executor.reply import BYTES, HIGHEST_STATUS, JSON, LOWEST_STATUS, TEXT, InvalidReply, ReplyBuilder


class InvalidAnswer(Exception):
    """The value can't be an answer; ``kind`` is the error's name, the message says what in it and why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Answers:
    """Makes answers of at most ``most_bytes``; ``pause`` is called now and then in long ones."""

    def __init__(self, most_bytes: int, pause: Callable[[], None]) -> None:
        self._most_bytes = most_bytes
        self._pause = pause

    def of(self, value: Any) -> Reply:
        """The answer that a script's value is. Raises :class:`InvalidAnswer`."""
        try:
            return self._checked(self.builder(value).finished())
        except InvalidReply as error:
            raise InvalidAnswer("InvalidAnswer", str(error)) from None

    def of_thrown(self, value: Any) -> Reply | None:
        """The answer that a thrown value is, or None if it is an error. Raises :class:`InvalidAnswer`."""
        if type(value) is ReplyBuilder:
            return self.of(value)
        if type(value) is not dict or not _is_status(value.get("status")):
            return None
        try:
            built = self.builder(value.get("body", value), value["status"])
            if "body" in value:
                _set_headers(built, value.get("headers", {}))
            return self._checked(built.finished())
        except InvalidReply as error:
            raise InvalidAnswer("InvalidAnswer", str(error)) from None

    def builder(self, value: Any, status: int = 0) -> ReplyBuilder:
        """A reply to go on with. ``status`` 0 stands for what the value says, 200 or 204."""
        kind = type(value)
        if kind is ReplyBuilder:
            built = value.copy()
            if status:
                built.set_status(status)
            return built
        if value is None:
            return ReplyBuilder(status or 204, b"", None)
        if kind is str:
            return ReplyBuilder(status or 200, value.encode("utf-8", "replace"), TEXT)
        if kind is bytearray:
            return ReplyBuilder(status or 200, bytes(value), BYTES)
        return ReplyBuilder(status or 200, self.json(value).encode("utf-8", "replace"), JSON)

    def json(self, value: Any, *, indent: str = "") -> str:
        """A value as JSON text. Raises :class:`InvalidAnswer`."""
        try:
            return JsonText(self._most_bytes, self._pause, indent=indent).of(value)
        except NotPlain as error:
            raise InvalidAnswer("InvalidAnswer", f"JSON can't hold it: {error}") from None
        except TooLong:
            raise self._too_long() from None

    def _checked(self, reply: Reply) -> Reply:
        if len(reply.body) > self._most_bytes:
            raise self._too_long()
        return reply

    def _too_long(self) -> InvalidAnswer:
        return InvalidAnswer("OutputLimit", f"the answer has more than the limit of {self._most_bytes} bytes")


def _is_status(value: Any) -> bool:
    return type(value) is int and LOWEST_STATUS <= value <= HIGHEST_STATUS


def _set_headers(built: ReplyBuilder, headers: Any) -> None:
    if type(headers) is not dict:
        raise InvalidReply("headers are a map of names and values")
    for name, value in headers.items():
        built.put_header(name, value)
