"""Waiting for a projection, for a request that must not miss what is in the log already."""

from __future__ import annotations

import time
from typing import Final

import gevent

from picloud.postgres.sessions import Sessions
from picloud.projections.tracking import read_position

FIRST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.2


def wait_for_position(sessions: Sessions, projection: str, position: int, *, timeout: float) -> bool:
    """Wait until ``projection`` has reached ``position``; False if it has not after ``timeout`` seconds.

    Looks again and again, for this moment alone: a page in which a projection changes no row is told to nobody.
    """
    end = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        with sessions.session() as connection:
            if read_position(connection, projection) >= position:
                return True
        if time.monotonic() + pause > end:
            return False
        gevent.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
