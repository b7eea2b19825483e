"""``python -m picloud.smtp``: take mail until SIGTERM or SIGINT."""

# Before anything that opens a socket is imported: psycopg chooses how it waits when it is imported.
from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
import structlog  # noqa: E402
from gevent.event import Event as Signal  # noqa: E402

from picloud.config import Config, split_address  # noqa: E402
from picloud.log.appender import Appender  # noqa: E402
from picloud.log.listener import Listener  # noqa: E402
from picloud.logging import configure_logging  # noqa: E402
from picloud.postgres.sessions import Sessions  # noqa: E402
from picloud.smtp.directory import Directory  # noqa: E402
from picloud.smtp.postmaster import TriggerPostmaster  # noqa: E402
from picloud.smtp.server import SmtpServer  # noqa: E402
from picloud.smtp.session import Terms  # noqa: E402
from picloud.smtp.tls import Certificate  # noqa: E402

_log = structlog.get_logger("picloud.smtp")


def main() -> int:
    """Run until asked to stop; return the process's exit code."""
    config = Config.from_environment(os.environ)
    configure_logging(config)
    if not config.smtp_listen:
        print("picloud.smtp: PICLOUD_SMTP_LISTEN doesn't say where to listen, such as 127.0.0.1:2525", file=sys.stderr)
        return 1
    ended = Signal()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, ended.set)
    sessions = Sessions(config.dsn, purpose="smtp", size=config.sessions)
    listener = Listener(config.dsn, purpose="smtp")
    appender = Appender(config.dsn)
    postmaster = TriggerPostmaster(
        appender=appender,
        sessions=sessions,
        directory=Directory(sessions, listener),
        domains=config.smtp_domain_names,
    )
    try:
        server = _server(config, postmaster)
        server.start()
    except OSError as error:
        _log.error("smtp.not_started", listen=config.smtp_listen, error=str(error))
        return 1
    appender.start()
    listener.start()
    _log.info("smtp.started", listen=config.smtp_listen)
    ended.wait()
    server.stop(config.grace)
    listener.stop()
    appender.stop()
    sessions.close()
    return 0


def _server(config: Config, postmaster: TriggerPostmaster) -> SmtpServer:
    host, port = split_address(config.smtp_listen)
    certificate = Certificate(config.smtp_certificate, config.smtp_key) if config.smtp_certificate else None
    terms = Terms(
        name=next(iter(config.smtp_domain_names), socket.gethostname()),
        most=config.smtp_size,
        tls=certificate.context if certificate else None,
    )
    return SmtpServer(host, port, most=config.smtp_connections, terms=terms, postmaster=postmaster)


if __name__ == "__main__":
    sys.exit(main())
