"""Topics and the patterns that subscribe to them, as NATS has them.

A topic is one or more words between dots: ``orders.created``. In a pattern ``*`` stands for one whole word, and ``>``,
as the last one, for one or more: ``orders.*``, ``orders.>``. Source: the NATS documentation on subject-based
messaging.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from picloud.domain.errors import Invalid

MAX_TOPIC: Final = 255

Subscriber = TypeVar("Subscriber")

_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")


def check_topic(topic: str, *, field: str = "topic") -> str:
    """Return ``topic`` if one can publish to it; raise :class:`Invalid` otherwise."""
    _check(topic, "topic", field)
    for word in topic.split("."):
        if not _WORD.fullmatch(word):
            raise Invalid(
                f"{topic!r} is no topic: {_found(word)} in it",
                field=field,
                remedy="Write words of letters, digits, '_' and '-' between dots: 'orders.created'.",
            )
    return topic


def check_pattern(pattern: str, *, field: str = "config.topic") -> str:
    """Return ``pattern`` if one can subscribe with it; raise :class:`Invalid` otherwise."""
    _check(pattern, "pattern of topics", field)
    words = pattern.split(".")
    for number, word in enumerate(words, 1):
        if word == "*" or (word == ">" and number == len(words)) or _WORD.fullmatch(word):
            continue
        found = "'>' before its end" if word == ">" else _found(word)
        raise Invalid(
            f"{pattern!r} is no pattern of topics: {found} in it",
            field=field,
            remedy="'*' stands for one word, '>' at the end for one or more: 'orders.*', 'orders.>'.",
        )
    return pattern


def matches(pattern: str, topic: str) -> bool:
    """Whether who subscribed with ``pattern`` gets what is published to ``topic``."""
    wanted, found = pattern.split("."), topic.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(found) <= len(wanted):
            return False
        del found[len(wanted) :]
    return len(wanted) == len(found) and all(w in ("*", f) for w, f in zip(wanted, found, strict=True))


class Subscriptions(Generic[Subscriber]):
    """Subscribers by pattern, put together once, so that finding those of a topic costs as its words, not as they."""

    def __init__(self, subscriptions: Iterable[tuple[str, Subscriber]]) -> None:
        self._root = _Words[Subscriber]()
        for number, (pattern, subscriber) in enumerate(subscriptions):
            words = self._root
            for word in pattern.split("."):
                words = words.behind.setdefault(word, _Words())
            words.here.append((number, subscriber))

    def of(self, topic: str) -> list[Subscriber]:
        """Who gets what is published to ``topic``, in the order in which they were given."""
        found: list[tuple[int, Subscriber]] = []
        places = [self._root]
        for word in topic.split("."):
            following = []
            for place in places:
                if (rest := place.behind.get(">")) is not None:
                    found += rest.here
                following += [there for key in (word, "*") if (there := place.behind.get(key)) is not None]
            places = following
        for place in places:
            found += place.here
        return [subscriber for _, subscriber in sorted(found, key=lambda each: each[0])]


class _Words(Generic[Subscriber]):
    """Patterns with the same beginning: who subscribed with just that, and what comes behind it, by the next word."""

    __slots__ = ("behind", "here")

    def __init__(self) -> None:
        self.here: list[tuple[int, Subscriber]] = []
        self.behind: dict[str, _Words[Subscriber]] = {}


def _check(text: str, what: str, field: str) -> None:
    if not text or len(text) > MAX_TOPIC:
        raise Invalid(f"a {what} has 1 to {MAX_TOPIC} characters, found {len(text)}", field=field)


def _found(word: str) -> str:
    return f"{word!r}" if word else "an empty word (two dots, or one at an end)"
