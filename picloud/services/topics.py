"""``topic::``: messages to whoever subscribes.

    topic::publish(topic, data)              to every topic trigger of the app that matches; the message's id
    topic::publish(topic, data, options)     #{ordering_key, delay or due, priority}

The messages go out when the run succeeds, in the same commit; a run that fails has published nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.domain.message import Message, Posted
from picloud.services.arguments import name_of, refused_as
from picloud.services.messages import message_of, post
from picloud.services.work import Work

Publish = Callable[[str, str, Message, tuple[str, ...]], Posted]
"""What becomes of a message: app, topic, message, the scripts that led to it."""

_PUBLISH: Final = "topic::publish"


class Topics:
    """See the module."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self.functions: dict[str, Callable[..., Any]] = {"publish": self.publish}

    def publish(self, work: Work, topic: Any, data: Any, options: Any = None) -> str:
        """Publish ``data`` to ``topic`` when the run succeeds; return the message's id."""
        name = name_of(topic, _PUBLISH, "topic")
        message = message_of(work, _PUBLISH, data, options)
        with refused_as(_PUBLISH):
            posted = self._publish(work.app, name, message, work.caller.chain)
        return post(work, _PUBLISH, message, posted)
