"""The WSGI application of one worker: scripts' endpoints and control plane on one node."""

from __future__ import annotations

import os

import falcon

from picloud.config import Config
from picloud.http.api import add_api
from picloud.http.ingress import Ingress
from picloud.logging import configure_logging
from picloud.orchestrator.node import Node


def create_app(node: Node) -> falcon.App:
    """The application that serves ``node``."""
    app = falcon.App()
    app.req_options.strip_url_path_trailing_slash = False
    app.add_sink(Ingress(node), prefix=Ingress.PREFIX)
    add_api(app, node)
    return app


config = Config.from_environment(os.environ)
configure_logging(config)
node = Node(config)
application = create_app(node)
