"""One process's orchestrator, put together: what it is made of, in which order it starts, and how it ends."""

from __future__ import annotations

import structlog

from picloud.config import Config
from picloud.executor.pool import ExecutorPool
from picloud.executor.protocol import Limits
from picloud.log.appender import Appender
from picloud.log.listener import Listener
from picloud.orchestrator.batches import Batches
from picloud.orchestrator.calls import Calls
from picloud.orchestrator.cancellation import CANCEL_CHANNEL, cancel_notified
from picloud.orchestrator.catalog import Catalog
from picloud.orchestrator.dispatcher import Dispatcher
from picloud.orchestrator.door import Door
from picloud.orchestrator.guards import Guards
from picloud.orchestrator.hasher import Hasher
from picloud.orchestrator.identity import Identity
from picloud.orchestrator.inbox import Inbox
from picloud.orchestrator.inspection import Inspector
from picloud.orchestrator.invoker import Invoker
from picloud.orchestrator.messaging import Messaging
from picloud.orchestrator.privacy import Privacy
from picloud.orchestrator.programs import Programs
from picloud.orchestrator.requests import Requests
from picloud.orchestrator.runner import Runner
from picloud.orchestrator.slots import Slots
from picloud.orchestrator.vault import Vault
from picloud.postgres.sessions import Sessions
from picloud.services.config import Config as Settings
from picloud.services.docs import Docs
from picloud.services.documents import Documents, document_sessions
from picloud.services.email import Email
from picloud.services.files import Files
from picloud.services.http.client import Client
from picloud.services.http.guard import Guard
from picloud.services.http.metrics import Metrics
from picloud.services.http.resolver import Resolver
from picloud.services.http.service import SERVICE as HTTP
from picloud.services.http.service import Http
from picloud.services.invoke import Invoke
from picloud.services.schemas import Schemas
from picloud.services.secrets import Secrets
from picloud.services.users import Users

_log = structlog.get_logger(__name__)


class Node:
    """The orchestrator of this process. Make it anywhere, start it after the last fork.

    What other parts use: ``invoker`` to run scripts, ``inspector`` to repeat runs, ``messaging`` for what messages come
    to, ``catalog`` to find scripts and triggers, ``documents`` and ``schemas`` for collections, ``appender`` and
    ``sessions`` for the log and its projections, ``listener`` to be woken (subscribe before ``start``).
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sessions = Sessions(config.dsn, purpose="node", size=config.sessions)
        self.appender = Appender(config.dsn)
        # Half of a short run's life is waiting for a commit: twice as many keep the executors busy.
        self.slots = Slots(2 * config.executors * config.runs)
        self.identity = Identity(config.dsn, self.appender, capacity=self.slots.capacity)
        self.vault = Vault(config.vault_file)
        self.privacy = Privacy(self.vault, self.sessions)
        self.guards = Guards(self.vault, self.sessions, config.dsn)
        self.catalog = Catalog(self.sessions, self.listener, self.guards)
        self.inbox = Inbox(self.listener)
        self.messaging = Messaging(self.catalog.app)
        self.door = Door(self.sessions, self.messaging, journal_bytes=config.journal_bytes)
        self.door.add("config", Settings(self.catalog.settings).functions)
        secrets = Secrets(self.catalog.secrets, self.vault.open)
        self.door.add("secrets", secrets.functions)
        self.document_sessions = document_sessions(config.dsn)
        self.documents = Documents(self.document_sessions)
        self.schemas = Schemas()
        self.door.add("docs", Docs(self.documents, self.schemas).functions)
        self.pool = ExecutorPool(
            self.door.answer, executors=config.executors, runs=config.runs, memory_mb=config.memory_mb
        )
        limits = Limits(
            operations=config.operations,
            wall_ms=config.wall_ms,
            output_bytes=config.output_bytes,
            log_lines=config.log_lines,
            log_line_bytes=config.log_line_bytes,
            string_bytes=config.string_bytes,
            array_items=config.array_items,
            map_items=config.map_items,
            call_levels=config.call_levels,
        )
        self.programs = Programs(config.data / "programs", limits)
        requests = Requests(sessions=self.sessions, programs=self.programs, privacy=self.privacy, limits=limits)
        self.runner = Runner(
            appender=self.appender,
            sessions=self.sessions,
            pool=self.pool,
            door=self.door,
            inbox=self.inbox,
            slots=self.slots,
            requests=requests,
            keep_all_journals=config.journal == "all",
            privacy=self.privacy,
        )
        self.invoker = Invoker(
            appender=self.appender,
            sessions=self.sessions,
            identity=self.identity,
            inbox=self.inbox,
            slots=self.slots,
            runner=self.runner,
            privacy=self.privacy,
        )
        self.calls = Calls(
            appender=self.appender,
            sessions=self.sessions,
            identity=self.identity,
            inbox=self.inbox,
            slots=self.slots,
            runner=self.runner,
            invoker=self.invoker,
        )
        self.door.add("files", Files(self.sessions).functions)
        invoke = Invoke(self.catalog.scripts, self.calls.call, self.sessions)
        self.door.add("invoke", invoke.functions, outside=frozenset({"run"}))
        self.guard = Guard(self.catalog.egress, Resolver(config.egress_dns))
        self.http = Http(Client(self.guard, config.egress_authorities), Metrics())
        self.door.add(HTTP, self.http.functions, outside=frozenset(self.http.functions))
        email = Email(
            self.sessions,
            sender=config.mail_from,
            local=config.mail_route is None,
            per_day=config.mail_per_day,
        )
        self.door.add("email", email.functions)
        self.hasher = Hasher()
        self.users = Users(self.sessions, self.vault, self.hasher, email.send)
        self.door.add("users", self.users.functions, forms=(self.users.as_kept, self.users.as_told))
        self.inspector = Inspector(
            sessions=self.sessions,
            requests=requests,
            pool=self.pool,
            door=self.door,
            slots=self.slots,
            secrets=secrets,
            privacy=self.privacy,
        )
        self.dispatcher = Dispatcher(
            sessions=self.sessions,
            listener=self.listener,
            runner=self.runner,
            batches=Batches(
                appender=self.appender,
                sessions=self.sessions,
                runner=self.runner,
                inbox=self.inbox,
                slots=self.slots,
            ),
            slots=self.slots,
            node_id=lambda: self.identity.current,
            renew=self.identity.renew,
        )
        self.listener.subscribe(CANCEL_CHANNEL, lambda payload: cancel_notified(self.pool, payload))

    @property
    def listener(self) -> Listener:
        """The process's one session for NOTIFY."""
        return self.identity.listener

    def start(self) -> None:
        """Start executors, log and dispatch; the database may still be away."""
        self.inbox.open()
        self.appender.start()
        self.pool.start()
        self.dispatcher.start()
        self.listener.start()

    def stop(self, grace: float) -> None:
        """Take no more work, let what runs end for up to ``grace`` seconds, then end everything.

        What has not ended by then is lost with its executor and goes back to the outbox.
        """
        self.dispatcher.stop()
        finished = self.slots.wait_empty(grace)
        self.pool.stop(0.5)
        self.hasher.stop()
        if not finished:
            self.slots.wait_empty(2.0)
        self.identity.retire()
        self.listener.stop()
        self.appender.stop()
        self.guards.places.close()
        self.http.close()
        self.document_sessions.close()
        self.sessions.close()
        _log.info("node.stopped", finished=finished)
