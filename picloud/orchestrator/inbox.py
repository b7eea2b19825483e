"""Whoever waits for an invocation's end, and how the end reaches them, whichever node ran it.

Each process has one inbox with a channel of its own. A run that ends here wakes its waiter directly; one that ends
elsewhere is notified on the channel with its outcome's commit, and the waiter reads the outcome from the log.

Who waits for an invocation that another process asked for *watches*: it looks whenever the history of invocations has
gone on.
"""

from __future__ import annotations

import time
from uuid import UUID

from gevent.event import Event as Signal

from picloud.log.appender import Wake
from picloud.log.ids import new_id
from picloud.log.listener import INVOCATIONS_CHANNEL, Listener


class Inbox:
    """See the module. ``id`` names it in ``Requested.owner``, from ``open`` on."""

    def __init__(self, listener: Listener) -> None:
        self.id: UUID | None = None
        self._listener = listener
        self._waiting: dict[UUID, list[Signal]] = {}
        self._watching: set[Signal] = set()
        listener.subscribe(INVOCATIONS_CHANNEL, self._went_on)

    def open(self) -> None:
        """Take an id and a channel of its own: after the process's last fork, or two processes would share them."""
        self.id = new_id()
        self._listener.subscribe(_channel(self.id), self._notified)

    def wake_for(self, owner: UUID | None, invocation: UUID) -> list[Wake]:
        """What to notify with the commit that ends an invocation whose requests came in at ``owner``."""
        if owner is None or owner == self.id:
            return []
        return [Wake(_channel(owner), str(invocation))]

    def ended(self, invocation: UUID) -> None:
        """The invocation ended here."""
        for signal in self._waiting.get(invocation, ()):
            signal.set()

    def expect(self, invocation: UUID, *, watch: bool = False) -> Waiter:
        """Begin to wait. To miss nothing, call it before the request is appended, and read after each wake."""
        return Waiter(self, invocation, watch=watch)

    def _notified(self, payload: str | None) -> None:
        if payload is not None:
            self.ended(UUID(payload))
            return
        for signals in self._waiting.values():
            for signal in signals:
                signal.set()

    def _went_on(self, _payload: str | None) -> None:
        for signal in self._watching:
            signal.set()


class Waiter:
    """One who waits for one invocation; a context manager."""

    def __init__(self, inbox: Inbox, invocation: UUID, *, watch: bool) -> None:
        self._inbox = inbox
        self._invocation = invocation
        self._watch = watch
        self._signal = Signal()

    def __enter__(self) -> Waiter:
        self._inbox._waiting.setdefault(self._invocation, []).append(self._signal)
        if self._watch:
            self._inbox._watching.add(self._signal)
        return self

    def __exit__(self, *_: object) -> None:
        signals = self._inbox._waiting[self._invocation]
        signals.remove(self._signal)
        if not signals:
            del self._inbox._waiting[self._invocation]
        self._inbox._watching.discard(self._signal)

    def wake(self) -> None:
        """Let the next ``wait`` return at once: something may have happened before."""
        self._signal.set()

    def wait(self, deadline: float) -> bool:
        """Sleep until woken or until ``deadline`` (of ``time.monotonic``); False when it passed."""
        if not self._signal.wait(max(0.0, deadline - time.monotonic())):
            return False
        self._signal.clear()
        return True


def _channel(inbox: UUID) -> str:
    return f"picloud_inbox_{inbox.hex}"
