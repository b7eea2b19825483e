"""A whole node within the test's process, on a database of its own, with somebody who follows the log."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from picloud.config import Config
from picloud.domain.egress import Allowed
from picloud.domain.invocation import Content, EventInput, HttpInput, Requested, RetryPolicy, RunLimits, Trigger
from picloud.domain.lifecycle import evolve, start
from picloud.domain.metadata import Metadata
from picloud.log.appender import Entry
from picloud.log.contents import pack
from picloud.log.reader import RecordedEvent, read_head, read_stream
from picloud.orchestrator.batches import Batches, Member
from picloud.orchestrator.catalog import ScriptEntry
from picloud.orchestrator.control import Command, Control
from picloud.orchestrator.control.catalog_watch import CatalogWatch
from picloud.orchestrator.control.egress import change_egress
from picloud.orchestrator.control.scripts import Deployment, deploy
from picloud.orchestrator.control.secrets import NewSecret, remove_secret, set_secret
from picloud.orchestrator.control.settings import NewValue, set_setting
from picloud.orchestrator.inspection import Inspection, Wanted
from picloud.orchestrator.invoker import Call
from picloud.orchestrator.node import Node
from picloud.orchestrator.vault import KEY_BYTES
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS

APP = "demo"


class LivingNode:
    """Runs scripts of one app and inspects what became of them."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._control = Control(node.appender, node.sessions, CatalogWatch(node.sessions, node.listener), node.programs)

    def deploy(self, name: str, source: str) -> ScriptEntry:
        """Deploy a script; it can be imported when this returns."""
        command = Command(actor="test", request_id=uuid4(), correlation_id=uuid4())
        done = deploy(self._control, command, Deployment(app=APP, script=name, source=source))
        return ScriptEntry(APP, name, done.version.number, done.version.sha256, None)

    def let_out(self, *hosts: str) -> None:
        """Let the app's scripts call these hosts, public or not, beside what they may call already."""
        command = Command(actor="test", request_id=uuid4(), correlation_id=uuid4())
        for host in hosts:
            allowed = Allowed.parse(host, private=True)
            change_egress(self._control, command, APP, lambda was, allowed=allowed: was.allowing(allowed))

    def set_secret(self, name: str, value: str, *, grace: timedelta = timedelta(0)) -> None:
        """Set a secret of the app; a run that begins when this returns reads it."""
        wanted = NewSecret(app=APP, name=name, value=value, grace=grace)
        set_secret(self._control, self._command(), self.node.vault, wanted)

    def remove_secret(self, name: str) -> None:
        """Remove a secret of the app."""
        remove_secret(self._control, self._command(), APP, name, None)

    def set_setting(self, name: str, value: Any) -> None:
        """Set a setting of the app; a run that begins when this returns reads it."""
        set_setting(self._control, self._command(), NewValue(app=APP, name=name, value=value))

    @staticmethod
    def _command() -> Command:
        return Command(actor="test", request_id=uuid4(), correlation_id=uuid4())

    def run(self, script: ScriptEntry, body: str = "", *, attempts: int = 1, wall_ms: int = 0) -> UUID:
        """Run a script to its end."""
        invocation = self.begin(script, body, attempts=attempts, wall_ms=wall_ms)
        self.node.invoker.wait(invocation, timeout=30)
        return invocation

    def begin(self, script: ScriptEntry, body: str = "", *, attempts: int = 1, wall_ms: int = 0) -> UUID:
        """Have a script run."""
        headers = {"content-type": "application/json"}
        call = Call(
            script=script,
            trigger=Trigger("api", "test"),
            input=HttpInput("POST", "/", {}, {}, headers, pack(body.encode(), self.node.sessions)),
            actor="test",
            retry=RetryPolicy(attempts=attempts, first_delay_ms=1),
            limits=RunLimits(wall_ms=wall_ms),
        )
        return self.node.invoker.request(call, timeout=10)

    def run_batch(self, script: ScriptEntry, payloads: Sequence[str]) -> list[UUID]:
        """Run a script on several messages at once, as a queue's trigger does."""
        members = []
        for payload in payloads:
            stream = uuid4()
            requested = Requested(
                originator_id=stream,
                originator_version=1,
                app=APP,
                script=script.name,
                number=script.number,
                sha256=script.sha256,
                trigger=Trigger("queue", "mail"),
                event=EventInput(data=Content(text=json.dumps(payload))),
            )
            state = evolve(None, requested)
            started = start(state, uuid4())
            metadata = Metadata(APP, "test", stream, stream)
            self.node.appender.append([Entry(event, metadata) for event in (requested, started)])
            members.append(Member(evolve(state, started), metadata))
        assert self.node.slots.take()
        node = self.node
        Batches(
            appender=node.appender, sessions=node.sessions, runner=node.runner, inbox=node.inbox, slots=node.slots
        ).run(members)
        return [member.state.id for member in members]

    def stream(self, invocation: UUID) -> list[RecordedEvent]:
        """The invocation's events."""
        with self.node.sessions.session() as connection:
            return read_stream(connection, invocation)

    def head(self) -> int:
        """The position of the newest event of the log."""
        with self.node.sessions.session() as connection:
            return read_head(connection)

    def inspect(self, invocation: UUID, wanted: Wanted = Wanted()) -> Inspection:  # noqa: B008 - it is frozen
        """Inspect, and see that nothing has changed by it."""
        before, contents = self.head(), self._contents()
        found = self.node.inspector.inspect(self.stream(invocation), wanted)
        assert (self.head(), self._contents()) == (before, contents)
        return found

    def _contents(self) -> int:
        with self.node.sessions.session() as connection:
            row = connection.execute("SELECT count(*) FROM log.contents").fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def living_node(
    dsn: str, data: Path, *, on_changed: Callable[[str], None] | None = None, **settings: str
) -> Iterator[LivingNode]:
    """A node with one executor, and the projections that follow; ``on_changed`` is told which have changed."""
    variables = {f"PICLOUD_{name.upper()}": value for name, value in settings.items()}
    config = Config.from_environment(variables, database=dsn, data=data)
    config.vault_file.write_text(b64encode(b"k" * KEY_BYTES).decode())
    node = Node(config)
    living = LivingNode(node)
    follower = Follower(dsn, [kind() for kind in PROJECTIONS.values() if not kind.inline], on_changed=on_changed)
    follower.start()
    node.start()
    try:
        yield living
    finally:
        node.stop(1.0)
        follower.stop()
