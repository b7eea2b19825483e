"""``python -m picloud.projections ID``: do the rebuild that was asked for under this id, in a process of its own.

The manager starts it and reads in ``projections.progress`` how it ended; an exit status other than 0 means that it may
go better the next time.
"""

# Before anything that opens a socket is imported: psycopg chooses how it waits when it is imported.
from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from uuid import UUID  # noqa: E402

import gevent  # noqa: E402
import structlog  # noqa: E402

from picloud.config import Config  # noqa: E402
from picloud.logging import configure_logging  # noqa: E402
from picloud.postgres.sessions import OUTAGE, connect  # noqa: E402
from picloud.projections import progress  # noqa: E402
from picloud.projections.installation import PROJECTIONS  # noqa: E402
from picloud.projections.rebuild import Rebuild  # noqa: E402

_log = structlog.get_logger(__name__)


def main(arguments: list[str]) -> int:
    """Do the rebuild; return the exit status."""
    rebuild = UUID(arguments[0])
    config = Config.from_environment(os.environ)
    configure_logging(config)
    # Requests go first.
    os.nice(5)
    # What is made here dies by its reference counts; looking for cycles in each page costs a tenth of the time.
    gc.disable()
    work = gevent.spawn(_do, config.dsn, rebuild)
    work.name = f"rebuild {rebuild}"
    gevent.signal_handler(signal.SIGTERM, work.kill, block=False)
    work.join()
    return 0 if work.value is True else 1


def _do(dsn: str, rebuild: UUID) -> bool:
    """Do the rebuild, or note why it can't be done; False if it may go better the next time."""
    try:
        with connect(dsn, purpose="rebuild") as connection:
            wanted = progress.rebuild_status(connection, rebuild)
        assert wanted is not None, f"there is no rebuild {rebuild}"
        Rebuild(dsn, rebuild, PROJECTIONS[wanted.projection], verify=wanted.verify).run()
    except OUTAGE as error:
        _log.warning("rebuild.database_lost", rebuild=str(rebuild), error=str(error).strip())
        return False
    except Exception as error:  # noqa: BLE001 - whatever it is, the log shall tell it
        with connect(dsn, purpose="rebuild") as connection:
            progress.refuse(connection, rebuild, str(error))
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
