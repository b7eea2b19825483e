"""Whether the node lives, whether it is ready, how much it has to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import falcon
import msgspec
import psycopg
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from picloud.domain.access import Role
from picloud.http.api.context import Context
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.schemas import NodeList
from picloud.http.auth import Tokens
from picloud.http.problems import Problem
from picloud.postgres.migrations import pending
from picloud.projections import queries
from picloud.projections.queues import depths
from picloud.projections.tracking import status

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Healthz:
    """``/healthz``: the process answers. Open to all."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Say so."""
        resp.text = "ok\n"
        resp.content_type = "text/plain; charset=utf-8"


class Readyz:
    """``/readyz``: the database can be reached, its schema is current, executors run and the node takes work."""

    def __init__(self, context: Context, tokens: Tokens) -> None:
        self._context = context
        self._tokens = tokens

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200, or 503 with what is missing."""
        missing = self._missing()
        if missing:
            raise Problem.unavailable("; ".join(missing))
        self._tokens.caller(req)
        resp.content_type = "application/json"
        resp.data = msgspec.json.encode({"ready": True})

    def _missing(self) -> list[str]:
        node = self._context.node
        missing = []
        try:
            with self._context.sessions.session() as connection:
                late = pending(connection)
        except psycopg.Error as error:
            return [f"the database can't be reached: {str(error).strip()}"]
        if late:
            missing.append(f"the migrations {', '.join(late)} have not been applied: run picloud migrate")
        if node.identity.current is None:
            missing.append("the node has no session with the database yet")
        if not node.pool.features():
            missing.append("no executor runs")
        return missing


class Metrics:
    """``/metrics`` for Prometheus: the platform's load, from the database, the same on every node."""

    def __init__(self, context: Context, tokens: Tokens) -> None:
        self._context = context
        self._tokens = tokens

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The metrics as text."""
        self._tokens.caller(req)
        registry = CollectorRegistry()
        node = self._context.node
        with self._context.sessions.session() as connection:
            load = queries.load_of_platform(connection)
            projections = status(connection)
            queues = depths(connection)
        oldest = max(0.0, load["oldest_seconds"])
        _gauge(registry, "picloud_outbox_waiting", "Invocations that wait for a run", load["waiting"])
        _gauge(registry, "picloud_outbox_oldest_seconds", "How long the oldest is due", oldest)
        _gauge(registry, "picloud_nodes", "Live nodes", load["nodes"])
        _gauge(registry, "picloud_capacity", "Runs that the live nodes take at a time", load["capacity"])
        if projections:
            _gauge(registry, "picloud_log_position", "Newest position of the log", projections[0].head)
        lag = Gauge("picloud_projection_lag_events", "Events behind the log", ["projection"], registry=registry)
        for projection in projections:
            lag.labels(projection.name).set(projection.lag)
        _queue_gauges(registry, queues)
        _gauge(registry, "picloud_node_runs", "Runs on the node that answers", node.slots.taken)
        _gauge(registry, "picloud_node_appends_waiting", "Appends that wait for a commit here", node.appender.waiting)
        registry.register(_Counted(node.http.metrics.of(str(node.identity.current or ""))))
        resp.content_type = METRICS_TYPE
        resp.data = generate_latest(registry)


class _Counted(Collector):
    """A metric that was counted elsewhere."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        """The metric."""
        return [self._metric]


def _gauge(registry: CollectorRegistry, name: str, text: str, value: float) -> None:
    Gauge(name, text, registry=registry).set(value)


def _queue_gauges(registry: CollectorRegistry, queues: list[dict[str, Any]]) -> None:
    messages = Gauge("picloud_queue_messages", "Messages of a queue", ["app", "queue", "state"], registry=registry)
    text = "How long the oldest message of a queue is due"
    oldest = Gauge("picloud_queue_oldest_seconds", text, ["app", "queue"], registry=registry)
    paused = Gauge("picloud_queue_paused", "Whether a queue is paused", ["app", "queue"], registry=registry)
    for queue in queues:
        for state in ("ready", "delayed", "behind", "running"):
            messages.labels(queue["app"], queue["name"], state).set(queue[state])
        oldest.labels(queue["app"], queue["name"]).set(queue["oldest_seconds"])
        paused.labels(queue["app"], queue["name"]).set(queue["paused"] is not None)


def _nodes(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        return Reply(content={"items": queries.nodes(connection)})


OPERATIONS: Final = [
    Operation(
        method="GET", path="/nodes", summary="List nodes", tag="platform", role=Role.VIEWER, handler=_nodes,
        reply=NodeList, app_of=None,
    ),
]  # fmt: skip
