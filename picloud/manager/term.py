"""What the leader does while it leads, put together: from following the log to purging dead letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import gevent

from picloud.config import Config
from picloud.log.appender import Appender
from picloud.log.listener import Listener
from picloud.manager.document_indexes import DocumentIndexes
from picloud.manager.expiry import Expiry
from picloud.manager.mail_route import MailRoute
from picloud.manager.mail_sender import MailSender
from picloud.manager.node_watch import NodeWatch
from picloud.manager.reactions import Reactor
from picloud.manager.rebuild_jobs import RebuildJobs
from picloud.manager.replays import Replays
from picloud.manager.retention import Retention
from picloud.manager.scheduler import Scheduler
from picloud.manager.sweeping import Sweeping
from picloud.manager.waking import Waker
from picloud.postgres.sessions import Sessions
from picloud.projections.dead_letters import DeadLetters
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS
from picloud.projections.mails import Mails
from picloud.projections.reactions import Reactions
from picloud.projections.rebuilds import Rebuilds
from picloud.projections.replay_jobs import ReplayJobs
from picloud.projections.waits import Waits


class LeaderTerm:
    """See the module. ``environment`` is what the processes that it starts get.

    ``on_failed`` is called if a part ends that never should.
    """

    def __init__(
        self, config: Config, *, environment: Mapping[str, str], on_failed: Callable[[BaseException], None]
    ) -> None:
        dsn = config.dsn
        self._on_failed = on_failed
        self._appender = Appender(dsn)
        self._sessions = Sessions(dsn, purpose="manager", size=2)
        self._listener = Listener(dsn, purpose="manager")
        self._rebuild_jobs = RebuildJobs(dsn, appender=self._appender, sessions=self._sessions, environment=environment)
        self._follower = Follower(dsn, [kind() for kind in PROJECTIONS.values()], on_changed=self._projection_changed)
        self._node_watch = NodeWatch(dsn, appender=self._appender, sessions=self._sessions, listener=self._listener)
        self._scheduler = Scheduler(appender=self._appender, sessions=self._sessions, listener=self._listener)
        self._reactor = Reactor(appender=self._appender, sessions=self._sessions)
        self._waker = Waker(appender=self._appender, sessions=self._sessions)
        self._replays = Replays(appender=self._appender, sessions=self._sessions)
        self._expiry = Expiry(appender=self._appender, sessions=self._sessions)
        self._mail_sender = MailSender(appender=self._appender, sessions=self._sessions, route=_mail_route(config))
        self._document_indexes = DocumentIndexes(dsn, sessions=self._sessions, listener=self._listener)
        self._retention = Retention(
            appender=self._appender, sessions=self._sessions, keep=timedelta(days=config.dead_letter_days)
        )
        self._sweeping = Sweeping(sessions=self._sessions, days=config.file_days)

    def start(self) -> None:
        """Begin all of it."""
        self._appender.start()
        self._follower.start().link_exception(self._part_failed)
        self._rebuild_jobs.start().link_exception(self._part_failed)
        self._node_watch.start()
        self._scheduler.start().link_exception(self._part_failed)
        self._reactor.start().link_exception(self._part_failed)
        self._waker.start().link_exception(self._part_failed)
        self._replays.start().link_exception(self._part_failed)
        self._mail_sender.start().link_exception(self._part_failed)
        self._document_indexes.start().link_exception(self._part_failed)
        self._retention.start().link_exception(self._part_failed)
        self._expiry.start().link_exception(self._part_failed)
        self._sweeping.start().link_exception(self._part_failed)
        self._listener.start()

    def stop(self) -> None:
        """End all of it."""
        self._listener.stop()
        self._expiry.stop()
        self._sweeping.stop()
        self._document_indexes.stop()
        self._retention.stop()
        self._mail_sender.stop()
        self._reactor.stop()
        self._waker.stop()
        self._replays.stop()
        self._scheduler.stop()
        self._node_watch.stop()
        self._rebuild_jobs.stop()
        self._follower.stop()
        self._appender.stop()
        self._sessions.close()

    def _projection_changed(self, name: str) -> None:
        if name == Rebuilds.name:
            self._rebuild_jobs.look()
            self._follower.look_again()
        elif name == ReplayJobs.name:
            self._replays.look()
        elif name == DeadLetters.name:
            self._retention.look()
        elif name == Reactions.name:
            self._reactor.look()
        elif name == Mails.name:
            self._mail_sender.look()
        elif name == Waits.name:
            self._waker.look()

    def _part_failed(self, part: gevent.Greenlet[[], None]) -> None:
        self._on_failed(part.exception or RuntimeError(f"{part.name} ended"))


def _mail_route(config: Config) -> MailRoute | None:
    server = config.mail_route
    return None if server is None else MailRoute(server, timeout=config.mail_timeout, authorities=config.mail_ca)
