"""gunicorn's configuration: ``gunicorn -c python:picloud.http.server``.

gevent patches first, before anything imports psycopg, whose C part would else block the whole process.
"""

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import os  # noqa: E402
from typing import Any  # noqa: E402

from picloud.config import Config  # noqa: E402

_config = Config.from_environment(os.environ)

bind = [_config.listen]
workers = _config.workers
worker_class = "gevent"
worker_connections = 2000
wsgi_app = "picloud.http.wsgi:application"
preload_app = True
keepalive = 75
backlog = 1024
graceful_timeout = _config.grace + 5
timeout = 60
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 16384
proc_name = "picloud"
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Keep the collector off what was loaded so far: its marks would copy, worker by worker, pages that all share."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Start the worker's node: after the fork, before the first request."""
    from picloud.http.wsgi import node

    node.start()


def worker_exit(server: Any, worker: Any) -> None:
    """End the worker's node: its requests have been answered by now."""
    from picloud.http.wsgi import node

    node.stop(_config.grace)
