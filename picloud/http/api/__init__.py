"""The control plane over HTTP: ``/api/v1``, ``/healthz``, ``/readyz`` and ``/metrics``.

Each module declares the operations of one noun; ``operation.py`` serves them and ``openapi.py`` documents them, from
the same declarations. What they do is in ``picloud/orchestrator/control``; what they list is in
``picloud/projections/queries.py``.
"""

from __future__ import annotations

from typing import Final

import falcon

from picloud.http.api import (
    apps,
    cancellations,
    dead_letters,
    documents,
    egress,
    events,
    files,
    health,
    inspections,
    invocations,
    keys,
    logs,
    mail,
    mails,
    messages,
    openapi,
    projections,
    queues,
    replays,
    routes,
    scripts,
    secrets,
    settings,
    sites,
    tokens,
    triggers,
    users,
)
from picloud.http.api.context import Context
from picloud.http.api.operation import Operation, Resource
from picloud.http.auth import Tokens
from picloud.http.problems import add_error_handlers
from picloud.orchestrator.node import Node

PREFIX: Final = "/api/v1"

OPERATIONS: Final[list[Operation]] = [
    *apps.OPERATIONS,
    *scripts.OPERATIONS,
    *routes.OPERATIONS,
    *egress.OPERATIONS,
    *triggers.OPERATIONS,
    *keys.OPERATIONS,
    *secrets.OPERATIONS,
    *settings.OPERATIONS,
    *messages.OPERATIONS,
    *queues.OPERATIONS,
    *users.OPERATIONS,
    *files.OPERATIONS,
    *sites.OPERATIONS,
    *documents.OPERATIONS,
    *invocations.OPERATIONS,
    *mail.OPERATIONS,
    *mails.OPERATIONS,
    *cancellations.OPERATIONS,
    *inspections.OPERATIONS,
    *dead_letters.OPERATIONS,
    *replays.OPERATIONS,
    *logs.OPERATIONS,
    *events.OPERATIONS,
    *projections.OPERATIONS,
    *tokens.OPERATIONS,
    *health.OPERATIONS,
]


def add_api(app: falcon.App, node: Node) -> None:
    """Serve the control plane of ``node``. Call it before the node starts."""
    add_error_handlers(app)
    tokens_known = Tokens(node.sessions, node.listener)
    context = Context(node)
    by_path: dict[str, list[Operation]] = {}
    for operation in [*OPERATIONS, openapi.operation(OPERATIONS, PREFIX)]:
        by_path.setdefault(operation.path, []).append(operation)
    for path, operations in by_path.items():
        # The path of a file goes on to the end, with its slashes.
        app.add_route(PREFIX + path.replace("{path}", "{path:path}"), Resource(operations, context, tokens_known))
    app.add_route("/healthz", health.Healthz())
    app.add_route("/readyz", health.Readyz(context, tokens_known))
    app.add_route("/metrics", health.Metrics(context, tokens_known))
