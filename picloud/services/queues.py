"""``queue::``: messages to one consumer, the trigger that is the queue.

    queue::send(queue, data)              the message's id, which is its invocation's
    queue::send(queue, data, options)     #{delay or due, ordering_key, priority}

The messages go out when the run succeeds, in the same commit; a run that fails has sent nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from picloud.domain.message import Message, Posted
from picloud.services.arguments import name_of, refused_as
from picloud.services.messages import message_of, post
from picloud.services.work import Work

Send = Callable[[str, str, Sequence[Message], tuple[str, ...]], Posted]
"""What becomes of messages: app, queue, messages, the scripts that led to them."""

_SEND: Final = "queue::send"


class Queues:
    """See the module."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.functions: dict[str, Callable[..., Any]] = {"send": self.send}

    def send(self, work: Work, queue: Any, data: Any, options: Any = None) -> str:
        """Send ``data`` to ``queue`` when the run succeeds; return the message's id."""
        name = name_of(queue, _SEND, "queue")
        message = message_of(work, _SEND, data, options)
        with refused_as(_SEND):
            posted = self._send(work.app, name, [message], work.caller.chain)
        return post(work, _SEND, message, posted)
