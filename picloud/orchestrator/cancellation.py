"""Calling an invocation off: the event decides, and the node that runs it is told to stop early."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from picloud.log.appender import Wake

if TYPE_CHECKING:
    # The manager calls invocations off too, and runs none.
    from picloud.executor.pool import ExecutorPool

CANCEL_CHANNEL: Final = "picloud_cancel"


def cancel_wake(invocation: UUID) -> Wake:
    """What to notify with the commit of ``Cancelled``."""
    return Wake(CANCEL_CHANNEL, str(invocation))


def cancel_notified(pool: ExecutorPool, payload: str | None) -> None:
    """Stop the run of the invocation named in the payload, if it is here; its outcome is fenced in any case."""
    if payload is not None:
        pool.cancel(payload, "the invocation was cancelled")
