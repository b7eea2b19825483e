"""``python -m picloud.manager``: queue for the lead, and lead; SIGTERM or SIGINT ends it in order."""

# Before anything that opens a socket is imported: psycopg chooses how it waits when it is imported.
from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event as Signal  # noqa: E402

from picloud.config import Config  # noqa: E402
from picloud.logging import configure_logging  # noqa: E402
from picloud.manager.leader import Leader  # noqa: E402
from picloud.manager.term import LeaderTerm  # noqa: E402


def main() -> int:
    """Run until asked to stop; return the process's exit code."""
    config = Config.from_environment(os.environ)
    configure_logging(config)
    ended = Signal()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, ended.set)
    environment = {**os.environ, **config.to_environment()}
    leader = Leader(config.dsn, lambda on_failed: LeaderTerm(config, environment=environment, on_failed=on_failed))
    queue = leader.start()
    queue.link(lambda _greenlet: ended.set())
    ended.wait()
    failed = queue.exception is not None
    leader.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
