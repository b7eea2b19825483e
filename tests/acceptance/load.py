"""Clients that call an endpoint again and again, and remember every answer. They know nothing of how it is checked."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

COUNTER = """
// Adds one to the client's counter, and says what it is now.
let key = "count/" + ctx.request.params.client;
let count = kv::get(key);
count = if count == () { 1 } else { count + 1 };
kv::set(key, count);
#{ count: count }
"""
ROUTE = "POST /count/{client}"


@dataclass(slots=True)
class Answers:
    """What the clients were told: invocations by status, and how many calls got no answer at all."""

    by_status: dict[int, list[UUID]] = field(default_factory=dict)
    broken: int = 0

    def add(self, status: int, invocation: str | None) -> None:
        """One answer."""
        named = self.by_status.setdefault(status, [])
        if invocation is not None:
            named.append(UUID(invocation))

    @property
    def succeeded(self) -> list[UUID]:
        """The invocations that were answered with 2xx."""
        return [invocation for status, named in self.by_status.items() if status < 300 for invocation in named]

    @property
    def counts(self) -> Counter[int]:
        """How many answers of each status."""
        return Counter({status: len(named) for status, named in self.by_status.items()})


class Load:
    """``clients`` threads, each with a connection and a counter of its own, from entry until exit of the block.

    ``ports`` are the nodes that the clients are spread over. ``progress`` tells when so many calls were answered.
    """

    def __init__(self, ports: list[int], *, clients: int = 16, app: str = "load") -> None:
        self.answers = Answers()
        self._ports = ports
        self._app = app
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
            assert not thread.is_alive(), "a client got no answer and no error within 90 s"

    def wait_for(self, more: int, timeout: float = 30.0) -> None:
        """Return when ``more`` further calls were answered with 2xx."""
        with self._changed:
            wanted = len(self.answers.succeeded) + more
            reached = self._changed.wait_for(lambda: len(self.answers.succeeded) >= wanted, timeout)
        assert reached, f"no {more} further answers within {timeout} s: {self.answers.counts}"

    def _client(self, number: int) -> None:
        port = self._ports[number % len(self._ports)]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not self._stop.is_set():
            try:
                connection.request("POST", f"/apps/{self._app}/count/{number}")
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                with self._changed:
                    self.answers.broken += 1
                # Not a wait for anything: only no storm of refused connections.
                self._stop.wait(0.02)
                continue
            with self._changed:
                self.answers.add(answer.status, answer.headers.get("PiCloud-Invocation"))
                self._changed.notify_all()
