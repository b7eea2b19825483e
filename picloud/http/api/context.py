"""What the operations work on: the node, its use cases, and who is to be woken for streams."""

from __future__ import annotations

from typing import Final

from gevent.event import Event as Signal

from picloud.orchestrator.control import Control
from picloud.orchestrator.control.catalog_watch import CatalogWatch
from picloud.orchestrator.node import Node

LOGS_CHANNEL: Final = "picloud_logs"


class Context:
    """See the module. ``following`` are the streams of log lines that are open, each with its wake-up."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.config = node.config
        self.sessions = node.sessions
        catalog = CatalogWatch(node.sessions, node.listener, node.catalog.forget)
        self.control = Control(node.appender, node.sessions, catalog, node.programs)
        self.following: set[Signal] = set()
        node.listener.subscribe(LOGS_CHANNEL, self._lines_came)

    def _lines_came(self, _payload: str | None) -> None:
        for signal in self.following:
            signal.set()
