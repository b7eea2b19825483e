"""The yardstick: a bare Falcon application that answers what the hello script answers, on the same kind of workers."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402

import falcon  # noqa: E402

bind = [f"127.0.0.1:{os.environ.get('BENCH_PORT', '8001')}"]
workers = int(os.environ.get("BENCH_WORKERS", "2"))
worker_class = "gevent"
wsgi_app = "tests.benchmarks.hello_server:application"
preload_app = True
keepalive = 75
accesslog = None
loglevel = "error"
control_socket_disable = True


class Hello:
    """Greets."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer as JSON."""
        resp.media = {"message": f"Hello, {name}!"}


application = falcon.App()
application.add_route("/hello/{name}", Hello())
