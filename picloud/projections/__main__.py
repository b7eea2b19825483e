"""``python -m picloud.projections ID``: do the rebuild that was asked for under this id, in a process of its own.

The manager starts it and reads in ``projections.progress`` how it ended; an exit status other than 0 means that it may
go better the next time.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType
from uuid import UUID

import psycopg

from picloud.config import Config
from picloud.postgres.sessions import connect
from picloud.projections import progress
from picloud.projections.installation import PROJECTIONS
from picloud.projections.rebuild import Rebuild


def main(arguments: list[str]) -> int:
    """Do the rebuild; return the exit status."""
    rebuild = UUID(arguments[0])
    dsn = Config.from_environment(os.environ).dsn
    signal.signal(signal.SIGTERM, _end)
    # Requests go first.
    os.nice(5)
    # What is made here dies by its reference counts; looking for cycles in each page costs a tenth of the time.
    gc.disable()
    try:
        _do(dsn, rebuild)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        print(f"rebuild {rebuild}: {error}", file=sys.stderr)
        return 1
    return 0


def _do(dsn: str, rebuild: UUID) -> None:
    with connect(dsn, purpose="rebuild") as connection:
        wanted = progress.rebuild_status(connection, rebuild)
    if wanted is None:
        raise SystemExit(f"there is no rebuild {rebuild}")
    try:
        Rebuild(dsn, rebuild, PROJECTIONS[wanted.projection], verify=wanted.verify).run()
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the log shall tell it
        with connect(dsn, purpose="rebuild") as connection:
            progress.refuse(connection, rebuild, str(error))


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
